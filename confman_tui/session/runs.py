"""The runs of one scenario on the open cluster: each as often as ``--repeat`` says, with its verification and result.

`confman_tui.session.series` decides which scenarios run, `confman_tui.session.run_recorder` keeps what one run gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from confman_tui.cluster.elections import Verification
from confman_tui.cluster.tls import TlsOptions
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.load.open_files import allow
from confman_tui.load.run_model import RunPlan
from confman_tui.load.schedule import senders_for
from confman_tui.results.kept_run import KeptRun
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.repeats import combined
from confman_tui.session.events import Phase, ScenarioEnded, ScenarioStarted, VerificationEnded
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.session.session import Session
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Reads, Scenario, Target, ran_as

AFTERMATH_S = 0.3
"""How long after a run the stream of writes is waited for: it lags a moment, and an election near the end must not be
lost."""


@dataclass(frozen=True)
class Step:
    """What one step of a series changes."""

    label: str
    """In words: ``step 3 of 4``."""
    stem: str
    """Of its files' names, beside the tier."""
    duration_s: float
    users: int | None = None
    """None: the scenario's own."""
    payload_bytes: int | None = None
    """None: that of the settings."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Puts the data into the state in which each of its runs begins."""


def settings_here(session: Session) -> Settings:
    """The settings as they are in force on this cluster."""
    cluster = session.cluster
    return replace(session.settings, tier=cluster.dataset.tier.name, demo=cluster.demo is not None)


def plan_for(session: Session, scenario: Scenario, step: Step | None = None) -> RunPlan:
    """What a run of it sends, by the settings in force."""
    settings, dataset = session.settings, session.cluster.dataset
    rate = settings.rate
    own_users = scenario.users if rate is None else senders_for(rate, scenario.users, settings.request_timeout_s)
    return RunPlan(
        scenario=scenario.name,
        users=(step.users if step is not None else settings.users) or own_users,
        duration_s=step.duration_s if step is not None else settings.duration_s or scenario.duration_s,
        target=scenario.target,
        write_share=scenario.write_share,
        wait_s=scenario.wait_s,
        payload_bytes=(step.payload_bytes if step is not None else None) or settings.payload_bytes,
        namespaces=dataset.namespaces,
        keys=dataset.keys,
        api_key=settings.api_key,
        rate=rate,
        warmup_s=settings.warmup_s,
        workers=settings.workers + settings.expect_workers,
        reads=Reads(settings.reads),
        request_timeout_s=settings.request_timeout_s,
        full_history=settings.full_history,
        seeded_bytes=dataset.seeded_bytes,
        tls=TlsOptions.of(settings),
    )


def allow_connections(session: Session, users: int) -> None:
    """See to it that so many users can have their connections. Workers elsewhere see to it themselves.

    Raises:
        UsageError: they are too many for this system.
    """
    settings = session.settings
    if settings.workers or not settings.expect_workers:
        allow(users, len(session.cluster.monitor.nodes), settings.workers + settings.expect_workers)


async def run_scenario(session: Session, scenario: Scenario, step: Step | None = None) -> ScenarioResult | None:
    """Run a scenario as often as ``--repeat`` says, each time on the same data; a stop keeps the runs so far, None
    when there is none. A step of a series leaves the kept run of that scenario alone.

    Raises:
        ClusterError: no leader within ``--wait``, or the data could not be put back.
    """
    plan = plan_for(session, scenario, step)
    name = scenario.name if plan.rate is not None else ran_as(scenario.name, plan.users)
    kept = KeptRun(settings_here(session), name) if step is None else None
    done: ScenarioResult | None = None
    for number in range(1, session.settings.repeat + 1):
        run = await _prepare(session, scenario, step, number)
        if run is None:
            break
        with under_way(session, run):
            with run.recording() as plan:
                future = session.engine.run(plan, on_sample=run.post_sample, observer=session.cluster.monitor.book)
                run.outcome = await asyncio.wrap_future(future)
            latest = await _result_of(session, run)
        whole = latest if done is None else combined(done, latest)
        done = run.save(whole if kept is None else kept.compared(whole))
        if step is None:
            session.keep_result(done)
        session.emit(ScenarioEnded(done))
    return done


