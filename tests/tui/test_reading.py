"""What a person reads: the log, the row of a run that is verified, the held view, the idle screen, colours in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from textual.style import Style

from confman_tui.session.events import (
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    SampleRecorded,
    ScenarioStarted,
)
from confman_tui.tui.charts.latency_classes import LatencyClasses, together
from confman_tui.tui.charts.palette import role_colors
from confman_tui.tui.layout import plan
from confman_tui.tui.widgets.scenario_table import columns_for
from tests.support import screen_story
from tests.support.screen import open_screen
from tests.support.waiting import until

T = screen_story.START


async def test_the_log_shows_the_newest_again_when_it_loses_the_focus(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.emit(*(NoticeGiven(Level.INFO, f"line {number}", T + number) for number in range(30)))
        pane = board.app.dashboard.log_pane
        pane.focus()
        await board.press("end")
        assert "line 29" not in board.text()
        board.app.screen.set_focus(None)
        await board.pilot.pause()
        assert pane.cursor == 0
        await board.emit(NoticeGiven(Level.INFO, "the newest of all", T + 40))
        assert "the newest of all" in board.text()
        assert "home newest" not in board.text()
        pane.focus()
        await board.press("down", "down")
        assert "home newest" in board.text()
        await board.press("escape")
        assert pane.cursor == 0
        assert not pane.has_focus


async def test_a_long_event_can_be_read_whole(tmp_path: Path) -> None:
    words = [f"word{number:02d}" for number in range(28)]
    async with open_screen(tmp_path) as board:
        await board.emit(NoticeGiven(Level.INFO, " ".join(words), T + 4))
        assert "word27" not in board.text()
        board.app.dashboard.log_pane.focus()
        await board.pilot.pause()
        text = board.text()
        assert all(word in text for word in words)


async def test_an_event_longer_than_the_pane_is_read_on_before_the_next_one(tmp_path: Path) -> None:
    words = [f"word{number:03d}" for number in range(110)]
    async with open_screen(tmp_path) as board:
        await board.emit(
            NoticeGiven(Level.INFO, "an older line", T + 4), NoticeGiven(Level.INFO, " ".join(words), T + 5)
        )
        pane = board.app.dashboard.log_pane
        pane.focus()
        await board.pilot.pause()
        seen: list[str] = []

        def read() -> None:
            seen.extend(word for word in words if word in board.text() and word not in seen)

        for _ in range(60):
            read()
            if pane.cursor:
                break
            assert "more row" in board.text() or words[-1] in board.text()
            await board.press("down")
        assert seen == words
        assert "an older line" in board.text()
        await board.press("up")
        assert "word000" in board.text()
        await board.press("pagedown")
        assert pane.cursor == 0
        await board.emit(NoticeGiven(Level.INFO, "it came meanwhile", T + 6))
        assert words[-1] in board.text() or "more row" in board.text(), "who reads on is not moved"


async def test_no_row_of_the_log_stays_empty_while_there_is_more_to_read(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.play(screen_story.election_run(T))
        pane = board.app.dashboard.log_pane
        for number in range(8):
            await board.emit(NoticeGiven(Level.INFO, f"line {number}", board.clock.now + number))
            rows = str(pane.render()).splitlines()
            assert len(rows) == pane.content_size.height
            assert all(row.strip() for row in rows)


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_a_small_screen_opens_all_events_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    words = [f"word{number:02d}" for number in range(40)]
    async with open_screen(tmp_path, size) as board:
        await board.emit(NoticeGiven(Level.WARNING, " ".join(words), T + 4))
        assert "l events" in board.text()
        await board.press("l")
        await until(lambda: "word39" in board.text(), "the words on the screen")
        assert all(word in board.text() for word in words)
        await board.emit(NoticeGiven(Level.INFO, "it came meanwhile", T + 5))
        await until(lambda: "it came meanwhile" in board.text(), "the words on the screen")
        await board.press("l")
        assert "events · " in board.text()
        await board.press("escape")
        assert board.at_home()
        await board.pilot.click("#last-event")
        await until(lambda: "word39" in board.text(), "the words on the screen")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_row_says_that_it_is_verified_and_shows_no_single_second(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with open_screen(tmp_path, size) as board:
        await board.emit(PhaseChanged(Phase.RUNNING, T + 4), ScenarioStarted("write-10u", T + 4, 10, 15.0, 100, 1024))
        last = replace(screen_story.sample(T + 18, 137), p99_us=777_000)
        await board.emit(SampleRecorded("write-10u", last, None, 6))
        assert "777" in board.text()
        board.clock.now = T + 25
        await board.emit(PhaseChanged(Phase.VERIFYING, T + 19))
        text = board.text()
        assert "verifying" in text
        assert "777" not in text
        assert "00:21/00:15" not in text
        board.clock.now = T + 26
        await board.emit(PhaseChanged(Phase.STOPPING, T + 26))
        assert "00:15/00:15" in board.text()
        assert "00:22" not in board.text()


async def test_a_held_view_says_what_it_is_behind(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("space")
        await board.emit(NoticeGiven(Level.INFO, "one", T + 5))
        assert "1 event behind" in board.text()
        await board.emit(NoticeGiven(Level.INFO, "two", T + 6))
        assert "2 events behind" in board.text()


async def test_an_idle_screen_says_what_can_be_run_and_how_fast_the_nodes_answer(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.play(screen_story.election_run(T), until=T + 29)
        await board.drawn()
        text = board.text()
        assert "2  write-10u         10 users, writes, 15 s" in text
        assert "e  election drill" in text
        assert "nodes' health answers" in text
        assert "★ :6100  ○ :6200  ○ :6300" in text
        await board.play(story for story in screen_story.election_run(T) if story[0] > T + 29)
        await board.drawn()
        assert "nodes' health answers" not in board.text()
        assert "latency · ms, log" in board.text()


async def test_legends_take_the_colours_of_a_new_theme_at_once(tmp_path: Path) -> None:
    async with open_screen(tmp_path, theme="textual-light", found=False) as board:
        await board.play(screen_story.election_run(T))
        await board.drawn()
        graph = board.app.dashboard.throughput

        def colours() -> set[str]:
            legend = graph.border_subtitle
            spans = getattr(graph, "_border_subtitle").spans  # noqa: B009
            assert legend
            return {
                style.foreground.hex.lower()
                for span in spans
                if (style := span.style if isinstance(span.style, Style) else Style.parse(span.style)).foreground
            }

        assert colours() == {role_colors(False)["ok"], role_colors(False)["refused"]}
        board.app.theme = "nord"
        await board.pilot.pause()
        assert colours() == {role_colors(True)["ok"], role_colors(True)["refused"]}


async def _save_picture(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("f2")


async def test_a_picture_keeps_leading_blanks(tmp_path: Path) -> None:
    await _save_picture(tmp_path)
    root = ElementTree.parse(pictures(tmp_path)[0]).getroot()
    assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"


def pictures(folder: Path) -> list[Path]:
    return list(folder.rglob("*.svg"))


async def test_the_details_hold_the_elections_card(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        await board.play(screen_story.election_run(T))
        row = board.app.state.rows["write-1u"]
        assert row.result is not None
        measured = board.app.state.elections[-1]
        row.result = replace(row.result, elections=(measured,))
        board.app.show_details("write-1u")
        await board.pilot.pause()
        await board.drawn()
        text = board.text()
        assert "kill :6100 → :6200, term 7" in text
        assert "▒ claim 1.30 s" in text


def test_large_screens_have_more_columns_and_panes() -> None:
    large, usual = ({column.title for column in columns_for(width)} for width in (110, 72))
    assert large - usual >= {"p99.9", "requests"}
    roomy = plan(200, 50, 3, 6)
    assert roomy.histogram
    assert roomy.elections == 5
    assert roomy.total <= 50
    assert not plan(120, 40, 3, 6).histogram


def test_classes_hold_every_latency_to_three_per_cent() -> None:
    counted = {value: 1 + value % 3 for value in range(50, 400_000, 977)}
    classes = LatencyClasses(counted).classes
    assert sum(classes.values()) == sum(counted.values())
    for value in counted:
        nearest = max(slot for slot in classes if slot <= value)
        assert value - nearest <= value * 0.032
    assert together([LatencyClasses({100: 2}), LatencyClasses({100: 1, 90_000: 4})])[0] == (100, 3)
