"""The generator's watch on real processes: whose CPU is whose, also after a node came back under another pid."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil
import pytest

from confman_tui.cluster.local_nodes import local_nodes, processes_of
from confman_tui.load.cpu_wait import waited_s
from confman_tui.session.cpu_monitor import LEAST_SEARCH_S, CpuMeter, GeneratorWatch
from confman_tui.session.events import Event, GeneratorWatched
from tests.support.waiting import DEADLINE_S, wait_for

BURN = "import sys\nprint('burning', flush=True)\nwhile True: pass"
LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
if sys.argv[2] == "busy":
    while True: pass
sys.stdin.read()
"""


@contextmanager
def child(code: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python process and the first line it prints; gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.close()


class Ahead:
    """A monotonic clock that a test can put forward, so that it need not wait for a search to be due."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def meter(
    *nodes: str,
    own_pids: Callable[[], Mapping[str, int]] | None = None,
    clock: Callable[[], float] = time.monotonic,
    load_thread: Callable[[], int | None] = lambda: None,
) -> CpuMeter:
    return CpuMeter(nodes, own_pids=own_pids, answering=lambda: nodes, load_thread=load_thread, monotonic=clock)


TICKS_S = 0.05
"""The system counts CPU time in ticks of 10 ms, for each process."""


def burn(seconds: float) -> None:
    """Use so much CPU on this thread."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_process_and_its_children_are_one_figure() -> None:
    with child(BURN) as (process, _):
        measure = meter()

        def used() -> float:
            return time.process_time() + _cpu(process.pid)

        earliest = used()
        measure.read()
        begun = used()
        burn(0.3)
        ended = used()
        reading = measure.read()
        latest = used()
    assert reading.program is not None
    assert ended - begun - TICKS_S <= reading.program * reading.seconds <= latest - earliest + TICKS_S
    assert ended - begun > 0.3 - TICKS_S
    assert reading.machine is not None
    assert 0 < reading.machine <= 1
    assert reading.nodes == {}


def test_the_demos_nodes_are_not_counted_as_the_program() -> None:
    with child(BURN) as (process, _):
        measure = meter("http://n1", own_pids=lambda: {"http://n1": process.pid})
        earliest = _cpu(process.pid)
        measure.read()
        before = _cpu(process.pid)
        wait_for(lambda: _cpu(process.pid) >= before + 0.2, "it burns")
        ended = _cpu(process.pid)
        reading = measure.read()
        spent = _cpu(process.pid) - earliest
    assert ended - before - TICKS_S <= reading.nodes["http://n1"] * reading.seconds <= spent + TICKS_S
    assert reading.program is not None
    assert reading.program * reading.seconds < spent


def test_a_node_of_ones_own_is_found_by_its_port_and_again_under_another_pid() -> None:
    clock = Ahead()
    with child(LISTEN, "0", "idle") as (process, port):
        node = f"http://127.0.0.1:{port}"
        measure = meter(node, clock=clock)
        measure.read()
        assert measure.read().nodes.keys() == {node}
        process.kill()  # not waited for: it is a zombie, whose figures would stand still
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "a zombie")
        clock.ahead += 1
        assert measure.read().nodes == {}
    with child(LISTEN, port, "busy") as (second, _):
        clock.ahead += LEAST_SEARCH_S
        measure.read()
        begun = clock(), _cpu(second.pid)
        wait_for(lambda: _cpu(second.pid) >= begun[1] + 0.1, "it burns")
        assert measure.read().nodes[node] > 0


def test_a_node_that_is_not_found_is_looked_for_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, searches = [0.0], list[float]()

    def search(nodes: Sequence[str]) -> dict[str, psutil.Process]:
        searches.append(clock[0])
        return {}

    monkeypatch.setattr("confman_tui.session.cpu_monitor.processes_of", search)
    measure = meter("http://127.0.0.1:9", clock=lambda: clock[0])
    for second in range(300):
        clock[0] = float(second)
        measure.read()
    assert searches == [0.0, 6.0, 18.0, 42.0, 90.0, 150.0, 210.0, 270.0]


