"""The runs of a scenario on an open cluster: each as often as ``--repeat`` says, with its verification and its result.

`confman_tui.session.session` decides what runs and when, `confman_tui.session.run_recorder` keeps what one run gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from confman_tui.cluster.elections import Verification
from confman_tui.core.clock import Clock
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import RunPlan
from confman_tui.load.schedule import senders_for
from confman_tui.results.kept_run import KeptRun
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.repeats import combined
from confman_tui.session.connection import Connection
from confman_tui.session.events import Phase, PhaseChanged, ScenarioEnded, ScenarioStarted, Sink, VerificationEnded
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.session.series import Step
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Reads, Scenario, Target

AFTERMATH_S = 0.3
"""After a run, what was told but not judged yet is waited for so long."""


@dataclass(frozen=True)
class RunParts:
    """What of the session runs work with."""

    cluster: Connection
    engine: Engine
    settings: Callable[[], Settings]
    """Those in force: a person may change them between two runs."""
    wait_for_workers: Callable[[], Awaitable[None]]
    """Gets the workers ready, if there are any."""
    set_run: Callable[[ScenarioRun | None], None]
    """Is told which run goes on."""
    keep: Callable[[ScenarioResult], None]
    """Takes the result of a scenario that is no step of a series, after each of its runs."""
    emit: Sink
    clock: Clock
    stopping: Callable[[], bool]
    """Whether the activity shall end."""
    leaving: Callable[[], bool]
    """Whether the program ends."""
    give_up: asyncio.Event
    """Set when the verification shall end."""


class Runs:
    """Belongs to the session's loop and to one open cluster."""

    def __init__(self, parts: RunParts) -> None:
        self._parts = parts
        self._emit = parts.emit

    def _phase(self, phase: Phase, detail: str = "") -> None:
        self._emit(PhaseChanged(phase, self._parts.clock(), detail))

    def plan(self, scenario: Scenario, step: Step | None = None) -> RunPlan:
        """What a run of it sends, by the settings in force."""
        settings, dataset = self._parts.settings(), self._parts.cluster.dataset
        rate = settings.rate
        own_users = scenario.users if rate is None else senders_for(rate, scenario.users)
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
        )

    def settings_here(self) -> Settings:
        """The settings as they are in force on this cluster."""
        cluster = self._parts.cluster
        return replace(self._parts.settings(), tier=cluster.dataset.tier.name, demo=cluster.demo is not None)

    async def prepare(self, plan: RunPlan, leader: str, stem: str = "") -> ScenarioRun:
        """Get the workers ready and count the entries; the run begins when it is asked to."""
        parts, cluster = self._parts, self._parts.cluster
        await parts.wait_for_workers()
        entries_before = await cluster.client.count_entries(leader)
        return ScenarioRun(
            plan,
            self.settings_here(),
            entries_before,
            parts.engine,
            cluster.monitor,
            parts.emit,
            parts.clock,
            cluster.watch,
            stem=stem,
        )

    async def run_one(self, scenario: Scenario, step: Step | None = None) -> ScenarioResult | None:
        """Run a scenario as often as ``--repeat`` says, each time on the same data; a stop keeps the runs so far, None
        when there is none. A step of a series leaves the kept run of that scenario alone."""
        kept = KeptRun(self.settings_here(), scenario.name) if step is None else None
        done: ScenarioResult | None = None
        for number in range(1, self._parts.settings().repeat + 1):

            def complete(latest: ScenarioResult, before: ScenarioResult | None = done) -> ScenarioResult:
                whole = latest if before is None else combined(before, latest)
                return whole if kept is None else kept.compared(whole)

            result = await self._run_once(scenario, step, number, complete)
            if result is None:
                break
            done = result
            if step is None:
                self._parts.keep(result)
            self._emit(ScenarioEnded(result))
        return done

    async def _run_once(
        self,
        scenario: Scenario,
        step: Step | None,
        number: int,
        complete: Callable[[ScenarioResult], ScenarioResult],
    ) -> ScenarioResult | None:
        parts, cluster, settings = self._parts, self._parts.cluster, self._parts.settings()
        leader = await cluster.wait_for_leader(parts.stopping, lambda: self._phase(Phase.WAITING))
        if step is not None:
            if not parts.stopping():
                await step.prepare()
        elif (settings.fresh or (settings.repeat > 1 and scenario.write_share > 0)) and not parts.stopping():
            # runs that write would each find more entries than the one before
            self._phase(Phase.CLEANING, "back to the seeded state")
            await cluster.dataset.reset()
        if leader is None or parts.stopping():
            return None
        plan = self.plan(scenario, step)
        run = await self.prepare(plan, leader, step.stem if step is not None else "")
        if parts.stopping():
            return None
        self._phase(Phase.RUNNING, plan.scenario)
        self._emit(
            ScenarioStarted(
                plan.scenario,
                parts.clock(),
                plan.users,
                plan.duration_s,
                run.entries_before,
                plan.payload_bytes,
                rate=plan.rate,
                warmup_s=plan.warmup_s,
                run=number,
                runs=settings.repeat,
                step=step.label if step is not None else "",
                reads=plan.reads if plan.target is Target.ANY else None,
            )
        )
        return await self._measure(run, scenario, complete)

    async def _measure(
        self, run: ScenarioRun, scenario: Scenario, complete: Callable[[ScenarioResult], ScenarioResult]
    ) -> ScenarioResult:
        parts, cluster = self._parts, self._parts.cluster
        monitor, incidents = cluster.monitor, cluster.incidents
        monitor.turn_page(booking=True)
        run.on_sample = incidents.on_sample
        parts.set_run(run)
        incidents.load_changed()
        try:
            outcome = await run.run()
            incidents.load_changed()
            # The stream of writes is judged a moment late; an election near the end must not be lost.
            await asyncio.sleep(AFTERMATH_S)
            monitor.drain()
            ledger = monitor.turn_page(booking=False)
            verification: Verification | None = None
            if scenario.write_share > 0 and not parts.leaving():
                verification = await incidents.verify(
                    ledger,
                    parts.give_up,
                    entries_before=run.entries_before,
                    payload_bytes=run.plan.payload_bytes,
                    run_began=outcome.started,
                )
                self._emit(VerificationEnded(scenario.name, verification))
            registry = cluster.dataset.registry_files
            return run.finish(verification, cluster.summary(), registry, complete=complete)
        except BaseException:
            # The probe must not go on with a key of its own for each write: nobody would ever read them back.
            monitor.turn_page(booking=False)
            raise
        finally:
            parts.set_run(None)
