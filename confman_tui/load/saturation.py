"""What makes a run generator-bound: the generator, rather than the cluster, was its limit. Pure rules, no clock.

A second is over the limit when the thread that makes the load, or with workers any of them or their master, used more
than 90 % of a core, or when the load's loop was more than 20 ms late. (On a busy machine a thread that always has work
does not get 90 %: time in which it was ready to run but had no core counts as if it had run.) Such seconds that follow
one another for 3 s make a run "generator-bound": its figures then describe this program and not the cluster. A closed
loop without a pause against a server that answers at once is generator-bound by design, and marked all the same.

One second in which a request failed because this process was out of file descriptors is enough: that request says
nothing of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from confman_tui.load.run_model import Cause, RunPlan, SecondSample

CPU_LIMIT = 0.90
"""Share of one core above which a thread or a worker sets the pace itself."""
LAG_LIMIT_S = 0.020
"""Delay of the load's loop above which latencies say more about this program than about the cluster."""
LASTS_S = 3.0
"""For this long without a break it must be over a limit."""
FULL_MACHINE = 0.95
"""Share of all cores from which another process of this program finds no core to run on."""
MUCH_WAITING = 0.10
"""Share of the time waited for a core from which more processes would only wait too."""
_SLACK_S = 0.05
"""Three samples on a grid of seconds may cover a moment less than 3 s."""


@dataclass(frozen=True, slots=True)
class GeneratorSample:
    """What this program and its machine used in one second, beside what a `SecondSample` holds of the load itself."""

    at: float
    """When it was read; it covers ``seconds`` before."""
    seconds: float
    machine_cpu: float | None
    """Share of all cores that were busy, 0 to 1; None where the system does not say."""
    program_cpu: float | None
    """CPU of this process and its children (workers, graphs), in cores; the demo cluster's nodes are left out."""
    conductor_lag_s: float
    """The longest delay of a timer on the session's loop, which polls and probes."""
    screen_lag_s: float | None
    """The longest delay of a timer on the screen's loop; None without a screen."""
    engine_wait: float | None = None
    """Share of the time in which the load's thread was ready to run but had no core; None where the system does not
    say (Linux does)."""
    node_cpu: Mapping[str, float] = field(default_factory=dict)
    """CPU of each node's process (by base URL), in cores, where it runs on this machine and is known."""


@dataclass(frozen=True, slots=True)
class GeneratorBound:
    """The generator was the limit."""

    seconds: int
    """How long in all, stretches of less than 3 s left out."""
    reason: str
    """What was at its limit, without a full stop."""
    advice: str
    """What to do about it, without a full stop."""


class Limit(StrEnum):
    """What can be at its limit."""

    THREAD = "thread"
    MASTER = "master"
    WORKER = "worker"
    LAG = "lag"
    FILES = "files"


@dataclass(slots=True)
class _Stretch:
    """Seconds over a limit, of one stretch or of several."""

    seconds: float = 0.0
    by: dict[Limit, float] = field(default_factory=dict)
    """Seconds per kind of limit; a second counts for the first kind that it was over."""
    cpu: float = 0.0
    """Of the thread: the sum of share × seconds."""
    wait: float = 0.0
    """Likewise of waiting for a core, of the thread or of the worker that had least left."""
    worst_worker: tuple[float, float] = (0.0, 0.0)
    """CPU and wait of the worker that had least left."""
    busy_workers: set[str] = field(default_factory=set)
    workers: int = 0
    worst_lag_s: float = 0.0
    without_files: int = 0
    """Requests that failed for want of a file descriptor."""
    machine: float = 0.0
    machine_s: float = 0.0
    """Seconds for which ``machine`` (share × seconds) is known."""
    screen: bool = False
    """Whether a screen is drawn by the process whose thread makes the load."""

    def add(self, sample: SecondSample, watched: GeneratorSample | None) -> None:
        seconds = sample.end - sample.start
        what = over_limit(sample, watched)
        assert what is not None
        self.seconds += seconds
        self.by[what] = self.by.get(what, 0.0) + seconds
        if what in (Limit.THREAD, Limit.MASTER):
            self.cpu += sample.engine_cpu * seconds
        self.worst_lag_s = max(self.worst_lag_s, sample.hub_lag_s)
        self.without_files += sample.failed.get(Cause.OUT_OF_FILES, 0)
        self.workers = max(self.workers, len(sample.worker_cpu))
        if what is Limit.WORKER:
            workers = {name: (cpu, sample.worker_wait.get(name, 0.0)) for name, cpu in sample.worker_cpu.items()}
            self.busy_workers |= {name for name, used in workers.items() if sum(used) > CPU_LIMIT}
            worst = max(workers.values(), key=sum)
            self.worst_worker = max(self.worst_worker, worst, key=sum)
            self.wait += worst[1] * seconds
        else:
            self.wait += waited(watched) * seconds
        self.screen = self.screen or (watched is not None and watched.screen_lag_s is not None)
        if watched is not None and watched.machine_cpu is not None:
            self.machine += watched.machine_cpu * seconds
            self.machine_s += seconds

    def join(self, other: _Stretch) -> None:
        self.seconds += other.seconds
        for what, seconds in other.by.items():
            self.by[what] = self.by.get(what, 0.0) + seconds
        self.cpu += other.cpu
        self.wait += other.wait
        self.worst_worker = max(self.worst_worker, other.worst_worker, key=sum)
        self.busy_workers |= other.busy_workers
        self.workers = max(self.workers, other.workers)
        self.worst_lag_s = max(self.worst_lag_s, other.worst_lag_s)
        self.without_files += other.without_files
        self.machine += other.machine
        self.machine_s += other.machine_s
        self.screen = self.screen or other.screen

    @property
    def counts(self) -> bool:
        return self.without_files > 0 or self.seconds >= LASTS_S - _SLACK_S

    def bound(self, plan: RunPlan, cores: int) -> GeneratorBound:
        what = Limit.FILES if self.without_files else max(Limit, key=lambda one: self.by.get(one, 0.0))
        machine = self.machine / self.machine_s if self.machine_s else 0.0
        reason = self._reason(what)
        if machine >= FULL_MACHINE:
            reason += f", all cores {_per_cent(machine)} busy"
        full = machine >= FULL_MACHINE or self.wait > MUCH_WAITING * self.seconds
        advice = _advice(what, plan, max(self.workers, plan.workers), cores, full, self.screen)
        return GeneratorBound(max(round(self.seconds), 1), reason, advice)

    def _reason(self, what: Limit) -> str:
        if what is Limit.FILES:
            some = "1 request" if self.without_files == 1 else f"{self.without_files:,} requests"
            return f"out of file descriptors: {some} could not open a connection"
        if what is Limit.LAG:
            return f"the load's loop was up to {self.worst_lag_s * 1000:.0f} ms late"
        if what is Limit.WORKER:
            busy = sorted(self.busy_workers)
            who = busy[0] if len(busy) == 1 else f"{len(busy)} of {self.workers} workers"
            return _used(f"{who} used up to", *self.worst_worker)
        who = "the load's thread" if what is Limit.THREAD else "the master's thread"
        return _used(f"{who} used", self.cpu / self.by[what], self.wait / self.seconds)


