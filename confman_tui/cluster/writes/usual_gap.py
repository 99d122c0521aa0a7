"""How long a stretch without acknowledgements must be to count, against the gaps that are usual. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

LEAST_WINDOW_S = 0.3
"""A stretch without acknowledgements counts when it is longer than this …"""
USUAL_GAPS = 3.0
"""… and longer than this many usual gaps."""

_SPAN_S = 10.0
_LEAST = 9
_MOST = 255


class UsualGap:
    """The median of the gaps between acknowledgements that ended in the last 10 s, at least the last 9 and at most the
    last 255: so one long outage does not make the next one look usual."""

    def __init__(self) -> None:
        self._gaps: deque[tuple[float, float]] = deque(maxlen=_MOST)
        """(end, length) of each."""
        self._median: float | None = None
        """None: to be computed anew."""

    def add(self, end: float, seconds: float) -> None:
        """A gap ended."""
        self._gaps.append((end, seconds))
        self._forget(end)

    def add_between(self, times: Iterable[float]) -> None:
        """The gaps between these times, which are in order and not equal."""
        for earlier, later in pairwise([*times][-_MOST - 1 :]):
            self._gaps.append((later, later - earlier))
        self._forget(self._gaps[-1][0])

    def _forget(self, at: float) -> None:
        while len(self._gaps) > _LEAST and self._gaps[0][0] < at - _SPAN_S:
            self._gaps.popleft()
        self._median = None

    @property
    def threshold_s(self) -> float:
        """How long a stretch without acknowledgements must be to count now, in seconds."""
        if self._median is None:
            self._median = median(seconds for _, seconds in self._gaps) if self._gaps else 0.0
        return max(LEAST_WINDOW_S, USUAL_GAPS * self._median)

    def is_exceeded_by(self, seconds: float) -> bool:
        """Whether a stretch of this length counts."""
        # The median costs far more than the comparison, and nearly every gap is short.
        return seconds > LEAST_WINDOW_S and seconds > self.threshold_s
