"""No process that the program starts takes a module from the working directory. All are started by one function, which
has a test of its own (`tests/core/test_child_process.py`); what takes long to start is tried behind ``-m slow``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from confman_tui.cluster.faults.resume_guard import ResumeGuard
from confman_tui.cluster.observer.client import Observer
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.states import Poll
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.load.engine import Engine
from confman_tui.load.workers.plan import WorkerPlan
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.charts.spec import Rows
from tests.support.graph_spec import spec
from tests.support.keys import ADMIN
from tests.support.ready_cluster import ready_cluster
from tests.support.waiting import DEADLINE_S, until

SHADOWED = (
    *("json", "psutil", "msgspec", "asyncio", "signal", "ctypes", "httpx", "uvloop", "plotext", "locust", "gevent"),
    *("zmq", "uvicorn", "starlette", "pysyncobj", "logging", "selectors", "confman_tui", "sitecustomize"),
)


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory holds a module of each of these names; those that somebody takes leave their name."""
    names = tmp_path / "taken"
    for name in SHADOWED:
        text = f"open({str(names)!r}, 'a').write(__name__ + chr(10))\nraise ImportError('not ours')\n"
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield names
    assert not names.exists(), names.read_text()


def test_the_resume_guard(taken: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-P", "-c", "input()"], stdin=subprocess.PIPE)
    guard = ResumeGuard()
    try:
        guard.add(sleeper.pid, psutil.Process(sleeper.pid).create_time())
        guard.remove(sleeper.pid)
    finally:
        guard.close()
        sleeper.kill()
        sleeper.communicate()


async def test_the_observer(taken: Path) -> None:
    times = SharedWriteTimes()
    polls: list[Poll] = []
    observer = Observer(
        ("http://127.0.0.1:1",), ADMIN, WriteBook(times), times, polls.append, pace=WatchPace(), on_trouble=print
    )
    try:
        await observer.start()
        await until(lambda: polls)
    finally:
        await observer.stop()


@pytest.mark.slow
async def test_the_renderer(taken: Path) -> None:
    answers: list[Rows] = []
    renderer = ChartRenderer()
    try:
        renderer.request("a", spec(), answers.append)
        await until(lambda: answers)
    finally:
        renderer.close()


@pytest.mark.slow
def test_a_node(taken: Path) -> None:
    with ready_cluster(1) as cluster:
        assert len(cluster.pids) == 1


@pytest.mark.slow
def test_a_worker(taken: Path) -> None:
    engine = Engine()
    engine.start()
    try:
        engine.wait_for_workers(WorkerPlan(1, api_key=ADMIN), on_wait=lambda waiting: None).result(DEADLINE_S)
    finally:
        assert engine.close(DEADLINE_S)
