"""The front end without a screen: how a log and a terminal show progress, and what stands before an event's line."""

from __future__ import annotations

import io

from confman_tui.cluster.elections import Fault, FaultKind
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.headless import Printer
from confman_tui.load.saturation import GeneratorBound
from confman_tui.session.events import (
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    LeftoversFound,
    Level,
    NoticeGiven,
    Phase,
    ProgressMade,
)


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


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


def test_lines_about_events_have_a_word_for_their_topic_and_whole_addresses() -> None:
    stream = Stream(False)
    printer = Printer(stream)
    node = "http://127.0.0.1:6100"
    printer(FactObserved(Fact(FactKind.LEADER_LOST, 1.0, node, 6, "refused")))
    printer(FactObserved(Fact(FactKind.ALL_AGREE, 2.0, node, 7)))
    printer(FaultCaused(Fault(FaultKind.KILL, node, 1.0, "drill")))
    printer(NoticeGiven(Level.INFO, "hello", 1.0))
    printer(GeneratorLimitReached("read-1u", 1.0, GeneratorBound(3, "no core was free", "")))
    printer(LeftoversFound(("bench-small-000", "bench-small-001")))
    assert stream.getvalue().splitlines() == [
        f"cluster: {node} lost as leader, term 6 (refused)",
        f"fault: kill {node} (drill)",
        "info: hello",
        "warning: read-1u: generator-bound, not the cluster's limit: no core was free",
        "leftovers of an earlier run: 2 namespaces; `confman-tui clean` removes them",
    ]
