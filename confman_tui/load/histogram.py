"""The latencies of a whole run, counted: their percentiles, and the HdrHistogram that the files hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from hdrh.histogram import HdrHistogram

from confman_tui.core.percentiles import nearest_ranks

LOWEST_US = 1
HIGHEST_US = 60_000_000
DIGITS = 3
_EXACT_BELOW_US = 2_048


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
        # as _shift, in line: this holds up the users at each second's end
        counts, bits = self._counts, _EXACT_BELOW_US.bit_length() - 1
        held = counts.get
        for value, count in more.items():
            if value < _EXACT_BELOW_US:
                counts[value] = held(value, 0) + count
            else:
                shift = value.bit_length() - bits
                slot = value >> shift << shift
                counts[slot] = held(slot, 0) + count

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

    def nearest_ranks(self, percents: Iterable[float]) -> list[int]:
        """Percentiles by the nearest-rank method (`confman_tui.core.percentiles`): the greatest value of the slot in
        which the one at that rank lies, never more than the greatest that occurred. ValueError without any value."""
        found = nearest_ranks(self._counts, percents)
        return [min(slot + (1 << _shift(slot)) - 1, self._greatest) for slot in found]

    def histogram(self) -> HdrHistogram:
        """All values so far, in an HdrHistogram of 1 µs to 60 s with 3 digits; greater ones count as 60 s."""
        whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for value, count in self._counts.items():
            whole.record_value(min(max(value, LOWEST_US), HIGHEST_US), count)
        return whole


def _shift(value: int) -> int:
    """The slot that a value falls into is 2 to the power of this wide, and begins at a multiple of its width.

    A histogram from 1 with 3 digits has a slot for each value below 2,048, and 1,024 for each doubling from there on
    (HdrHistogram: the sub-buckets' count is the power of two that reaches 2 × 10 ** digits).
    """
    return max(0, value.bit_length() - _EXACT_BELOW_US.bit_length() + 1)


def percentiles_us(counts: LatencyCounts, percents: Iterable[float]) -> Mapping[float, int | None]:
    """Percentiles of a run by the nearest-rank method: at most 0.1 % above the value at that rank, which lies in the
    same slot, and never above the greatest. All None when nothing was counted.

    HdrHistogram's own method takes the rank ``max(1, round(percent / 100 * n))``, which may be one less.
    """
    wanted = list(percents)
    if not counts.total:
        return dict.fromkeys(wanted)
    return dict(zip(wanted, counts.nearest_ranks(wanted), strict=True))


def encode(histogram: HdrHistogram) -> str:
    """The V2 encoding in base64, as every HdrHistogram tool reads it."""
    encoded: bytes | str = histogram.encode()
    return encoded.decode("ascii") if isinstance(encoded, bytes) else encoded


def decode(text: str) -> HdrHistogram:
    """The histogram behind `encode`'s text."""
    return HdrHistogram.decode(text)


def slots_of(text: str) -> dict[int, int]:
    """How often each slot of the histogram behind `encode`'s text occurred, by the greatest value of the slot, in µs,
    in order. `nearest_ranks` of it are the run's percentiles, to within the slot."""
    return {
        int(step.value_iterated_to): int(step.count_added_in_this_iter_step)
        for step in decode(text).get_recorded_iterator()
    }
