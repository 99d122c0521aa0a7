"""How many writes were acknowledged when, bounded: old counts are added up, not cut off.

All times are seconds since the epoch on the program's steady clock.
"""

from __future__ import annotations

import math
from array import array

SLOT_S = 0.05
"""Length of the slots in which acknowledgements are counted, in seconds."""
_SLOTS = round(1 / SLOT_S)


class AckStore:
    """Acknowledged writes: in slots of 50 ms for the last 15 minutes, by the second before, by ten seconds at last."""

    FINE = 900
    SECONDS = 7_200
    TENS = 8_640

    def __init__(self) -> None:
        self._slots: dict[int, array[int]] = {}
        self._seconds: dict[int, int] = {}
        self._tens: dict[int, int] = {}
        self.last: float | None = None
        """Start of the last slot that holds an acknowledgement."""

    def add(self, start: float, count: int) -> None:
        """Count acknowledgements in the slot that starts then."""
        slot = round(start / SLOT_S)
        second, index = divmod(slot, _SLOTS)
        slots = self._slots.get(second)
        if slots is None:
            slots = self._slots[second] = array("I", bytes(4 * _SLOTS))
            if len(self._slots) > self.FINE:
                self._age()
        slots[index] += count
        if count and (self.last is None or start > self.last):
            self.last = start

    def _age(self) -> None:
        for second in sorted(self._slots)[:60]:
            self._seconds[second] = self._seconds.get(second, 0) + sum(self._slots.pop(second))
        if len(self._seconds) > self.SECONDS:
            for second in sorted(self._seconds)[:600]:
                self._tens[second // 10] = self._tens.get(second // 10, 0) + self._seconds.pop(second)
        if len(self._tens) > self.TENS:
            for ten in sorted(self._tens)[:360]:
                del self._tens[ten]

    def total(self) -> int:
        """All acknowledgements that are still kept."""
        return sum(map(sum, self._slots.values())) + sum(self._seconds.values()) + sum(self._tens.values())

    def __len__(self) -> int:
        return len(self._slots) + len(self._seconds) + len(self._tens)

    def spread(self, start: float, width: float, cells: int) -> list[float]:
        """Acknowledgements per cell of ``width`` seconds from ``start`` on.

        A slot that lies across an edge is shared out by its parts, so that equal rates give equal heights.
        """
        counts = [0.0] * cells
        end = start + cells * width
        by_second = width >= 1.0
        for second in range(math.floor(start), math.ceil(end)):
            slots = self._slots.get(second)
            if slots is not None and not by_second:
                for index, count in enumerate(slots):
                    if count:
                        _share(counts, (second + index * SLOT_S - start) / width, SLOT_S / width, count)
                continue
            total = sum(slots) if slots is not None else self._seconds.get(second, 0)
            if total:
                _share(counts, (second - start) / width, 1 / width, total)
            elif self._tens:
                tenth = self._tens.get(second // 10, 0) / 10
                if tenth:
                    _share(counts, (second - start) / width, 1 / width, tenth)
        return counts


def _share(cells: list[float], at: float, length: float, count: float) -> None:
    """Add ``count``, spread evenly over ``length`` cells from position ``at``."""
    first = math.floor(at)
    if at + length <= first + 1:
        if 0 <= first < len(cells):
            cells[first] += count
        return
    for cell in range(max(first, 0), min(math.ceil(at + length), len(cells))):
        part = min(at + length, cell + 1) - max(at, cell)
        if part > 0:
            cells[cell] += count * part / length
