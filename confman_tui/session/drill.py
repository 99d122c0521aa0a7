"""Runs an election drill on the session's cluster: the load under it, the faults, the files at its end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

from confman_tui.cluster.election_meter import FAILED_STATES
from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.states import STATE_WORDS, ClusterView, NodeView
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.core.clock import Clock
from confman_tui.core.errors import (
    EXIT_GENERATOR_BOUND,
    EXIT_NO_SUCCESS,
    EXIT_OK,
    EXIT_WORKERS,
    ClusterError,
    UsageError,
)
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import RunOutcome
from confman_tui.results.files.drill_files import save_drill
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.model import ScenarioResult
from confman_tui.session.cluster_monitor import Monitor
from confman_tui.session.drill_rounds import DrillPlan, run_drill
from confman_tui.session.events import (
    DrillEnded,
    DrillRound,
    DrillRoundEnded,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ScenarioEnded,
    ScenarioStarted,
    Sink,
    VerificationEnded,
)
from confman_tui.session.incidents import IncidentTracker
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.settings import Settings

NAME = "drill"
"""The drill's name among the scenarios, in events and file names."""
LOAD = "write-10u"
"""The scenario whose users write meanwhile, without an end."""
ALL_UP_S = 5.0
"""How long a node may still be on its way up when the drill is asked for."""
LOAD_SETTLES_S = 0.5
"""How long all users take to begin, and the stream of writes to tell of it."""


@dataclass(frozen=True)
class DrillParts:
    """What of the session a drill works with."""

    settings: Settings
    run: ScenarioRun
    engine: Engine
    monitor: Monitor
    incidents: IncidentTracker
    emit: Sink
    clock: Clock
    stop: asyncio.Event
    """The rounds shall end."""
    give_up: asyncio.Event
    """The verification shall end."""
    cluster: dict[str, object]
    registry_files: tuple[str, ...]


class DrillRig:
    """Implements `confman_tui.session.drill_rounds.DrillHost`."""

    def __init__(self, parts: DrillParts) -> None:
        self._parts = parts
        self._load: asyncio.Task[RunOutcome] | None = None
        self.result: ScenarioResult | None = None

    def start_load(self) -> None:
        """The users begin to write."""
        parts = self._parts
        plan = parts.run.plan
        parts.emit(
            ScenarioStarted(
                plan.scenario,
                parts.clock(),
                plan.users,
                None,
                parts.run.entries_before,
                plan.payload_bytes,
                plan.rate,
            )
        )
        parts.monitor.turn_page(booking=True)
        parts.incidents.load_changed()
        parts.run.on_sample = parts.incidents.on_sample
        self._load = asyncio.create_task(parts.run.run(), name="drill load")

    async def end_load(self) -> None:
        """The users stop; their requests in flight are waited for. Nothing happens when they have stopped."""
        load, self._load = self._load, None
        if load is None:
            return
        self._parts.engine.stop_run()
        await load
        self._parts.incidents.load_changed()

    # -- DrillHost

    @property
    def nodes(self) -> tuple[str, ...]:
        """The configured nodes."""
        return self._parts.monitor.nodes

    @property
    def view(self) -> ClusterView:
        """What is known of the cluster now."""
        return self._parts.monitor.view

    @property
    def writes(self) -> WriteStream:
        """The stream of all writes."""
        return self._parts.monitor.book.stream

    @property
    def stopping(self) -> bool:
        """Whether the person wants it to end, or the load broke down."""
        return self._parts.stop.is_set() or (self._load is not None and self._load.done())

    def now(self) -> float:
        """The program's clock."""
        return self._parts.clock()

    def election_of(self, fault: Fault) -> Election | None:
        """The election that this fault caused, once it is over."""
        return next((held for held in self._parts.incidents.elections if held.fault == fault), None)

    def unfinished(self) -> Election | None:
        """The election that is going on."""
        return self._parts.incidents.unfinished()

    async def sleep(self, seconds: float) -> None:
        """Let time pass, less when it is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._parts.stop.wait()

    async def cause(self, kind: FaultKind, node: str) -> Fault:
        """Do it."""
        return await self._parts.incidents.cause_fault(kind, node, by="drill")

    async def revive(self) -> tuple[Fault, ...]:
        """Bring back every node that was hurt."""
        return self._parts.incidents.revive(by="drill") if self._parts.incidents.hurt() else ()

    def round_ended(self, round_: DrillRound) -> None:
        """Tell it."""
        self._parts.emit(DrillRoundEnded(round_))

    async def finish(self) -> Verification | None:
        """Stop the load, read the writes back, write the load's files."""
        parts = self._parts
        await self.end_load()
        parts.monitor.drain()
        ledger = parts.monitor.turn_page(booking=False)
        verification = await parts.incidents.verify(
            ledger,
            parts.give_up,
            entries_before=parts.run.entries_before,
            payload_bytes=parts.run.plan.payload_bytes,
            run_began=parts.run.outcome.started if parts.run.outcome is not None else 0.0,
        )
        parts.emit(VerificationEnded(NAME, verification))
        self.result = parts.run.finish(
            verification, parts.cluster, parts.registry_files, ended_as_meant=not parts.stop.is_set()
        )
        parts.emit(ScenarioEnded(self.result))
        return verification if parts.settings.verify.mode != "off" else None


