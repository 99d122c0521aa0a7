"""A run with a rate on the screen: its keys, its figures both ways, its backlog."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.load.run_model import Uncorrected
from confman_tui.results.model import RateChange
from confman_tui.session.events import (
    Event,
    Phase,
    PhaseChanged,
    RateChanged,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
)
from confman_tui.tui import numbers
from confman_tui.tui.screens.details import DetailsDialog
from confman_tui.tui.screens.help import HelpDialog
from tests.support import screen_story
from tests.support.screen import ScreenUnderTest, open_screen
from tests.support.waiting import until

SIZES = [(60, 20), (80, 24), (120, 40), (200, 50)]


def a_second(at: float, *, waiting: int = 0) -> Event:
    """One second at 500/s in which the corrected p99 is 1,020 ms and the uncorrected one 12.3 ms."""
    sample = replace(
        screen_story.sample(at, 500),
        rate=500.0,
        p99_us=1_020_000,
        uncorrected_p50_us=2_000,
        uncorrected_p99_us=12_300,
        uncorrected_max_us=40_000,
        not_started=waiting,
        schedule_lag_s=0.75,
    )
    return SampleRecorded("write-10u", sample, screen_story.NODES[0], 6)


async def running(board: ScreenUnderTest, *, rate: float | None = 500.0, waiting: int = 0) -> None:
    """A run whose first second has passed."""
    at = board.clock.now
    await board.emit(PhaseChanged(Phase.RUNNING, at), ScenarioStarted("write-10u", at, 256, 15.0, 100, 1024, rate))
    if rate is not None:
        await board.emit(a_second(at, waiting=waiting))


async def test_the_rate_follows_the_keys(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await running(board)
        await board.press("greater_than_sign", "less_than_sign")
        assert board.asked("change_rate") == [("change_rate", 1.1), ("change_rate", 1 / 1.1)]
        assert "500/s" in board.text()
        await board.emit(RateChanged("write-10u", board.clock.now, 550.0, 500.0))
        assert "550/s" in board.text()
        assert "⇅ rate 550/s, was 500/s" in board.text(), "in the log"
        assert "< > rate" in board.lines()[-1]


async def test_without_a_rate_the_keys_say_why(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("greater_than_sign")
        assert board.toasts() == ["No run goes on whose rate could be changed; u sets a rate for the next ones."]
        await running(board, rate=None)
        await board.press("less_than_sign")
        expected = "This run has no rate: its users wait for their answers. u sets a rate for the next runs."
        assert board.toasts()[-1] == expected
        assert board.asked("change_rate") == []
        assert "rate" not in board.lines()[-1]


async def test_the_rates_keys_can_be_remapped(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"rate_up": "f5", "rate_down": "f4"}) as board:
        await running(board)
        await board.press("f5", "greater_than_sign")
        assert board.asked("change_rate") == [("change_rate", 1.1)]
        assert "F4 F5 rate" in board.lines()[-1]


async def test_the_keys_stand_in_help_and_palette(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("question_mark")
        assert isinstance(board.app.screen, HelpDialog)
        assert "Raise the rate of the running open loop" in board.text()
        await board.press("escape", "o")
        await board.press(*"lower")
        await until(lambda: "Lower the rate of the running open loop by 10 %" in board.text(), "found by its name")


@pytest.mark.parametrize("size", SIZES)
async def test_rate_and_backlog_are_seen_at_every_size(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        await running(board, waiting=1_234)
        assert "500/s" in board.text()
        assert "1,234 waiting" in board.text()
        assert all(len(line) <= size[0] for line in board.lines())


@pytest.mark.parametrize("size", SIZES[1:])
async def test_both_p99_are_seen_while_it_runs(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        await running(board)
        assert "1,020" in board.text()
        assert "12.3" in board.text()


async def test_the_details_show_both_while_it_runs_and_afterwards(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await running(board, waiting=7)
        board.app.show_details("write-10u")
        await board.pilot.pause()
        assert isinstance(board.app.screen, DetailsDialog)
        text = board.text()
        for expected in ("1,020 ms (corrected)", "12.3 ms (uncorrected)", "750.0 ms", "500/s"):
            assert expected in text
        await board.press("escape")
        at = board.clock.now
        done = screen_story.result("write-10u", 256, at, at + 15)
        outcome = replace(
            done.outcome,
            uncorrected=Uncorrected(2_000, 3_000, 4_000, 12_300, 50_000, 60_000, 70_000, ""),
            not_started=45,
            schedule_lag_s=1.25,
            redirect_p50_us=452,
            redirect_max_us=95_300,
        )
        await board.emit(
            ScenarioEnded(replace(done, outcome=outcome, rate=500.0, rate_changes=(RateChange(3.0, 550.0),)))
        )
        assert "45 never began" in board.text(), "in the log"
        board.app.show_details("write-10u")
        await board.pilot.pause()
        assert re.search(r"p99 +120 +12\.3 ", board.text()), "from when it was due, and from when it was sent"
        text = board.text()
        for expected in ("500/s, 550/s at the end", "1250.0 ms", "0.45 ms median, max 95.3"):
            assert expected in text


async def test_the_next_runs_rate_stands_in_the_header(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.emit(replace(screen_story.configuration(), rate=250.0))
        assert "next: 250/s" in board.text()


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.5, "0.5/s"),
        (0.55, "0.55/s"),
        (500.0, "500/s"),
        (665.5, "665.5/s"),
        (12_345.6, "12,346/s"),
        (100_000, "100,000/s"),
    ],
)
def test_a_rate_in_words(rate: float, said: str) -> None:
    assert numbers.asked(rate) == said
