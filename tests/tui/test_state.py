"""The model of the screen, fed with events, without Textual."""

from __future__ import annotations

from dataclasses import replace

from confman_tui.cluster.elections import Fault, FaultKind, Verification, WriteWindow
from confman_tui.cluster.states import NodeState
from confman_tui.core.errors import EXIT_LOST, EXIT_NO_CLUSTER, EXIT_OK, EXIT_UNJUDGED
from confman_tui.session.events import (
    ClusterChanged,
    DrillEnded,
    ElectionMeasured,
    LeftoversFound,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    VerificationEnded,
    WritesAcknowledged,
)
from confman_tui.settings.scenarios import CATALOGUE
from confman_tui.tui.log import MOST_LINES, Topic
from confman_tui.tui.rows import RowStatus
from confman_tui.tui.state import UiState, initial
from confman_tui.tui.updates import apply, asked
from tests.support import screen_story

T = screen_story.START


def played(*, until: float = 1e12) -> UiState:
    state = initial(CATALOGUE)
    for at, event in screen_story.election_run(T):
        if at <= T + until:
            apply(state, event, at)
    return state


def test_a_session_ends_in_the_figures_of_both_scenarios() -> None:
    state = played()
    done, running = state.rows["write-1u"], state.rows["write-10u"]
    assert done.status is RowStatus.DONE
    assert done.result is not None
    assert done.result.outcome.requests == 612
    assert running.status is RowStatus.RUNNING
    assert running.failures == 12
    assert state.running == "write-10u"
    assert state.view is not None
    assert state.view.leader == screen_story.NODES[1]
    assert state.done_to[screen_story.NODES[0]].kind is FaultKind.KILL


def test_each_change_stands_once_in_the_log() -> None:
    texts = [line.text for line in played().log.lines]
    assert len(texts) == len(set(texts))
    assert "kill :6100 (you)" in texts
    assert ":6200 leads, term 7" in texts
    assert "writes again after 1.62 s without (10 wanted)" in texts
    assert any(text.startswith("election after kill :6100 → :6200, term 7: 1.62 s without writes") for text in texts)


def test_an_election_measured_again_takes_the_place_of_its_card() -> None:
    state = played()
    before = len(state.log.lines)
    fault = Fault(FaultKind.KILL, screen_story.NODES[0], T + 50.3)
    apply(state, ElectionMeasured(screen_story.election(fault, T)), T + 60)
    assert len(state.log.lines) == before
    assert next(line.text for line in state.log.lines if line.election is not None).endswith("90 % 2.40 s")
    assert len(state.elections) == 1


def test_gauges_are_no_news_but_a_change_of_state_is() -> None:
    state = played(until=40)
    assert not apply(state, ClusterChanged(screen_story.view(T + 41), 0.0, news=False), T + 41)
    changed = screen_story.view(T + 42, states={2: NodeState.REFUSED})
    assert apply(state, ClusterChanged(changed, 0.0), T + 42)
    assert not apply(state, WritesAcknowledged(((T + 42, 3),), T + 42.2), T + 42.2)
    assert not apply(state, ProgressMade(Phase.SEEDING, 1, 2, 1.0, None), T + 42)
    assert not apply(state, SampleRecorded("write-1u", screen_story.sample(T + 41, 40), None, 6), T + 42)
    assert apply(state, NoticeGiven(Level.INFO, "hello", T + 43), T + 43)


def test_a_run_is_steady_from_its_start_until_something_happens() -> None:
    state = initial(CATALOGUE)
    apply(state, ClusterChanged(screen_story.view(T), 0.0), T)
    assert not state.steady
    apply(state, PhaseChanged(Phase.RUNNING, T), T)
    assert state.steady, "before its first second has passed, too"
    apply(state, WritesAcknowledged((), T + 1, WriteWindow(T, None, 0.05)), T + 1)
    assert not state.steady
    apply(state, WritesAcknowledged(((T + 1, 3),), T + 1.1), T + 1.1)
    assert state.steady
    apply(state, ClusterChanged(screen_story.view(T + 2, leader=None), 0.0), T + 2)
    assert not state.steady


