"""Notes what happens to each request of one process's users, and cuts it into a bucket a second.

The listener does next to nothing per request (it appends to a list). Some times a second what came is counted, so that
a second's end finds little to do: counting 12,000 latencies at once would hold up every user for half a millisecond.
What a second's figures are is `confman_tui.load.totals`' business, in whichever process the totals are kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from confman_tui.load.causes import RequestFailure
from confman_tui.load.context import RunContext
from confman_tui.load.run_model import Cause
from confman_tui.load.second import Bucket, NodeCounts


class _Came:
    """What one node answered since the last `Recorder.count`."""

    __slots__ = ("counts", "reads", "writes")

    def __init__(self, counts: NodeCounts) -> None:
        self.counts = counts
        """The present second's, which it goes into."""
        self.reads: list[int] = []
        self.writes: list[int] = []


class Recorder:
    """Listens to one environment's request events; used on the thread that runs the users."""

    def __init__(self, started: float) -> None:
        self.second_start = started
        """When the present second began."""
        self._bucket = Bucket(started, started)
        self._came: dict[str, _Came] = {}
        """By node, those of the present second."""
        self._uncorrected: list[int] = []
        """What came since the last `count`; likewise in the next."""
        self._redirects: list[int] = []
        self._counted = [0, 0]
        """Reads and writes of the present second that are counted already."""
        self._reads_failed = 0
        self._marked = (started, 0, 0)
        """When reads were last marked, and how many of this second had succeeded and failed by then."""

    def on_request(
        self,
        request_type: str,
        response_time: float,
        exception: Any = None,
        response: Any = None,
        late_us: int | None = None,
        node: str = "",
        **_: Any,
    ) -> None:
        """Locust's ``events.request``: ``response_time`` is in milliseconds, with fractions. In an open loop
        ``late_us`` is how much later than due it began, which counts as latency too. ``node`` is where it was sent."""
        came = self._came.get(node)
        if came is None:
            came = self._came[node] = _Came(self._bucket.node(node))
        if exception is None:
            took_us = int(response_time * 1000)
            if late_us is not None:
                self._uncorrected.append(took_us)
                took_us += late_us
            if request_type == "PUT":
                came.writes.append(took_us)
            else:
                came.reads.append(took_us)
            if response is not None and response._history:
                self._bucket.redirected += 1
                self._redirects.append(_hops_us(response))
            return
        failure = exception if isinstance(exception, RequestFailure) else RequestFailure(Cause.OTHER, "not judged")
        if failure.redirected:
            self._bucket.redirected += 1
        is_write = request_type == "PUT"
        if is_write:
            came.counts.writes_failed += 1
        else:
            came.counts.reads_failed += 1
            self._reads_failed += 1
        self._bucket.failures.append((is_write, failure.cause, failure.text))

    def mark(self, at: float) -> None:
        """Note how many reads ended since the last mark: an election is judged by less than whole seconds."""
        since, ok, failed = self._marked
        reads = self._counted[0] + sum(len(came.reads) for came in self._came.values())
        self._marked = (at, reads, self._reads_failed)
        more, worse = reads - ok, self._reads_failed - failed
        if more or worse:
            begin, end = (max(0, round((moment - self.second_start) * 1000)) for moment in (since, at))
            self._bucket.read_marks += (begin, end, more, worse)

    def count(self) -> None:
        """Count what came since the last call."""
        bucket = self._bucket
        for came in self._came.values():
            if came.reads:
                self._counted[0] += len(came.reads)
                _count(came.reads, came.counts.reads, bucket.reads)
            if came.writes:
                self._counted[1] += len(came.writes)
                _count(came.writes, came.counts.writes, bucket.writes)
        _count(self._uncorrected, bucket.uncorrected)
        _count(self._redirects, bucket.redirects)

    def cut(
        self,
        at: float,
        context: RunContext,
        *,
        users: int,
        engine_cpu: float = 0.0,
        hub_lag_s: float = 0.0,
    ) -> Bucket:
        """Close the present second at ``at`` and begin the next. It covers what ended since the last call."""
        self.mark(at)
        self.count()
        self._marked, self._reads_failed, self._counted = (at, 0, 0), 0, [0, 0]
        bucket, self._bucket = self._bucket, Bucket(at, at)
        self._came = {}
        self.second_start = at
        bucket.end = at
        bucket.users = users
        flying = context.in_flight
        bucket.in_flight = len(flying)
        bucket.oldest_in_flight_s = max(0.0, at - next(iter(flying.values()))) if flying else 0.0
        bucket.engine_cpu = engine_cpu
        bucket.hub_lag_s = hub_lag_s
        schedule = context.schedule
        if schedule is not None:
            bucket.rate = schedule.rate
            bucket.not_started = schedule.not_started(at)
            bucket.schedule_lag_s = schedule.cut_lag(at)
        return bucket

    @property
    def pending(self) -> int:
        """Requests that ended since the last `cut`."""
        came = sum(len(node.reads) + len(node.writes) for node in self._came.values())
        return sum(self._counted) + came + len(self._bucket.failures)


def _count(values: list[int], *into: Counter[int]) -> None:
    """Count the values in each of the counters, and forget them.

    Counting a value twice while the second lasts costs 40 ns; adding the nodes' counters up at its end would hold up
    every user at once.
    """
    for counts in into:
        counts.update(values)
    values.clear()


def _hops_us(response: Any) -> int:
    """Time that the redirects before an answer took, in µs: what the request would have saved at the right node."""
    return int(sum(hop._elapsed or 0.0 for hop in response._history) * 1_000_000)
