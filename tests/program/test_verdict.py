"""Which exit code the results of a series deserve."""

from __future__ import annotations

import pytest

from confman_tui.cluster.elections import Verification
from confman_tui.headless import verdict
from confman_tui.results.model import ScenarioResult
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
