"""Every dialog can be read to its end at every size, by keys and by the wheel, and takes the keys that it shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Input, Static

from confman_tui.session.events import Phase, PhaseChanged, ScenarioStarted, SeriesEnded
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.screens.event_list import EventsDialog
from confman_tui.tui.screens.help import HelpDialog
from confman_tui.tui.screens.rounds import RoundsDialog
from tests.support import result_samples, screen_story
from tests.support.screen import ScreenUnderTest, open_screen
from tests.support.waiting import until

SIZES = [(60, 20), (80, 24), (120, 40), (200, 50)]
START = screen_story.START


async def running(board: ScreenUnderTest) -> None:
    """A run goes on."""
    await board.emit(
        PhaseChanged(Phase.RUNNING, board.clock.now),
        ScenarioStarted("write-10u", board.clock.now, 10, 15.0, 100, 1024),
    )


async def _help(board: ScreenUnderTest) -> None:
    await board.press("question_mark")


async def _series(board: ScreenUnderTest) -> None:
    await board.emit(SeriesEnded(result_samples.sweep()))


async def _rounds(board: ScreenUnderTest) -> None:
    await board.emit(*screen_story.drill(board.clock.now, rounds=8))


async def _details(board: ScreenUnderTest) -> None:
    await board.play(screen_story.election_run(START))
    board.app.show_details("write-10u")


async def _events(board: ScreenUnderTest) -> None:
    await board.play(screen_story.election_run(START))
    await board.app.push_screen(EventsDialog(board.app.state, board.clock, "l"))
    await until(lambda: str(board.app.screen.query_one("#events", Static).content) != "", "the events laid out")


async def _quit(board: ScreenUnderTest) -> None:
    await running(board)
    await board.press("q")


async def _tier(board: ScreenUnderTest) -> None:
    await board.press("y")


async def _overrides(board: ScreenUnderTest) -> None:
    await board.press("u")


async def _fault(board: ScreenUnderTest) -> None:
    await board.press("f")


Open = Callable[[ScreenUnderTest], Awaitable[None]]
READ: list[Open] = [_help, _series, _rounds, _details, _events]
"""Dialogs to read."""
ASK: list[Open] = [_quit, _tier, _overrides, _fault]
"""Dialogs that ask for something."""


def named(opens: list[Open]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("opened", opens, ids=lambda one: one.__name__.strip("_"))


def last_line(board: ScreenUnderTest) -> Region:
    """The last line of the lowest widget in the dialog's box, on the screen or beyond its edge."""
    box = board.app.screen.query_one(Box)
    inside = [item for item in box.query(Widget) if item.display and item.region.area]
    lowest = max(item.region.bottom for item in inside)
    return Region(box.region.x, lowest - 1, box.region.width, 1)


def seen(board: ScreenUnderTest) -> bool:
    """Whether the last line stands on the screen."""
    width, height = board.app.size
    return Region(0, 0, width, height).contains_region(last_line(board))


async def drawn(board: ScreenUnderTest) -> Box:
    """The box of the dialog that is open, laid out."""
    assert isinstance(board.app.screen, Dialog)
    for _ in range(3):
        await board.pilot.pause()
    return board.app.screen.query_one(Box)


async def reach_the_end(board: ScreenUnderTest, opened: Open) -> None:
    """Open the dialog, go to its last line by keys and then by the wheel, and close it."""
    width, height = board.app.size
    await opened(board)
    box = await drawn(board)
    assert Region(0, 0, width, height).contains_region(box.region), "the frame with its title is whole"
    for _ in range(len(box.query("Input, Button, OptionList")) if opened in ASK else 0):
        await board.press("tab")
    await board.press("pagedown" if opened in ASK else "end")
    await until(lambda: not box.is_scrolling and box.scroll_target_y == box.scroll_y, "the end of scrolling")
    await board.pilot.pause()
    assert seen(board), board.text()
    box.scroll_home(animate=False)
    await board.pilot.pause()
    for _ in range(100):
        if box.scroll_target_y >= box.max_scroll_y:
            break
        await board.pilot._post_mouse_events([MouseScrollDown], box, offset=(2, box.size.height // 2))
    await until(lambda: box.scroll_y == box.scroll_target_y, "the end of scrolling")
    await board.pilot.pause()
    assert seen(board), board.text()
    await board.press("escape")
    assert board.at_home()


@pytest.mark.parametrize("size", SIZES)
async def test_the_last_line_is_reached_by_keys_and_by_the_wheel(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        for opened in (_help, _tier, _overrides, _fault, _series, _rounds, _details, _quit):
            await reach_the_end(board, opened)


@named(READ)
async def test_a_picture_and_a_copy_are_taken_of_a_dialog(opened: Open, tmp_path: Path) -> None:
    async with open_screen(tmp_path, (80, 24)) as board:
        await opened(board)
        await drawn(board)
        board.app.clear_notifications()
        await board.press("f2")
        assert board.toasts()[-1].startswith("Picture saved")
        await board.press("c")
        last = [item.content for item in board.app.screen.query(Static) if str(item.content).strip()][-1]
        assert str(last).splitlines()[-1].strip() in board.app.clipboard, "what is out of sight too"
        assert board.toasts()[-1] == f"Copied: {board.app.clipboard.count(chr(10)) + 1} lines"
        await board.press("q")
        assert board.at_home()


async def test_a_letter_in_a_field_is_text_and_a_picture_is_taken_all_the_same(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (80, 24)) as board:
        await board.press("u", "c")
        assert board.app.screen.query_one("#users", Input).value == "c"
        await board.press("f2")
        assert board.toasts()[-1].startswith("Picture saved")


async def test_dialogs_take_the_keys_in_force(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"help": "h", "copy": "k", "kill": "c", "rounds": "z"}) as board:
        await board.press("h")
        assert isinstance(board.app.screen, HelpDialog)
        assert "k copy" in board.text()
        await board.press("k")
        assert board.toasts()[-1].startswith("Copied")
        await board.press("h")
        assert board.at_home()
        await _rounds(board)
        assert isinstance(board.app.screen, RoundsDialog)
        await board.press("z")
        assert board.at_home()


async def test_a_second_interrupt_leaves_and_stacks_no_question(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await running(board)
        await board.press("ctrl+c")
        assert isinstance(board.app.screen, ConfirmDialog)
        await board.pilot.press("ctrl+c")
        await until(lambda: not board.app.is_running or board.app._exit, "the app's end")
        assert board.asked("quit") == [("quit",)]


async def test_an_interrupt_closes_any_other_dialog(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        for key in ("question_mark", "y", "u", "o"):
            await board.press(key)
            assert not board.at_home()
            await board.press("ctrl+c")
            assert board.at_home()
            assert board.asked("quit") == []
