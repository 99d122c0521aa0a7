"""The acknowledgements of the last 180 s, counted in bins of 100 ms, and the longest gap that ended in each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import floor

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.writes.outage_bounds import Bounds

BINS_PER_SECOND = 10
"""Throughput is kept in bins of 100 ms."""
_HISTORY_S = 180.0


class Gap:
    """A stretch between two acknowledgements; its longest wait grows while late ones come in."""

    __slots__ = ("bounds", "counts", "end", "intended", "longest_wait", "start")

    def __init__(self, start: float, end: float | None, bounds: Bounds, intended: int, counts: bool) -> None:
        self.start = start
        self.end = end
        self.bounds = bounds
        self.intended = intended
        """Writes started within it."""
        self.counts = counts
        """Whether it is long enough to be a window."""
        self.longest_wait = 0.0

    @property
    def length(self) -> float:
        return 0.0 if self.end is None else self.end - self.start

    def window(self) -> WriteWindow:
        """As others see it."""
        bounds = self.bounds
        return WriteWindow(
            self.start,
            self.end,
            bounds.uncertainty_s,
            self.intended,
            self.longest_wait,
            None if self.end is None else bounds.likely_s,
            bounds.from_poll,
        )


class AckHistory:
    """Memory is bounded: call `forget` now and then."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        """Acknowledgements, by the number of the bin."""
        self._gaps: dict[int, Gap] = {}
        """The longest gap that ended in each bin."""

    def add(self, times: Iterable[float]) -> None:
        """Writes were acknowledged at these times."""
        self._counts.update([floor(at * BINS_PER_SECOND) for at in times])

    def keep(self, gap: Gap) -> None:
        """A gap ended, unless a longer one ended in the same bin."""
        assert gap.end is not None
        index = floor(gap.end * BINS_PER_SECOND)
        held = self._gaps.get(index)
        if held is None or gap.length > held.length:
            self._gaps[index] = gap

    def forget(self, now: float) -> None:
        """Drop what is older than 180 s."""
        oldest = floor((now - _HISTORY_S) * BINS_PER_SECOND)
        for kept in (self._counts, self._gaps):
            while kept and (index := next(iter(kept))) < oldest:
                del kept[index]

    def between(self, since: float, until: float) -> int:
        """Acknowledgements in [since, until), both rounded to 100 ms."""
        first, last = round(since * BINS_PER_SECOND), round(until * BINS_PER_SECOND)
        counts = self._counts
        return sum(counts[index] for index in range(first, last))

    def per_tenth(self, since: float, until: float) -> tuple[tuple[float, int], ...]:
        """(start of a bin of 100 ms, acknowledgements in it) from ``since`` to ``until``, empty bins included."""
        counts = self._counts
        return tuple(
            (index / BINS_PER_SECOND, counts[index])
            for index in range(floor(since * BINS_PER_SECOND), floor(until * BINS_PER_SECOND))
        )

    def longest_gap(self, since: float, until: float) -> tuple[WriteWindow, bool] | None:
        """The longest stretch between two acknowledgements that touches [since, until], of those that have ended
        and lasted at least 20 ms, and whether it counts as a window."""
        found: Gap | None = None
        for gap in self._gaps.values():
            if gap.end is None or not (gap.end > since and gap.start < until):
                continue
            if found is None or gap.length > found.length:
                found = gap
        return None if found is None else (found.window(), found.counts)
