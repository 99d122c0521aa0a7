"""Decides on faults: what may be done to which node, and what a person must be asked first. Has them done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

from confman_tui.cluster.addresses import is_loopback
from confman_tui.cluster.elections import Fault, FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError, NodeControl
from confman_tui.cluster.node_names import short_names
from confman_tui.core.clock import Clock, now

_HURTS = {FaultKind.KILL: "killed", FaultKind.PAUSE: "paused", FaultKind.ISOLATE: "isolated"}
_UNDOES = {FaultKind.RESTART: FaultKind.KILL, FaultKind.RESUME: FaultKind.PAUSE, FaultKind.HEAL: FaultKind.ISOLATE}
_NOTICED_S = 3.0
"""After so long the polling has noticed that a node was killed or paused."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What a fault would do, to be shown before it is done."""

    node: str
    kind: FaultKind
    target: str
    """Pid and command line of the process, or the demo node's name."""
    needs_confirmation: bool
    """True on a cluster that is not the demo's, and where no majority would be left."""
    warning: str
    """What the person should know first, in plain sentences; empty when nothing."""


class FaultInjector:
    """Decides on faults and has them done. Thread-safe; every refusal is a `FaultRefusedError` with one sentence.

    - On the demo cluster a fault is done at once; on another only where faults are allowed, only to nodes on loopback
      that answer as Confman does, and a person confirms the process first.
    - The last live node is left alone. A fault that leaves no majority needs a confirmation.
    - It knows what was done to which node, so that `revive` can undo it.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        control: NodeControl,
        live: Callable[[], Sequence[str]],
        *,
        demo: bool,
        allow_faults: bool = False,
        undoable_kill: bool = True,
        ended: Callable[[], Sequence[str]] = tuple,
        clock: Clock = now,
    ) -> None:
        """
        Args:
            nodes: the configured nodes.
            control: does it.
            live: the nodes that answered as Confman does when last polled.
            demo: whether the nodes are the demo cluster's.
            allow_faults: whether nodes of another cluster than the demo's may be touched at all.
            undoable_kill: whether `control` can start a killed node again.
            ended: the nodes whose process has ended, by a fault or by itself, as far as `control` can know: they can
                be started again whoever did it.
            clock: stamps the faults.
        """
        self._nodes = tuple(nodes)
        self._names = short_names(self._nodes)
        self._control = control
        self._live = live
        self._demo = demo
        self._allow = allow_faults
        self._undoable_kill = undoable_kill
        self._ended = ended
        self._clock = clock
        self._standing: dict[str, dict[FaultKind, Fault]] = {}
        self._lock = RLock()

    def standing(self) -> tuple[Fault, ...]:
        """The faults that were not undone yet."""
        with self._lock:
            return tuple(fault for faults in self._standing.values() for fault in faults.values())

    def preview(self, kind: FaultKind, node: str) -> FaultPlan:
        """What it would hit.

        Raises:
            FaultRefusedError: it can't or must not be done.
        """
        with self._lock:
            self._check(kind, node)
            target = self._control.describe(node) if kind in _HURTS or self._demo else self._names[node]
            if kind not in _HURTS:
                return FaultPlan(node, kind, target, needs_confirmation=False, warning="")
            warnings = []
            left = [one for one in self._serving() if one != node]
            majority = len(self._nodes) // 2 + 1
            if len(left) < majority and len(self._serving()) >= majority:
                warnings.append(
                    f"Only {len(left)} of {len(self._nodes)} nodes would be left: without a majority of {majority} no "
                    "write is acknowledged until a node is brought back."
                )
            if kind is FaultKind.KILL and not self._undoable_kill:
                warnings.append("This can't be undone from here: no --restart-cmd says how to start the node again.")
            no_majority = len(left) < majority
            return FaultPlan(node, kind, target, not self._demo or no_majority, " ".join(warnings))

    def cause(self, kind: FaultKind, node: str, by: str = "you") -> Fault:
        """Does it; the caller has confirmed what `preview` asks to confirm.

        Raises:
            FaultRefusedError: it can't or must not be done.
        """
        with self._lock:
            self._check(kind, node)
            do: dict[FaultKind, Callable[[str], None]] = {
                FaultKind.KILL: self._control.kill,
                FaultKind.PAUSE: self._control.pause,
                FaultKind.RESUME: self._control.resume,
                FaultKind.ISOLATE: self._control.isolate,
                FaultKind.HEAL: self._control.heal,
                FaultKind.RESTART: self._control.restart,
            }
            at = self._clock()
            do[kind](node)
            if not self._demo and kind in (FaultKind.KILL, FaultKind.PAUSE):
                # Finding the process and starting the resume guard took a while; the signal was sent last.
                at = self._clock()
            fault = Fault(kind, node, at, by)
            standing = self._standing.setdefault(node, {})
            if kind in (FaultKind.KILL, FaultKind.RESTART):
                standing.clear()  # with its process go a pause and cut links
            if kind in _HURTS:
                standing[kind] = fault
            else:
                standing.pop(_UNDOES[kind], None)
            return fault

    def revive(self, by: str = "you") -> tuple[tuple[Fault, ...], tuple[str, ...]]:
        """Resumes, heals or restarts every node that was hurt here, and starts those again that ended by themselves;
        gives what was done and, in sentences, what could not be."""
        done: list[Fault] = []
        failed: list[str] = []
        undo = {hurt: undoes for undoes, hurt in _UNDOES.items()}
        ended = self._ended()
        undoing = [(undo[fault.kind], fault.node) for fault in self.standing() if fault.node not in ended]
        for kind, node in (*undoing, *((FaultKind.RESTART, node) for node in ended)):
            if kind is FaultKind.RESTART and not self._undoable_kill:
                failed.append(f"{self._names[node]} stays down: no --restart-cmd says how to start it again")
                continue
            try:
                done.append(self.cause(kind, node, by))
            except FaultRefusedError as error:
                failed.append(str(error))
        return tuple(done), tuple(failed)

    def resume_all(self, by: str = "exit") -> tuple[Fault, ...]:
        """Resumes every node that was paused here, and nothing else: at the end of the program."""
        done = []
        for fault in self.standing():
            if fault.kind is FaultKind.PAUSE:
                try:
                    done.append(self.cause(FaultKind.RESUME, fault.node, by))
                except FaultRefusedError:
                    continue  # its process is gone, and with it the pause
        return tuple(done)

    def _serving(self) -> list[str]:
        """Live nodes that were not hurt just now: the polling notices it only after a moment."""
        live = set(self._live())
        return [node for node in self._nodes if node in live and not self._standing.get(node)]

    def _check(self, kind: FaultKind, node: str) -> None:
        if node not in self._names:
            known = ", ".join(self._nodes)
            raise FaultRefusedError(f"{node} is none of this cluster's nodes ({known})")
        name = self._names[node]
        self._notice_returned()
        if not self._demo:
            self._check_not_demo(kind, node)
        standing = self._standing.get(node, {})
        if kind in _UNDOES:
            hurt = _UNDOES[kind]
            if hurt not in standing and not (kind is FaultKind.RESTART and node in self._ended()):
                raise FaultRefusedError(f"{name} was not {_HURTS[hurt]} from here, so there is nothing to undo")
            return
        if FaultKind.KILL in standing:
            raise FaultRefusedError(f"{name} was killed already: bring it back first")
        if kind in standing:
            raise FaultRefusedError(f"{name} is {_HURTS[kind]} already")
        if standing:
            return  # hurt already, so nothing more is taken from the cluster
        serving = self._serving()
        if node not in serving:
            raise FaultRefusedError(
                f"{name} does not answer as a Confman node does, so nothing is done to what may run there"
            )
        if len(serving) == 1:
            raise FaultRefusedError(f"{name} is the last live node, and a cluster without any can't be measured")

    def _notice_returned(self) -> None:
        """A killed or paused node that answers again was brought back by somebody else."""
        live, long_ago = set(self._live()), self._clock() - _NOTICED_S
        for node, standing in self._standing.items():
            for kind in (FaultKind.KILL, FaultKind.PAUSE):
                if node in live and kind in standing and standing[kind].at < long_ago:
                    del standing[kind]

    def _check_not_demo(self, kind: FaultKind, node: str) -> None:
        name = self._names[node]
        if kind in (FaultKind.ISOLATE, FaultKind.HEAL):
            raise FaultRefusedError("isolating a node is possible on the demo cluster only (--demo)")
        if kind in _HURTS and not self._allow:
            raise FaultRefusedError("faults on a cluster that is not the demo's need --allow-faults")
        if not is_loopback(node):
            raise FaultRefusedError(f"{name} is not on this machine's loopback, and faults stay on this machine")
