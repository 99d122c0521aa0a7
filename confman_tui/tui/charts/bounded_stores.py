"""Bounded stores of what happened: old entries are merged, never simply cut off, so that sums and peaks stay true.

All times are seconds since the epoch on the program's steady clock. Nothing here knows of the screen.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from confman_tui.load.run_model import Cause, SecondSample

V = TypeVar("V")

SLOT_S = 0.05
"""Length of the slots in which acknowledgements are counted, in seconds."""
_SLOTS = round(1 / SLOT_S)

CAUSES: tuple[Cause, ...] = tuple(Cause)
"""The order of `Bucket.failed`."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The requests of one or more whole seconds of one scenario."""

    start: float
    end: float
    seconds: int
    """How many samples of one second are merged in it."""
    ok: int
    """Sum over its seconds."""
    ok_max: int
    """Of its best second."""
    ok_min: int
    """Of its worst second."""
    failed: tuple[int, ...]
    """Sums by cause, in the order of `CAUSES`."""
    failed_max: int
    """All causes together, of its worst second."""
    p50_us: int | None
    """The highest of its seconds, as are the other percentiles; None when no request succeeded."""
    p95_us: int | None
    p99_us: int | None
    max_us: int | None
    scenario: str

    @property
    def ok_rate(self) -> float:
        """Successful requests per second, on average."""
        return self.ok / self.seconds

    @classmethod
    def of(cls, sample: SecondSample, scenario: str) -> Bucket:
        """One sample as a bucket of its own."""
        failed = tuple(sample.failed.get(cause, 0) for cause in CAUSES)
        ok = sample.ok
        return cls(
            sample.start,
            sample.end,
            1,
            ok,
            ok,
            ok,
            failed,
            sum(failed),
            sample.p50_us,
            sample.p95_us,
            sample.p99_us,
            sample.max_us,
            scenario,
        )

    def merged(self, later: Bucket) -> Bucket:
        """This bucket and a later one of the same scenario as one."""
        return Bucket(
            self.start,
            later.end,
            self.seconds + later.seconds,
            self.ok + later.ok,
            max(self.ok_max, later.ok_max),
            min(self.ok_min, later.ok_min),
            tuple(map(sum, zip(self.failed, later.failed, strict=True))),
            max(self.failed_max, later.failed_max),
            _greater(self.p50_us, later.p50_us),
            _greater(self.p95_us, later.p95_us),
            _greater(self.p99_us, later.p99_us),
            _greater(self.max_us, later.max_us),
            self.scenario,
        )


def _greater(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one if other is None else max(one, other)


def merge_buckets(buckets: list[Bucket], seconds: float) -> list[Bucket]:
    """Merge neighbours that start within the same ``seconds``, counted from the epoch, and belong to one scenario.

    Counting from the epoch keeps a bucket's content the same while the axis moves over it.
    """
    merged: list[Bucket] = []
    slot: tuple[int, str] | None = None
    for bucket in buckets:
        own = (math.floor(bucket.start / seconds), bucket.scenario)
        if merged and own == slot:
            merged[-1] = merged[-1].merged(bucket)
        else:
            merged.append(bucket)
            slot = own
    return merged


class SampleStore:
    """The samples of all scenarios: by the second for the last 15 minutes, coarser before."""

    FINE = 900
    """Seconds kept one by one."""
    TIERS = ((5.0, 1_500), (30.0, 3_000))
    """Older ones: (seconds per bucket, most buckets kept): two hours, then a day."""

    def __init__(self) -> None:
        self._fine: deque[Bucket] = deque()
        self._older: list[list[Bucket]] = [[] for _ in self.TIERS]

    def add(self, bucket: Bucket) -> None:
        """Take the next bucket; samples come in order."""
        self._fine.append(bucket)
        if len(self._fine) > self.FINE + 60:
            chunk = [self._fine.popleft() for _ in range(60)]
            self._age(0, chunk)

    def _age(self, tier: int, chunk: list[Bucket]) -> None:
        seconds, most = self.TIERS[tier]
        kept = self._older[tier]
        joint = [kept.pop(), *chunk] if kept else chunk
        kept.extend(merge_buckets(joint, seconds))
        if len(kept) > most + 60:
            oldest, self._older[tier] = kept[:60], kept[60:]
            if tier + 1 < len(self.TIERS):
                self._age(tier + 1, oldest)

    def __iter__(self) -> Iterator[Bucket]:
        for tier in reversed(self._older):
            yield from tier
        yield from self._fine

    def __len__(self) -> int:
        return len(self._fine) + sum(map(len, self._older))

    def between(self, start: float, end: float) -> list[Bucket]:
        """The buckets that touch this stretch, in order."""
        found: list[Bucket] = []
        for bucket in reversed(self._fine):
            if bucket.end <= start:
                break
            if bucket.start < end:
                found.append(bucket)
        found.reverse()
        if self._fine and self._fine[0].start > start:
            older = [bucket for tier in reversed(self._older) for bucket in tier if start < bucket.end]
            found = [bucket for bucket in older if bucket.start < end] + found
        return found


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


class Track(Generic[V]):
    """A value that changes from time to time, such as a node's state, kept as the moments of its changes."""

    MOST = 20_000

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._values: list[V] = []

    def __len__(self) -> int:
        return len(self._starts)

    def set(self, at: float, value: V) -> None:
        """From ``at`` on it is ``value``; what was believed of later moments is replaced."""
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
