"""Notes over the screen: where they may lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.geometry import Region
from textual.widgets import Button

from confman_tui.session.events import Level, NoticeGiven
from tests.support.screen import open_screen

LONG = "cleaning failed (not done within 4.5 s): 5 namespaces stay on the cluster; `confman-tui clean` removes them"
SIZES = [(60, 20), (60, 24), (80, 24), (80, 34), (80, 40), (100, 50), (120, 40), (160, 40), (200, 50)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_note_does_not_lie_on_the_line_that_says_the_same(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        for number in range(6):
            await board.emit(NoticeGiven(Level.INFO, f"something before it, number {number}", board.clock.now))
        await board.emit(NoticeGiven(Level.ERROR, LONG, board.clock.now + 1))
        await board.pilot.pause()
        await board.emit(NoticeGiven(Level.ERROR, "the disk is full", board.clock.now + 2))
        notes = board.app.screen.query("Toast")
        assert len(notes) == 2
        dashboard = board.app.dashboard
        pane = dashboard.log_pane if dashboard.log_pane.display else dashboard.last_event
        line = pane.content_region._replace(height=min(4, pane.content_region.height))
        assert line.area
        for note in notes:
            assert note.region.area
            assert not line.overlaps(note.region), board.text()


@pytest.mark.parametrize("key", ["u", "y", "e", "n", "q"])
@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_a_note_does_not_lie_on_a_button(size: tuple[int, int], key: str, tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        if key == "q":
            board.app.state.phase = board.app.state.phase.RUNNING
        await board.press(key)
        assert not board.at_home()
        await board.emit(NoticeGiven(Level.ERROR, LONG, board.clock.now))
        for _ in range(3):
            await board.pilot.pause()
        (note,) = board.app.screen.query("Toast")
        assert note.region.area
        for button in board.app.screen.query(Button):
            assert not button.region.overlaps(note.region), board.text()
            assert Region(0, 0, *size).contains_region(button.region)
