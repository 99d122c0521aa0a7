"""After a run: the graphs hold it, and one line says what came of it; after the program, the terminal does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from confman_tui.cluster.elections import Breach, BrokenKey, Fault, FaultKind, Verification
from confman_tui.core.errors import EXIT_LOST
from confman_tui.session.events import (
    DrillEnded,
    FaultCaused,
    LateWritesFound,
    Phase,
    PhaseChanged,
    ScenarioEnded,
    ScenarioStarted,
)
from confman_tui.tui import verdict
from confman_tui.tui.charts.axis import TimeWindow
from confman_tui.tui.run_screen import finish
from tests.support import screen_story
from tests.support.fake_session import FakeSession
from tests.support.screen import ScreenUnderTest, TestClock, make_app, open_screen
from tests.support.waiting import until

START = screen_story.START
END = START + 61
SIZES = [(60, 20), (80, 24), (120, 40), (200, 50)]


def ended(name: str = "write-10u") -> ScenarioEnded:
    """The run of the story, with the election in it."""
    result = screen_story.result(name, 10, START + 46, END, failures=12)
    fault = Fault(FaultKind.KILL, screen_story.NODES[0], START + 50.3)
    return ScenarioEnded(replace(result, elections=(screen_story.election(fault, START),)))


async def after(board: ScreenUnderTest, seconds: float) -> None:
    """The story's run has ended, and so long ago."""
    await board.play(screen_story.election_run(START))
    board.clock.now = END
    await board.emit(ended(), PhaseChanged(Phase.IDLE, END))
    board.clock.now = END + seconds
    await board.drawn()


@pytest.mark.parametrize("size", SIZES)
async def test_minutes_after_a_run_the_graphs_hold_it_with_its_verdict(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size, found=False) as board:
        await after(board, 600.0)
        text = board.text()
        assert "no request yet" not in text
        assert text.count("█") > 20, "the area of its requests"
        wide = "1.62 s without writes" if size[0] > 60 else "0 lost"
        assert wide in text
        assert "1 election" in text
        assert "p99 120" in text
        axis = board.app.window.axis(board.clock.now)
        assert START + 40 < axis.start < START + 46
        assert END < axis.end < END + 5


