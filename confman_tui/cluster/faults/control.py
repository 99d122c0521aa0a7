"""What a fault needs of what runs the nodes; the demo cluster offers it, and `LocalControl` for local processes."""

from __future__ import annotations

from typing import Protocol


class FaultRefusedError(Exception):
    """A fault that can't or must not be done; its text is one clear sentence for the person."""


class NodeControl(Protocol):
    """Does things to nodes. Each method is quick (no waiting for effects), thread-safe, and raises
    `FaultRefusedError` when it can't do as asked."""

    def kill(self, node: str) -> None:
        """SIGKILL."""

    def pause(self, node: str) -> None:
        """SIGSTOP."""

    def resume(self, node: str) -> None:
        """SIGCONT; nothing happens to a node that is not paused."""

    def isolate(self, node: str) -> None:
        """Cut its Raft links and leave its HTTP up."""

    def heal(self, node: str) -> None:
        """Restore its Raft links."""

    def restart(self, node: str) -> None:
        """Start a killed node again, with its data."""

    def describe(self, node: str) -> str:
        """What a fault would hit: pid and command line, for a person to confirm."""
