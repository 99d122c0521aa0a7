"""A value that changes from time to time, such as a node's state, kept as the moments of its changes, bounded."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Generic, TypeVar

V = TypeVar("V")


class Track(Generic[V]):
    """The changes of one value; all times are seconds since the epoch on the program's steady clock."""

    MOST = 20_000

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._values: list[V] = []

    def __len__(self) -> int:
        return len(self._starts)

    def set(self, at: float, value: V) -> None:
        """From ``at`` on it is ``value``; what was recorded of later moments is replaced."""
        while self._starts and self._starts[-1] >= at:
            self._starts.pop()
            self._values.pop()
        if self._values and self._values[-1] == value:
            return
        self._starts.append(at)
        self._values.append(value)
        if len(self._starts) > self.MOST:
            self._thin()

    def _thin(self) -> None:
        """Let the older half lose what lasted less than half a second, and then, if need be, its oldest part."""
        half = self.MOST // 2
        starts, values = self._starts, self._values
        kept = [0, *(i for i in range(1, half) if starts[i + 1] - starts[i] >= 0.5), *range(half, len(starts))]
        kept = kept[max(0, len(kept) - self.MOST * 3 // 4) :]
        self._starts = [starts[i] for i in kept]
        self._values = [values[i] for i in kept]

    @property
    def last(self) -> V | None:
        """The value now, None when there was none yet."""
        return self._values[-1] if self._values else None

    def at(self, moment: float) -> V | None:
        """The value at that moment, None before the first."""
        index = bisect_right(self._starts, moment) - 1
        return self._values[index] if index >= 0 else None

    def between(self, start: float, end: float) -> list[tuple[float, float, V]]:
        """(start, end, value) of each stretch that touches [start, end), cut to it."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        found: list[tuple[float, float, V]] = []
        for index in range(first, len(self._starts)):
            began = self._starts[index]
            if began >= end:
                break
            ended = self._starts[index + 1] if index + 1 < len(self._starts) else math.inf
            if ended > start:
                found.append((max(began, start), min(ended, end), self._values[index]))
        return found
