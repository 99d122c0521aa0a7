"""What is said of a progress: rate, time left, and how a log and a terminal show it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from confman_tui.headless import Printer
from confman_tui.session import dataset
from confman_tui.session.dataset import Progress
from confman_tui.session.events import Event, Phase, ProgressMade


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr(dataset, "time", SimpleNamespace(monotonic=lambda: at[0]))
    return at


def test_the_time_left_is_given_once_the_rate_says_something(clock: list[float]) -> None:
    events: list[Event] = []
    progress = Progress(Phase.SEEDING, events.append)
    progress(0, 100)
    clock[0] += 0.15
    progress(1, 100)
    clock[0] += 0.85
    progress(50, 100)
    first, second = (event for event in events if isinstance(event, ProgressMade))
    assert (first.done, first.left_s) == (1, None)
    assert [second.done, second.rate, second.left_s] == pytest.approx([50, 50.0, 1.0])


async def test_a_log_gets_lines_and_a_terminal_a_bar_on_a_line_of_its_own() -> None:
    made = ProgressMade(Phase.SEEDING, 50, 100, 25.0, 2.0)
    log, terminal = Stream(False), Stream(True)
    for stream in (log, terminal):
        printer = Printer(stream)
        printer(made)
        printer.say("a line")
        printer(made)
        printer.end()
    assert log.getvalue() == "seeding: 50%, 50/100 keys, 25/s, 2 s left\na line\n", "the second within five seconds"
    bar = f"\r\x1b[Kseeding            {'━' * 12}{'─' * 12}  50%  50/100 keys, 25/s, 2 s left"
    assert terminal.getvalue() == f"{bar}\r\x1b[Ka line\n{bar}\n"
