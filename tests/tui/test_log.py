"""The event log's order: by time, whenever a line is told."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import Fault, FaultKind, UnreadNode, Verification
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.session.events import (
    DrillRound,
    DrillRoundEnded,
    ElectionMeasured,
    FactObserved,
    FaultCaused,
    Level,
    VerificationEnded,
)
from confman_tui.tui.log import MOST_LINES, EventLog, LogLine, Topic, describe
from tests.support import screen_story


def line(at: float, text: str = "") -> LogLine:
    return LogLine(at, "·", text, Topic.RUNS)


@given(st.lists(st.integers(0, 20), max_size=60))
def test_lines_stand_by_their_time_and_then_as_they_were_told(times: list[int]) -> None:
    log = EventLog()
    for number, at in enumerate(times):
        log.add(line(at, str(number)))
    assert [(entry.at, int(entry.text)) for entry in log.lines] == sorted(zip(times, range(len(times)), strict=True))
    assert log.total == len(times)


def test_a_full_log_drops_its_oldest_line_and_takes_no_older_one() -> None:
    log = EventLog()
    for at in range(MOST_LINES):
        log.add(line(10.0 + at))
    log.add(line(20.5, "told late"))
    log.add(line(1.0, "older than all"))
    assert len(log.lines) == MOST_LINES
    assert [entry.at for entry in log.lines][:2] == [11.0, 12.0]
    assert [entry.text for entry in log.lines if entry.text] == ["told late"]


def test_a_resumed_node_is_back_when_it_answers_and_not_when_it_was_asked() -> None:
    fault = Fault(FaultKind.RESUME, screen_story.NODES[0], 100.30)
    back = Fact(FactKind.NODE_BACK, 100.25, screen_story.NODES[0], 7, seen=100.31)
    log = EventLog()
    for event in (FaultCaused(fault), FactObserved(back)):
        told = describe(event, {}, (), 101.0)
        assert told is not None
        log.add(told)
    assert [entry.glyph for entry in log.lines] == ["⚑", "○"]


def test_an_election_whose_first_write_came_before_the_poll_that_shows_its_leader() -> None:
    fault = Fault(FaultKind.PAUSE, screen_story.NODES[0], 150.3)
    election = replace(screen_story.election(fault, 100.0), serving_s=2.13, first_write_s=2.09)
    told = describe(ElectionMeasured(election), {screen_story.NODES[1]: ":6200"}, (), 160.0)
    assert told is not None
    assert told.text == "election of :6200: writing after 2.09 s"


def test_what_was_read_back_is_not_all_acknowledged() -> None:
    verified = Verification(acknowledged=640, refused=49, unknown=1, checked=690)
    told = describe(VerificationEnded("drill", verified), {}, (), 160.0)
    assert told is not None
    assert told.text == "drill verified: 690 writes read back, 640 acknowledged, 0 lost"


def test_a_verification_names_the_nodes_that_it_was_judged_without() -> None:
    note = "judged without :6300 (not ready for 30 s)"
    without = (UnreadNode(screen_story.NODES[2], "not ready for 30 s"),)
    verified = Verification(acknowledged=640, checked=690, note=note, without=without)
    told = describe(VerificationEnded("drill", verified), {}, (), 160.0)
    assert told is not None
    assert told.text == f"drill verified: 690 writes read back, 640 acknowledged, 0 lost; {note}"
    assert told.level is Level.WARNING
    told = describe(VerificationEnded("drill", replace(verified, lost=3)), {}, (), 160.0)
    assert told is not None
    assert told.text == f"drill: 3 LOST, 0 phantom writes; {note}"


def test_a_round_tells_when_its_node_was_back_or_why_not() -> None:
    fault = Fault(FaultKind.PAUSE, screen_story.NODES[0], 150.3)
    ended = DrillRound(1, 3, fault, True, "", screen_story.election(fault, 100.0), return_s=33.1)
    told = describe(DrillRoundEnded(ended), {}, (), 160.0)
    assert told is not None
    assert told.text == "drill round 1 of 3: 1.62 s without writes, back after 33.1 s"
    why = "did not come back: not ready for 30 s"
    told = describe(DrillRoundEnded(replace(ended, return_s=None, no_return=why)), {}, (), 160.0)
    assert told is not None
    assert told.text == f"drill round 1 of 3: 1.62 s without writes; :6100 {why}"
    assert told.level is Level.WARNING