def _used(who: str, cpu: float, wait: float) -> str:
    used = f"{who} {_per_cent(cpu)} of a core"
    return used if cpu > CPU_LIMIT else f"{used} and waited for one {_per_cent(wait)} of the time"


def waited(watched: GeneratorSample | None) -> float:
    """Share of the time in which the load's thread waited for a core; 0 where it is not known."""
    return watched.engine_wait or 0.0 if watched is not None else 0.0


def over_limit(sample: SecondSample, watched: GeneratorSample | None = None) -> Limit | None:
    """Which limit a second is over, None for none: the first of file descriptors, a worker's CPU, the thread's CPU and
    the lag."""
    if sample.failed.get(Cause.OUT_OF_FILES):
        return Limit.FILES
    if any(cpu + sample.worker_wait.get(name, 0.0) > CPU_LIMIT for name, cpu in sample.worker_cpu.items()):
        return Limit.WORKER
    if sample.engine_cpu + waited(watched) > CPU_LIMIT:
        return Limit.MASTER if sample.worker_cpu else Limit.THREAD
    return Limit.LAG if sample.hub_lag_s > LAG_LIMIT_S else None


def _per_cent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _advice(what: Limit, plan: RunPlan, workers: int, cores: int, full: bool, screen: bool) -> str:
    if what is Limit.FILES:
        return "a higher limit of open files (ulimit -n)" + (", or fewer users" if plan.users > 1 else "")
    less = "a lower --rate" if plan.rate is not None else "fewer users" if plan.users > 1 else ""
    elsewhere = "workers on other machines (confman-tui worker)"
    if screen and not workers and cores >= 2 and (what is Limit.LAG or not full):
        # one interpreter for both: while the screen is drawn no request moves, however many cores are free
        first = "--workers 1 (a process apart from the screen)"
    elif full or cores < 2:
        first = "the generator on a machine of its own"
    elif not workers:
        first = "--workers 1 or more"
    elif what is Limit.WORKER:
        first = f"--workers {workers + 1}" if workers < cores else elsewhere
    else:
        first = "" if less else elsewhere
    return ", or ".join(part for part in (first, less) if part)


class BoundRule:
    """Takes a run's seconds in order and says whether the generator was the limit. Those of the warm-up, which the
    run's figures leave out, do not count."""

    def __init__(self, plan: RunPlan, cores: int) -> None:
        """
        Args:
            plan: what runs; the advice depends on its users, rate and workers.
            cores: how many cores this program may use.
        """
        self._plan = plan
        self._cores = cores
        self._now = _Stretch()
        self._all = _Stretch()
        """The stretches that are over and were long enough."""

    def add(self, sample: SecondSample, watched: GeneratorSample | None = None) -> bool:
        """Take the next second. True when with it a stretch becomes long enough: once per stretch."""
        if sample.warmup:
            return False
        if over_limit(sample, watched) is None:
            self._close()
            return False
        counted = self._now.counts
        self._now.add(sample, watched)
        return self._now.counts and not counted

    def _close(self) -> None:
        if self._now.counts:
            self._all.join(self._now)
        if self._now.seconds:
            self._now = _Stretch()

    @property
    def lasting(self) -> GeneratorBound | None:
        """The stretch that lasts now, once it is long enough."""
        return self._now.bound(self._plan, self._cores) if self._now.counts else None

    @property
    def verdict(self) -> GeneratorBound | None:
        """Of all seconds so far; None when the generator was not the limit."""
        whole = _Stretch()
        whole.join(self._all)
        if self._now.counts:
            whole.join(self._now)
        return whole.bound(self._plan, self._cores) if whole.seconds else None
