"""One run made by several processes; lives on the engine's thread beside Locust's master.

To the engine it is what `confman_tui.load.run.Run` is. The workers' raw seconds are put together before anything is
computed, so samples and outcome mean exactly what they mean with one process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from confman_tui.cluster.elections import WriteObserver
from confman_tui.cluster.watch_mode import late_write_s
from confman_tui.core.clock import now
from confman_tui.load.context import take_token
from confman_tui.load.locust_csv import CsvFiles
from confman_tui.load.run import (
    GRACE_S,
    LATELY,
    LONGEST_REQUEST_S,
    TICK_S,
    EngineDefect,
    little_disturbed,
    spawn_rate,
    user_class,
)
from confman_tui.load.run_model import EngineHealth, RunOutcome, RunPlan, SecondSample
from confman_tui.load.targets import TargetBoard, Targets
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers import messages
from confman_tui.load.workers.master import Master, WorkerRecord, waited
from confman_tui.load.workers.merge import SecondsMerger
from confman_tui.load.workers.messages import Kind
from confman_tui.load.workers.plan import Share, WorkerError
from confman_tui.load.workers.worker_run import RunOrders

PREPARE_S = 10.0
"""How long a worker may take to take a plan."""
DRAIN_S = LONGEST_REQUEST_S + GRACE_S + 2.0
"""How long a worker may take to end its requests and tell of them."""


class DistributedRun:
    """One run. `execute` is called once, in a greenlet; the others from other greenlets of that thread."""

    def __init__(
        self,
        plan: RunPlan,
        board: TargetBoard,
        on_sample: Callable[[SecondSample], None],
        observer: WriteObserver | None,
        crew: Master,
    ) -> None:
        self._plan = plan
        self._board = board
        self._on_sample = on_sample
        self._observer = observer
        self._report_trouble: Callable[[str], None] = getattr(observer, "trouble", lambda what: None)
        self._lately: deque[int] = deque(maxlen=LATELY)
        """The p99 of the last seconds, in µs."""
        self._late_s = late_write_s(None)
        """A request in flight for longer is a sign of trouble."""
        self._crew = crew
        crew.allow()
        self._members: list[WorkerRecord] = []
        self._end = Event()
        self._stopped_early = False
        self._stopping = False
        self._defect: BaseException | None = None
        self._troubles: list[str] = []
        self._merger: SecondsMerger | None = None
        self._totals: RunTotals | None = None
        self._wanted_users = plan.users
        self._rate = plan.rate
        self._resize = Event()
        self._resize.set()
        self._cpu_then = 0.0
        self._told_at = 0.0
        self.health: EngineHealth | None = None
        """Renewed at each tick; read by other threads."""

    # -- commands

    def stop(self) -> None:
        """Begin no more requests; those in flight are waited for."""
        self._stopped_early = True
        self._crew.cancel()
        self._end.set()

    def set_users(self, count: int) -> None:
        """Change the number of users while it runs; in force within about a second."""
        self._wanted_users = count
        self._resize.set()

    def set_rate(self, rate: float) -> None:
        """Open loop: change the rate of all users together."""
        self._rate = rate
        for member, users in zip(self._members, self._users_of(self._members), strict=True):
            self._crew.tell(member, Kind.RATE, self._part(rate, users))

    def set_targets(self, targets: Targets) -> None:
        """Tell every worker where requests go from now on."""
        packed = messages.pack_targets(targets)
        for member in self._members:
            self._crew.tell(member, Kind.TARGETS, packed)

    # -- RunListener

    def hear(self, member: WorkerRecord, kind: str, data: dict[str, Any]) -> None:
        """See `RunListener`."""
        if kind == Kind.SECOND and self._merger is not None:
            bucket = messages.unpack_bucket(data["bucket"])
            self._merger.add(member.name, int(data["number"]), bucket, last=bool(data["last"]))
            self._tell_due()
        elif kind == Kind.WRITES and self._observer is not None:
            messages.replay_writes(data["writes"], self._observer)
        elif kind == Kind.PULSE:
            member.health = data
            if float(data["oldest_s"]) > self._late_s:
                self._report_trouble("a request is without an answer")
        elif kind == Kind.TROUBLE:
            self._report_trouble(str(data["what"])[:80])
        elif kind == Kind.PREPARED:
            member.prepared = True
        elif kind == Kind.DRAINED:
            member.drained = data
            if self._merger is not None:
                self._merger.leave(member.name)
                self._tell_due()
        elif kind == Kind.DEFECT:
            self._fail(EngineDefect(f"{member.name}: {data['text']}"))

    def lost(self, member: WorkerRecord) -> None:
        """See `RunListener`."""
        if member in self._members:
            self._members.remove(member)
        if self._merger is not None:
            self._merger.leave(member.name)
        if not self._members:
            self._end.set()

    def trouble(self, sentence: str) -> None:
        """See `RunListener`."""
        self._troubles.append(sentence)

    # -- the run

    def execute(self) -> RunOutcome:
        """Run it to its end.

        Raises:
            WorkerError: no worker is there.
            BaseException: whatever broke in a worker, in a greenlet of the run, or in the caller's ``on_sample`` or
                observer.
        """
        plan, crew = self._plan, self._crew
        environment, runner = crew.environment, crew.runner
        chosen = user_class(plan.write_share)
        environment.user_classes = [chosen]
        if not crew.complete:
            crew.wait_for_workers(lambda waiting: None)
        self._members = crew.begin(self)
        runner.stats.clear_all()
        runner.exceptions = {}
        files = CsvFiles(environment, plan.csv_prefix) if plan.csv_prefix is not None else None
        helpers: list[Any] = []
        with little_disturbed():
            try:
                if files is not None:
                    helpers.append(self._spawn(files.write_each_second))
                    gevent.sleep(0)
                return self._drive(environment, runner, files, helpers)
            finally:
                gevent.killall(helpers)
                for member in self._members:
                    if member.drained is None:
                        crew.tell(member, Kind.DRAIN, None)
                runner.stop()
                crew.end()
                if files is not None:
                    files.discard()
                self.health = None

    def _prepare(self) -> None:
        """Give each worker its part of the plan, and wait until all have taken it."""
        plan, crew, members = self._plan, self._crew, list(self._members)
        first_user = 0
        for index, (member, users) in enumerate(zip(members, self._users_of(members), strict=True)):
            crew.tell(
                member,
                Kind.PLAN,
                RunOrders(
                    crew.runs,
                    replace(plan, rate=self._part(plan.rate, users) if plan.rate is not None else None),
                    Share(index, len(members), first_user, take_token(plan.keys), member.name),
                    self._board.current,
                    self._observer is not None,
                ).pack(),
            )
            first_user += users
        waited(PREPARE_S, lambda: self._defect is not None or all(member.prepared for member in self._members))
        for member in list(self._members):
            if not member.prepared:
                crew.lose(member, f"{member.name} did not take the plan within {PREPARE_S:g} s")
        if self._defect is not None:
            raise self._defect
        if not self._members:
            raise WorkerError("no worker is left to make the load: " + "; ".join(self._troubles))

    def _users_of(self, members: list[WorkerRecord]) -> list[int]:
        """How many users each worker has: Locust hands them out in turn."""
        users, count = self._wanted_users, len(members)
        return [users // count + (index < users % count) for index in range(count)]

    def _part(self, rate: float, users: int) -> float:
        """That of so many users in the rate of all."""
        return rate * users / max(self._wanted_users, 1)

    def _drive(self, environment: Any, runner: Any, files: CsvFiles | None, helpers: list[Any]) -> RunOutcome:
        plan, crew = self._plan, self._crew
        self._prepare()
        started = self._told_at = now()
        merger = self._merger = SecondsMerger(started)
        totals = self._totals = RunTotals(started, plan.warmup_s)
        self._cpu_then = time.thread_time()
        for member in self._members:
            merger.join(member.name)
            crew.tell(member, Kind.GO, {"started": started})
        # the board may have been renewed while the workers got ready
        self.set_targets(self._board.current)
        ticking = self._spawn(self._tick)
        helpers += [ticking, self._spawn(self._keep_number_of_users)]
        left = None if plan.duration_s is None else started + plan.warmup_s + plan.duration_s - now()
        if self._members:
            self._end.wait(left)
        self._stopping = True
        # with a duration they end by themselves, at the same moment and not one after another
        early = self._end.is_set()
        for member in self._members:
            if early:
                crew.tell(member, Kind.DRAIN, None)
        waited(DRAIN_S, lambda: self._defect is not None or all(m.drained is not None for m in self._members))
        for member in list(self._members):
            if member.drained is None and self._defect is None:
                crew.lose(member, f"{member.name} did not tell the end of its requests within {DRAIN_S:g} s")
        gevent.sleep(0)
        gevent.kill(ticking)
        if self._defect is not None:
            raise self._defect
        ends = [float(member.drained["ended"]) for member in self._members if member.drained is not None]
        for bucket in merger.rest():
            self._tell(bucket)
        ended = max([*ends, self._told_at]) if ends else now()
        outcome = totals.outcome(ended, stopped_early=self._stopped_early)
        outcome = replace(outcome, invalid=self._invalid())
        if not self._troubles:
            self._check(totals, environment)
        if files is None:
            return outcome
        gevent.killall(helpers)
        written = files.finish()
        return replace(outcome, files=written, file_error=files.error)

    def _check(self, totals: RunTotals, environment: Any) -> None:
        drained = [member.drained for member in self._members if member.drained is not None]
        sent = sum(int(each["requests"]) for each in drained)
        reported = sum(int(each["reported"]) for each in drained)
        counted = environment.stats.total.num_requests
        if sent != totals.requests or reported != counted:
            raise EngineDefect(
                f"The workers sent {sent} requests and reported {reported} to Locust; {totals.requests} and {counted} "
                "came in."
            )

    def _invalid(self) -> str:
        if not self._troubles:
            return ""
        more = len(self._troubles) - 1
        return self._troubles[0] + (f" (and {more} more)" if more else "")

    def _keep_number_of_users(self) -> None:
        """One change after another, since Locust loses count of its users when a change is interrupted."""
        runner = self._crew.runner
        users = self._plan.users
        while True:
            self._resize.wait()
            self._resize.clear()
            count = self._wanted_users
            runner.start(count, spawn_rate=spawn_rate(count))
            if self._rate is not None and count != users:
                self.set_rate(self._rate)  # each worker's part follows its users
            users = count

    # -- seconds

    def _tell_due(self) -> None:
        assert self._merger is not None
        for bucket in self._merger.due(now()):
            self._tell(bucket)

    def _tell(self, bucket: Any) -> None:
        assert self._totals is not None
        cpu, seconds = time.thread_time(), max(bucket.end - self._told_at, 1e-9)
        # the CPU is this thread's; the lag is the workers' alone, since it is their hubs that hold requests up, and the
        # master's only delays what is told of them
        bucket.engine_cpu = (cpu - self._cpu_then) / seconds
        self._cpu_then, self._told_at = cpu, bucket.end
        try:
            sample = self._totals.add(bucket)
            if sample.p99_us is not None:
                self._lately.append(sample.p99_us)
                self._late_s = late_write_s(max(self._lately) / 1e6)
            self._on_sample(sample)
        except BaseException as error:
            self._fail(error)

    def _tick(self) -> None:
        due = now() + TICK_S
        while True:
            gevent.sleep(max(0.0, due - now()))
            at = now()
            lag = max(0.0, at - due)
            due = at + TICK_S
            pulses = [member.health for member in self._members if member.health]
            span = at - self._told_at
            previous = self.health
            self.health = EngineHealth(
                at=at,
                running=True,
                stopping=self._stopping,
                users=int(sum(pulse["users"] for pulse in pulses)),
                in_flight=int(sum(pulse["in_flight"] for pulse in pulses)),
                oldest_in_flight_s=max((pulse["oldest_s"] for pulse in pulses), default=0.0),
                engine_cpu=(
                    (time.thread_time() - self._cpu_then) / span
                    if span >= 0.4
                    else (previous.engine_cpu if previous is not None else 0.0)
                ),
                hub_lag_s=max((pulse["lag_s"] for pulse in pulses), default=0.0),
            )
            # held up ourselves: what the workers said meanwhile is heard first
            if lag < TICK_S:
                self._tell_due()

    def _spawn(self, function: Callable[..., None], *arguments: Any) -> Any:
        greenlet = gevent.spawn(function, *arguments)
        greenlet.link_exception(lambda dead: self._fail(dead.exception))
        return greenlet

    def _fail(self, error: BaseException) -> None:
        if self._defect is None:
            self._defect = error
        self._end.set()