def _down(view: ClusterView) -> list[NodeView]:
    return [node for node in view.nodes if node.state in FAILED_STATES]


async def _look_ahead(parts: DrillParts, kind: FaultKind) -> None:
    """Refuse before any load what could not be done or would never recover; tell which process it will hit.

    Raises:
        UsageError: the leader must not be touched, or the cluster is too small to elect another.
        ClusterError: a node does not answer, so that no state would count as steady.
    """
    await parts.monitor.wait_for(lambda view: not _down(view) or parts.stop.is_set(), ALL_UP_S)
    if down := _down(parts.monitor.view):
        which = " and ".join(f"{node.node} ({STATE_WORDS[node.state]})" for node in down)
        raise ClusterError(f"a drill needs every node, and it lacks {which}: bring it back first, or leave it out")
    leader, nodes = parts.monitor.view.leader, parts.monitor.nodes
    if leader is None:
        return
    try:
        preview = await asyncio.to_thread(parts.incidents.preview_fault, kind, leader)
    except FaultRefusedError as error:
        raise UsageError(str(error)) from None
    if len(nodes) - 1 < len(nodes) // 2 + 1:
        raise UsageError(
            f"a drill needs at least three nodes, and these are {len(nodes)}: without its leader, the cluster would "
            "have no majority to elect another"
        )
    if preview.needs_confirmation:
        level = Level.WARNING if preview.warning else Level.INFO
        text = f"the first {kind} hits {leader} ({preview.target}). {preview.warning}"
        parts.emit(NoticeGiven(level, text.strip(), parts.clock()))


def generator_judged(ended: DrillEnded, result: ScenarioResult | None, *, strict: bool) -> DrillEnded:
    """Says in the verdict that the generator was the limit of the load; with ``strict`` the drill fails then, unless
    it has failed for what is worse."""
    bound = result.generator_bound if result is not None else None
    if bound is None:
        return ended
    fails = strict and ended.exit_code in (EXIT_OK, EXIT_NO_SUCCESS)
    return replace(
        ended,
        verdict=f"{ended.verdict.rstrip('.')}; generator-bound for {bound.seconds} s: {bound.reason}",
        exit_code=EXIT_GENERATOR_BOUND if fails else ended.exit_code,
    )


async def drill(parts: DrillParts) -> DrillEnded:
    """Run the drill that the settings ask for, write its files, tell its end.

    Raises:
        UsageError: the first fault can't be done here.
        ClusterError: no node leads.
    """
    settings = parts.settings
    rig = DrillRig(parts)
    plan = DrillPlan(
        settings.rounds,
        FaultKind(settings.fault),
        max_unavailable_s=settings.max_unavailable_s,
        return_limit_s=settings.wait_s,
    )
    await _look_ahead(parts, plan.kind)
    parts.emit(
        PhaseChanged(
            Phase.DRILLING, parts.clock(), f"{plan.rounds} round{'s' if plan.rounds != 1 else ''} of {plan.kind}"
        )
    )
    rig.start_load()
    try:
        # A state is steady only under the load: the probe's even rate before it must not count as such.
        await rig.sleep(plan.steady_s + LOAD_SETTLES_S)
        ended = await run_drill(rig, plan)
    except FaultRefusedError as error:
        raise UsageError(str(error)) from None
    finally:
        with contextlib.suppress(ClusterError):
            await rig.end_load()
        parts.monitor.turn_page(booking=False)
    invalid = rig.result.outcome.invalid if rig.result is not None else ""
    if invalid:
        ended = replace(
            ended,
            verdict=f"{ended.verdict}; the figures are invalid: {invalid}",
            exit_code=ended.exit_code or EXIT_WORKERS,
        )
    ended = generator_judged(ended, rig.result, strict=settings.strict)
    try:
        save_drill(ended, settings.output_dir, settings.tier, parts.cluster)
    except ResultsError as error:
        parts.emit(NoticeGiven(Level.ERROR, str(error), parts.clock()))
    parts.emit(ended)
    return ended
