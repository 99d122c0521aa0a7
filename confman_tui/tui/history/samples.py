"""The samples of all scenarios, bounded: old ones are merged, not cut off, so that sums and peaks stay true.

All times are seconds since the epoch on the program's steady clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from confman_tui.load.run_model import Cause, SecondSample

CAUSES: tuple[Cause, ...] = tuple(Cause)
"""The order of `SecondsBucket.failed`."""


@dataclass(frozen=True, slots=True)
class SecondsBucket:
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
    def of(cls, sample: SecondSample, scenario: str) -> SecondsBucket:
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

    def merged(self, later: SecondsBucket) -> SecondsBucket:
        """This bucket and a later one of the same scenario as one."""
        return SecondsBucket(
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


def merge_buckets(buckets: list[SecondsBucket], seconds: float) -> list[SecondsBucket]:
    """Merge neighbours that start within the same ``seconds``, counted from the epoch, and belong to one scenario.

    Counting from the epoch keeps a bucket's content the same while the axis moves over it.
    """
    merged: list[SecondsBucket] = []
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
        self._fine: deque[SecondsBucket] = deque()
        self._older: list[list[SecondsBucket]] = [[] for _ in self.TIERS]

    def add(self, bucket: SecondsBucket) -> None:
        """Take the next bucket; samples come in order."""
        self._fine.append(bucket)
        if len(self._fine) > self.FINE + 60:
            chunk = [self._fine.popleft() for _ in range(60)]
            self._age(0, chunk)

    def _age(self, tier: int, chunk: list[SecondsBucket]) -> None:
        seconds, most = self.TIERS[tier]
        kept = self._older[tier]
        joint = [kept.pop(), *chunk] if kept else chunk
        kept.extend(merge_buckets(joint, seconds))
        if len(kept) > most + 60:
            oldest, self._older[tier] = kept[:60], kept[60:]
            if tier + 1 < len(self.TIERS):
                self._age(tier + 1, oldest)

    def __iter__(self) -> Iterator[SecondsBucket]:
        for tier in reversed(self._older):
            yield from tier
        yield from self._fine

    def __len__(self) -> int:
        return len(self._fine) + sum(map(len, self._older))

    def between(self, start: float, end: float) -> list[SecondsBucket]:
        """The buckets that touch this stretch, in order."""
        found: list[SecondsBucket] = []
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
