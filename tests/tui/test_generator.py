"""What the screen says of the generator: ok, busy, the limit and why; the nodes' CPU; the means of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.load.generator_use import GeneratorUse, Used
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.session.events import (
    Event,
    GeneratorLimitReached,
    GeneratorWatched,
    Phase,
    PhaseChanged,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
)
from tests.support import screen_story
from tests.support.screen import ScreenUnderTest, open_screen
from tests.support.waiting import until

REASON, ADVICE = "the load's thread used 97 % of a core", "--workers 1 or more, or fewer users"
BOUND = GeneratorBound(5, REASON, ADVICE)
USE = GeneratorUse(
    {"engine_cpu": Used(0.951, 0.972), "screen_lag_ms": Used(1.5, 12.25), "oldest_in_flight_s": Used(0.5, 1.25)},
    {"worker-1": Used(0.5, 0.75)},
    {screen_story.NODES[0]: Used(0.25, 0.5)},
)


def watched(at: float, **changes: object) -> GeneratorSample:
    """A reading in which each node takes another share of a core."""
    cpu = {node: 0.12 * (1 + index) for index, node in enumerate(screen_story.NODES)}
    base = GeneratorSample(at, 1.0, 0.6, 1.2, 0.001, 0.001, 0.0, cpu)
    return replace(base, **changes)  # type: ignore[arg-type]


def started(now: float) -> list[Event]:
    """A run of read-10u begins."""
    return [PhaseChanged(Phase.RUNNING, now), ScenarioStarted("read-10u", now, 10, 15.0, 100, 1024)]


def second(now: float, *, limit: GeneratorBound | None = None, **changes: object) -> SampleRecorded:
    """A second of it."""
    sample = replace(screen_story.sample(now, 3000), **changes)  # type: ignore[arg-type]
    return SampleRecorded("read-10u", sample, screen_story.NODES[0], 6, watched(now), limit)


async def saturated(board: ScreenUnderTest) -> None:
    """The generator has been the limit for 5 s."""
    now = board.clock.now
    events = [*started(now), GeneratorWatched(watched(now)), second(now, engine_cpu=0.97)]
    await board.emit(*events)
    assert "▲" not in board.text(), "one second is not the limit yet"
    board.clock.now += 4
    await board.emit(GeneratorLimitReached("read-10u", now + 3, BOUND), second(now + 4, engine_cpu=0.97, limit=BOUND))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_it_is_clear_at_once_who_is_the_limit(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_screen(tmp_path, size) as board:
        await saturated(board)
        header = board.lines()[0]
        assert "generator ▲ limit" in header
        if size[0] >= 120:
            assert "for 5 s" in header
        if size[0] >= 200:
            assert REASON in header
            assert ADVICE in header
        (toast,) = board.toasts()
        assert toast == f"This program is the limit, not the cluster: {REASON}. Try {ADVICE}"
        assert board.app.state.log.newest_first(None)[0].text == (
            f"read-10u: generator-bound, not the cluster's limit: {REASON}; try {ADVICE}"
        )
        await without_toasts(board)
        if board.app.dashboard.running_row.display:
            assert "▸ read-10u  00:04/00:15  generator-bound" in board.text()
        else:
            assert "▲ read-10u" in board.text()
            assert "▲ generator-bound: enter tells more" in board.text()


async def without_toasts(board: ScreenUnderTest) -> None:
    """Take the notes away that lie over the panes."""
    board.app.clear_notifications()
    await board.pilot.pause()


async def test_a_second_over_a_limit_makes_it_busy(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        await board.emit(*started(now), second(now, engine_cpu=0.2, hub_lag_s=0.004))
        assert "generator ● ok  cpu 20 %  lag 4.0 ms" in board.lines()[0]
        await board.emit(second(now, engine_cpu=0.97))
        assert "generator ● busy  cpu 97 %" in board.lines()[0]
        await board.emit(second(now, hub_lag_s=0.2))
        assert "generator ● busy  lag 200 ms" in board.lines()[0]
        await board.emit(second(now, engine_cpu=0.2, worker_cpu={"w1": 0.99, "w2": 0.1}))
        assert "generator ● busy  cpu 99 %" in board.lines()[0]
        await board.emit(GeneratorWatched(watched(now, engine_wait=0.5)), second(now, engine_cpu=0.45))
        assert "generator ● busy  no free core" in board.lines()[0]
        await board.emit(GeneratorWatched(watched(now)), second(now))
        assert "generator ● ok" in board.lines()[0]


async def test_the_mark_stays_with_the_row_when_the_run_is_over(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await saturated(board)
        await without_toasts(board)
        assert "▲ generator-bound: enter tells more" in board.text()
        now = board.clock.now
        result = replace(screen_story.result("read-10u", 10, now, now + 15), generator=USE, generator_bound=BOUND)
        await board.emit(ScenarioEnded(result), PhaseChanged(Phase.IDLE, now))
        assert "generator ● ok" in board.lines()[0], "nothing runs, so nothing is at its limit"
        assert "▲ 15.0 s" in board.text()
        assert "generator-bound for 5 s" in board.app.state.log.newest_first(None)[0].text
        await board.emit(*started(now + 20))
        assert "▲ generator-bound" not in board.text(), "a new run has no mark"


async def test_the_details_say_why_and_the_means(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        now = board.clock.now
        result = replace(screen_story.result("read-10u", 10, now, now + 15), generator=USE, generator_bound=BOUND)
        await board.emit(*started(now), ScenarioEnded(result))
        board.app.show_details("read-10u")
        await until(lambda: "Generator, mean and max" in board.text(), "the dialog")
        await board.pilot.pause()
        words = " ".join(board.text().split())
        for part in (
            "Generator-bound: not the cluster's limit", "cpu load's thread 95 97 %", "lag screen's loop 1.5 12.2 ms",
            "oldest in flight 0.50 1.25 s", "cpu worker-1 50 75 %", "cpu :6100 25 50 %", "--workers 1 or more",
        ):  # fmt: skip
            assert part in words, part


async def test_the_details_of_a_run_that_goes_on_give_the_last_second(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        now = board.clock.now
        late = second(now, engine_cpu=0.44, in_flight=7, oldest_in_flight_s=1.25, worker_cpu={"worker-1": 0.5})
        await board.emit(*started(now), late)
        board.app.show_details("read-10u")
        await until(lambda: "Generator, last second" in board.text(), "the dialog")
        words = " ".join(board.text().split())
        for part in (
            "cpu load's thread 44 %", "cpu all cores 60 %", "lag screen's loop 1.0 ms", "in flight 7.0",
            "oldest in flight 1.25 s", "cpu worker-1 50 %", "cpu :6200 24 %",
        ):  # fmt: skip
            assert part in words, part


async def test_a_wide_header_says_what_is_in_flight(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 50)) as board:
        now = board.clock.now
        await board.emit(*started(now), second(now, in_flight=7, oldest_in_flight_s=1.25))
        assert "7 in flight, oldest 1.25 s" in board.lines()[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_cards_show_the_nodes_cpu(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_screen(tmp_path, size) as board:
        await board.emit(GeneratorWatched(watched(board.clock.now)))
        for share in ("cpu 12 %", "cpu 24 %", "cpu 36 %"):
            assert share in board.text()
        await board.emit(GeneratorWatched(watched(board.clock.now, node_cpu={})))
        assert "cpu" not in board.text()


async def test_the_session_is_given_how_late_the_screen_is(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await until(lambda: board.session.screen_lag_s == 0.0004, "the lag is noted")


@pytest.fixture
def slow_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.screen.NoLag.worst", lambda self: 0.3)


async def test_a_slow_screen_is_said_but_is_not_the_loads_limit(tmp_path: Path, slow_screen: None) -> None:
    async with open_screen(tmp_path) as board:
        await board.emit(*started(board.clock.now), second(board.clock.now))
        assert "generator ● ok, the screen is 300 ms late" in board.lines()[0]
