"""The latencies of one second in classes, as wide as a column of a histogram may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

_BITS = 6
"""A class is one of 32 equal parts of a doubling: at most 3 % wide."""


class LatencyClasses:
    """Keeps what was counted as it came, and puts it into classes when somebody looks: most screens have no room for a
    histogram, and must not pay for one."""

    __slots__ = ("_classes", "_counted")

    def __init__(self, counted: Mapping[int, int]) -> None:
        """``counted``: how many requests took each number of µs."""
        self._counted = counted
        self._classes: Counter[int] | None = None

    @property
    def classes(self) -> Counter[int]:
        """How many requests each class holds, by its least value in µs."""
        if self._classes is None:
            found: Counter[int] = Counter()
            held = found.get
            for value, count in self._counted.items():
                shift = max(value.bit_length() - _BITS, 0)
                slot = value >> shift << shift
                found[slot] = held(slot, 0) + count
            self._classes, self._counted = found, {}
        return self._classes


def together(seconds: Iterable[LatencyClasses]) -> list[tuple[int, int]]:
    """(µs, requests) of the classes of several seconds, in order."""
    whole: Counter[int] = Counter()
    for second in seconds:
        whole.update(second.classes)
    return sorted(whole.items())
