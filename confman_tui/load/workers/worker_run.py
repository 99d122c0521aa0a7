"""One run in a worker: the users are Locust's to start, what they do goes to the master, raw and at once."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, Protocol

import gevent
from gevent.event import Event
from locust.exception import RPCError

from confman_tui.core.clock import now
from confman_tui.load import context, locust_hacks
from confman_tui.load.cpu_wait import waited_s
from confman_tui.load.recorder import Recorder
from confman_tui.load.run import SHORTEST_SAMPLE_S, Run, little_disturbed, user_class
from confman_tui.load.run_model import RunPlan
from confman_tui.load.targets import TargetBoard
from confman_tui.load.workers.clock_offset import ClockOffset
from confman_tui.load.workers.messages import (
    Drained,
    FromWorker,
    PrepareRun,
    Pulse,
    RunBroken,
    SecondCounted,
    TroubleSeen,
    WriteBatch,
    plain,
)

FLUSH_S = 0.02
"""Writes are reported to the master no more often than this …"""
LEAST_FLUSH_S = 0.003
"""… and a lone one after this: the probe writes when it hears of no write, and must not take its turn too early."""
PULSE_S = 0.25
_WARM_TOLERANCE_S = 0.0005


class RunHost(Protocol):
    """What a run needs of the worker that it belongs to: Locust's `WorkerRunner`, and how to reach the master."""

    environment: Any
    offset: ClockOffset
    run: WorkerRun | None
    """The present one."""

    @property
    def stats(self) -> Any:
        """Locust's statistics."""

    def send(self, message: FromWorker) -> None:
        """To the master."""

    def stop(self) -> None:
        """End the users."""


