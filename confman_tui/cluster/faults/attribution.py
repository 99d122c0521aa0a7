"""Which fault of ours explains the loss of a leader. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.cluster.elections import Fault, FaultKind
from confman_tui.settings.fault_kinds import HURTING

SLACK_S = 0.5
"""A poll asked this long before a fault may still be the first to feel it: its deadline."""
_UNDONE_KEPT_S = 60.0


@dataclass(slots=True)
class _Done:
    fault: Fault
    undone: float | None = None
    used: bool = False
    """It already explains an election."""


class FaultHistory:
    """The faults that we caused and did not undo, or not long ago."""

    def __init__(self, nodes: int) -> None:
        """
        Args:
            nodes: how many the cluster has.
        """
        self._nodes = nodes
        self._majority = nodes // 2 + 1
        self._done: list[_Done] = []

    def add(self, fault: Fault) -> None:
        """We did this, or undid it."""
        if fault.kind in HURTING:
            if fault.kind is FaultKind.KILL:
                # Cut links and a pause go with the process.
                self._undo(fault)
            self._done.append(_Done(fault))
            return
        self._undo(fault)
        self._done = [done for done in self._done if done.undone is None or fault.at - done.undone < _UNDONE_KEPT_S]

    def _undo(self, fault: Fault) -> None:
        for done in self._done:
            if done.fault.node == fault.node and done.undone is None:
                done.undone = fault.at

    @property
    def isolated(self) -> frozenset[str]:
        """Nodes whose Raft links are cut: they answer, but are no part of the cluster's agreement."""
        return frozenset(
            done.fault.node for done in self._done if done.fault.kind is FaultKind.ISOLATE and done.undone is None
        )

    def take(self, old_leader: str, lost: float) -> Fault | None:
        """The fault that explains why ``old_leader`` was lost at ``lost``: one on itself, or the one that left fewer
        nodes than a majority. Each explains one election only."""
        standing = [
            done
            for done in self._done
            if done.fault.at <= lost + SLACK_S and (done.undone is None or done.undone >= lost)
        ]
        found = next((done for done in reversed(standing) if done.fault.node == old_leader and not done.used), None)
        if found is None and standing and not standing[-1].used:
            hurt = {done.fault.node for done in standing}
            found = standing[-1] if self._nodes - len(hurt) < self._majority else None
        if found is None:
            return None
        found.used = True
        return found.fault
