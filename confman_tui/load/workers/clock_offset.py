"""How far a worker's clock is from its master's.

Processes of one machine share its monotonic clock, so that a local worker knows the difference exactly. One from
elsewhere asks: it notes when it asked and when the answer came, and takes the master's reading for the middle
(Cristian's algorithm); of several answers the quickest is the best, and wrong by at most half its round trip.
"""

from __future__ import annotations

import time
from collections import deque

from confman_tui.core.clock import now

_KEPT_S = 60.0
"""Clocks drift: older answers count no more."""


def anchor() -> float:
    """What this process's clock adds to the machine's monotonic clock, in seconds."""
    return now() - time.monotonic()


class ClockOffset:
    """Seconds to add to this process's clock to read the master's."""

    def __init__(self, master_anchor: float | None = None) -> None:
        """``master_anchor``: the master's `anchor`, where it runs on the same machine; None: it is asked."""
        self._answers: deque[tuple[float, float, float]] = deque()
        self.fixed = master_anchor is not None
        """Known for good: nobody needs to ask."""
        self.seconds = master_anchor - anchor() if master_anchor is not None else 0.0
        self.uncertainty_s = 0.0 if self.fixed else float("inf")
        """How wrong it is at most, drift apart."""

    def heard(self, asked: float, master: float, answered: float) -> None:
        """The master answered. ``asked`` and ``answered`` are this process's times, ``master`` the answer's."""
        if self.fixed or answered < asked:
            return
        answers = self._answers
        answers.append((answered, answered - asked, master - (asked + answered) / 2))
        while answers[0][0] < answered - _KEPT_S:
            answers.popleft()
        _at, round_trip, self.seconds = min(answers, key=lambda answer: answer[1])
        self.uncertainty_s = round_trip / 2