def test_nodes_elsewhere_are_not_looked_for() -> None:
    here, elsewhere = ("http://127.0.0.1:1", "http://localhost:2"), ("http://192.0.2.1:3", "http://nowhere.invalid:4")
    assert local_nodes([*here, *elsewhere]) == here
    assert local_nodes([f"http://{address}:1" for address in _own_addresses()])
    assert processes_of(["http://127.0.0.1:1"]) == {}


def test_who_only_passes_on_is_not_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    with child(LISTEN, "0", "idle") as (_, port):
        node = f"http://127.0.0.1:{port}"
        assert processes_of([node]).keys() == {node}
        monkeypatch.setattr(psutil.Process, "name", lambda self: "docker-proxy")
        assert processes_of([node]) == {}


def test_waiting_for_a_core_is_that_of_the_loads_thread() -> None:
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    watched = threads[0].native_id
    assert watched is not None
    try:
        before = waited_s(watched)
        measure = meter(load_thread=lambda: watched)
        assert measure.read().load_wait is None
        burn(0.1)
        reading, after = measure.read(), waited_s(watched)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    if before is None or after is None:
        pytest.skip("this system does not count it")
    assert reading.load_wait is not None
    assert 0.0 <= reading.load_wait * reading.seconds <= after - before
    assert meter(load_thread=lambda: 1 << 22).read().load_wait is None, "no such thread"


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _own_addresses() -> list[str]:
    every = [address for addresses in psutil.net_if_addrs().values() for address in addresses]
    return [address.address for address in every if address.family.name == "AF_INET"]


async def watched(watch: GeneratorWatch, events: list[Event], count: int) -> list[GeneratorWatched]:
    """The first ``count`` readings."""
    async with asyncio.timeout(DEADLINE_S):
        while len(events) < count:  # noqa: ASYNC110 (the sink is a plain list)
            await asyncio.sleep(0.01)
    return [event for event in events if isinstance(event, GeneratorWatched)]


async def test_a_reading_comes_a_second_and_knows_the_lags() -> None:
    events: list[Event] = []
    lags = [0.007, 0.003]
    watch = GeneratorWatch(meter(), lambda: lags.pop() if lags else 0.0, events.append)
    watch.start()
    watch.note_screen_lag(0.012)
    try:
        first, second = (await watched(watch, events, 2))[:2]
    finally:
        await watch.stop()
    assert first.sample.conductor_lag_s == 0.003
    assert second.sample.conductor_lag_s == 0.007
    assert first.sample.screen_lag_s == 0.012
    assert watch.latest == second.sample
    assert second.sample.seconds == pytest.approx(second.sample.at - first.sample.at, abs=0.05)


async def test_a_run_begins_with_a_reading_of_its_own_and_sets_the_pace() -> None:
    """What was used before the run does not count for its first second."""
    events: list[Event] = []
    watch = GeneratorWatch(meter(), lambda: 0.0, events.append, clock=time.monotonic)
    watch.start()
    try:
        (first,) = await watched(watch, events, 1)
        before = time.monotonic()
        watch.begin_run()
        began = time.monotonic()
        second = (await watched(watch, events, 2))[1]
    finally:
        await watch.stop()
    # on a busy machine the reading may come later, and is of what passed since: but never of what passed before
    assert second.sample.at - began > 0.9
    assert second.sample.at - began - 0.05 < second.sample.seconds < second.sample.at - before + 0.05
    assert second.sample.at > first.sample.at


async def test_a_screen_that_hangs_is_late_though_it_notes_nothing() -> None:
    now = [1000.0]
    watch = GeneratorWatch(meter(), lambda: 0.0, lambda event: None, clock=lambda: now[0])
    assert watch._screen_lag(now[0]) is None, "there is no screen"
    watch.note_screen_lag(0.002)
    now[0] += 1.0
    assert watch._screen_lag(now[0]) == 0.002
    now[0] += 4.0
    assert watch._screen_lag(now[0]) == 3.5
