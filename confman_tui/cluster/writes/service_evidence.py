"""What polls and failed writes prove about when a node took writes. Pure: times are arguments.

Which attempt failed matters as much as when: users that try a dead leader again and again prove nothing about the node
that will lead next.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

_KEPT = 512
"""Entries kept of each node …"""
_APART_S = 0.002
"""… no closer to each other than this where they fail: at thousands of refused writes a second they still reach back
for a second."""
_PROMPT_S = 0.1
"""An answer that took longer does not show how the node was when it was asked: a paused one answers when it resumes."""


class ServiceEvidence:
    """Takes polls and failed writes from any thread; one thread asks what they prove."""

    def __init__(self) -> None:
        self._reported: deque[tuple[float, str, bool, bool]] = deque()
        self._report = self._reported.append
        self._failed: dict[str, deque[float]] = {}
        self._polled: dict[str, deque[tuple[float, bool]]] = {}

    def failed(self, started: float, node: str) -> None:
        """A write that was sent to that node then was not acknowledged. Any thread."""
        self._report((started, node, False, False))

    def polled(self, asked: float, answered: float, node: str, leads: bool) -> None:
        """A node was asked then whether it leads; no answer is a no. Any thread."""
        if not leads or answered - asked <= _PROMPT_S:
            self._report((asked, node, True, leads))

    def take_in(self) -> None:
        """Sort what was reported by node, before questions are asked."""
        take = self._reported.popleft
        for _ in range(len(self._reported)):
            at, node, poll, leads = take()
            if poll:
                self._polled.setdefault(node, deque(maxlen=_KEPT)).append((at, leads))
            else:
                starts = self._failed.setdefault(node, deque(maxlen=_KEPT))
                if not starts or abs(at - starts[-1]) >= _APART_S:
                    starts.append(at)

    def last_denial(self, node: str, since: float, until: float) -> float | None:
        """The last moment in [since, until] at which that node is known to have taken no write."""
        found = [at for at in self._failed.get(node, ()) if since <= at <= until]
        found += [at for at, leads in self._polled.get(node, ()) if not leads and since <= at <= until]
        return max(found, default=None)

    def last_leading(self, since: float, until: float) -> float | None:
        """The last moment in [since, until] at which a node was seen to lead whose next poll showed that it no longer
        did. (One that goes on saying so may have been cut off from the others before.)"""
        found = [
            at
            for polls in self._polled.values()
            for (at, leads), (_, still) in pairwise(polls)
            if leads and not still and since <= at <= until
        ]
        return max(found, default=None)
