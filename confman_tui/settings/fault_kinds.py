"""What can be done to a node, and what of it a drill may do to the leader."""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """What can be done to a node."""

    KILL = "kill"
    """SIGKILL."""
    PAUSE = "pause"
    """SIGSTOP."""
    RESUME = "resume"
    """SIGCONT."""
    ISOLATE = "isolate"
    """Its Raft links are cut, its HTTP stays up (demo cluster only)."""
    HEAL = "heal"
    """Its Raft links are restored."""
    RESTART = "restart"
    """Started again after a kill."""


HURTING = (FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE)
"""Those that take a node away; the others bring one back."""