async def _prepare(session: Session, scenario: Scenario, step: Step | None, number: int) -> ScenarioRun | None:
    """All that comes before the first request: a leader, the data, the workers. None when it is stopped."""
    cluster, settings = session.cluster, session.settings
    leader = await cluster.wait_for_leader()
    if session.stopping():
        return None
    if step is not None:
        if step.prepare is not None:
            await step.prepare()
    elif settings.fresh or (settings.repeat > 1 and scenario.write_share > 0):
        # runs that write would each find more entries than the one before
        session.phase(Phase.CLEANING, "back to the seeded state")
        await cluster.dataset.reset()
    if leader is None or session.stopping():
        return None
    run = await new_run(session, plan_for(session, scenario, step), step.stem if step is not None else "")
    if session.stopping():
        return None
    session.phase(Phase.RUNNING, scenario.name)
    announce(session, run, number=number, runs=settings.repeat, step=step.label if step is not None else "")
    return run


async def new_run(session: Session, plan: RunPlan, stem: str = "") -> ScenarioRun:
    """Get the workers ready and count the entries; the run begins when the engine is asked to. Returns soon after a
    stop, which the caller looks for."""
    await session.wait_for_workers()
    entries_before = await session.cluster.count_entries() or 0  # a stop: it will not begin
    return ScenarioRun(
        plan,
        settings_here(session),
        entries_before,
        session.engine,
        session.cluster,
        session.emit,
        session.clock,
        stem=stem,
    )


def announce(session: Session, run: ScenarioRun, *, number: int = 1, runs: int = 1, step: str = "") -> None:
    """Emit that the run's first users start."""
    plan = run.plan
    session.emit(
        ScenarioStarted(
            plan.scenario,
            session.clock(),
            plan.users,
            plan.duration_s,
            run.entries_before,
            plan.payload_bytes,
            rate=plan.rate,
            warmup_s=plan.warmup_s,
            run=number,
            runs=runs,
            step=step,
            reads=plan.reads if plan.target is Target.ANY else None,
        )
    )


@contextmanager
def under_way(session: Session, run: ScenarioRun) -> Iterator[None]:
    """While inside, what happens to the cluster belongs to this run, and its writes are booked."""
    cluster = session.cluster
    cluster.monitor.start_booking()
    session.set_run(run)
    cluster.incidents.load_changed()
    try:
        yield
    finally:
        session.set_run(None)
        if cluster.monitor.booking:
            cluster.monitor.stop_booking()


async def _result_of(session: Session, run: ScenarioRun) -> ScenarioResult:
    """The load has ended: wait for the last writes, verify them all, and put the result together."""
    cluster = session.cluster
    cluster.incidents.load_changed()
    await asyncio.sleep(AFTERMATH_S)
    cluster.monitor.drain()
    ledger = cluster.monitor.stop_booking()
    verification: Verification | None = None
    if run.plan.write_share > 0:
        # when the program ends it is over at once, and says that the writes were not judged
        verification = await verify_run(session, run, ledger)
    return run.result(verification, cluster.dataset.registry_files)


async def verify_run(session: Session, run: ScenarioRun, ledger: WriteLedger) -> Verification:
    """Read the run's acknowledged writes back, and keep the refused ones to be read once more."""
    phantoms = set[str]()
    verification = await session.cluster.incidents.verify(
        ledger,
        session.stop_verifying,
        entries_before=run.entries_before,
        payload_bytes=run.plan.payload_bytes,
        run_began=run.outcome.started if run.outcome is not None else 0.0,
        phantoms=phantoms,
    )
    if verification.asked and session.late is not None:
        await session.late.keep(run, ledger, phantoms)
    session.emit(VerificationEnded(run.name, verification))
    return verification