class WorkerRun(Run):
    """As `Run`, with Locust's master deciding on the users and ours keeping the totals."""

    def __init__(self, prepared: PrepareRun, plan: RunPlan, worker: RunHost) -> None:
        """``plan`` is the prepared one with this process's API key."""
        self.board = TargetBoard(prepared.targets)
        self._batch = WriteBatch()
        self._written = Event()
        """A write was started or has ended."""
        super().__init__(plan, self.board, lambda sample: None, self if prepared.observed else None)
        self._context.take_share(prepared.share.first_user, prepared.share.token)
        self.number = prepared.run
        """Of the run."""
        self._share = prepared.share
        self._worker = worker
        self._runner = worker
        self._greenlets: list[Any] = []
        self._seconds = 0
        self._began = 0.0
        """When the run began, on this process's clock."""
        self._offset_s = 0.0
        """Of this run: the grid of its seconds must not move."""
        self._process_cpu_then = 0.0
        self._wait_then: float | None = None
        self._requests = 0
        self.warm = plan.warmup_s <= 0
        """Whether what ends now counts for the outcome."""
        self.reported = 0
        """Requests in Locust's own reports, the warm-up left out."""
        environment: Any = worker.environment
        chosen = user_class(plan.write_share)
        environment.user_classes = [chosen]
        environment.events.user_error.add_listener(self._on_user_error)
        context.inject(environment, self._context)
        self.under_way = False
        """It has begun and not ended."""
        self.finished = Event()
        """Its last request has ended, and that was reported."""
        self._undisturbed = contextlib.ExitStack()
        self._undisturbed.enter_context(little_disturbed())

    # -- the observer of the users' writes

    def started(self, at: float) -> None:
        """See `WriteObserver`."""
        self._batch.started(at)
        self._written.set()

    def ended(self, *write: Any) -> None:
        """See `WriteObserver`."""
        self._batch.ended(*write)
        self._written.set()

    def trouble(self, what: str) -> None:
        """A request failed, or is late: the master learns of it at once."""
        self._worker.send(TroubleSeen(self.number, plain(what)))

    # -- the run

    def go(self, started: float) -> None:
        """Begin; ``started`` is on the master's clock."""
        self._offset_s = self._worker.offset.seconds
        self._greenlets.append(gevent.spawn(self._live, started - self._offset_s))

    def set_rate(self, rate: float) -> None:
        """Open loop: change this worker's part of the rate."""
        self._context.set_rate(rate)

    def abort(self) -> None:
        """Nobody waits for its end any more."""
        self._context.stopping = True
        gevent.killall([greenlet for greenlet in self._greenlets if greenlet is not gevent.getcurrent()])
        self._detach()

    def _detach(self) -> None:
        events = self._worker.environment.events
        for event, listener in (
            (events.user_error, self._on_user_error),
            (events.request, self._recorder.on_request if self._recorder is not None else None),
        ):
            with contextlib.suppress(ValueError):
                event.remove_listener(listener)
        if self._worker.run is self:
            self._worker.run = None
        if self._context.schedule is not None:
            self._context.schedule.close()
        self.under_way = False
        self.finished.set()
        self._undisturbed.close()

    def _live(self, started: float) -> None:
        self.under_way = True
        try:
            self._work(started)
        except RPCError:
            # the master is gone; the worker's heartbeats notice that too
            self._defect = None
        finally:
            self._detach()

    def _work(self, started: float) -> None:
        plan = self._plan
        self._began = started
        recorder = self._recorder = Recorder(started)
        environment: Any = self._worker.environment
        environment.events.request.add_listener(recorder.on_request)
        # the workers' requests are due in turn, not all at one moment
        turn = self._share.index / (self._share.count * plan.rate) if plan.rate else 0.0
        self._context.begin(started + turn, None if plan.duration_s is None else plan.warmup_s + plan.duration_s - turn)
        self._cpu_then, self._process_cpu_then = time.thread_time(), time.process_time()
        self._wait_then = waited_s(threading.get_native_id())
        sampling = [self._spawn(self._tick), self._spawn(self._sample_each_second, started)]
        reporting = [self._spawn(self._report_writes), self._spawn(self._report_pulse)]
        self._greenlets += sampling + reporting
        left = None if plan.duration_s is None else started + plan.warmup_s + plan.duration_s - now()
        self._end.wait(left)
        self._context.stopping = True
        drained = self._wait_for_requests()
        gevent.killall(sampling)
        cpu, ended = time.thread_time(), now()
        self._worker.environment.stop_timeout = 0.0
        self._worker.stop()
        if not drained:
            cpu, ended = time.thread_time(), now()
        gevent.killall(reporting)
        if self._defect is not None:
            error = self._defect
            self._worker.send(RunBroken(self.number, plain(f"{type(error).__name__}: {error}")))
            return
        if recorder.pending or ended - recorder.second_start >= SHORTEST_SAMPLE_S:
            self._take(ended, cpu, last=True)
        self._flush_writes()
        locust_hacks.send_stats(self._worker)
        self._worker.send(Drained(self.number, ended + self._offset_s, self._requests, self.reported))

    def _take(self, at: float, cpu: float, *, last: bool = False) -> None:
        recorder = self._recorder
        assert recorder is not None
        seconds = max(at - recorder.second_start, 1e-9)
        share = (cpu - self._cpu_then) / seconds
        process_cpu = time.process_time()
        process_share = (process_cpu - self._process_cpu_then) / seconds
        self._cpu_then, self._process_cpu_then = cpu, process_cpu
        lag, self._lag_s = self._lag_s, 0.0
        second = recorder.cut(at, self._context, users=self._users, engine_cpu=share, hub_lag_s=lag)
        second.worker_cpu = {self._share.name: process_share}
        wait = waited_s(threading.get_native_id())
        if wait is not None and self._wait_then is not None:
            second.worker_wait = {self._share.name: (wait - self._wait_then) / seconds}
        self._wait_then = wait
        self._requests += second.requests
        started = self._began
        self._seconds = self._seconds + 1 if last else max(self._seconds + 1, int(at - started + 0.0005))
        if not self.warm and at >= started + self._plan.warmup_s - _WARM_TOLERANCE_S:
            # nothing ends between the cut and this: both happen without giving the hub away
            self.warm = True
            self._worker.stats.clear_all()
        second.start += self._offset_s
        second.end += self._offset_s
        self._worker.send(SecondCounted.of(self.number, self._seconds, second, last=last))

    def _report_writes(self) -> None:
        then = 0.0
        while True:
            self._written.wait()
            gevent.sleep(max(LEAST_FLUSH_S, then + FLUSH_S - now()))
            then = now()
            self._flush_writes()

    def _flush_writes(self) -> None:
        self._written.clear()
        while not self._batch.empty:
            self._worker.send(self._batch.take(self.number, self._worker.offset.seconds))

    def _report_pulse(self) -> None:
        while True:
            health = self.health
            if health is not None:
                self._worker.send(
                    Pulse(self.number, health.users, health.in_flight, health.oldest_in_flight_s, health.hub_lag_s)
                )
            gevent.sleep(PULSE_S)
