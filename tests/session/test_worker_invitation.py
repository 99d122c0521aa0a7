"""What a session says about how workers join."""

from __future__ import annotations

import pytest

from confman_tui.load.workers.plan import WorkerPlan
from confman_tui.session.workers import invitation, open_bind
from confman_tui.settings.worker_token import VARIABLE, of_this_program

TOKEN = "00112233445566778899aabbccddeeff"


def test_the_line_holds_the_token_only_where_this_program_made_it() -> None:
    own = invitation(WorkerPlan(0, 1, token=of_this_program()), "here:5")
    assert own == f"workers join: {VARIABLE}={of_this_program()} confman-tui worker --master here:5"
    given = invitation(WorkerPlan(0, 1, token=TOKEN), "here:5")
    assert given == f"workers join: confman-tui worker --master here:5 (with {VARIABLE} as it is set here)"


@pytest.mark.parametrize(
    ("host", "open_to_others"),
    [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("*", True), ("10.0.0.1", True), ("bench-1", True)],
)
def test_a_bind_that_others_reach_is_told(host: str, open_to_others: bool) -> None:
    sentence = open_bind(WorkerPlan(0, 1, (host, 5), token=TOKEN))
    assert bool(sentence) is open_to_others
    assert TOKEN not in sentence
