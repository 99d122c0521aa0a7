"""Counts what happens to each request of one process's users, and cuts it into one `SecondCounts` a second.

A latency is counted when its request ends, once for its node and once for all: a second's end then finds nothing left
to count, and holds up no user. What a second's figures are, `confman_tui.load.totals` computes, in whichever process
the totals are kept.
"""

from __future__ import annotations

from typing import Any

from confman_tui.load.causes import RequestFailure
from confman_tui.load.context import RunContext
from confman_tui.load.run_model import Cause
from confman_tui.load.second import NodeCounts, SecondCounts


class Recorder:
    """Listens to one environment's request events; used on the thread that runs the users."""

    def __init__(self, started: float) -> None:
        self._second = SecondCounts(started, started)
        """What ended since the last `cut`."""
        self._reads_ok = 0
        """Reads of the present second that succeeded, and that failed."""
        self._reads_failed = 0
        self._marked = (started, 0, 0)
        """When reads were last marked, and how many of this second had succeeded and failed by then."""

    @property
    def second_start(self) -> float:
        """When the present second began."""
        return self._second.start

    @property
    def pending(self) -> int:
        """Requests that ended since the last `cut`."""
        return self._second.requests

    def on_request(
        self,
        request_type: str,
        response_time: float,
        exception: Any = None,
        late_us: int | None = None,
        node: str = "",
        redirect_us: int | None = None,
        **_: Any,
    ) -> None:
        """Locust's ``events.request``: ``response_time`` is in milliseconds, with fractions. In an open loop
        ``late_us`` is how much later than due it began, which counts as latency too. ``node`` is where it was sent
        first, ``redirect_us`` how long it took until it was redirected from there; None when it was not."""
        second = self._second
        sent = second.by_node.get(node)
        if sent is None:
            sent = second.by_node[node] = NodeCounts()
        is_write = request_type == "PUT"
        if exception is None:
            took_us = int(response_time * 1000)
            if late_us is not None:
                second.uncorrected[took_us] = second.uncorrected.get(took_us, 0) + 1
                took_us += late_us
            if is_write:
                of_node, of_all = sent.writes, second.writes
            else:
                of_node, of_all = sent.reads, second.reads
                self._reads_ok += 1
            # `get`, because a Counter's own way to a new value calls a Python function
            of_node[took_us] = of_node.get(took_us, 0) + 1
            of_all[took_us] = of_all.get(took_us, 0) + 1
            if redirect_us is not None:
                second.redirected += 1
                second.redirects[redirect_us] += 1
            return
        failure = exception if isinstance(exception, RequestFailure) else RequestFailure(Cause.OTHER, "not judged")
        if redirect_us is not None:
            second.redirected += 1
        if is_write:
            sent.writes_failed += 1
        else:
            sent.reads_failed += 1
            self._reads_failed += 1
        second.failures.append((is_write, failure.cause, failure.text))

    def mark(self, at: float) -> None:
        """Note how many reads ended since the last mark: an election needs to know it more finely than by seconds."""
        since, ok, failed = self._marked
        self._marked = (at, self._reads_ok, self._reads_failed)
        more_ok, more_failed = self._reads_ok - ok, self._reads_failed - failed
        if more_ok or more_failed:
            begin, end = (max(0, round((moment - self.second_start) * 1000)) for moment in (since, at))
            self._second.read_marks += (begin, end, more_ok, more_failed)

    def cut(
        self,
        at: float,
        context: RunContext,
        *,
        users: int,
        engine_cpu: float = 0.0,
        hub_lag_s: float = 0.0,
    ) -> SecondCounts:
        """Close the present second at ``at`` and begin the next. It covers what ended since the last call."""
        self.mark(at)
        self._marked, self._reads_ok, self._reads_failed = (at, 0, 0), 0, 0
        second, self._second = self._second, SecondCounts(at, at)
        second.end = at
        second.users = users
        flying = context.in_flight
        second.in_flight = len(flying)
        second.oldest_in_flight_s = max(0.0, at - next(iter(flying.values()))) if flying else 0.0
        second.engine_cpu = engine_cpu
        second.hub_lag_s = hub_lag_s
        schedule = context.schedule
        if schedule is not None:
            second.rate = schedule.rate
            second.not_started = schedule.not_started(at)
            second.schedule_lag_s = schedule.cut_lag(at)
        return second
