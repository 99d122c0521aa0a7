"""Keys for runs that are pressed before the data is there."""

from __future__ import annotations

from pathlib import Path

from confman_tui.session.events import DeferredRunDropped, Phase, PhaseChanged, RunDeferred
from confman_tui.tui.rows import RowStatus
from tests.support import screen_story
from tests.support.screen import open_screen


async def test_a_key_for_a_run_is_kept_until_the_data_is_there(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"stop": "f9"}) as board:
        await board.emit(PhaseChanged(Phase.SEEDING, board.clock.now))
        await board.press("2")
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-10u",))]
        assert board.app.state.queue == [], "the session says whether it is kept"
        await board.emit(RunDeferred(("write-10u",), board.clock.now))
        assert board.toasts() == ["write-10u starts when the data is there; F9 forgets it."]
        row = board.app.state.rows["write-10u"]
        assert [row.status] == [RowStatus.QUEUED]
        assert "then write-10u" in board.text()
        await board.emit(RunDeferred(("read-1u", "read-10u"), board.clock.now))
        assert board.app.state.queue == ["read-1u", "read-10u"]
        assert [row.status] == [RowStatus.NEVER]
        assert board.toasts()[-1] == "2 scenarios start when the data is there; F9 forgets them."
        await board.emit(DeferredRunDropped(("read-1u", "read-10u"), board.clock.now, "stopped"))
        assert board.app.state.queue == []
        assert board.toasts()[-1] == "2 scenarios will not start: stopped."
        assert "2 scenarios will not start: stopped" in board.text()


async def test_what_was_kept_stays_in_its_rows_when_it_begins(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.emit(PhaseChanged(Phase.FINDING, board.clock.now))
        await board.press("a")
        assert board.asked("run_scenarios")
        await board.emit(RunDeferred(("read-1u", "read-10u"), board.clock.now), *screen_story.found())
        assert board.app.state.queue == ["read-1u", "read-10u"]
        assert board.app.state.deferred == ()
        await board.emit(PhaseChanged(Phase.IDLE, board.clock.now))
        assert board.app.state.queue == []
        assert board.app.state.rows["read-1u"].status is RowStatus.NEVER


async def test_a_key_is_not_kept_where_a_run_seeds_for_itself(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("1")
        await board.emit(PhaseChanged(Phase.SEEDING, board.clock.now))
        await board.press("2")
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-1u",))]
        assert board.toasts() == ["Not while this goes on: seeding; s stops it."]
