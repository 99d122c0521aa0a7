"""Notes what happens to each request of one process's users, and cuts it into a bucket a second.

The listener does next to nothing per request (it appends to a list). Some times a second what came is counted, so that
a second's end finds little to do: counting 12,000 latencies at once would hold up every user for half a millisecond.
What a second's figures are is `confman_tui.load.totals`' business, in whichever process the totals are kept.
"""

from __future__ import annotations

from typing import Any

from confman_tui.load.bucket import Bucket
from confman_tui.load.causes import RequestFailure
from confman_tui.load.context import RunContext
from confman_tui.load.model import Cause


class Recorder:
    """Listens to one environment's request events; used on the thread that runs the users."""

    def __init__(self, started: float) -> None:
        self.second_start = started
        """When the present second began."""
        self._bucket = Bucket(started, started)
        self._reads: list[int] = []
        """What came since the last `count`; likewise in the next three."""
        self._writes: list[int] = []
        self._uncorrected: list[int] = []
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
        **_: Any,
    ) -> None:
        """Locust's ``events.request``: ``response_time`` is in milliseconds, with fractions. In an open loop
        ``late_us`` is how much later than due it began, which counts as latency too."""
        if exception is None:
            took_us = int(response_time * 1000)
            if late_us is not None:
                self._uncorrected.append(took_us)
                took_us += late_us
            if request_type == "PUT":
                self._writes.append(took_us)
            else:
                self._reads.append(took_us)
            if response is not None and response._history:
                self._bucket.redirected += 1
                self._redirects.append(_hops_us(response))
            return
        failure = exception if isinstance(exception, RequestFailure) else RequestFailure(Cause.OTHER, "not judged")
        if failure.redirected:
            self._bucket.redirected += 1
        self._reads_failed += request_type != "PUT"
        self._bucket.failures.append((request_type == "PUT", failure.cause, failure.text))

    def mark(self, at: float) -> None:
        """Note how many reads ended since the last mark: an election is judged by less than whole seconds."""
        since, ok, failed = self._marked
        reads = self._counted[0] + len(self._reads)
        self._marked = (at, reads, self._reads_failed)
        more, worse = reads - ok, self._reads_failed - failed
        if more or worse:
            begin, end = (max(0, round((moment - self.second_start) * 1000)) for moment in (since, at))
            self._bucket.read_marks += (begin, end, more, worse)

    def count(self) -> None:
        """Count what came since the last call."""
        bucket = self._bucket
        self._counted[0] += len(self._reads)
        self._counted[1] += len(self._writes)
        for came, counts in (
            (self._reads, bucket.reads),
            (self._writes, bucket.writes),
            (self._uncorrected, bucket.uncorrected),
            (self._redirects, bucket.redirects),
        ):
            if came:
                counts.update(came)
                came.clear()

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
        self.second_start = at
        bucket.end = at
        bucket.users = users
        bucket.per_node, context.per_node = context.per_node, {}
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
        return sum(self._counted) + len(self._reads) + len(self._writes) + len(self._bucket.failures)


def _hops_us(response: Any) -> int:
    """Time that the redirects before an answer took, in µs: what the request would have saved at the right node."""
    return int(sum(hop._elapsed or 0.0 for hop in response._history) * 1_000_000)
