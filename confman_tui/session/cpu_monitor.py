"""The generator watches itself: once a second, what this program, its machine and the nodes on it use of the CPU.

It must not disturb the load that it watches. So a reading is a handful of small files of ``/proc``, read on a helper
thread; what is slow (finding the processes behind the nodes' ports, this program's children) is done rarely, and again
when a process is gone: a node that was killed comes back under another pid.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import psutil

from confman_tui.cluster.local_nodes import local_nodes, processes_of
from confman_tui.core.clock import Clock, now
from confman_tui.load.cpu_wait import waited_s
from confman_tui.load.saturation import GeneratorSample
from confman_tui.session.events import GeneratorWatched, Sink

_Key = TypeVar("_Key", int, str)

PERIOD_S = 1.0
LEAD_S = 0.03
"""A reading is taken this long before the run's second ends, so that it is there when its sample comes."""
LEAST_WAIT_S = 0.25
CHILDREN_EVERY_S = 5.0
"""How often this program's child processes are looked for."""
LEAST_SEARCH_S, MOST_SEARCH_S = 3.0, 60.0
"""Between two searches for a node's process: the first after this, each further in vain after twice the time."""
SCREEN_LAG_EVERY_S = 1.5
"""The screen notes its lag about once a second; what it is silent for longer than this is lag too."""


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU since the reading before."""

    seconds: float
    """How long that is."""
    machine: float | None
    """Share of all cores."""
    program: float | None
    """This program's processes but for the nodes, in cores."""
    nodes: Mapping[str, float]
    """Per node on this machine, in cores."""
    load_wait: float | None = None
    """Share of the time that the load's thread was ready to run but had no core."""


