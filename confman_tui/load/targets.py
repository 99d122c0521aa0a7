"""Where requests go: a snapshot that one thread publishes and another reads, without a lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


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
    """Every node in the order in which users are handed out, the entry first."""
    followers: tuple[str, ...] = field(init=False)
    """``nodes`` without the leader, or the last one while nobody leads."""

    def __post_init__(self) -> None:
        leading = self.leader or self.last_leader
        object.__setattr__(self, "followers", tuple(node for node in self.nodes if node != leading))

    def for_leader(self, index: int) -> str | None:
        """Where a user of the leader sends its next request; None when no node is known at all.

        While nobody leads it goes on trying the last leader, so that an outage shows as failed requests.
        """
        return self.leader or self.last_leader or self.for_any(index)

    def for_any(self, index: int) -> str | None:
        """Where user number ``index`` of those spread over all nodes sends its next request.

        Users are handed out in turn: user 0 to the entry, user 1 to the node after it, and so on. Each has that home
        whatever node leads or was ready first, and leaves it only while it is not ready, so that a node's failure moves
        its own users and nobody else's, and its return brings them back.
        """
        if self.nodes:
            home = self.nodes[index % len(self.nodes)]
            if not self.ready or home in self.ready:
                return home
        return self.ready[index % len(self.ready)] if self.ready else None

    def for_entry(self, index: int) -> str | None:
        """Where a user that knows the entry only sends its next request: there, whether it is ready or not."""
        return self.nodes[0] if self.nodes else self.for_any(index)

    def for_follower(self, index: int) -> str | None:
        """Where user number ``index`` of those spread over the followers sends its next request.

        Users are handed out in turn as over all nodes. One whose follower is not ready goes to one that is. Without
        such a follower (the only node leads, or the others are down) it goes wherever `for_any` sends it, which is
        the leader if that serves: reads are better served by the leader than by nobody.
        """
        followers = self.followers
        if followers:
            home = followers[index % len(followers)]
            if not self.ready or home in self.ready:
                return home
            others = [node for node in followers if node in self.ready]
            if others:
                return others[index % len(others)]
        return self.for_any(index)


Route = Callable[[Targets, int], str | None]
"""Chooses the node for a user's next request: a method of `Targets`, which the user's number is given to."""


class TargetBoard:
    """Holds the snapshot in force. `publish` may be called from any thread, one at a time."""

    __slots__ = ("current",)

    def __init__(self, current: Targets | None = None) -> None:
        self.current = current or Targets()
        """Assigning an attribute is atomic in CPython: a reader sees the old snapshot or the new one, whole."""

    def publish(self, leader: str | None, ready: tuple[str, ...], nodes: tuple[str, ...] = ()) -> None:
        """Make these the targets from the next request on.

        Args:
            leader: the node that leads, if one does.
            ready: the nodes that serve reads.
            nodes: the configured nodes, the entry first, which alone are sent to. Empty: those seen so far.
        """
        old = self.current
        seen = tuple(dict.fromkeys((*(nodes or old.nodes), *ready, *((leader,) if leader else ()))))
        if (old.leader, old.ready, old.nodes) != (leader, ready, seen):
            self.current = Targets(leader, ready, leader or old.last_leader, seen)
