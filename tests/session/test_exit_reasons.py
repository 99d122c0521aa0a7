"""Which exit code all that happened calls for, and that each reason is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from confman_tui.cluster.elections import Verification
from confman_tui.core import errors
from confman_tui.core.errors import EXIT_CODES, EXIT_ORDER, ExitReason, exit_code_of
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.model import DrillEnded, ScenarioResult
from confman_tui.session.events import Level, NoticeGiven, ScenarioEnded, VerificationEnded
from confman_tui.session.exit_reasons import ExitReasons
from tests.support import result_samples

KEPT = Verification(acknowledged=5, checked=5)
STOPPED = Verification(acknowledged=12_339, checked=80, unread=12_259, note="stopped after 80 of 12,339 writes")
GOOD = result_samples.result(verification=KEPT)
LOST = result_samples.result(verification=replace(KEPT, lost=1))
INVALID = result_samples.result(verification=None, outcome=result_samples.outcome(invalid="worker-1 ended by signal 9"))
FAILED = result_samples.result(verification=None, outcome=result_samples.outcome(requests=4, failures=4))
LIMITED = result_samples.result(
    verification=KEPT, generator_bound=GeneratorBound(3, "the load's thread used 97 % of a core", "--workers 1 or more")
)


def after(*results: ScenarioResult, strict: bool = False) -> ExitReasons:
    """The reasons after these runs, each verified as its result says."""
    reasons = ExitReasons(strict=strict)
    for result in results:
        if result.verification is not None:
            reasons.take(VerificationEnded(result.name, result.verification))
        reasons.take(ScenarioEnded(result))
    return reasons


@pytest.mark.parametrize(
    ("results", "strict", "code"),
    [
        ((GOOD,), True, 0),
        ((GOOD, FAILED), False, 1),
        ((FAILED, INVALID), False, 7),
        ((INVALID, LOST, FAILED), False, 5),
        ((GOOD, LIMITED), True, 6),
        ((GOOD, LIMITED), False, 0),
        ((FAILED, LIMITED), True, 6),
        ((LOST, LIMITED), True, 5),
        ((replace(FAILED, verification=STOPPED),), False, 11),
        ((replace(INVALID, verification=STOPPED),), False, 7),
        ((replace(GOOD, verification=replace(STOPPED, lost=1)),), False, 5),
    ],
)
def test_the_first_of_the_order_that_applies(results: tuple[ScenarioResult, ...], strict: bool, code: int) -> None:
    assert after(*results, strict=strict).code == code


def test_the_order_holds_each_code_once_and_the_worst_first() -> None:
    agreed = (70, 130, 5, 10, 12, 7, 11, 4, 9, 8, 6, 1)
    assert sorted(EXIT_ORDER) == sorted({*EXIT_CODES, *agreed} - {0})
    assert [code for code in EXIT_ORDER if code in agreed] == list(agreed)
    every = [ExitReason(code, "") for code in reversed(agreed)]
    for number, code in enumerate(reversed(agreed), start=1):
        assert exit_code_of(every[:number]) == code


@pytest.mark.parametrize(
    ("verification", "code"),
    [
        (STOPPED, 11),
        (Verification(acknowledged=9, unread=9, note="no node was left to read from after 0 of 9 writes"), 11),
        (Verification(unknown=5, checked=5, note="nothing to judge: no write was acknowledged"), 11),
        (Verification(note="nothing to judge: no write was booked"), 0),
        (Verification(acknowledged=9, asked=False, note="not verified (--verify off)"), 0),
        (replace(KEPT, acknowledged=5000), 0),
        (replace(STOPPED, lost=3), 5),
        (replace(STOPPED, phantom=1), 5),
        (replace(KEPT, diverged=1), 5),
        (replace(KEPT, stale=1), 0),
        (replace(KEPT, nodes_read=2, nodes=3), 0),
        (replace(KEPT, nodes_read=1, nodes=3, unproven=5, note="1 of 3 nodes were read"), 11),
        (replace(KEPT, not_caught_up=1, note="1 acknowledged writes differ there and had not caught up"), 11),
        (replace(KEPT, not_caught_up=1, diverged=1, note="1 acknowledged writes differ there"), 5),
    ],
)
def test_writes_that_could_not_be_judged(verification: Verification, code: int) -> None:
    reasons = ExitReasons()
    reasons.take(VerificationEnded("write-10u", verification))
    assert reasons.code == code
    assert verification.note in "".join(reasons.lines()) or code == 0


def test_all_reasons_are_told_the_one_that_decides_first_and_each_once() -> None:
    reasons = after(replace(FAILED, verification=STOPPED), FAILED)
    reasons.take(NoticeGiven(Level.ERROR, "small-x_summary.json can't be written: the disk is full", 1.0, 12))
    reasons.take(DrillEnded((), None, "broken", (ExitReason(4, "drill: the limit was broken"),)))
    assert reasons.lines() == [
        "exit code 12: small-x_summary.json can't be written: the disk is full",
        "also (by itself exit code 11): write-10u: acknowledged writes could not be judged: "
        "stopped after 80 of 12,339 writes",
        "also (by itself exit code 4): drill: the limit was broken",
        "also (by itself exit code 1): write-10u: no request succeeded",
    ]


def test_what_was_told_already_is_not_told_again() -> None:
    reasons = ExitReasons()
    assert reasons.lines() == []
    reasons.add(errors.EXIT_INTERRUPTED, "interrupted", told=True)
    assert (reasons.code, reasons.lines()) == (130, [])
    reasons.take(VerificationEnded("write-1u", STOPPED))
    assert reasons.code == 130
    assert len(reasons.lines()) == 2