class CpuMeter:
    """Reads CPU times. One thread at a time; `read` blocks for about a millisecond, a search for more."""

    def __init__(
        self,
        nodes: Collection[str],
        *,
        own_pids: Callable[[], Mapping[str, int]] | None,
        answering: Callable[[], Collection[str]],
        load_thread: Callable[[], int | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            nodes: base URLs.
            own_pids: the nodes' pids where they are this program's own (the demo cluster); None: they are looked for
                behind the nodes' ports.
            answering: nodes that answer now; only for these a process is looked for.
            load_thread: the system's number of the thread that makes the load.
            monotonic: seconds, for a test's time.
        """
        self._nodes = tuple(nodes)
        self._own_pids = own_pids
        self._answering = answering
        self._load_thread = load_thread
        self._monotonic = monotonic
        self._local: tuple[str, ...] | None = None
        self._self = psutil.Process()
        self._children: dict[int, psutil.Process] = {}
        self._children_at = -math.inf
        self._of_node: dict[str, psutil.Process] = {}
        self._search_at = -math.inf
        self._search_s = LEAST_SEARCH_S
        self._at: float | None = None
        self._machine: tuple[float, float] | None = None
        self._wait: tuple[int, float] | None = None
        """The load's thread, and how long it had waited for a core at the last reading."""
        self._before: dict[int, float] = {}
        """CPU seconds of each process at the last reading, by pid."""

    def read(self) -> CpuReading:
        """CPU since the last call; the first one only sets the marks."""
        at = self._monotonic()
        self._find_nodes(at)
        if at - self._children_at >= CHILDREN_EVERY_S:
            self._children_at = at
            self._find_children()
        seconds = at - self._at if self._at is not None else 0.0
        self._at = at
        machine, wait = self._read_machine(), self._read_wait(seconds)
        spent: dict[int, float] = {self._self.pid: time.process_time()}
        _read_all(self._children, spent)
        _read_all(self._of_node, spent)
        before, self._before = self._before, spent
        used = {pid: max(0.0, cpu - before[pid]) for pid, cpu in spent.items() if pid in before}
        if seconds <= 0:
            return CpuReading(0.0, None, None, {})
        of_nodes = {node: used[p.pid] / seconds for node, p in self._of_node.items() if p.pid in used}
        ours = sum(used[pid] for pid in (self._self.pid, *self._children) if pid in used)
        return CpuReading(seconds, machine, ours / seconds, of_nodes, wait)

    def _read_wait(self, seconds: float) -> float | None:
        thread = self._load_thread()
        before, self._wait = self._wait, None
        if thread is None:
            return None
        wait = waited_s(thread)
        if wait is None:
            return None
        self._wait = (thread, wait)
        if before is None or before[0] != thread or seconds <= 0:
            return None
        return min(1.0, max(0.0, (wait - before[1]) / seconds))

    def _read_machine(self) -> float | None:
        try:
            times = psutil.cpu_times()
        except (psutil.Error, OSError):
            return None
        # As psutil's cpu_percent does it: a guest's time is counted in the user's, too.
        whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        busy = whole - times.idle - getattr(times, "iowait", 0.0)
        before, self._machine = self._machine, (whole, busy)
        if before is None or whole <= before[0]:
            return None
        return min(1.0, max(0.0, (busy - before[1]) / (whole - before[0])))

    def look_again(self) -> None:
        """Look for this program's children at the next reading: there may be new ones. Any thread."""
        self._children_at = -math.inf

    def _find_children(self) -> None:
        with suppress(psutil.Error, OSError):
            nodes = {process.pid for process in self._of_node.values()}
            found = {each.pid: each for each in self._self.children(recursive=True) if each.pid not in nodes}
            self._children = {pid: self._children.get(pid, child) for pid, child in found.items()}

    def _find_nodes(self, at: float) -> None:
        if self._own_pids is not None:
            pids = self._own_pids()
            for node, pid in pids.items():
                if node not in self._of_node or self._of_node[node].pid != pid:
                    self._of_node.pop(node, None)
                    with suppress(psutil.Error):
                        self._of_node[node] = psutil.Process(pid)
            for node in set(self._of_node) - set(pids):
                del self._of_node[node]
            for pid in pids.values():
                self._children.pop(pid, None)
            return
        if self._local is None:
            self._local = local_nodes(self._nodes)
        answering = self._answering()
        missing = [node for node in self._local if node in answering and node not in self._of_node]
        if not missing:
            self._search_s = LEAST_SEARCH_S
        elif at - self._search_at >= self._search_s:
            self._search_at = at
            self._search_s = min(MOST_SEARCH_S, 2 * self._search_s)
            self._of_node.update(processes_of(missing))


def _read_all(processes: dict[_Key, psutil.Process], spent: dict[int, float]) -> None:
    """Add the CPU seconds of these processes to ``spent``, by pid; those that are gone are forgotten."""
    for key, process in list(processes.items()):
        cpu = _cpu_s(process)
        if cpu is None:
            del processes[key]
        else:
            spent[process.pid] = cpu


def _cpu_s(process: psutil.Process) -> float | None:
    """CPU seconds that a process has used; None when it is gone, or dead and only not buried yet."""
    try:
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            times = process.cpu_times()
    except (psutil.Error, OSError):
        return None
    return float(times.user + times.system)


class GeneratorWatch:
    """Takes a reading a second from `start` to `stop`. Belongs to the session's loop."""

    def __init__(self, meter: CpuMeter, loop_lag: Callable[[], float], emit: Sink, *, clock: Clock = now) -> None:
        """
        Args:
            meter: reads the CPU, on a helper thread.
            loop_lag: the longest delay of the session's loop since it was last called, in seconds.
            emit: takes the readings.
            clock: stamps them.
        """
        self.latest: GeneratorSample | None = None
        """The last reading; None before the first."""
        self._meter = meter
        self._loop_lag = loop_lag
        self._emit = emit
        self._clock = clock
        self._phase = 0.0
        self._screen: tuple[float, float] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._phase = self._clock()
        self._task = asyncio.create_task(self._watch(), name="generator watch")

    async def stop(self) -> None:
        """End."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def note_screen_lag(self, seconds: float) -> None:
        """The screen's loop was that late lately. Any thread; about once a second."""
        self._screen = (self._clock(), seconds)

    def begin_run(self) -> None:
        """A run begins now: what was used before does not belong to its first second."""
        self.align(self._clock())
        self._meter.look_again()
        self._wake.set()

    def align(self, at: float) -> None:
        """A run's second ended then: further readings are taken shortly before such moments."""
        self._phase = at - LEAD_S

    async def _watch(self) -> None:
        await asyncio.to_thread(self._meter.read)
        while True:
            wait = PERIOD_S - (self._clock() - self._phase) % PERIOD_S
            # a timer may fire a moment early, and shares of a moment mean nothing
            with suppress(TimeoutError):
                async with asyncio.timeout(wait if wait >= LEAST_WAIT_S else wait + PERIOD_S):
                    await self._wake.wait()
            self._wake.clear()
            reading = await asyncio.to_thread(self._meter.read)
            loop_lag, at = self._loop_lag(), self._clock()
            if reading.seconds < LEAST_WAIT_S:
                continue
            self.latest = GeneratorSample(
                at=at,
                seconds=reading.seconds,
                machine_cpu=reading.machine,
                program_cpu=reading.program,
                conductor_lag_s=loop_lag,
                screen_lag_s=self._screen_lag(at),
                engine_wait=reading.load_wait,
                node_cpu=reading.nodes,
            )
            self._emit(GeneratorWatched(self.latest))

    def _screen_lag(self, at: float) -> float | None:
        if self._screen is None:
            return None
        noted_at, seconds = self._screen
        silent = at - noted_at - SCREEN_LAG_EVERY_S
        return max(seconds, silent, 0.0)
