"""The ways out: asked, unasked, hasty, too slow, by a signal, by a defect."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot

from confman_tui.cluster.elections import FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.core.errors import EXIT_CRASH, EXIT_INTERRUPTED, EXIT_LOST, EXIT_NO_CLUSTER, EXIT_OK, EXIT_WORKERS
from confman_tui.session.events import (
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ScenarioStarted,
    VerificationEnded,
)
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.tui.mailbox import EventsArrived
from confman_tui.tui.run_screen import decide, finish
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.help import HelpDialog
from confman_tui.tui.widgets.header import Header
from tests.support import screen_story
from tests.support.fake_session import FakeSession
from tests.support.screen import ScreenUnderTest, TestClock, make_app, open_screen
from tests.support.waiting import until


async def left(board: ScreenUnderTest) -> int | None:
    """Wait for the app's end and give its code."""
    await until(lambda: not board.app.is_running or board.app._exit, "the app's end")
    return board.app.return_value


def run_something(board: ScreenUnderTest, phase: Phase) -> None:
    board.session.emit(PhaseChanged(phase, board.clock.now))
    if phase is Phase.RUNNING:
        board.session.emit(ScenarioStarted("write-10u", board.clock.now, 10, 15.0, 100, 1024))


async def test_q_leaves_without_a_question_when_nothing_runs(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.pilot.press("q")
        assert await left(board) == EXIT_OK
        assert board.asked("quit") == [("quit",)]


@pytest.mark.parametrize(
    "phase",
    [Phase.SEEDING, Phase.WAITING, Phase.RUNNING, Phase.DRILLING, Phase.VERIFYING, Phase.CLEANING, Phase.STOPPING],
)
async def test_q_asks_when_something_runs_and_a_second_q_is_a_yes(tmp_path: Path, phase: Phase) -> None:
    async with open_screen(tmp_path) as board:
        run_something(board, phase)
        await board.press("q")
        assert isinstance(board.app.screen, ConfirmDialog)
        assert board.asked("quit") == []
        await board.press("n")
        assert board.at_home()
        await board.press("q")
        await board.pilot.press("q")
        assert await left(board) == EXIT_OK
        assert board.asked("quit") == [("quit",)]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.FINDING, Phase.OFFLINE])
async def test_leaving_without_a_cluster_gives_the_code_of_none(tmp_path: Path, phase: Phase) -> None:
    async with open_screen(tmp_path, found=False) as board:
        board.session.emit(PhaseChanged(phase, board.clock.now, "nothing answers"))
        await board.press("q")
        assert await left(board) == EXIT_NO_CLUSTER


