"""What happens to the cluster: faults, elections, stretches without writes, and what became of the writes.

It takes what the monitor sees, and reports elections and faults to the front ends and to the run that they belong to.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from confman_tui.cluster.caught_up import Behind, CatchUp, awaited
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.election_meter import ElectionMeter
from confman_tui.cluster.elections import Election, Fault, FaultKind, UnreadNode, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultInjector, FaultPlan
from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.states import ClusterView, Fact
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.cluster.writes.gaps import Drained
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.cluster.writes.verification import verify
from confman_tui.core.clock import Clock
from confman_tui.load.run_model import SecondSample
from confman_tui.session.cluster_monitor import Monitor
from confman_tui.session.dataset import Progress
from confman_tui.session.events import ElectionAdvanced, ElectionMeasured, FaultCaused, Phase, PhaseChanged, Sink
from confman_tui.settings import Settings
from confman_tui.settings.fault_kinds import HURTING


class RunUnderWay(Protocol):
    """A run whose files and result say what happened to the cluster meanwhile."""

    def note_fault(self, fault: Fault) -> None:
        """A fault was caused."""

    def note_election(self, election: Election) -> None:
        """An election was measured, or measured further."""

    def note_writes(self, without: bool) -> None:
        """Whether a stretch without acknowledged writes lasts."""


class IncidentTracker:
    """Belongs to the session's loop; `preview_fault` may be called on any thread."""

    def __init__(
        self,
        settings: Settings,
        monitor: Monitor,
        client: ConfmanClient,
        injector: FaultInjector,
        emit: Sink,
        clock: Clock,
    ) -> None:
        """
        Args:
            settings: for ``--verify``.
            monitor: what is seen.
            client: reads the writes back.
            injector: does faults.
            emit: takes the events.
            clock: stamps everything.
        """
        self._settings = settings
        self._monitor = monitor
        self._client = client
        self._injector = injector
        self._emit = emit
        self._clock = clock
        self.run: RunUnderWay | None = None
        """The run that faults, elections and writes belong to, if there is one."""
        self._meter = ElectionMeter(monitor.nodes, monitor.book.stream)
        self.elections: list[Election] = []
        """All that were measured on this cluster, with their latest figures."""
        self.faults: list[Fault] = []

    # -- what is seen

    def on_view(self, view: ClusterView) -> None:
        """The view may have changed."""
        self._meter.agreed(self._monitor.machine.agreed_on, self._monitor.machine.agreed_since)
        self._meter.viewed(view)

    def on_fact(self, fact: Fact) -> None:
        """The cluster changed."""
        self._report(self._meter.fact(fact))
        if (election := self._meter.unfinished()) is not None:
            self._emit(ElectionAdvanced(election))

    def on_writes(self, drained: Drained) -> None:
        """The stream of writes was drained."""
        self._report(self._meter.tick(drained.at))
        if self.run is not None:
            self.run.note_writes(drained.open_window is not None)

    def on_sample(self, sample: SecondSample) -> None:
        """A second of a run ended."""
        for start, end, ok, failed in sample.reads_within:
            self._meter.reads(start, end, ok, failed)

    def load_changed(self) -> None:
        """Writers start or stop: throughput before and after can't be compared."""
        self._meter.load_changed(self._clock())

    def unfinished(self) -> Election | None:
        """The election that is going on, as far as it is known."""
        return self._meter.unfinished()

    def hurt(self) -> bool:
        """Whether a node is down, paused or isolated by this program."""
        return bool(self._injector.standing())

    def _report(self, elections: Sequence[Election]) -> None:
        for election in elections:
            self.elections = [held for held in self.elections if held.origin != election.origin]
            self.elections.append(election)
            self._emit(ElectionMeasured(election))
            if self.run is not None:
                self.run.note_election(election)

    # -- faults

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        """What it would hit; raises FaultRefusedError when it can't be done."""
        return self._injector.preview(kind, node)

    async def cause_fault(self, kind: FaultKind, node: str, *, by: str) -> Fault:
        """Watch closely, do it, and report it; raises FaultRefusedError when it can't be done."""
        await self._monitor.watch_closely(f"{kind} of {node}, by {by}")
        fault = self._injector.cause(kind, node, by)
        self._record(fault)
        return fault

    def revive(self, *, by: str) -> tuple[Fault, ...]:
        """Bring back every node that we paused, isolated or killed.

        Raises:
            FaultRefusedError: there is none, or one could not be brought back; the others were.
        """
        done, failed = self._injector.revive(by)
        for fault in done:
            self._record(fault)
        if failed:
            raise FaultRefusedError("; ".join(failed))
        if not done:
            raise FaultRefusedError("no node is down, paused or isolated by this program")
        return done

    def _record(self, fault: Fault) -> None:
        self.faults.append(fault)
        self._meter.fault(fault)
        self._emit(FaultCaused(fault))
        if self.run is not None:
            self.run.note_fault(fault)

    def resume_all(self) -> None:
        """Resume every paused node: at the end, in every case. Any thread."""
        self._injector.resume_all()

    # -- verification

    async def verify(
        self,
        ledger: WriteLedger,
        stop: asyncio.Event,
        *,
        entries_before: int,
        payload_bytes: int,
        run_began: float,
        phantoms: set[str],
    ) -> Verification:
        """Read the acknowledged writes back from every node that answers; those that have fallen behind are waited for
        first (see `awaited`). Nodes that give no answer, and those that we cut off ourselves, are left out, and the
        result says so. ``phantoms`` gets ``namespace/key`` of each phantom."""
        mode = self._settings.verify
        absent: tuple[UnreadNode, ...] = ()
        standing = _Standing(self._monitor, self._injector, self._returned, self._settings.wait_s, run_began)
        if mode.mode != "off" and len(ledger):
            detail = f"{len(ledger)} writes"
            self._emit(PhaseChanged(Phase.VERIFYING, self._clock(), detail))
            absent = await self._wait_for_all_caught_up(standing, stop, detail)
        left_out = {one.node for one in absent}
        return await verify(
            self._client,
            ledger,
            [node for node in self._monitor.nodes if node not in left_out],
            mode=mode.mode,
            sample=mode.sample,
            payload_bytes=payload_bytes,
            entries_before=entries_before,
            progress=Progress(Phase.VERIFYING, self._emit),
            stop=stop,
            clock=self._clock,
            without=absent,
            wait_s=self._settings.wait_s,
            standing=standing,
            phantoms=phantoms,
        )

    async def _wait_for_all_caught_up(
        self, standing: _Standing, stop: asyncio.Event, detail: str
    ) -> tuple[UnreadNode, ...]:
        """Wait while a node is worth waiting for, ``--wait`` at most; gives those that can't be read then."""
        announced = ""

        def over(view: ClusterView) -> bool:
            nonlocal announced
            left = standing.look(view)
            names = self._monitor.names
            text = " and ".join(f"{names[one.node]} ({one.why})" for one in left)
            if left and text != announced and not stop.is_set():
                announced = text
                self._emit(PhaseChanged(Phase.VERIFYING, view.at, f"waiting for {text}"))
            return not left or stop.is_set()

        with contextlib.suppress(StoppedError):
            await unless_stopped(self._monitor.wait_for(over, self._settings.wait_s), stop, 0.0)
        if announced:
            self._emit(PhaseChanged(Phase.VERIFYING, self._clock(), detail))
        return standing.unreadable()

    def _returned(self) -> dict[str, float]:
        """When each node that we hurt was given back last."""
        return {fault.node: fault.at for fault in self.faults if fault.kind not in HURTING}


