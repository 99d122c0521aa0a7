"""What the writes and the elections of a run amount to: faults, the meter of elections, verification.

Part of the conductor. It hears what the monitor sees, and tells elections and faults to the faces and to the run that
they belong to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from confman_tui.clock import Clock
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.control import FaultRefusedError
from confman_tui.cluster.elections import ElectionMeter
from confman_tui.cluster.elections_model import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults import FaultDesk
from confman_tui.cluster.ledger import WriteLedger
from confman_tui.cluster.model import ClusterView, Fact, NodeState
from confman_tui.cluster.verify import verify
from confman_tui.cluster.writes import Drained
from confman_tui.commands import FaultPreview
from confman_tui.dataset import Progress
from confman_tui.events import ElectionMeasured, FaultCaused, Phase, PhaseChanged, Sink
from confman_tui.load.model import SecondSample
from confman_tui.monitor import Monitor
from confman_tui.settings import Settings

HEALTHY_WITHIN_S = 15.0
"""How long verification waits for all live nodes to agree on a leader before it reads with what there is."""
LIVE = (
    NodeState.LEADER,
    NodeState.ELECTED,
    NodeState.FOLLOWER,
    NodeState.FOLLOWER_OF_DEAD,
    NodeState.STALE_LEADER,
    NodeState.NOT_READY,
)


class Listener(Protocol):
    """A run that wants to know what was done to the cluster meanwhile."""

    def note_fault(self, fault: Fault) -> None:
        """A fault was caused."""

    def note_election(self, election: Election) -> None:
        """An election was measured, or measured further."""


def healthy(view: ClusterView) -> bool:
    """Whether all live nodes agree on a leader that serves."""
    live = [node for node in view.nodes if node.state in LIVE]
    return view.leader is not None and all(
        node.state in (NodeState.LEADER, NodeState.FOLLOWER) and node.names_leader == view.leader for node in live
    )


class Judge:
    """Belongs to the conductor's loop; `preview_fault` may be called on any thread."""

    def __init__(
        self,
        settings: Settings,
        monitor: Monitor,
        client: ConfmanClient,
        desk: FaultDesk,
        emit: Sink,
        clock: Clock,
        listener: Callable[[], Listener | None],
    ) -> None:
        """
        Args:
            settings: for ``--verify``.
            monitor: what is seen.
            client: reads the writes back.
            desk: does faults.
            emit: takes the events.
            clock: stamps everything.
            listener: gives the run under way, if there is one.
        """
        self._settings = settings
        self._monitor = monitor
        self._client = client
        self._desk = desk
        self._emit = emit
        self._clock = clock
        self._listener = listener
        self._meter = ElectionMeter(monitor.nodes, monitor.book.stream)
        self.elections: list[Election] = []
        """All that were measured on this cluster, with their latest figures."""
        self.faults: list[Fault] = []

    # -- hearing

    def hear_view(self, view: ClusterView) -> None:
        """The view may have changed."""
        self._meter.agreed(self._monitor.machine.agreed_on, self._monitor.machine.agreed_since)
        self._meter.viewed(view)

    def hear_fact(self, fact: Fact) -> None:
        """The cluster changed."""
        self._tell(self._meter.fact(fact))

    def hear_writes(self, drained: Drained) -> None:
        """The stream of writes was drained."""
        self._tell(self._meter.tick(drained.at))

    def hear_sample(self, sample: SecondSample) -> None:
        """A second of a run ended."""
        for start, end, ok, failed in sample.reads_within:
            self._meter.reads(start, end, ok, failed)

    def load_changed(self) -> None:
        """Writers start or stop: throughput before and after can't be compared."""
        self._meter.load_changed(self._clock())

    @property
    def electing(self) -> bool:
        """Whether an election is under way."""
        return self._meter.under_way

    def unfinished(self) -> Election | None:
        """The election that is going on, as far as it is known."""
        return self._meter.unfinished()

    def hurt(self) -> bool:
        """Whether a node is down, paused or isolated by this program."""
        return bool(self._desk.standing())

    def _tell(self, elections: Sequence[Election]) -> None:
        for election in elections:
            self.elections = [held for held in self.elections if held.origin != election.origin]
            self.elections.append(election)
            self._emit(ElectionMeasured(election))
            listener = self._listener()
            if listener is not None:
                listener.note_election(election)

    # -- faults

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """What it would hit; raises FaultRefusedError when it can't be done."""
        plan = self._desk.preview(kind, node)
        return FaultPreview(plan.node, plan.kind, plan.target, plan.needs_confirmation, plan.warning)

    async def cause_fault(self, kind: FaultKind, node: str, *, by: str) -> Fault:
        """Watch closely, do it, and tell it; raises FaultRefusedError when it can't be done."""
        await self._monitor.watch_closely(f"{kind} of {node}, by {by}")
        fault = self._desk.cause(kind, node, by)
        self._told(fault)
        return fault

    def revive(self, *, by: str) -> tuple[Fault, ...]:
        """Bring back every node that we paused, isolated or killed.

        Raises:
            FaultRefusedError: there is none, or one could not be brought back; the others were.
        """
        done, failed = self._desk.revive(by)
        for fault in done:
            self._told(fault)
        if failed:
            raise FaultRefusedError("; ".join(failed))
        if not done:
            raise FaultRefusedError("no node is down, paused or isolated by this program")
        return done

    def _told(self, fault: Fault) -> None:
        self.faults.append(fault)
        self._meter.fault(fault)
        self._emit(FaultCaused(fault))
        listener = self._listener()
        if listener is not None:
            listener.note_fault(fault)

    def resume_all(self) -> None:
        """Resume every paused node: at the end, in every case. Any thread."""
        self._desk.resume_all()

    # -- verification

    async def verify(
        self, ledger: WriteLedger, stop: asyncio.Event, *, entries_before: int, payload_bytes: int
    ) -> Verification:
        """Read the acknowledged writes back from every live node, once these agree on a leader."""
        mode = self._settings.verify
        if mode.mode != "off" and len(ledger):
            self._emit(PhaseChanged(Phase.VERIFYING, self._clock(), f"{len(ledger)} writes"))
            if not healthy(self._monitor.view):
                await self._monitor.wait_for(lambda view: healthy(view) or stop.is_set(), HEALTHY_WITHIN_S)
        live = [node.node for node in self._monitor.view.nodes if node.state in LIVE]
        return await verify(
            self._client,
            ledger,
            live or self._monitor.nodes,
            mode=mode.mode,
            sample=mode.sample,
            payload_bytes=payload_bytes,
            entries_before=entries_before,
            progress=Progress(Phase.VERIFYING, self._emit),
            stop=stop,
            clock=self._clock,
        )
