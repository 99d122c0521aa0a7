"""Counts what happens to each request of a run: exact figures per second, and the run's totals.

The listener does next to nothing per request (it appends to a list). Once a second the lists are swapped for empty
ones, sorted for exact percentiles, and counted into the run's totals. So the sum over all samples is the run's total.
"""

from __future__ import annotations

from typing import Any

from confman_tui.load.causes import RequestFailure
from confman_tui.load.context import RunContext
from confman_tui.load.histogram import LatencyCounts, encode, nearest_rank, percentiles_us
from confman_tui.load.model import Cause, RunOutcome, SecondSample

_RUN_PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


class Recorder:
    """Listens to one environment's request events; used on the thread that runs the users."""

    def __init__(self, started: float) -> None:
        self._started = started
        self.second_start = started
        """When the present second began."""
        self._reads: list[int] = []
        self._writes: list[int] = []
        self._failures: list[tuple[bool, Cause, str]] = []
        self._redirects: list[int] = []
        self._redirected = 0
        self._read_counts = LatencyCounts()
        self._write_counts = LatencyCounts()
        self._reads_failed = 0
        self._writes_failed = 0
        self._causes: dict[Cause, int] = {}
        self._texts: dict[str, int] = {}
        self._per_node: dict[str, int] = {}
        self._redirect_counts = LatencyCounts()

    def on_request(
        self, request_type: str, response_time: float, exception: Any = None, response: Any = None, **_: Any
    ) -> None:
        """Locust's ``events.request``: ``response_time`` is in milliseconds, with fractions."""
        if exception is None:
            if request_type == "PUT":
                self._writes.append(int(response_time * 1000))
            else:
                self._reads.append(int(response_time * 1000))
            if response is not None and response._history:
                self._redirected += 1
                self._redirects.append(_hops_us(response))
            return
        failure = exception if isinstance(exception, RequestFailure) else RequestFailure(Cause.OTHER, "not judged")
        if failure.redirected:
            self._redirected += 1
        self._failures.append((request_type == "PUT", failure.cause, failure.text))

    def take(
        self,
        at: float,
        context: RunContext,
        *,
        users: int,
        engine_cpu: float = 0.0,
        hub_lag_s: float = 0.0,
    ) -> SecondSample:
        """Close the present second at ``at`` and begin the next. It covers what ended since the last call."""
        reads, writes, failures, redirects = self._reads, self._writes, self._failures, self._redirects
        self._reads, self._writes, self._failures, self._redirects = [], [], [], []
        per_node, context.per_node = context.per_node, {}
        flying = context.in_flight
        in_flight = len(flying)
        oldest = at - next(iter(flying.values())) if flying else 0.0
        reads.sort()
        writes.sort()
        self._read_counts.add(reads)
        self._write_counts.add(writes)
        self._redirect_counts.add(sorted(redirects))
        # one sort of two ascending runs is a merge
        latencies = sorted(reads + writes) if reads and writes else reads or writes
        failed: dict[Cause, int] = {}
        reads_failed = 0
        for is_write, cause, text in failures:
            failed[cause] = failed.get(cause, 0) + 1
            self._texts[text] = self._texts.get(text, 0) + 1
            reads_failed += not is_write
        for cause, count in failed.items():
            self._causes[cause] = self._causes.get(cause, 0) + count
        self._reads_failed += reads_failed
        self._writes_failed += len(failures) - reads_failed
        for node, count in per_node.items():
            self._per_node[node] = self._per_node.get(node, 0) + count
        start, self.second_start = self.second_start, at
        return SecondSample(
            start=start,
            end=at,
            users=users,
            reads_ok=len(reads),
            writes_ok=len(writes),
            failed=failed,
            p50_us=nearest_rank(latencies, 50) if latencies else None,
            p95_us=nearest_rank(latencies, 95) if latencies else None,
            p99_us=nearest_rank(latencies, 99) if latencies else None,
            max_us=latencies[-1] if latencies else None,
            in_flight=in_flight,
            oldest_in_flight_s=max(0.0, oldest),
            per_node=per_node,
            engine_cpu=engine_cpu,
            hub_lag_s=hub_lag_s,
            reads_failed=reads_failed,
            writes_failed=len(failures) - reads_failed,
        )

    @property
    def pending(self) -> int:
        """Requests that ended since the last `take`."""
        return len(self._reads) + len(self._writes) + len(self._failures)

    def outcome(self, ended: float, *, stopped_early: bool) -> RunOutcome:
        """The totals of all seconds taken so far; the files are the caller's to add."""
        whole = LatencyCounts.merged(self._read_counts, self._write_counts)
        percents = percentiles_us(whole, _RUN_PERCENTS)
        reads_ok, writes_ok = self._read_counts.total, self._write_counts.total
        failures = self._reads_failed + self._writes_failed
        redirects = self._redirect_counts
        return RunOutcome(
            started=self._started,
            ended=ended,
            requests=reads_ok + writes_ok + failures,
            failures=failures,
            failures_by_cause=dict(self._causes),
            error_texts=dict(self._texts),
            reads_ok=reads_ok,
            writes_ok=writes_ok,
            p50_us=percents[50.0],
            p90_us=percents[90.0],
            p95_us=percents[95.0],
            p99_us=percents[99.0],
            p999_us=percents[99.9],
            p9999_us=percents[99.99],
            max_us=whole.greatest,
            histogram=encode(whole.histogram()),
            read_histogram=encode(self._read_counts.histogram()),
            write_histogram=encode(self._write_counts.histogram()),
            per_node=dict(self._per_node),
            redirected=self._redirected,
            files=(),
            stopped_early=stopped_early,
            reads_failed=self._reads_failed,
            writes_failed=self._writes_failed,
            redirect_p50_us=percentiles_us(redirects, (50.0,))[50.0],
            redirect_max_us=redirects.greatest,
        )


def _hops_us(response: Any) -> int:
    """Time that the redirects before an answer took, in µs: what the request would have saved at the right node."""
    return int(sum(hop._elapsed or 0.0 for hop in response._history) * 1_000_000)