class _Standing:
    """How the nodes stand to the cluster while the writes are read back. Implements
    `confman_tui.cluster.writes.verification.Standing`."""

    def __init__(
        self,
        monitor: Monitor,
        injector: FaultInjector,
        returned: Callable[[], dict[str, float]],
        wait_s: float,
        run_began: float,
    ) -> None:
        self._monitor = monitor
        self._injector = injector
        self._returned = returned
        self._wait_s = wait_s
        self._run_began = run_began
        self._catch_up = CatchUp()
        self._begun = monitor.view.at
        self._behind: tuple[Behind, ...] = ()

    def look(self, view: ClusterView) -> tuple[Behind, ...]:
        """Take a view; gives the nodes that are worth waiting for."""
        self._behind = self._catch_up.behind(view, self._returned())
        return awaited(self._behind, len(view.nodes), self._hurt(view), view.at, self._wait_s, self._run_began)

    def _hurt(self, view: ClusterView) -> set[str]:
        """The nodes that we hurt and did not give back. One that was killed or paused and answers was given back by
        somebody else."""
        standing = self._injector.standing()
        return {one.node for one in standing if one.kind is FaultKind.ISOLATE or one.node not in view.answering}

    def unreadable(self) -> tuple[UnreadNode, ...]:
        """The nodes that give no answer, and those that we cut off: what they lack is our own doing."""
        view = self._monitor.view
        hurt = self._hurt(view)
        return tuple(
            UnreadNode(one.node, one.words(view.at, self._begun))
            for one in self._behind
            if one.node in hurt or not one.answers
        )

    def why_behind(self, node: str) -> str:
        """See `Standing`."""
        view = self._monitor.view
        self.look(view)
        behind = next((one for one in self._behind if one.node == node), None)
        return behind.words(view.at, self._begun) if behind is not None else ""

    def worth_waiting(self, node: str) -> bool:
        """See `Standing`."""
        return any(one.node == node for one in self.look(self._monitor.view))
