"""A run's totals, from its seconds in order: exact seconds, and percentiles of the whole from one HdrHistogram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from confman_tui.core.percentiles import nearest_ranks
from confman_tui.load.histogram import LatencyCounts, encode, percentiles_us
from confman_tui.load.run_model import Cause, NodeOutcome, Opening, RunOutcome, SecondSample, Uncorrected
from confman_tui.load.second import NodeCounts, SecondCounts

OPENING_S = 2.0
"""Without a warm-up, these first seconds of a run are shown apart …"""
OPENING_SHARE = 0.4
"""… unless they are more than this share of the run."""
_Key = TypeVar("_Key", bound=Hashable)
_RUN_PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


class _NodeSums:
    """What adds up over the seconds of one node."""

    def __init__(self) -> None:
        self.reads = LatencyCounts()
        self.writes = LatencyCounts()
        self.reads_failed = 0
        self.writes_failed = 0

    def add(self, counts: NodeCounts) -> None:
        """Count those of one second."""
        self.reads.add(counts.reads)
        self.writes.add(counts.writes)
        self.reads_failed += counts.reads_failed
        self.writes_failed += counts.writes_failed

    @classmethod
    def merged(cls, parts: Sequence[_NodeSums]) -> _NodeSums:
        """All of several sums."""
        whole = cls()
        whole.reads = LatencyCounts.merged(*(part.reads for part in parts))
        whole.writes = LatencyCounts.merged(*(part.writes for part in parts))
        whole.reads_failed = sum(part.reads_failed for part in parts)
        whole.writes_failed = sum(part.writes_failed for part in parts)
        return whole

    def outcome(self, node: str) -> NodeOutcome:
        """As it stands in the run's outcome."""
        percents = percentiles_us(LatencyCounts.merged(self.reads, self.writes), (50.0, 99.0))
        return NodeOutcome(
            node=node,
            reads_ok=self.reads.total,
            writes_ok=self.writes.total,
            reads_failed=self.reads_failed,
            writes_failed=self.writes_failed,
            p50_us=percents[50.0],
            p99_us=percents[99.0],
        )


class _Sums:
    """What adds up over seconds. Latencies are kept by node; the run's are made of them when they are asked for."""

    def __init__(self) -> None:
        self.by_node: dict[str, _NodeSums] = {}
        self.uncorrected = LatencyCounts()
        self.redirects = LatencyCounts()
        self.redirected = 0
        self.causes: dict[Cause, int] = {}
        self.texts: dict[str, int] = {}
        self.schedule_lag_s = 0.0

    def add(self, second: SecondCounts) -> None:
        """Count one second."""
        for node, counts in second.by_node.items():
            self.by_node.setdefault(node, _NodeSums()).add(counts)
        self.uncorrected.add(second.uncorrected)
        self.redirects.add(second.redirects)
        self.redirected += second.redirected
        for _is_write, cause, text in second.failures:
            self.causes[cause] = self.causes.get(cause, 0) + 1
            self.texts[text] = self.texts.get(text, 0) + 1
        self.schedule_lag_s = max(self.schedule_lag_s, second.schedule_lag_s)

    @classmethod
    def merged(cls, *parts: _Sums) -> _Sums:
        """All of several sums."""
        whole = cls()
        for node in dict.fromkeys(node for part in parts for node in part.by_node):
            whole.by_node[node] = _NodeSums.merged([part.by_node[node] for part in parts if node in part.by_node])
        whole.uncorrected = LatencyCounts.merged(*(part.uncorrected for part in parts))
        whole.redirects = LatencyCounts.merged(*(part.redirects for part in parts))
        for part in parts:
            whole.redirected += part.redirected
            _add_up(whole.causes, part.causes)
            _add_up(whole.texts, part.texts)
            whole.schedule_lag_s = max(whole.schedule_lag_s, part.schedule_lag_s)
        return whole

    @property
    def reads(self) -> LatencyCounts:
        return LatencyCounts.merged(*(sums.reads for sums in self.by_node.values()))

    @property
    def writes(self) -> LatencyCounts:
        return LatencyCounts.merged(*(sums.writes for sums in self.by_node.values()))

    @property
    def ok(self) -> int:
        return sum(sums.reads.total + sums.writes.total for sums in self.by_node.values())

    @property
    def failed(self) -> int:
        return sum(sums.reads_failed + sums.writes_failed for sums in self.by_node.values())


def _add_up(into: dict[_Key, int], counts: Mapping[_Key, int]) -> None:
    for key, count in counts.items():
        into[key] = into.get(key, 0) + count