async def test_the_verdict_is_one_line_above_the_graphs(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await after(board, 60.0)
        said = "write-10u: 205.9 req/s, p99 120 ms, 1 election, 1.62 s without writes, 12 failed, 0 lost"
        assert verdict.plain(ended().result) == said
        assert said in board.text()


@pytest.mark.parametrize(
    ("verified", "words"),
    [
        (Verification(acknowledged=9, checked=9, nodes_read=3, nodes=3), ("0 lost", False)),
        (Verification(acknowledged=9, checked=9, nodes_read=2, nodes=3), ("0 lost on 2 of 3 nodes", False)),
        (
            Verification(acknowledged=9, checked=9, nodes_read=1, nodes=3, unproven=9),
            ("not judged on 1 of 3 nodes", False),
        ),
        (Verification(acknowledged=9, checked=9, nodes_read=3, nodes=3, diverged=2), ("0 lost, 2 diverged", True)),
        (
            Verification(acknowledged=9, checked=9, nodes_read=3, nodes=3, phantom=2, late=1),
            ("0 lost, 2 phantom (1 late)", True),
        ),
        (Verification(acknowledged=9, asked=False, nodes=3), ("not verified", False)),
    ],
)
def test_the_verdict_says_on_how_many_nodes_it_stands(verified: Verification, words: tuple[str, bool]) -> None:
    facts = verdict.facts(replace(ended().result, verification=verified))
    assert facts[-1][:2] == words


async def test_a_late_phantom_changes_the_verdict_the_row_and_the_exit_code(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await after(board, 60.0)
        late = BrokenKey("bench-small-000/key-a", Breach.LATE_PHANTOM, {screen_story.NODES[0]: "a refused value"})
        await board.emit(LateWritesFound("write-10u", board.clock.now, (late,)))
        text = board.text()
        assert "0 lost, 1 phantom (1 late)" in text
        assert "✗ " in text
        assert "1 refused write is there after all, late: bench-small-000/key-a" in board.app.state.log.lines[-1].text
        assert board.app.state.exit_code == EXIT_LOST


async def test_something_new_takes_its_place(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await after(board, 60.0)
        await board.emit(
            PhaseChanged(Phase.RUNNING, board.clock.now),
            ScenarioStarted("read-1u", board.clock.now, 1, 15.0, 100, 1024),
        )
        assert board.app.window.live
        assert "1 election," not in board.text()


async def test_what_happens_to_the_cluster_is_seen_as_it_happens_and_the_graphs_stay(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await after(board, 600.0)
        await board.emit(FaultCaused(Fault(FaultKind.KILL, screen_story.NODES[1], board.clock.now)))
        await board.drawn()
        assert board.app.window.live, "the lanes"
        assert board.text().count("█") > 20, "the graphs"


async def test_a_person_who_looks_elsewhere_is_not_moved(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.play(screen_story.election_run(START))
        await board.press("left")
        was = board.app.window.axis(board.clock.now)
        await board.emit(ended(), PhaseChanged(Phase.IDLE, END))
        assert board.app.window.axis(board.clock.now) == was
        await board.press("right", "right", "right")
        assert board.app.window.live
        await board.emit(PhaseChanged(Phase.IDLE, END + 1))
        assert board.app.window.live, "the same run is not shown again by itself"


def test_a_fitted_window_can_be_left_by_every_key() -> None:
    window = TimeWindow(60.0)
    window.fit("write-10u", 1000.0, 1020.0)
    assert window.fitted
    assert not window.live
    assert "write-10u" in window.title
    assert window.zoom_in()
    assert (window.span, window.fitted) == (15.0, False)
    assert window.axis(2000.0).end == pytest.approx(1020.0, abs=1.0)
    window.go_live()
    window.fit("write-10u", 1000.0, 1020.0)
    assert window.zoom_out()
    assert window.span == 30.0
    window.go_live()
    window.fit("write-10u", 1000.0, 1020.0)
    window.scroll(0.25, 2000.0)
    assert window.live
    window.fit("write-10u", 1000.0, 1020.0)
    window.scroll(-0.25, 2000.0)
    assert window.axis(2000.0).end < 1020.0


def test_a_held_view_keeps_the_run_while_another_begins() -> None:
    window = TimeWindow(60.0)
    window.fit("write-10u", 1000.0, 1020.0)
    window.hold(1100.0)
    window.go_live()
    assert window.axis(1200.0).end < 1025.0
    window.release()
    assert window.live


async def test_a_drills_verdict_is_its_own(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.play(screen_story.election_run(START))
        verdict = "3 of 3 rounds judged, without writes for 1.62 s in the median, 1.70 s at most"
        checked = Verification(acknowledged=10, checked=10)
        await board.emit(
            ScenarioStarted("drill", START + 46, 10, None, 100, 1024),
            ended("drill"),
            DrillEnded((), checked, verdict),
            PhaseChanged(Phase.IDLE, END),
        )
        await board.press("escape")
        assert f"drill: {verdict}, 0 lost" in board.text()


class Farewell:
    """What the terminal shows after a screen that was left."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.capsys, self.monkeypatch = folder, capsys, monkeypatch

    def __call__(self, *, ran: bool, left: str = "") -> str:
        """After a run, and with something that the session said while it ended."""
        session, clock = FakeSession(), TestClock()
        session.notice_at_end = left
        app = make_app(self.folder, session, clock)

        async def use(pilot: Pilot[object]) -> None:
            for event in screen_story.found():
                session.emit(event)
            if ran:
                first = screen_story.result("read-1u", 1, START, START + 15)
                session.emit(ScenarioEnded(replace(first, verification=None)), ended())
            await pilot.pause()
            app.request_quit()
            await until(lambda: app._exit, "the end")

        run = app.run
        self.monkeypatch.setattr(app, "run", lambda: run(headless=True, size=(80, 24), auto_pilot=use))
        finish(app)
        said = self.capsys.readouterr()
        return said.out + said.err


@pytest.fixture
def farewell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Farewell:
    return Farewell(tmp_path, capsys, monkeypatch)


def test_leaving_prints_one_line_of_what_ran(farewell: Farewell) -> None:
    (line,) = farewell(ran=True).splitlines()
    assert line.startswith("confman-tui: read-1u: ")
    assert "; write-10u: 205.9 req/s, p99 120 ms, 1 election, 1.62 s without writes, 12 failed, 0 lost; " in line
    assert line.endswith(f"files in {farewell.folder}")


def test_leaving_says_what_could_not_be_cleaned(farewell: Farewell) -> None:
    left = "cleaning failed (no leader): 5 namespaces stay on the cluster"
    assert farewell(ran=False, left=left) == f"confman-tui: {left}\n"
    assert farewell(ran=True, left=left).endswith(f"; {left}\n")


def test_leaving_when_nothing_ran_says_nothing(farewell: Farewell) -> None:
    assert farewell(ran=False) == ""
