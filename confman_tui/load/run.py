"""One run of Locust, from its first user to its last request; lives on the engine's thread."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.event import Events

from confman_tui.cluster.elections import WriteObserver
from confman_tui.cluster.watch_mode import late_write_s
from confman_tui.core.clock import now
from confman_tui.load import context, users
from confman_tui.load.locust_csv import CsvFiles
from confman_tui.load.recorder import Recorder
from confman_tui.load.run_model import EngineHealth, RunOutcome, RunPlan, SecondSample
from confman_tui.load.targets import TargetBoard
from confman_tui.load.totals import RunTotals
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S

TICK_S = 0.05
"""Period of the timer whose delay is the hub's lag."""
LATELY = 3
"""Seconds whose p99 says what is late."""
GRACE_S = 0.5
LONGEST_REQUEST_S = users.CONNECTION_TIMEOUT_S + REQUEST_TIMEOUT_S
"""How long a request may take by default that is not redirected: what a stop waits for, plus `GRACE_S`."""
SHORTEST_SAMPLE_S = 0.001
_SPAWN_RATE = 5000
"""Users made per second at most: each takes some 30 µs of the hub's time."""
_SWITCH_S = 0.0002
_TAIL_S = 0.25
"""A run's last second may be longer by this, if requests end in that time."""


def longest_request_s(plan: RunPlan) -> float:
    """How long a request of the plan may take that is not redirected: what its end waits for, plus `GRACE_S`. A stop
    before the end waits no longer than by default, however long the plan's requests may take."""
    return users.CONNECTION_TIMEOUT_S + plan.request_timeout_s


class EngineDefect(RuntimeError):
    """The engine's own code went wrong; the run's figures are not to be trusted."""