class RunTotals:
    """Takes a run's seconds in order. The sum over all samples, those of the warm-up left out, is the outcome."""

    def __init__(self, started: float, warmup_s: float = 0.0) -> None:
        self._started = started
        self._warmup_s = warmup_s
        self._opening = _Sums()
        """The warm-up, or else the first seconds."""
        self._rest = _Sums()
        self._opening_ends = started + (warmup_s or OPENING_S)
        self._opened_until = started
        self._open_loop = False
        self._not_started = 0

    @property
    def requests(self) -> int:
        """Requests of all seconds so far, those of the warm-up included."""
        return sum(sums.ok + sums.failed for sums in (self._opening, self._rest))

    @property
    def warm(self) -> bool:
        """Whether the next second counts."""
        return not self._warmup_s or not self._opens(self._opened_until)

    def _opens(self, at: float) -> bool:
        # a grid's seconds end a moment late; half a millisecond is no second of its own
        return at < self._opening_ends - 0.0005

    def add(self, second: SecondCounts) -> SecondSample:
        """Count the next second and give its figures. It belongs to the warm-up when it begins in it."""
        opening = self._opens(second.start)
        (self._opening if opening else self._rest).add(second)
        if opening:
            self._opened_until = second.end
        self._open_loop = self._open_loop or second.rate > 0 or bool(second.uncorrected)
        self._not_started = second.not_started
        latencies = second.reads + second.writes if second.reads and second.writes else second.reads or second.writes
        p50, p95, p99, greatest = nearest_ranks(latencies, (50, 95, 99, 100)) if latencies else [None] * 4
        actual = nearest_ranks(second.uncorrected, (50, 99, 100)) if second.uncorrected else [None] * 3
        writes_failed = sum(is_write for is_write, _cause, _text in second.failures)
        return SecondSample(
            start=second.start,
            end=second.end,
            users=second.users,
            reads_ok=second.reads.total(),
            writes_ok=second.writes.total(),
            failed=dict(Counter(cause for _is_write, cause, _text in second.failures)),
            p50_us=p50,
            p95_us=p95,
            p99_us=p99,
            max_us=greatest,
            in_flight=second.in_flight,
            oldest_in_flight_s=second.oldest_in_flight_s,
            per_node=second.per_node,
            engine_cpu=second.engine_cpu,
            hub_lag_s=second.hub_lag_s,
            reads_failed=len(second.failures) - writes_failed,
            writes_failed=writes_failed,
            warmup=opening and self._warmup_s > 0,
            uncorrected_p50_us=actual[0],
            uncorrected_p99_us=actual[1],
            uncorrected_max_us=actual[2],
            not_started=second.not_started,
            schedule_lag_s=second.schedule_lag_s,
            rate=second.rate or None,
            worker_cpu=second.worker_cpu,
            reads_within=second.reads_within(),
            latencies=latencies,
            worker_wait=second.worker_wait,
        )

    def outcome(self, ended: float, *, stopped_early: bool) -> RunOutcome:
        """The totals of all seconds so far; the files are the caller's to add."""
        left_out = self._warmup_s > 0
        sums = self._rest if left_out else _Sums.merged(self._opening, self._rest)
        started = self._opened_until if left_out else self._started
        reads, writes = sums.reads, sums.writes
        whole = LatencyCounts.merged(reads, writes)
        by_node = tuple(held.outcome(node) for node, held in sorted(sums.by_node.items()))
        percents = percentiles_us(whole, _RUN_PERCENTS)
        return RunOutcome(
            started=started,
            ended=max(ended, started),
            requests=sums.ok + sums.failed,
            failures=sums.failed,
            failures_by_cause=dict(sums.causes),
            error_texts=dict(sums.texts),
            reads_ok=reads.total,
            writes_ok=writes.total,
            p50_us=percents[50.0],
            p90_us=percents[90.0],
            p95_us=percents[95.0],
            p99_us=percents[99.0],
            p999_us=percents[99.9],
            p9999_us=percents[99.99],
            max_us=whole.greatest,
            histogram=encode(whole.histogram()),
            read_histogram=encode(reads.histogram()),
            write_histogram=encode(writes.histogram()),
            per_node={held.node: held.requests for held in by_node},
            redirected=sums.redirected,
            files=(),
            stopped_early=stopped_early,
            reads_failed=sum(held.reads_failed for held in by_node),
            writes_failed=sum(held.writes_failed for held in by_node),
            redirect_p50_us=percentiles_us(sums.redirects, (50.0,))[50.0],
            redirect_max_us=sums.redirects.greatest,
            opening=self._opening_outcome(ended, left_out=left_out),
            uncorrected=_uncorrected_outcome(sums.uncorrected) if self._open_loop else None,
            not_started=self._not_started,
            schedule_lag_s=sums.schedule_lag_s,
            by_node=by_node,
        )

    def _opening_outcome(self, ended: float, *, left_out: bool) -> Opening | None:
        seconds, rest_s = self._opened_until - self._started, ended - self._opened_until
        if seconds <= 0 or rest_s <= 0 or (not left_out and seconds > OPENING_SHARE * (seconds + rest_s)):
            return None
        first = LatencyCounts.merged(self._opening.reads, self._opening.writes)
        rest = LatencyCounts.merged(self._rest.reads, self._rest.writes)
        first_percents, rest_percents = (percentiles_us(counts, (50.0, 99.0)) for counts in (first, rest))
        return Opening(
            seconds=seconds,
            ok=first.total,
            failures=self._opening.failed,
            p50_us=first_percents[50.0],
            p99_us=first_percents[99.0],
            max_us=first.greatest,
            left_out=left_out,
            rest_rps=rest.total / rest_s,
            rest_p50_us=rest_percents[50.0],
            rest_p99_us=rest_percents[99.0],
        )


def _uncorrected_outcome(counts: LatencyCounts) -> Uncorrected:
    percents = percentiles_us(counts, _RUN_PERCENTS)
    return Uncorrected(
        p50_us=percents[50.0],
        p90_us=percents[90.0],
        p95_us=percents[95.0],
        p99_us=percents[99.0],
        p999_us=percents[99.9],
        p9999_us=percents[99.99],
        max_us=counts.greatest,
        histogram=encode(counts.histogram()),
    )
