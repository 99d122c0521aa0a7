"""How long writes were impossible in a stretch without acknowledgements, as far as attempts around it prove. Pure.

They became impossible between the last acknowledgement before (A) and the first attempt after it, plus the longest of
the last 32 waits for an acknowledgement. They became possible again between the last moment at which the node of the
first acknowledgement after (B) is known to have taken none, and B. Such a moment is the start of a write to that node
that failed, a poll that showed that it does not lead, or, where B's write was itself kept waiting for more than 100 ms
and twice the usual waits, that long before B. Attempts at other nodes prove nothing about this one: users try a dead
leader again and again.

The shortest time lies between these two bounds, the longest one from A to B, and 10 ms more at each edge: another
client, one that writes every 10 ms, sees no more of it than that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from confman_tui.cluster.writes.service_evidence import ServiceEvidence

CLIENT_S = 0.01
"""Another client sees at most this much more of an outage at each of its edges."""
SLOW_WAITS = 2.0
"""A write that waited for longer than this many times the longest of the waits before …"""
SLOW_S = 0.1
"""… and than this was kept waiting. (The first write to a new leader may take 50 ms where a later one is faster.)"""

_WAITS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long writes were impossible: likely ± uncertainty, in seconds."""

    likely_s: float
    uncertainty_s: float
    from_poll: bool = False
    """Nobody had tried to write: it counts from a poll."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a stretch without acknowledgements begins."""

    start: float
    latest: float
    """Writes were impossible from then on at the latest."""
    lost: float | None = None
    """They were still possible then, later than ``start``."""
    blind: float = 0.0
    """How much earlier they may have been impossible already, unseen."""
    from_poll: bool = False
    """It begins at a poll: nobody had tried to write."""


class OutageBounds:
    """Knows the last waits and what is known of the nodes; gives the bounds of a stretch."""

    def __init__(self) -> None:
        self.evidence = ServiceEvidence()
        """What is known of the nodes beside the acknowledgements."""
        self._waits: deque[float] = deque(maxlen=_WAITS_KEPT)

    def waited(self, seconds: Iterable[float]) -> None:
        """Writes were acknowledged after these waits, in order."""
        self._waits.extend(seconds)

    @property
    def _longest_wait(self) -> float:
        return max(self._waits, default=0.0)

    def beginning(
        self, begin: float | None, begun: float, before: float | None, first: float | None, edge: float
    ) -> Beginning:
        """Where the stretch that ends now begins.

        Args:
            begin: where it began as far as known before its end: at ``before``, or at the first attempt after nobody
                had tried for long; None without any attempt.
            begun: when the write that ends it was sent.
            before: the last acknowledgement before it, if there was one.
            first: the first attempt in it.
            edge: the time from the attempt before that one until it.
        """
        if begin is None:
            begin = before if before is not None else begun
        if begun < begin:
            # in flight all the while: writing was wanted, even when no other write was started
            begin = max(begun, before) if before is not None else begun
            return Beginning(begin, begin + self._longest_wait)
        if before is None:
            return Beginning(begin, begin)
        if begin == before:
            latest = begin if first is None else first
            seen = self.evidence.last_leading(before, latest)
            return Beginning(begin, latest + self._longest_wait, lost=seen)
        # nobody had tried for long: what was seen of the leader stands in
        seen = self.evidence.last_leading(max(before, begin - edge), begin)
        if seen is not None:
            return Beginning(seen, begin + self._longest_wait, from_poll=True)
        return Beginning(begin, begin, blind=edge)

    def bounds(self, beginning: Beginning, at: float, begun: float, node: str, attempt_before: float | None) -> Bounds:
        """The bounds of the stretch from ``beginning`` until ``at``.

        Args:
            beginning: from `beginning`.
            at: the acknowledgement that ends it.
            begun: when that write was sent.
            node: the node that acknowledged it; empty where that is not known: each attempt counts as one at it then.
            attempt_before: the last attempt, at whichever node, before ``begun``.
        """
        latest = min(beginning.latest, at)
        denied = self.evidence.last_denial(node, latest, at) if node else attempt_before
        slow = max(SLOW_S, SLOW_WAITS * self._longest_wait)
        possible = max(latest, denied or latest, at - slow if at - begun > slow else latest)
        longest, shortest = at - (beginning.lost or beginning.start) + 2 * CLIENT_S, possible - latest
        uncertainty = (longest - shortest) / 2 + beginning.blind
        return Bounds((longest + shortest) / 2, uncertainty, beginning.from_poll)