class Run:
    """One run. `execute` is called once, in a greenlet; `stop`, `set_users` and `set_rate` from other greenlets of that
    thread."""

    def __init__(
        self,
        plan: RunPlan,
        board: TargetBoard,
        on_sample: Callable[[SecondSample], None],
        observer: WriteObserver | None,
    ) -> None:
        self._plan = plan
        self._on_sample = on_sample
        self._context = context.from_plan(plan, board, observer)
        self._settle: Callable[[], None] | None = getattr(observer, "settle", None)
        """What the booking of writes wants to be called some times a second."""
        self._end = Event()
        self._stopped_early = False
        self._cut_off_s = inf
        """How long requests in flight are waited for after a stop, where their own limits are longer."""
        self._defect: BaseException | None = None
        self._recorder: Recorder | None = None
        self._totals: RunTotals | None = None
        self._runner: Any = None
        self._lag_s = 0.0
        self._lately: deque[int] = deque(maxlen=LATELY)
        """The p99 of the last seconds, in µs."""
        self._late_s = late_write_s(None)
        """A request in flight for longer is a sign of trouble."""
        self._users = plan.users
        self._wanted_users = plan.users
        self._resize = Event()
        """The number of users that is wanted has changed."""
        self._cpu_then = 0.0
        self.health: EngineHealth | None = None
        """Renewed at each tick; read by other threads."""

    def stop(self, within_s: float | None = None) -> None:
        """Begin no more requests; those in flight are waited for, no longer than so many seconds."""
        self._stopped_early = True
        self._cut_off_s = min(self._cut_off_s, inf if within_s is None else within_s)
        self._context.stopping = True
        self._end.set()

    def set_users(self, count: int) -> None:
        """Change the number of users while it runs; in force within about a second."""
        self._wanted_users = count
        self._resize.set()

    def set_rate(self, rate: float) -> None:
        """Change an open loop's pace from now on; nothing happens in a closed loop."""
        self._context.set_rate(rate)

    def execute(self) -> RunOutcome:
        """Run it to its end.

        Raises:
            BaseException: what broke in a greenlet of the run, or in the caller's ``on_sample`` or observer.
        """
        plan = self._plan
        environment: Any = Environment(
            user_classes=[user_class(plan.write_share)],
            host="http://confman.invalid",
            events=Events(),  # type: ignore[no-untyped-call]
            stop_timeout=longest_request_s(plan) + GRACE_S,
        )
        context.inject(environment, self._context)
        environment.events.user_error.add_listener(self._on_user_error)
        runner = self._runner = environment.create_local_runner()
        files = (
            CsvFiles(environment, plan.csv_prefix, full_history=plan.full_history)
            if plan.csv_prefix is not None
            else None
        )
        helpers: list[gevent.Greenlet] = []
        with little_disturbed():
            try:
                if files is not None:
                    helpers.append(self._spawn(files.write_each_second))
                    gevent.sleep(0)
                started = now()
                recorder = self._recorder = Recorder(started)
                self._totals = RunTotals(started, plan.warmup_s)
                environment.events.request.add_listener(recorder.on_request)
                seconds = None if plan.duration_s is None else plan.warmup_s + plan.duration_s
                self._context.begin(started, seconds)
                self._cpu_then = time.thread_time()
                sampling = [self._spawn(self._tick), self._spawn(self._sample_each_second, started)]
                self._resize.clear()
                runner.start(self._wanted_users, spawn_rate=spawn_rate(self._wanted_users))
                helpers += [*sampling, self._spawn(self._follow_number_of_users)]
                self._end.wait(None if seconds is None else started + seconds - now())
                outcome = self._finish(environment, sampling)
                if files is None:
                    return outcome
                gevent.killall(helpers)
                return replace(outcome, files=files.finish(), file_error=files.error)
            finally:
                gevent.killall(helpers)
                runner.quit()
                if self._context.schedule is not None:
                    self._context.schedule.close()
                if files is not None:
                    files.discard()
                self._runner = None
                self.health = None

    def _finish(self, environment: Any, sampling: list[Any]) -> RunOutcome:
        """Let the requests in flight end, end the users, take the last sample, and give the totals."""
        runner, recorder, totals = self._runner, self._recorder, self._totals
        assert recorder is not None
        assert totals is not None
        self._context.stopping = True
        drained = self._wait_for_requests()
        gevent.killall(sampling)
        cpu, ended = time.thread_time(), now()
        # nobody is left to be waited for: those that sleep, and those that took too long, are cut off
        environment.stop_timeout = 0.0
        runner.quit()
        if not drained:
            cpu, ended = time.thread_time(), now()
        if self._defect is not None:
            raise self._defect
        if recorder.pending or ended - recorder.second_start >= SHORTEST_SAMPLE_S:
            self._take(ended, cpu)
        counted = environment.stats.total.num_requests
        outcome = totals.outcome(ended, stopped_early=self._stopped_early)
        # Locust's statistics were reset when the warm-up ended; before, they count what the outcome leaves out
        expected = outcome.requests if totals.warm else totals.requests
        if counted != expected:
            raise EngineDefect(f"Locust counted {counted} requests and the recorder {expected}.")
        return outcome

    def _follow_number_of_users(self) -> None:
        """Start or stop users when another number is wanted: one change after another, since Locust loses count of its
        users when a change is interrupted by the next."""
        runner = self._runner
        while True:
            changing = runner.spawning_greenlet
            changing.link_exception(self._on_dead_greenlet)
            changing.join()
            self._resize.wait()
            self._resize.clear()
            runner.start(self._wanted_users, spawn_rate=spawn_rate(self._wanted_users))

    def _wait_for_requests(self) -> bool:
        """Let what is in flight end before Locust's users are stopped: its ``stop`` inspects the stack, which holds up
        the hub for some 25 ms, and would be the longest answer of many a run. False when the time was over first."""
        begun, longest = now(), longest_request_s(self._plan)
        while self._context.in_flight:
            limit = min(longest, LONGEST_REQUEST_S) if self._stopped_early else longest
            if now() >= begun + min(limit + GRACE_S, self._cut_off_s):
                break
            gevent.sleep(0.002)
        return not self._context.in_flight

    def _sample_each_second(self, started: float) -> None:
        number = 0
        while True:
            # on a grid from the run's start; a second that was missed altogether belongs to the next sample
            number = max(number + 1, int(now() - started) + 1)
            gevent.sleep(max(0.0, started + number - now()))
            if self._plan.duration_s is not None and number == self._plan.warmup_s + self._plan.duration_s:
                # the last requests end within milliseconds as a rule: part of this second, not a sample of their own
                gevent.sleep(_TAIL_S)
            self._take(now(), time.thread_time())

    def _take(self, at: float, cpu: float) -> None:
        recorder, totals = self._recorder, self._totals
        assert recorder is not None
        assert totals is not None
        seconds = at - recorder.second_start
        share = (cpu - self._cpu_then) / seconds if seconds > 0 else 0.0
        self._cpu_then = cpu
        lag, self._lag_s = self._lag_s, 0.0
        was_warm = totals.warm
        second = recorder.cut(at, self._context, users=self._users, engine_cpu=share, hub_lag_s=lag)
        sample = totals.add(second)
        if sample.p99_us is not None:
            self._lately.append(sample.p99_us)
            self._late_s = late_write_s(max(self._lately) / 1e6)
        if totals.warm and not was_warm:
            # nothing ends between the cut and this: both happen without giving the hub away
            self._runner.stats.reset_all()
        self._on_sample(sample)

    def _tick(self) -> None:
        due = now() + TICK_S
        while True:
            gevent.sleep(max(0.0, due - now()))
            at = now()
            lag = max(0.0, at - due)
            self._lag_s = max(self._lag_s, lag)
            due = at + TICK_S
            if not self._context.stopping:
                self._users = self._runner.user_count
            recorder = self._recorder
            if recorder is not None:
                recorder.mark(at)
            if self._settle is not None:
                self._settle()
            flying = self._context.in_flight
            if flying and at - next(iter(flying.values())) > self._late_s:
                self._context.report_trouble(at, "a request is without an answer")
            span = at - recorder.second_start if recorder is not None else 0.0
            previous = self.health
            self.health = EngineHealth(
                at=at,
                running=True,
                stopping=self._context.stopping,
                users=self._runner.user_count,
                in_flight=len(flying),
                oldest_in_flight_s=max(0.0, at - next(iter(flying.values()))) if flying else 0.0,
                engine_cpu=(
                    (time.thread_time() - self._cpu_then) / span
                    if span >= 0.4
                    else (previous.engine_cpu if previous is not None else 0.0)
                ),
                hub_lag_s=self._lag_s,
            )

    def _spawn(self, function: Callable[..., None], *arguments: Any) -> Any:
        greenlet = gevent.spawn(function, *arguments)
        greenlet.link_exception(self._on_dead_greenlet)
        return greenlet

    def _on_dead_greenlet(self, greenlet: Any) -> None:
        self._fail(greenlet.exception)

    def _on_user_error(self, exception: BaseException, **_: Any) -> None:
        self._fail(exception)

    def _fail(self, error: BaseException) -> None:
        if self._defect is None:
            self._defect = error
        self._context.stopping = True
        self._end.set()


def spawn_rate(count: int) -> int:
    """How many users Locust makes a second of ``count``: all, within `_SPAWN_RATE`."""
    return min(max(count, 1), _SPAWN_RATE)


def user_class(write_share: float) -> type[users.ConfmanUser]:
    """The users that write this share of their requests."""
    if write_share >= 1.0:
        return users.WriteUser
    return users.MixedUser if write_share > 0.0 else users.ReadUser


@contextlib.contextmanager
def little_disturbed() -> Any:
    """While a run lasts, keep the rest of the process from holding it up.

    The interpreter lets a thread that computes keep the lock for 5 ms, and each system call of the engine gives it
    away: while the screen is drawn, a request of four calls could wait 20 ms. So the lock changes hands every 0.2 ms
    (measured in `tests/benchmarks/observer_effect.py`).

    A full garbage collection walks every object of the process, the screen's too, and holds up every request. So what
    exists before a run is kept out of its sight; where objects are kept out of it already, they stay so.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    ours = gc.get_freeze_count() == 0
    gc.collect()
    if ours:
        gc.freeze()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if ours:
            gc.unfreeze()
        # a runner and its users refer to each other: without this, repeated runs grow
        gc.collect()
