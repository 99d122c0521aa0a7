"""The renderer's process: draws, restarts, and never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from confman_tui.tui.charts import renderer_client as client_module
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.charts.spec import Rows
from tests.support.graph_spec import spec
from tests.support.waiting import DEADLINE_S, until


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def gone(pid: int) -> bool:
    """No such process, not even a zombie."""
    return not psutil.pid_exists(pid)


@pytest.fixture
async def renderer() -> AsyncIterator[ChartRenderer]:
    notices: list[str] = []
    renderer = ChartRenderer(notices.append, nap=0.2)
    renderer.notices = notices  # type: ignore[attr-defined]
    yield renderer
    renderer.close()


def notices_of(renderer: ChartRenderer) -> list[str]:
    notices: list[str] = renderer.notices  # type: ignore[attr-defined]
    return notices


async def test_draws_in_a_child_process_of_low_priority(renderer: ChartRenderer) -> None:
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    rows = answers[0]
    assert len(rows) == 12
    assert all(sum(len(str(text)) for text in row[::2]) == 60 for row in rows)
    assert any("█" in str(text) for row in rows for text in row[::2])
    assert renderer.pid is not None
    child = psutil.Process(renderer.pid)
    assert child.nice() >= 10
    assert os.getpgid(child.pid) == child.pid
    assert os.getsid(child.pid) == os.getsid(0)
    assert any("plotext" in entry.path for entry in child.memory_maps())


async def test_of_waiting_requests_the_newest_counts(renderer: ChartRenderer) -> None:
    widths: list[int] = []

    def answered(rows: Rows) -> None:
        widths.append(sum(len(str(text)) for text in rows[0][::2]))

    for width in range(30, 60):
        renderer.request("a", spec(width), answered)
    renderer.request("b", spec(77), answered)
    await until(lambda: renderer.idle)
    assert widths[0] == 30, "the first was sent at once"
    assert 59 in widths
    assert 77 in widths
    assert len(widths) == 3, "one under way, of the rest the newest, and the other graph's"


async def test_forgotten_widgets_get_no_answer(renderer: ChartRenderer) -> None:
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    renderer.request("a", spec(61), answers.append)
    renderer.forget("a")
    await until(lambda: renderer.idle)
    assert answers == []


async def test_answers_asked_for_together_come_in_one_go_and_before_what_follows_them(renderer: ChartRenderer) -> None:
    order: list[str] = []
    loop = asyncio.get_running_loop()
    turns: list[int] = []
    turn = 0

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        if not turns or len(turns) < 3:
            loop.call_soon(next_turn)

    def note(name: str) -> None:
        order.append(name)
        turns.append(turn)

    next_turn()
    renderer.request("a", spec(), lambda rows: note("a"))
    renderer.request("b", spec(61), lambda rows: note("b"))
    renderer.request("c", spec(62), lambda rows: note("c"))
    renderer.together(lambda: note("then"), DEADLINE_S)
    renderer.forget("c")
    await until(lambda: "then" in order)
    assert (sorted(order[:-1]), order[-1]) == (["a", "b"], "then")
    assert len(set(turns)) == 1, "all in one turn of the loop"


async def test_what_waits_for_graphs_does_not_wait_for_a_stuck_renderer(renderer: ChartRenderer) -> None:
    order: list[str] = []
    renderer.start()
    assert renderer.pid is not None
    os.kill(renderer.pid, signal.SIGSTOP)
    renderer.request("a", spec(), lambda rows: order.append("a"))
    renderer.together(lambda: order.append("then"), 0.05)
    await until(lambda: bool(order))
    os.kill(renderer.pid, signal.SIGCONT)
    await until(lambda: renderer.idle)
    assert order == ["then", "a"]
    renderer.together(lambda: order.append("at once"), DEADLINE_S)
    assert order[-1] == "at once", "nothing is awaited"


async def test_a_killed_child_is_replaced_and_its_graph_drawn(renderer: ChartRenderer) -> None:
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    first = renderer.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    renderer.request("a", spec(70), answers.append)
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(answers) == 2)
    assert renderer.pid != first
    assert gone(first), "a zombie was left"
    assert notices_of(renderer) == ["graph renderer restarted"]


async def test_a_stuck_child_is_replaced(renderer: ChartRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    monkeypatch.setattr(client_module, "PATIENCE_S", 0.3)
    first = renderer.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    renderer.request("a", spec(70), answers.append)
    monkeypatch.setattr(client_module, "PATIENCE_S", 20.0)
    await until(lambda: len(answers) == 2)
    assert gone(first)


async def test_a_renderer_that_always_dies_is_started_seldom_and_says_so_once() -> None:
    notices: list[str] = []
    renderer = ChartRenderer(notices.append, command=[sys.executable, "-c", "raise SystemExit(3)"], nap=0.05)
    try:
        for _ in range(20):
            renderer.request("a", spec(), lambda rows: None)
            await asyncio.sleep(0.1)
        await until(lambda: bool(notices))
        assert renderer.starts <= 7, "naps grow"
        assert len(notices) == len(set(notices)) <= 2
        assert "no graphs" in notices[-1]
    finally:
        renderer.close()


async def test_a_command_that_does_not_exist_is_reported() -> None:
    notices: list[str] = []
    renderer = ChartRenderer(notices.append, command=["/nonexistent/python"])
    renderer.request("a", spec(), lambda rows: None)
    renderer.close()
    assert notices == ["the graph renderer can't be started: No such file or directory"]


async def test_a_graph_that_can_not_be_drawn_is_reported_and_the_child_lives(renderer: ChartRenderer) -> None:
    answers: list[Rows] = []
    broken = spec()
    broken.layers[0].runs = [([0.0, 1.0], ["x", "y"])]  # type: ignore[list-item]
    renderer.request("a", broken, answers.append)
    await until(lambda: renderer.idle)
    assert answers == []
    assert "could not be drawn" in notices_of(renderer)[0]
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    assert renderer.starts == 1


async def test_close_ends_the_child_at_once_and_twice_is_fine(renderer: ChartRenderer) -> None:
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    pid = renderer.pid
    assert pid is not None
    before = open_files()
    renderer.close()
    renderer.close()
    assert gone(pid)
    assert open_files() == before - 2
    renderer.request("a", spec(), answers.append)
    assert renderer.pid is None


async def test_the_key_is_not_handed_to_the_child(renderer: ChartRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFMAN_BENCH_API_KEY", "secret")
    answers: list[Rows] = []
    renderer.request("a", spec(), answers.append)
    await until(lambda: bool(answers))
    assert "secret" not in str(psutil.Process(renderer.pid).environ())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_the_child_ends_when_the_parent_is_killed(how: signal.Signals) -> None:
    program = (
        "import asyncio\n"
        "from confman_tui.tui.charts.renderer_client import ChartRenderer\n"
        "from tests.support.graph_spec import spec\n"
        "async def main():\n"
        "    renderer = ChartRenderer()\n"
        "    drawn = asyncio.Event()\n"
        "    renderer.request('a', spec(), lambda rows: drawn.set())\n"
        "    await drawn.wait()\n"
        "    print(renderer.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    try:
        child = int(await asyncio.to_thread(parent.stdout.readline))
        assert not gone(child)
    finally:
        parent.send_signal(how)
        parent.wait()
        parent.stdout.close()
    await until(lambda: gone(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_the_renderer_needs_neither_textual_nor_locust() -> None:
    program = (
        "import sys\n"
        "import confman_tui.tui.charts.renderer, confman_tui.tui.charts.drawing\n"
        "bad = {'textual', 'rich', 'locust', 'gevent', 'httpx', 'asyncio'} & set(sys.modules)\n"
        "raise SystemExit(str(bad) if bad else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
