"""What a fault needs of whatever runs the nodes, and what a session needs of the demo cluster.

The demo cluster offers the former, and `LocalControl` for processes on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol


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


class EndedNode(NamedTuple):
    """A node that has ended by itself."""

    node: str
    """Its base URL."""
    word: str
    """Why, in a word or two: what its card says."""
    sentence: str
    """Why, at length, and how to go on."""


class DemoControl(NodeControl, Protocol):
    """The nodes that this program runs itself. Every method is thread-safe, and may block."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The nodes' base URLs, in order."""

    @property
    def pids(self) -> Mapping[str, int]:
        """The process id of each node that runs, by URL."""

    def start(self) -> None:
        """Start the nodes, without waiting for them to be ready; raises UsageError when a port or the data folder
        can't be used."""

    def wait_ready(self, deadline_s: float) -> bool:
        """Wait until a node leads and all are ready; False when that takes longer. Raises ClusterError when a node
        ended meanwhile, unless it refused to start on damaged data and a majority is left."""

    @property
    def ended(self) -> tuple[str, ...]:
        """The nodes (URL) whose process has ended, by a fault or by itself."""

    def take_ended(self) -> tuple[EndedNode, ...]:
        """The nodes that have ended by themselves since this was asked last. Never waits."""

    def stop(self, timeout_s: float = ...) -> None:
        """End all nodes; nothing happens when nothing runs."""
