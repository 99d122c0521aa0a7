"""Where requests go: a snapshot that one thread publishes and another reads, without a lock."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Targets:
    """The nodes to send to, as of one moment. Never changed; a newer one takes its place."""

    leader: str | None = None
    """Base URL of the node that leads, or None while nobody is known to."""
    ready: tuple[str, ...] = ()
    """Base URLs of the nodes that serve reads."""
    last_leader: str | None = None
    """The leader known last: where a writer goes on trying while there is none."""
    nodes: tuple[str, ...] = ()
    """Every node that was ever ready or leading, in the order they were first seen."""

    def for_leader(self, index: int) -> str | None:
        """Where a user that writes to the leader sends its next request; None when no node is known at all."""
        return self.leader or self.last_leader or self.for_any(index)

    def for_any(self, index: int) -> str | None:
        """Where user number ``index`` of those spread over all nodes sends its next request.

        Each user has a home among all known nodes and leaves it only while it is not ready, so that a node's failure
        moves its own users and nobody else's, and its return brings them back.
        """
        if self.nodes:
            home = self.nodes[index % len(self.nodes)]
            if not self.ready or home in self.ready:
                return home
        return self.ready[index % len(self.ready)] if self.ready else None

    def node_of(self, url: str) -> str:
        """The base URL of the node that a request was redirected to."""
        known = next((node for node in self.nodes if url.startswith(f"{node}/")), None)
        return known or "{0.scheme}://{0.netloc}".format(urlsplit(url))


class TargetBoard:
    """Holds the snapshot in force. `publish` may be called from any thread, one at a time."""

    __slots__ = ("current",)

    def __init__(self, current: Targets | None = None) -> None:
        self.current = current or Targets()
        """Assigning an attribute is atomic in CPython: a reader sees the old snapshot or the new one, whole."""

    def publish(self, leader: str | None, ready: tuple[str, ...]) -> None:
        """Make these the targets from the next request on."""
        old = self.current
        if old.leader == leader and old.ready == ready:
            return
        seen = dict.fromkeys((*old.nodes, *ready, *((leader,) if leader else ())))
        self.current = Targets(leader, ready, leader or old.last_leader, tuple(seen))
