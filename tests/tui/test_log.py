"""The event log's order: by time, whenever a line comes. Their words are tested beside
`confman_tui.session.event_text`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import Fault, FaultKind
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.session.events import (
    FactObserved,
    FaultCaused,
    LeftoversFound,
)
from confman_tui.tui.log import MOST_LINES, EventLog, LogLine, Topic, describe
from tests.support import screen_story


def line(at: float, text: str = "") -> LogLine:
    return LogLine(at, "·", text, Topic.RUNS)


@given(st.lists(st.integers(0, 20), max_size=60))
def test_lines_stand_by_their_time_and_then_as_they_came(times: list[int]) -> None:
    log = EventLog()
    for number, at in enumerate(times):
        log.add(line(at, str(number)))
    assert [(entry.at, int(entry.text)) for entry in log.lines] == sorted(zip(times, range(len(times)), strict=True))
    assert log.total == len(times)


def test_a_full_log_drops_its_oldest_line_and_takes_no_older_one() -> None:
    log = EventLog()
    for at in range(MOST_LINES):
        log.add(line(10.0 + at))
    log.add(line(20.5, "came late"))
    log.add(line(1.0, "older than all"))
    assert len(log.lines) == MOST_LINES
    assert [entry.at for entry in log.lines][:2] == [11.0, 12.0]
    assert [entry.text for entry in log.lines if entry.text] == ["came late"]


def test_a_resumed_node_is_back_when_it_answers_and_not_when_it_was_asked() -> None:
    fault = Fault(FaultKind.RESUME, screen_story.NODES[0], 100.30)
    back = Fact(FactKind.NODE_BACK, 100.25, screen_story.NODES[0], 7, seen=100.31)
    log = EventLog()
    for event in (FaultCaused(fault), FactObserved(back)):
        said = describe(event, {}, (), 101.0)
        assert said is not None
        log.add(said)
    assert [entry.glyph for entry in log.lines] == ["⚑", "○"]


def test_text_from_a_server_is_made_safe_and_the_way_out_is_a_key() -> None:
    fact = Fact(FactKind.NODE_WRONG, 100.0, screen_story.NODES[0], detail="\x1b[31m answered\nnonsense")
    said = describe(FactObserved(fact), {screen_story.NODES[0]: ":6100"}, (), 101.0)
    assert said is not None
    assert said.text == ":6100 answers, but not as Confman (␛[31m answered nonsense)"
    left = describe(LeftoversFound(("a", "b")), {}, (), 101.0)
    assert left is not None
    assert left.text == "leftovers of an earlier run: 2 namespaces; 'remove leftovers' takes them away"
