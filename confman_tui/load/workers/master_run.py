"""One run made by several processes; lives on the engine's thread beside Locust's master.

To the engine it is what `confman_tui.load.run.Run` is. The workers' raw seconds are put together before anything is
computed, so samples and outcome mean exactly what they mean with one process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from confman_tui.cluster.elections import WriteObserver
from confman_tui.core.clock import now
from confman_tui.load.locust_csv import CsvFiles
from confman_tui.load.run import (
    GRACE_S,
    TICK_S,
    EngineDefect,
    little_disturbed,
    longest_request_s,
    spawn_rate,
    user_class,
)
from confman_tui.load.run_model import EngineHealth, RunOutcome, RunPlan, SecondSample
from confman_tui.load.targets import TargetBoard, Targets
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers.envelope import Stats
from confman_tui.load.workers.master import Master, waited
from confman_tui.load.workers.members import WorkerRecord
from confman_tui.load.workers.merged_seconds import MergedSeconds
from confman_tui.load.workers.messages import (
    BeginRun,
    Drained,
    EndRun,
    OfRun,
    PlanTaken,
    PrepareRun,
    Pulse,
    RunBroken,
    SecondCounted,
    TroubleSeen,
    UseRate,
    UseTargets,
    WritesReported,
    plain,
)
from confman_tui.load.workers.plan import WorkerError, WorkerShare
from confman_tui.load.workers.plausible import ReportsOfWorker
from confman_tui.load.write_maker import take_token

PREPARE_S = 10.0
"""How long a worker may take to take a plan."""
REPORT_S = 2.0
"""How long a worker may take to report the end of its requests, once they have ended."""
STOP_S = 5.0
"""How long a worker may take to end its users then."""
_MOST_TROUBLES = 50


class DistributedRun:
    """One run. `execute` is called once, in a greenlet; the others from other greenlets of that thread."""

    def __init__(
        self,
        plan: RunPlan,
        board: TargetBoard,
        on_sample: Callable[[SecondSample], None],
        observer: WriteObserver | None,
        master: Master,
    ) -> None:
        self._plan = plan
        self._board = board
        self._on_sample = on_sample
        self._observer = observer
        self._report_trouble: Callable[[str], None] = getattr(observer, "trouble", lambda what: None)
        self._master = master
        master.allow()
        self._workers: list[WorkerRecord] = []
        self._broken = ""
        """What went wrong in the code of a worker."""
        self._reports: dict[str, ReportsOfWorker] = {}
        """By the workers' ids."""
        self._end = Event()
        self._stopped_early = False
        self._end_run = EndRun()
        self._stopping = False
        self._defect: BaseException | None = None
        self._troubles: list[str] = []
        self._seconds: MergedSeconds | None = None
        """None before it begins."""
        self._wanted_users = plan.users
        self._rate = plan.rate
        self._resize = Event()
        self._resize.set()
        self.health: EngineHealth | None = None
        """Renewed at each tick; read by other threads."""

    # -- commands

    def stop(self, within_s: float | None = None) -> None:
        """Begin no more requests; those in flight are waited for, no longer than so many seconds."""
        self._stopped_early = True
        self._end_run = EndRun(within_s)
        self._master.cancel()
        self._end.set()
        if self._stopping:
            # they wait for their last requests, and need not wait for all of them
            for worker in self._workers:
                self._master.send(worker, self._end_run)

    def set_users(self, count: int) -> None:
        """Change the number of users while it runs; in force within about a second."""
        self._wanted_users = count
        self._resize.set()

    def set_rate(self, rate: float) -> None:
        """Open loop: change the rate of all users together."""
        self._rate = rate
        for worker, users in zip(self._workers, self._users_of(self._workers), strict=True):
            self._master.send(worker, UseRate(self._part(rate, users)))

    def set_targets(self, targets: Targets) -> None:
        """Where every worker sends its requests from now on."""
        for worker in self._workers:
            self._master.send(worker, UseTargets(targets))

    # -- RunListener

    def on_message(self, worker: WorkerRecord, message: OfRun) -> None:
        """See `RunListener`."""
        reports, seconds, nodes = self._reports.get(worker.id), self._seconds, self._board.current.nodes
        match message:
            case SecondCounted(number=number, last=last) if seconds is not None and reports is not None:
                reports.second(message, seconds.started, now(), nodes)
                seconds.add(worker.name, number, message.second(), last=last)
            case WritesReported() if self._observer is not None and seconds is not None and reports is not None:
                reports.writes(message, seconds.started, now(), nodes)
                message.replay(self._observer)
            case Pulse(oldest_s=oldest_s):
                worker.pulse = message
                if self._seconds is not None and oldest_s > self._seconds.late_s:
                    self._report_trouble("a request is without an answer")
            case TroubleSeen(what=what):
                self._report_trouble(plain(what, 80))
            case PlanTaken():
                worker.prepared = True
            case Drained() if worker.drained is None:
                worker.drained = message
                if self._seconds is not None:
                    self._seconds.leave(worker.name)
                    self._seconds.pass_on_due()
            case RunBroken(error=error, defect=defect):
                # of this worker alone: the others need not be broken too
                sentence = f"{worker.name}: {plain(error)}"
                self._broken = self._broken or (sentence if defect else "")
                self._master.lose(worker, sentence)

    def on_stats(self, worker: WorkerRecord, report: Stats) -> bool:
        """See `RunListener`."""
        reports = self._reports.get(worker.id)
        if reports is not None:
            reports.stats(report, now() - self._seconds.started if self._seconds is not None else 0.0)
            for error in report["errors"].values():
                error["error"] = plain(error["error"])
        return reports is not None

    def on_lost(self, worker: WorkerRecord) -> None:
        """See `RunListener`."""
        if worker in self._workers:
            self._workers.remove(worker)
        if self._seconds is not None:
            self._seconds.leave(worker.name)
        if not self._workers:
            self._end.set()

    def on_trouble(self, sentence: str) -> None:
        """See `RunListener`."""
        if len(self._troubles) < _MOST_TROUBLES:
            self._troubles.append(sentence)

    # -- the run

    def execute(self) -> RunOutcome:
        """Run it to its end.

        Raises:
            WorkerError: no worker is there.
            BaseException: whatever broke in a worker, in a greenlet of the run, or in the caller's ``on_sample`` or
                observer.
        """
        plan, master = self._plan, self._master
        environment, runner = master.environment, master.runner
        chosen = user_class(plan.write_share)
        environment.user_classes = [chosen]
        environment.stop_timeout = longest_request_s(plan) + GRACE_S
        if not master.complete:
            master.wait_for_workers(lambda waiting: None)
        self._workers = master.begin(self)
        runner.stats.clear_all()
        runner.exceptions = {}
        files = (
            CsvFiles(environment, plan.csv_prefix, full_history=plan.full_history)
            if plan.csv_prefix is not None
            else None
        )
        helpers: list[Any] = []
        with little_disturbed():
            try:
                if files is not None:
                    helpers.append(self._spawn(files.write_each_second))
                    gevent.sleep(0)
                return self._drive(environment, runner, files, helpers)
            finally:
                gevent.killall(helpers)
                for worker in self._workers:
                    if worker.drained is None:
                        master.send(worker, self._end_run)
                self._end_users(runner)
                master.end()
                if files is not None:
                    files.discard()
                self.health = None

    def _end_users(self, runner: Any) -> None:
        """Locust waits a minute for a worker that says that it has users still; this gives it up sooner."""
        stopping = gevent.spawn(runner.stop)
        stopping.join(STOP_S)
        if not stopping.ready():
            for worker in list(self._workers):
                node = runner.clients.get(worker.id)
                if node is not None and node.user_count:
                    self._master.lose(worker, f"{worker.name} did not end its users within {STOP_S:g} s")
            stopping.join()

    def _prepare(self) -> None:
        """Give each worker its part of the plan, and wait until all have taken it."""
        plan, master, workers = self._plan, self._master, list(self._workers)
        first_user = 0
        for index, (worker, users) in enumerate(zip(workers, self._users_of(workers), strict=True)):
            part = replace(plan, rate=self._part(plan.rate, users)) if plan.rate is not None else plan
            share = WorkerShare(index, len(workers), first_user, take_token(plan.keys), worker.name)
            observed = self._observer is not None
            self._reports[worker.id] = ReportsOfWorker(share, plan.namespaces)
            master.send(worker, PrepareRun.of(master.runs, part, share, self._board.current, observed))
            first_user += users
        waited(PREPARE_S, lambda: self._defect is not None or all(worker.prepared for worker in self._workers))
        for worker in list(self._workers):
            if not worker.prepared:
                master.lose(worker, f"{worker.name} did not take the plan within {PREPARE_S:g} s")
        self._raise_defect()
        if not self._workers:
            raise WorkerError("no worker is left to make the load: " + "; ".join(self._troubles[:3]))

    def _raise_defect(self) -> None:
        """Raise what broke here, or in the workers when none is left that it did not break."""
        if self._defect is not None:
            raise self._defect
        if self._broken and not self._workers:
            raise EngineDefect(self._broken)

    def _users_of(self, workers: list[WorkerRecord]) -> list[int]:
        """How many users each worker has: Locust hands them out in turn."""
        users, count = self._wanted_users, len(workers)
        return [users // count + (index < users % count) for index in range(count)]

    def _part(self, rate: float, users: int) -> float:
        """The part of this number of users in the rate of all."""
        return rate * users / max(self._wanted_users, 1)

    def _drive(self, environment: Any, runner: Any, files: CsvFiles | None, helpers: list[Any]) -> RunOutcome:
        plan, master = self._plan, self._master
        self._prepare()
        started = now()
        seconds = self._seconds = MergedSeconds(started, plan.warmup_s, self._on_sample, self._fail)
        for worker in self._workers:
            seconds.join(worker.name)
            master.send(worker, BeginRun(started))
        # the board may have been renewed while the workers got ready
        self.set_targets(self._board.current)
        ticking = self._spawn(self._tick, seconds)
        helpers += [ticking, self._spawn(self._keep_number_of_users)]
        left = None if plan.duration_s is None else started + plan.warmup_s + plan.duration_s - now()
        if self._workers:
            self._end.wait(left)
        self._stopping = True
        # with a duration they end by themselves, at the same moment and not one after another
        early = self._end.is_set()
        for worker in self._workers:
            if early:
                master.send(worker, self._end_run)
        drain_s = longest_request_s(plan) + GRACE_S + REPORT_S
        waited(drain_s, lambda: self._defect is not None or all(worker.drained is not None for worker in self._workers))
        for worker in list(self._workers):
            if worker.drained is None and self._defect is None:
                master.lose(worker, f"{worker.name} did not tell the end of its requests within {drain_s:g} s")
        gevent.sleep(0)
        gevent.kill(ticking)
        self._raise_defect()
        ends = [worker.drained.ended for worker in self._workers if worker.drained is not None]
        seconds.pass_on_rest()
        ended = max([*ends, seconds.passed_on_until]) if ends else now()
        if not self._troubles:
            self._check(seconds.totals, environment)
        outcome = seconds.totals.outcome(ended, stopped_early=self._stopped_early)
        outcome = replace(outcome, invalid=self._invalid())
        if files is None:
            return outcome
        gevent.killall(helpers)
        written = files.finish()
        return replace(outcome, files=written, file_error=files.error)

    def _check(self, totals: RunTotals, environment: Any) -> None:
        """Make sure that what the workers sent has come in, and is in the totals.

        Raises:
            EngineDefect: it is not in the totals.
        """
        for worker in self._workers:
            reports, drained = self._reports[worker.id], worker.drained
            came = reports.requests, reports.counted
            if drained is not None and (drained.requests, drained.reported) != came:
                self._master.trouble(
                    worker,
                    f"{worker.name} says that it sent {drained.requests} requests and reported {drained.reported} to "
                    f"Locust; {came[0]} and {came[1]} came in",
                )
        if self._troubles:
            return
        sent = sum(reports.requests for reports in self._reports.values())
        reported = sum(reports.counted for reports in self._reports.values())
        counted = environment.stats.total.num_requests
        if sent != totals.requests or reported != counted:
            raise EngineDefect(
                f"The workers sent {sent} requests and reported {reported} to Locust; {totals.requests} and {counted} "
                "were counted."
            )

    def _invalid(self) -> str:
        if not self._troubles:
            return ""
        more = len(self._troubles) - 1
        return self._troubles[0] + (f" (and {more} more)" if more else "")

    def _keep_number_of_users(self) -> None:
        """One change after another, since Locust loses count of its users when a change is interrupted."""
        runner = self._master.runner
        users = self._plan.users
        while True:
            self._resize.wait()
            self._resize.clear()
            count = self._wanted_users
            runner.start(count, spawn_rate=spawn_rate(count))
            if self._rate is not None and count != users:
                self.set_rate(self._rate)  # each worker's part follows its users
            users = count

    def _tick(self, seconds: MergedSeconds) -> None:
        due = now() + TICK_S
        while True:
            gevent.sleep(max(0.0, due - now()))
            at = now()
            lag = max(0.0, at - due)
            due = at + TICK_S
            pulses = [worker.pulse for worker in self._workers if worker.pulse is not None]
            previous = self.health.engine_cpu if self.health is not None else 0.0
            self.health = EngineHealth(
                at=at,
                running=True,
                stopping=self._stopping,
                users=sum(pulse.users for pulse in pulses),
                in_flight=sum(pulse.in_flight for pulse in pulses),
                oldest_in_flight_s=max((pulse.oldest_s for pulse in pulses), default=0.0),
                engine_cpu=seconds.engine_cpu(at, previous),
                hub_lag_s=max((pulse.lag_s for pulse in pulses), default=0.0),
            )
            # held up ourselves: what the workers sent meanwhile is read first
            if lag < TICK_S:
                seconds.pass_on_due()

    def _spawn(self, function: Callable[..., None], *arguments: Any) -> Any:
        greenlet = gevent.spawn(function, *arguments)
        greenlet.link_exception(lambda dead: self._fail(dead.exception))
        return greenlet

    def _fail(self, error: BaseException) -> None:
        if self._defect is None:
            self._defect = error
        self._end.set()
