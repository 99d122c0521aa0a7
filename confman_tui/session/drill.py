"""Runs an election drill in a session: starts the load, has the rounds conducted, writes the files.

`confman_tui.session.drill_rounds` conducts the rounds, `confman_tui.session.drill_rules` says what counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.states import STATE_WORDS, ClusterView
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.core.errors import EXIT_UNWRITTEN, EXIT_WORKERS, ClusterError, ExitReason, UsageError
from confman_tui.load.run_model import RunOutcome
from confman_tui.results.files.drill_files import save_drill
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.model import ScenarioResult
from confman_tui.session.drill_rounds import run_rounds
from confman_tui.session.drill_rules import DrillPlan, nodes_down, with_generator_bound
from confman_tui.session.events import DrillEnded, DrillRound, DrillRoundEnded, Level, Phase, ScenarioEnded
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.session.runs import (
    allow_connections,
    announce,
    new_run,
    plan_for,
    settings_here,
    under_way,
    verify_run,
)
from confman_tui.session.session import Session
from confman_tui.settings.scenarios import DRILL_NAME, by_name

LOAD = "write-10u"
"""The scenario whose users write meanwhile, without an end."""
ALL_UP_S = 5.0
"""How long a node may still be on its way up when the drill is asked for."""
LOAD_SETTLES_S = 0.5
"""How long all users take to begin, and the stream of writes to show it."""


async def run_drill(session: Session) -> DrillEnded | None:
    """Run the drill that the settings ask for and write its files; None when it was stopped before it began.

    Raises:
        UsageError: the first fault can't be done here, or more users than this system allows connections.
        ClusterError: no node leads or a node is down, or the data could not be seeded.
    """
    session.begin_activity()
    allow_connections(session, plan_for(session, by_name(LOAD)).users)
    await session.seed_if_needed()
    settings = session.settings
    plan = DrillPlan(
        settings.rounds,
        FaultKind(settings.fault),
        max_unavailable_s=settings.max_unavailable_s,
        return_limit_s=settings.wait_s,
    )
    run = await _prepare(session, plan.kind)
    ended: DrillEnded | None = None
    if run is not None:
        session.phase(Phase.DRILLING, f"{plan.rounds} round{'s' if plan.rounds != 1 else ''} of {plan.kind}")
        announce(session, run)
        cluster = LoadedCluster(session, run)
        with under_way(session, run):
            ended = await _drill_under_load(cluster, plan)
        ended = _with_load(ended, cluster.result, strict=settings.strict)
        try:
            save_drill(ended, settings.output_dir, settings_here(session).tier, session.cluster.summary())
        except ResultsError as error:
            session.notice(str(error), Level.ERROR, calls_for=EXIT_UNWRITTEN)
        session.drill, session.drill_load = ended, cluster.result
        session.emit(ended)
    session.rest()
    return ended


async def _prepare(session: Session, kind: FaultKind) -> ScenarioRun | None:
    """The load of a drill that can be done here; None when it is stopped meanwhile. Raises as `run_drill` does."""
    leader = await session.cluster.wait_for_leader()
    if leader is None or session.stopping():
        return None
    load = replace(plan_for(session, by_name(LOAD)), scenario=DRILL_NAME, duration_s=None, warmup_s=0.0)
    run = await new_run(session, load)
    if not session.stopping():
        await _look_ahead(session, kind)
    return None if session.stopping() else run


async def _look_ahead(session: Session, kind: FaultKind) -> None:
    """Refuse before any load what could not be done or would never recover; say which process it will hit.

    Raises:
        UsageError: the leader must not be touched, or the cluster is too small to elect another.
        ClusterError: a node does not answer, so that no state would count as steady.
    """
    monitor, incidents = session.cluster.monitor, session.cluster.incidents
    with contextlib.suppress(StoppedError):
        await unless_stopped(monitor.wait_for(lambda view: not nodes_down(view), ALL_UP_S), session.stop_asked, 0.0)
    if session.stopping():
        return
    if down := nodes_down(monitor.view):
        which = " and ".join(f"{node.node} ({STATE_WORDS[node.state]})" for node in down)
        raise ClusterError(f"a drill needs every node, and it lacks {which}: bring it back first, or leave it out")
    leader, nodes = monitor.view.leader, monitor.nodes
    if leader is None:
        return
    try:
        fault = await asyncio.to_thread(incidents.preview_fault, kind, leader)
    except FaultRefusedError as error:
        raise UsageError(str(error)) from None
    if len(nodes) - 1 < len(nodes) // 2 + 1:
        raise UsageError(
            f"a drill needs at least three nodes, and these are {len(nodes)}: without its leader, the cluster would "
            "have no majority to elect another"
        )
    if fault.needs_confirmation:
        text = f"the first {kind} hits {leader} ({fault.target}). {fault.warning}"
        session.notice(text.strip(), Level.WARNING if fault.warning else Level.INFO)


class LoadedCluster:
    """The session's cluster with the drill's load on it. Implements `confman_tui.session.drill_rounds.DrillHost`."""

    def __init__(self, session: Session, run: ScenarioRun) -> None:
        self.result: ScenarioResult | None = None
        """Of the load, once it has ended."""
        self._session = session
        self._run = run
        self._monitor = session.cluster.monitor
        self._incidents = session.cluster.incidents
        self._recording = contextlib.ExitStack()
        self._load: asyncio.Future[RunOutcome] | None = None

    def start_load(self) -> None:
        """The users begin to write."""
        run = self._run
        plan = self._recording.enter_context(run.recording())
        future = self._session.engine.run(plan, on_sample=run.post_sample, observer=self._monitor.book)
        self._load = asyncio.wrap_future(future)

    async def end_load(self) -> None:
        """The users stop; their requests in flight are waited for. Nothing happens when they have stopped."""
        load, self._load = self._load, None
        if load is None:
            return
        self._session.engine.stop_run()
        with self._recording:
            self._run.outcome = await load
        self._incidents.load_changed()

    # -- DrillHost

    @property
    def view(self) -> ClusterView:
        """What is known of the cluster now."""
        return self._monitor.view

    @property
    def writes(self) -> WriteStream:
        """The stream of all writes."""
        return self._monitor.book.stream

    @property
    def stopping(self) -> bool:
        """Whether the person wants it to end, or the load broke down."""
        return self._session.stopping() or (self._load is not None and self._load.done())

    def now(self) -> float:
        """The program's clock."""
        return self._session.clock()

    def election_of(self, fault: Fault) -> Election | None:
        """The election that this fault caused, once it is over."""
        return next((held for held in self._incidents.elections if held.fault == fault), None)

    def unfinished(self) -> Election | None:
        """The election that is going on."""
        return self._incidents.unfinished()

    async def sleep(self, seconds: float) -> None:
        """Let time pass, less when it is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._session.stop_asked.wait()

    async def cause(self, kind: FaultKind, node: str) -> Fault:
        """Do it."""
        return await self._incidents.cause_fault(kind, node, by=DRILL_NAME)

    async def revive(self) -> tuple[Fault, ...]:
        """Bring back every node that was hurt."""
        return self._incidents.revive(by=DRILL_NAME) if self._incidents.hurt() else ()

    def round_ended(self, round_: DrillRound) -> None:
        """Emit it."""
        self._session.emit(DrillRoundEnded(round_))

    async def finish(self) -> Verification | None:
        """Stop the load, read the writes back, write the load's files."""
        session, run = self._session, self._run
        await self.end_load()
        self._monitor.drain()
        verification = await verify_run(session, run, self._monitor.stop_booking())
        registry = session.cluster.dataset.registry_files
        self.result = run.save(run.result(verification, registry, ended_as_meant=not session.stop_asked.is_set()))
        session.emit(ScenarioEnded(self.result))
        return verification if session.settings.verify.mode != "off" else None


async def _drill_under_load(cluster: LoadedCluster, plan: DrillPlan) -> DrillEnded:
    """The rounds, with the load from before the first to after the last."""
    cluster.start_load()
    try:
        # A state is steady only under the load: the probe's even rate before it must not count as such.
        await cluster.sleep(plan.steady_s + LOAD_SETTLES_S)
        return await run_rounds(cluster, plan)
    except FaultRefusedError as error:
        raise UsageError(str(error)) from None
    finally:
        with contextlib.suppress(ClusterError):
            await cluster.end_load()


def _with_load(ended: DrillEnded, load: ScenarioResult | None, *, strict: bool) -> DrillEnded:
    """The verdict with what makes the load's figures worth less."""
    if load is None:
        return ended
    if load.outcome.invalid:
        words = f"the figures are invalid: {load.outcome.invalid}"
        reason = ExitReason(EXIT_WORKERS, f"{DRILL_NAME}: {words}")
        ended = replace(ended, verdict=f"{ended.verdict}; {words}", reasons=(*ended.reasons, reason))
    return with_generator_bound(ended, load.generator_bound, strict=strict)