def test_the_rate_of_acknowledged_writes_is_that_of_the_last_known_second() -> None:
    state = initial(CATALOGUE)
    apply(state, screen_story.acknowledgements(T + 10, 200), T + 10)
    apply(state, screen_story.acknowledgements(T + 11, 100), T + 11)
    assert state.ack_rate == 100
    window = WriteWindow(T + 11, None, 0.05)
    apply(state, WritesAcknowledged((), T + 12.5, window), T + 12.5)
    assert state.ack_rate == 0
    assert state.open_window == window


def test_scenarios_asked_for_wait_in_a_queue_that_ends_with_the_series() -> None:
    state = played(until=29)
    asked(state, ("read-1u", "read-10u"))
    assert [row.scenario.name for row in state.rows.values() if row.status is RowStatus.QUEUED] == state.queue
    apply(state, ScenarioStarted("read-1u", T + 30, 1, 15.0, 100, 1024), T + 30)
    assert state.queue == ["read-10u"]
    apply(state, ScenarioEnded(screen_story.result("read-1u", 1, T + 30, T + 45)), T + 45)
    apply(state, PhaseChanged(Phase.IDLE, T + 46), T + 46)
    assert state.queue == []
    assert state.rows["read-10u"].status is RowStatus.NEVER
    assert state.rows["read-1u"].status is RowStatus.DONE


def test_the_exit_code_speaks_of_lost_writes_for_good() -> None:
    state = initial(CATALOGUE)
    assert state.exit_code == EXIT_NO_CLUSTER
    apply(state, PhaseChanged(Phase.IDLE, T), T)
    assert state.exit_code == EXIT_OK
    apply(state, VerificationEnded("write-1u", Verification(acknowledged=10, checked=10, lost=1)), T)
    assert state.exit_code == EXIT_LOST
    apply(state, DrillEnded((), None, "all good"), T)
    assert state.exit_code == EXIT_LOST


def test_a_verification_that_was_stopped_is_no_pass_anywhere() -> None:
    state = played(until=29)
    stopped = Verification(acknowledged=12_339, checked=80, unread=12_259, note="stopped after 80 of 12,339 writes")
    apply(state, VerificationEnded("write-10u", stopped), T + 30)
    line = state.log.lines[-1]
    assert (line.text, line.level) == ("write-10u NOT JUDGED: stopped after 80 of 12,339 writes", Level.WARNING)
    assert state.exit_code == EXIT_UNJUDGED
    ended = replace(screen_story.result("write-10u", 10, T + 15, T + 29), verification=stopped)
    apply(state, ScenarioEnded(ended), T + 30)
    row = state.rows["write-10u"]
    assert (row.broken, row.doubtful) == (False, True)


def test_a_run_with_other_users_ends_in_the_row_of_its_scenario() -> None:
    state = played(until=29)
    ended = replace(screen_story.result("read-10u", 50, T + 15, T + 29), name="read-50u", scenario="read-10u")
    apply(state, ScenarioEnded(ended), T + 30)
    assert state.rows["read-10u"].result is ended


def test_nothing_judged_is_never_shown_as_a_pass() -> None:
    state = played(until=29)
    apply(state, VerificationEnded("read-1u", Verification(note="no acknowledged write")), T + 30)
    assert state.log.lines[-1].text == "read-1u not verified: no acknowledged write"
    assert state.exit_code == EXIT_OK


def test_the_log_is_bounded_and_can_be_narrowed() -> None:
    state = played()
    apply(state, NoticeGiven(Level.ERROR, "disk full", T + 60), T + 60)
    problems = state.log.newest_first(Topic.PROBLEMS)
    assert problems[0].text == "disk full"
    assert all(line.topic is Topic.FAULTS for line in state.log.newest_first(Topic.FAULTS))
    for number in range(MOST_LINES + 100):
        apply(state, NoticeGiven(Level.INFO, f"notice {number}", T + 61), T + 61)
    assert len(state.log.lines) == MOST_LINES
    assert state.log.total > MOST_LINES


def test_leftovers_removed_are_leftovers_no_more() -> None:
    state = initial(CATALOGUE)
    apply(state, LeftoversFound(("bench-small-000",)), T)
    assert len(state.leftovers) == 1
    assert "1 namespace" in state.log.lines[-1].text
    apply(state, LeftoversFound(()), T)
    assert not state.leftovers
    assert len(state.log.lines) == 1
