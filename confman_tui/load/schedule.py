"""An open loop's schedule: when each request is due, whatever the answers do.

A closed loop sends its next request when the last one was answered. So a server that stalls is asked less often just
while it stalls, and the requests that would have met the stall are missing from the percentiles: coordinated omission
(the name is Gil Tene's, "How NOT to Measure Latency"). The cure is wrk2's (its README, "Coordinated Omission and
latency correction": https://github.com/giltene/wrk2): requests are due at a constant rate, and a latency runs from the
moment a request was due, not from the moment it could be sent at last. Both are kept here, as wrk2 shows both with
``--u_latency``: "corrected" from the intended start, "uncorrected" from the actual one.

All users of a process share one schedule. A user that is free takes the next request that is due; when none is, it
waits in line, and a timer hands the next one to the user that has waited longest, so that all connections take turns.
When no user is free, requests wait: the backlog.
"""

from __future__ import annotations

from collections import deque
from math import ceil, floor, inf
from typing import Any

import gevent
from gevent.hub import Waiter

from confman_tui.core.clock import Clock, now
from confman_tui.load.timer import HubTimer, make_timer
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S

MOST_SENDERS = 256
"""Users that a rate gets at most when their number was not said."""
UNDER_WAY_S = 0.01
"""What became due less than this before a look at the backlog is about to begin, and is no backlog yet."""
_HAIR_S = 5e-7
"""What is due by this little before a limit is due at the limit: seconds since the epoch are exact to 0.24 µs."""


def senders_for(rate: float, own_users: int, request_timeout_s: float = REQUEST_TIMEOUT_S) -> int:
    """How many users an open loop gets when their number was not said: enough to keep the schedule while each answer
    takes as long as its timeout lets it (Little's law: rate times time), but at least the scenario's own and at most
    256, so that a stall does not open thousands of connections."""
    return max(own_users, min(MOST_SENDERS, ceil(rate * max(request_timeout_s, REQUEST_TIMEOUT_S))))


def _period(rate: float) -> float:
    return 1.0 / rate if rate > 0 else inf


class _Stretch:
    """Requests that are due at one pace: number k, from 0, at ``base + k * period``. Multiplied, not summed up: at
    100,000 a second, adding a period to seconds since the epoch would be wrong by a thousandth each time."""

    __slots__ = ("base", "count", "period")

    def __init__(self, base: float, period: float, until: float) -> None:
        self.base = base
        self.period = period
        self.count: float = inf
        """How many there are before ``until``."""
        if period == inf:
            self.count = 0
        elif until < inf:
            self.count = max(0, ceil((until - base - _HAIR_S) / period))

    def due_by(self, at: float) -> float:
        """How many were due at ``at`` or before."""
        return 0 if at < self.base else min(self.count, floor((at - self.base + _HAIR_S) / self.period) + 1)


class Schedule:
    """When requests are due. Belongs to the thread that runs the users; `wait` is called in a user's greenlet."""

    def __init__(self, rate: float, clock: Clock = now) -> None:
        """``rate`` is in requests per second; 0: none is due."""
        self.rate = rate
        """Requests per second, now."""
        self._clock = clock
        self._until = inf
        self._stretches: deque[_Stretch] = deque()
        self._index = 0
        """Requests of the first stretch that were taken."""
        self._taken = 0
        self._begun = 0
        self._late_s = 0.0
        self._waiting: deque[Any] = deque()
        self._timer: HubTimer | None = None
        self._set_for: float | None = None
        self._closed = False

    def begin(self, at: float, until: float = inf) -> None:
        """The first request is due at ``at``, the last one before ``until``. Without this, it begins with `take`."""
        self._until = until
        self._stretches = deque((_Stretch(at, _period(self.rate), until),))

    # -- what the users do

    def take(self, at: float) -> float | None:
        """The time at which the next request was due, which is then the caller's to send; None when none is due at
        ``at``. About a microsecond."""
        due = self._next()
        if due is None or due > at:
            if not self._stretches:
                self.begin(at)
                return self.take(at)
            return None
        self._index += 1
        self._taken += 1
        return due

    def _next(self) -> float | None:
        """When the next request is due; None when there is no other."""
        stretches = self._stretches
        while stretches:
            first = stretches[0]
            if self._index < first.count:
                return first.base + self._index * first.period
            if len(stretches) == 1:
                return None
            stretches.popleft()
            self._index = 0
        return None

    def waiter(self) -> Any:
        """What to hand to `wait`, so that `dismiss` can end the waiting."""
        return Waiter(gevent.get_hub())

    def wait(self, waiter: Any) -> float | None:
        """Wait in line for the next request; gives the time at which it is due, None after `dismiss`."""
        waiting = self._waiting
        waiting.append(waiter)
        self._arm()
        due: float | None
        try:
            due = waiter.get()
        except BaseException:
            if waiter in waiting:
                waiting.remove(waiter)
            raise
        return due

    def dismiss(self, waiter: Any) -> None:
        """End one user's waiting; it gets no request."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            gevent.get_hub().loop.run_callback(waiter.switch, None)

    def began(self, due: float, at: float) -> float:
        """A request that was taken is sent now. Gives by how much it is late, in seconds."""
        self._begun += 1
        late = at - due
        if late <= 0.0:
            return 0.0
        if late > self._late_s:
            self._late_s = late
        return late

    # -- what the timer does, in the hub

    def _arm(self) -> None:
        """Set the timer for the next request, if somebody waits for one."""
        due = self._next() if self._waiting else None
        if due is None or due == self._set_for or self._closed:
            return
        if self._timer is None:
            self._timer = make_timer(gevent.get_hub().loop, self._hand_out)
        self._set_for = due
        self._timer.set(due - self._clock())

    def _hand_out(self) -> None:
        self._set_for = None
        waiting = self._waiting
        # The same moment for all: what becomes due while these are sent must wait until answers were read.
        at = self._clock()
        while waiting and (due := self.take(at)) is not None:
            waiting.popleft().switch(due)
        self._arm()

    # -- what the run does

    def set_rate(self, rate: float, at: float) -> None:
        """Another pace from now on. What was due before stays due when it was; nothing is due anew."""
        if not self._stretches:
            self.begin(at, self._until)
        last = self._stretches[-1]
        due = last.due_by(at)
        period = _period(rate)
        base = max(at, last.base + (due - 1) * last.period + period if due else min(last.base, at + period))
        last.count = due
        self.rate = rate
        self._stretches.append(_Stretch(base, period, self._until))
        self._arm()

    def stop(self, at: float) -> None:
        """Nothing is due after ``at``, and nobody is woken for what was due before."""
        self.close()
        if at >= self._until:
            return
        self._until = at
        if self._stretches:
            last = self._stretches[-1]
            last.count = last.due_by(at)

    def not_started(self, at: float) -> int:
        """The backlog: requests that were due at ``at`` or before and have not begun. While others become due, those
        of the last 10 ms are left out; once the end has come, it is exact."""
        horizon = at if at >= self._until else at - UNDER_WAY_S
        due = sum(stretch.due_by(horizon) for stretch in self._stretches)
        return max(0, int(due) - self._index) + self._taken - self._begun

    def cut_lag(self, at: float) -> float:
        """The longest time, in seconds, that a request began after it was due since the last call, or that one which
        has not begun has waited at ``at``."""
        late, self._late_s = self._late_s, 0.0
        due = self._next()
        return late if due is None else max(late, min(at, self._until) - due)

    def close(self) -> None:
        """Give back what belongs to the system. Users that wait go on waiting, and must be ended otherwise."""
        self._closed = True
        if self._timer is not None:
            self._timer.close()
            self._timer = None
