"""What a generator that was the limit does to a drill's verdict."""

from __future__ import annotations

import pytest

from confman_tui.core import errors
from confman_tui.load.saturation import GeneratorBound
from confman_tui.session.drill_rules import with_generator_bound
from confman_tui.session.events import DrillEnded


@pytest.mark.parametrize(
    ("code", "strict", "expected"),
    [
        (errors.EXIT_OK, True, errors.EXIT_GENERATOR_BOUND),
        (errors.EXIT_NO_SUCCESS, True, errors.EXIT_GENERATOR_BOUND),
        (errors.EXIT_UNAVAILABLE, True, errors.EXIT_UNAVAILABLE),
        (errors.EXIT_LOST, True, errors.EXIT_LOST),
        (errors.EXIT_OK, False, errors.EXIT_OK),
    ],
)
def test_a_drill_says_it_in_its_verdict(code: int, strict: bool, expected: int) -> None:
    bound = GeneratorBound(4, "the load's loop was up to 45 ms late", "fewer users")
    before = (errors.ExitReason(code, "drill: something"),) if code else ()
    ended = DrillEnded((), None, "5 rounds, nothing lost.", before)
    judged = with_generator_bound(ended, bound, strict=strict)
    assert judged.exit_code == expected
    assert judged.verdict == ("5 rounds, nothing lost; generator-bound for 4 s: the load's loop was up to 45 ms late")
    assert with_generator_bound(ended, None, strict=strict) == ended
