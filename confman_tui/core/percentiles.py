"""The one definition of a percentile: the nearest rank. Pure.

The p-th percentile of n values is the smallest value that at least p % of them do not exceed: the one at rank
``ceil(p / 100 * n)``, counted from 1. It is always a value that occurred; of fewer than 20 values the 95th is the
greatest. A *median* (of runs, of a drill's rounds) is the usual one: of an even number the mean of the middle two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

_PARTS = 10_000
"""Percentiles differ down to this part of a percent: 99.9999 is one, and whole numbers know no rounding."""


def nearest_rank(percent: float, count: int) -> int:
    """The rank of a percentile among ``count`` values in order, from 1: exact for any number of them.

    In floating point, 99.9 % of 1,000 values would be rank 1,000, and that of 100 million values one too high.
    """
    return max(1, -(-round(percent * _PARTS) * count // (100 * _PARTS)))


def percentile(values: Sequence[float], percent: float) -> float:
    """A percentile of some values, in any order. ValueError when there are none."""
    if not values:
        raise ValueError("no values have no percentiles")
    return sorted(values)[nearest_rank(percent, len(values)) - 1]


def is_greatest(percent: float, count: int) -> bool:
    """Whether that percentile of ``count`` values is the greatest of them, and so says nothing of its own."""
    return count > 0 and nearest_rank(percent, count) == count


def nearest_ranks(counts: Mapping[int, int], percents: Iterable[float]) -> list[int]:
    """The percentiles of values and how often each occurred.

    Raises:
        ValueError: if there are no values.
    """
    if not counts:
        raise ValueError("no values have no percentiles")
    values = sorted(counts)
    not_greater = list(accumulate(map(counts.__getitem__, values)))
    return [values[bisect_left(not_greater, nearest_rank(percent, not_greater[-1]))] for percent in percents]
