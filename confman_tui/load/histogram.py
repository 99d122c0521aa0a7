"""Percentiles: exact ones of counted values, and those of a whole run from an HdrHistogram."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import ceil

from hdrh.histogram import HdrHistogram

LOWEST_US = 1
HIGHEST_US = 60_000_000
DIGITS = 3
_EXACT_BELOW_US = 2_048


def nearest_ranks(counts: Mapping[int, int], percents: Iterable[float]) -> list[int]:
    """The exact percentiles of values and how often each occurred, by the nearest-rank method.

    Each is the smallest value such that at least so many per cent of all values are not greater: the one at rank
    ``ceil(percent / 100 * n)``, counted from 1. It is always a value that occurred; the 100th is the greatest.

    Raises:
        ValueError: if there are no values.
    """
    if not counts:
        raise ValueError("no values have no percentiles")
    values = sorted(counts)
    not_greater = list(accumulate(counts[value] for value in values))
    # without the rounding, 99.9 % of 1,000 values would be rank 1,000: 99.9 / 100 * 1000 is 999.0000000000001
    ranks = [max(1, ceil(round(percent * not_greater[-1] / 100, 9))) for percent in percents]
    return [values[bisect_left(not_greater, rank)] for rank in ranks]


class LatencyCounts:
    """A run's latencies: how often each slot of an HdrHistogram occurred, at most 17,000 of them up to 60 s.

    Recording each latency in an HdrHistogram, which is pure Python, takes forty times as long as counting and would
    hold up the users for tens of milliseconds at each second's end. The histogram is made when it is asked for.
    """

    __slots__ = ("_counts", "_greatest", "_total")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        """By the least value of each slot."""
        self._total = 0
        self._greatest = 0

    def add(self, more: Counter[int]) -> None:
        """Count all values of ``more``."""
        if not more:
            return
        self._total += more.total()
        self._greatest = max(self._greatest, max(more))
        counts, exact = self._counts, more.copy()
        for value in [value for value in more if value >= _EXACT_BELOW_US]:
            slot = _lowest_equivalent(value)
            counts[slot] = counts.get(slot, 0) + exact.pop(value)
        counts.update(exact)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self._total

    @property
    def greatest(self) -> int | None:
        """The greatest value, exactly; None when there was none."""
        return self._greatest if self._total else None

    @classmethod
    def merged(cls, *parts: LatencyCounts) -> LatencyCounts:
        """All values of several counts."""
        whole = cls()
        for part in parts:
            whole._total += part._total
            whole._greatest = max(whole._greatest, part._greatest)
            whole._counts.update(part._counts)
        return whole

    def histogram(self) -> HdrHistogram:
        """All values so far, in an HdrHistogram of 1 µs to 60 s with 3 digits; greater ones count as 60 s."""
        whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for value, count in self._counts.items():
            whole.record_value(min(max(value, LOWEST_US), HIGHEST_US), count)
        return whole


def _lowest_equivalent(value: int) -> int:
    """The least value of the slot that a value falls into. A histogram from 1 with 3 digits has a slot for each value
    below 2,048, and 1,024 for each doubling from there on (HdrHistogram: the sub-buckets' count is the power of two
    that reaches 2 × 10 ** digits)."""
    shift = max(0, value.bit_length() - _EXACT_BELOW_US.bit_length() + 1)
    return value >> shift << shift


def percentiles_us(counts: LatencyCounts, percents: Iterable[float]) -> Mapping[float, int | None]:
    """Percentiles of a run from its histogram: at most 0.1 % above the value that occurred, never above the greatest.

    HdrHistogram gives the greatest value that falls into the same bucket as the one at rank
    ``max(1, round(percent / 100 * n))``.
    """
    wanted = list(percents)
    greatest = counts.greatest
    if greatest is None:
        return dict.fromkeys(wanted)
    found = counts.histogram().get_percentile_to_value_dict(wanted)
    return {percent: min(int(found[percent]), greatest) for percent in wanted}


def encode(histogram: HdrHistogram) -> str:
    """The V2 encoding in base64, as every HdrHistogram tool reads it."""
    encoded: bytes | str = histogram.encode()
    return encoded.decode("ascii") if isinstance(encoded, bytes) else encoded


def decode(text: str) -> HdrHistogram:
    """The histogram behind `encode`'s text."""
    return HdrHistogram.decode(text)
