"""What the screen says of where reads go, and of each node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from confman_tui.session.events import Phase, PhaseChanged, ScenarioEnded, ScenarioStarted
from confman_tui.settings.scenarios import Reads
from tests.support import result_samples, screen_story
from tests.support.screen import open_screen
from tests.support.waiting import until


async def test_the_header_names_where_reads_go_when_it_is_not_everywhere(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 50)) as board:
        now = board.clock.now
        begun = ScenarioStarted("read-10u", now, 10, 15.0, 100, 1024, reads=Reads.ALL)
        await board.emit(screen_story.configuration(), PhaseChanged(Phase.RUNNING, now), begun)
        assert "reads from" not in board.text()
        await board.emit(
            replace(screen_story.configuration(), reads=Reads.ENTRY), replace(begun, at=now + 1, reads=Reads.FOLLOWERS)
        )
        assert "reads from the followers" in board.text()
        assert "next: reads from the entry" in board.text()


async def test_the_details_show_each_node_s_rate_and_percentiles(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        now = board.clock.now
        result = result_samples.result(
            "read-10u", outcome=replace(result_samples.read_by_node(), histogram=""), reads=Reads.FOLLOWERS
        )
        begun = ScenarioStarted("read-10u", now, 10, 15.0, 100, 1024, reads=Reads.FOLLOWERS)
        await board.emit(PhaseChanged(Phase.RUNNING, now), begun, ScenarioEnded(result))
        board.app.show_details("read-10u")
        await until(lambda: "Requests per node" in board.text(), "the dialog")
        await board.pilot.pause()
        text = board.text()
        assert "reads from" in text
        assert "the followers" in text
        for words in ("60.0 req/s, p50 2.00, p99 9.00 ms", "19.3 req/s, p50 4.00, p99 12.0 ms", "10 failed"):
            assert words in text, words