async def test_a_slow_end_is_visible_and_a_second_q_leaves_at_once(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        board.session.closes_at_once = False
        board.session.behind = "5 namespaces of tier small"
        await board.press("q")
        await board.emit(PhaseChanged(Phase.CLEANING, board.clock.now))
        assert "leaving: cleaning up" in board.text()
        assert "q leaves at once" in board.text()
        await board.press("1")
        assert board.toasts() == ["Leaving; q leaves at once."]
        await board.pilot.press("q")
        assert await left(board) == EXIT_OK
        assert board.app.stays_behind == "5 namespaces of tier small"
        assert board.app.left_at_once


async def test_the_limit_ends_what_does_not_end(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        board.session.closes_at_once = False
        board.session.behind = "node :6100 paused"
        await board.press("q")
        board.clock.now += 4.9
        board.app._tick()
        assert not board.app._exit
        board.clock.now += 0.2
        board.app._tick()
        await left(board)
        assert board.app.stays_behind == "node :6100 paused"


def test_a_search_for_a_process_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, answered, given_up = FakeSession(), threading.Event(), threading.Event()
    app = make_app(tmp_path, session, TestClock())

    def hang(kind: FaultKind, node: str) -> FaultPlan:
        app.call_from_thread(app.request_quit, EXIT_INTERRUPTED)
        answered.wait(30)  # or else a wait for it would never end
        given_up.set()
        raise FaultRefusedError("too late")

    monkeypatch.setattr(session, "preview_fault", hang)

    async def ask(pilot: Pilot[object]) -> None:
        session.emit(*screen_story.found())
        await pilot.pause()
        app.on_events_arrived(EventsArrived(draw_gauges=True))
        await pilot.press("k")

    app.run(headless=True, size=(80, 24), auto_pilot=ask)
    assert not given_up.is_set()
    answered.set()
    assert app.return_value == EXIT_INTERRUPTED


async def test_ctrl_c_is_q_in_dialogs_too(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("question_mark")
        assert isinstance(board.app.screen, HelpDialog)
        await board.press("ctrl+c")
        assert board.at_home()
        await board.pilot.press("ctrl+c")
        assert await left(board) == EXIT_OK


async def test_a_signal_ends_it_from_any_thread_without_a_question(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        run_something(board, Phase.RUNNING)
        await board.press("question_mark")
        thread = threading.Thread(target=board.app.request_quit, args=(EXIT_INTERRUPTED,))
        thread.start()
        thread.join()
        assert await left(board) == EXIT_INTERRUPTED
        assert board.asked("quit") == [("quit",)]


async def test_the_code_is_that_of_the_one_function_whatever_ends_it(tmp_path: Path) -> None:
    """What was found counts on the screen as it does without one, and all of it is told."""
    lost = Verification(acknowledged=5, checked=5, lost=1, nodes_read=3, nodes=3)
    for more, code in (((), EXIT_LOST), ((EXIT_INTERRUPTED,), EXIT_INTERRUPTED)):
        async with open_screen(tmp_path) as board:
            await board.emit(
                NoticeGiven(Level.ERROR, "no leader within 30 s", board.clock.now, EXIT_NO_CLUSTER),
                VerificationEnded("write-1u", lost),
            )
            board.app.request_quit(*more)
            assert await left(board) == code
            assert board.app.state.exit_reasons.code == code
            told = board.app.state.exit_reasons.lines()
            assert [line.partition(":")[0].rpartition(" ")[2].rstrip(")") for line in told] == [
                str(one) for one in (*more, EXIT_LOST, EXIT_NO_CLUSTER)
            ]


async def test_events_after_the_end_hurt_nobody(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.pilot.press("q")
        await left(board)
    board.session.emit(*screen_story.found())


def test_a_defect_of_a_widget_is_reported_and_gives_70(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = FakeSession()
    app = make_app(tmp_path, session, TestClock())

    def broken(self: Header, frame: object) -> None:
        raise ZeroDivisionError("a [red]defect[/red] \x1b[2J")

    monkeypatch.setattr(Header, "show", broken)
    run = app.run
    monkeypatch.setattr(app, "run", lambda: run(headless=True, size=(80, 24)))
    finish(app)
    assert app.state.exit_code == EXIT_CRASH
    assert isinstance(app.crash, ZeroDivisionError)
    assert ("quit",) in session.calls
    said = capsys.readouterr().err
    assert "confman-tui: a defect of the screen ended it: ZeroDivisionError: a [red]defect[/red] ␛[2J" in said


def test_what_stays_behind_is_said_after_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = FakeSession()
    session.closes_at_once = False
    session.behind = "5 namespaces"
    app = make_app(tmp_path, session, TestClock(), quit_limit_s=0.0)
    run = app.run

    def headless() -> int | None:
        app.request_quit(EXIT_INTERRUPTED)  # a signal that comes before the screen stands
        return run(headless=True, size=(80, 24))

    monkeypatch.setattr(app, "run", headless)
    finish(app)
    assert app.state.exit_code == EXIT_INTERRUPTED
    assert "left at once; 5 namespaces" in capsys.readouterr().err


async def test_what_the_session_noted_after_the_screen_went_counts_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person left at once while a run that lost its workers was being put together."""
    noted = ExitReasons()
    async with open_screen(tmp_path) as board:
        board.session.closes_at_once = False
        await board.press("q")
        await board.pilot.press("q")
        assert await left(board) == EXIT_OK
        noted.add(EXIT_WORKERS, "write-10u: the figures are invalid")
        assert decide(board.app.state, noted) == EXIT_WORKERS
    assert capsys.readouterr().err == "confman-tui: exit code 7: write-10u: the figures are invalid\n"
