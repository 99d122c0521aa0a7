"""The front end without a screen: which exit code results deserve, how a log and a terminal show
progress, and what stands before a line about an event."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from confman_tui.cluster.elections import Fault, FaultKind, Verification
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.core import errors
from confman_tui.headless import Printer, verdict
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.model import ScenarioResult
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
from tests.support import result_samples

GOOD = result_samples.result(verification=Verification(acknowledged=5, checked=5))
LOST = result_samples.result(verification=Verification(acknowledged=5, checked=5, lost=1))
INVALID = result_samples.result(verification=None, outcome=result_samples.outcome(invalid="worker-1 ended by signal 9"))
FAILED = result_samples.result(verification=None, outcome=result_samples.outcome(requests=4, failures=4))


@pytest.mark.parametrize(
    ("results", "code"),
    [((GOOD,), 0), ((), 1), ((GOOD, FAILED), 1), ((FAILED, INVALID), 7), ((INVALID, LOST, FAILED), 5)],
)
def test_the_worst_decides(results: tuple[ScenarioResult, ...], code: int) -> None:
    assert verdict(results) == code


def test_lost_writes_weigh_more_than_the_generator_and_that_more_than_no_success() -> None:
    bound = GeneratorBound(3, "the load's thread used 97 % of a core", "--workers 1 or more")
    fine = result_samples.result()
    nothing = result_samples.result(outcome=result_samples.outcome(requests=3, failures=3))
    limited = result_samples.result(generator_bound=bound)
    assert fine.verification is not None
    lost = replace(limited, verification=replace(fine.verification, lost=1))
    assert verdict((fine, limited), strict=True) == errors.EXIT_GENERATOR_BOUND
    assert verdict((fine, limited)) == errors.EXIT_OK
    assert verdict((nothing, limited), strict=True) == errors.EXIT_GENERATOR_BOUND
    assert verdict((nothing, fine), strict=True) == errors.EXIT_NO_SUCCESS
    assert verdict((lost, limited), strict=True) == errors.EXIT_LOST
    assert verdict((fine,), strict=True) == errors.EXIT_OK


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
