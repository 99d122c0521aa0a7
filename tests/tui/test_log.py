"""The event log's order: by time, whenever a line is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from confman_tui.tui.log import MOST_LINES, EventLog, LogLine, Topic


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
