"""What the answers of some nodes prove of a write, against all that the others may hold."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import Breach, WriteOutcome, majority
from confman_tui.cluster.writes.rules import Demand, Fate, KeyState, VerificationCounts, fate_of

WRITTEN, REFUSED, STRANGE = 1, 2, 3
ACKNOWLEDGED = Demand(WriteOutcome.ACKNOWLEDGED, (WRITTEN,), (REFUSED,))
WRONG = (KeyState.ABSENT, KeyState.OTHER, KeyState.PHANTOM)

answers = st.lists(
    st.tuples(st.sampled_from([None, KeyState.GOOD, *WRONG]), st.booleans()), min_size=1, max_size=7
).filter(lambda nodes: any(state is not None for state, _ in nodes))
"""Of each configured node: what it shows (None: it was not read), and whether it is behind."""


def shown_and_behind(nodes: list[tuple[KeyState | None, bool]]) -> tuple[dict[str, KeyState], set[str]]:
    shown = {f"n{number}": state for number, (state, _) in enumerate(nodes) if state is not None}
    return shown, {f"n{number}" for number, (_, behind) in enumerate(nodes) if behind}


def holders(nodes: list[tuple[KeyState | None, bool]]) -> set[int]:
    """On how many nodes the write may stand in the end: nodes that were not read and those that are behind and lack it
    may hold it, or not."""
    certain = sum(state is KeyState.GOOD for state, _ in nodes)
    open_ = sum(state is None or (state is not KeyState.GOOD and behind) for state, behind in nodes)
    return {certain + sum(more) for more in product((0, 1), repeat=open_)}


@given(answers)
def test_what_is_said_holds_whatever_the_other_nodes_hold(nodes: list[tuple[KeyState | None, bool]]) -> None:
    shown, behind = shown_and_behind(nodes)
    fate = fate_of(len(nodes), shown, behind)
    possible = holders(nodes)
    lacking = {len(nodes) - count for count in possible}
    least = majority(len(nodes))
    assert (fate is Fate.LOST) == all(count >= least for count in lacking), "a majority lacks it, in every case"
    all_right = all(state is KeyState.GOOD for state in shown.values())
    assert (fate is Fate.KEPT) == (all_right and all(count >= least for count in possible))
    if fate is Fate.DIVERGED:
        assert any(state in WRONG and node not in behind for node, state in shown.items())
    if fate is Fate.NOT_CAUGHT_UP:
        assert all(node in behind for node, state in shown.items() if state in WRONG)
    if fate is Fate.UNPROVEN:
        assert min(possible) < least <= max(possible), "the nodes that were not read decide"


@given(answers)
def test_fewer_than_a_majority_never_proves_that_a_write_was_kept_or_lost(
    nodes: list[tuple[KeyState | None, bool]],
) -> None:
    shown, behind = shown_and_behind(nodes)
    if len(shown) < majority(len(nodes)):
        assert fate_of(len(nodes), shown, behind) in (Fate.DIVERGED, Fate.NOT_CAUGHT_UP, Fate.UNPROVEN)


@given(answers, st.sampled_from([KeyState.GOOD, *WRONG]))
def test_a_further_node_never_takes_a_loss_or_a_difference_back(
    nodes: list[tuple[KeyState | None, bool]], more: KeyState
) -> None:
    shown, behind = shown_and_behind(nodes)
    before = fate_of(len(nodes), shown, behind)
    for number, (state, _) in enumerate(nodes):
        if state is None:
            after = fate_of(len(nodes), {**shown, f"n{number}": more}, behind)
            assert before is not Fate.LOST or after is Fate.LOST
            assert before is not Fate.DIVERGED or after in (Fate.DIVERGED, Fate.LOST)


@given(st.lists(answers, max_size=8))
def test_each_key_is_counted_under_one_fate_and_broken_ones_with_what_each_node_holds(
    keys: list[list[tuple[KeyState | None, bool]]],
) -> None:
    configured = [f"n{number}" for number in range(7)]
    counts = VerificationCounts(configured)
    for number, nodes in enumerate(keys):
        shown, behind = shown_and_behind(nodes)
        counts.count("ns", f"k{number}", ACKNOWLEDGED, shown, behind)
    kept = counts.checked - counts.lost - counts.diverged - counts.not_caught_up - counts.unproven
    assert 0 <= kept <= counts.checked == len(keys)
    assert counts.phantom == len(counts.phantoms)
    by_breach = {breach: sum(one.breach is breach for one in counts.broken) for breach in Breach}
    assert (by_breach[Breach.LOST], by_breach[Breach.DIVERGED]) == (counts.lost, counts.diverged)
    assert by_breach[Breach.PHANTOM] <= counts.phantom
    for one in counts.broken:
        assert list(one.holds) == configured
        nodes = keys[int(one.key.removeprefix("ns/k"))]
        for at, node in enumerate(configured):
            read = at < len(nodes) and nodes[at][0] is not None
            assert (one.holds[node] == "not read") != read


@pytest.mark.parametrize(
    ("digest", "state"),
    [
        (None, KeyState.ABSENT),
        (WRITTEN, KeyState.GOOD),
        (REFUSED, KeyState.PHANTOM),
        (STRANGE, KeyState.OTHER),
    ],
)
def test_what_a_read_shows_of_an_acknowledged_write(digest: int | None, state: KeyState) -> None:
    assert ACKNOWLEDGED.see(digest) is state
