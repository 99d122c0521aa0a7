"""Which nodes have caught up, and how long those that have not are waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from confman_tui.cluster.caught_up import DOWN_FOR_GOOD_S, Behind, CatchUp, awaited, why_behind
from confman_tui.cluster.states import ClusterView, NodeState, NodeView

A, B, C = (f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))


def view(third: NodeView | None = None, at: float = 100.0, leader: str | None = A) -> ClusterView:
    """A leads, B and C follow."""
    nodes = (
        NodeView(A, NodeState.LEADER, 50.0, 7, True, A),
        NodeView(B, NodeState.FOLLOWER, 50.0, 7, True, A),
        third or NodeView(C, NodeState.FOLLOWER, 50.0, 7, True, A),
    )
    return ClusterView(at, nodes, leader, 7, 50.0)


FOLLOWS = view().node(C)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (FOLLOWS, ""),
        (replace(FOLLOWS, state=NodeState.NOT_READY, ready=False, names_leader=None), "not ready"),
        (replace(FOLLOWS, ready=False), "not ready"),
        (replace(FOLLOWS, term=6), "in another term than the leader"),
        (replace(FOLLOWS, term=8), "in another term than the leader"),
        (replace(FOLLOWS, names_leader=B), "naming another leader"),
        (replace(FOLLOWS, state=NodeState.STALE_LEADER), "stale leader"),
        (replace(FOLLOWS, state=NodeState.FOLLOWER_OF_DEAD), "follows a dead leader"),
        (replace(FOLLOWS, state=NodeState.ELECTED), "elected, not serving"),
        (replace(FOLLOWS, state=NodeState.REFUSED, ready=False), "refused"),
        (replace(FOLLOWS, state=NodeState.SILENT, ready=False), "not answering"),
    ],
)
def test_a_node_has_caught_up_when_it_is_ready_and_in_its_leaders_term(node: NodeView, why: str) -> None:
    assert why_behind(view(node), node) == why
    assert [one.why for one in CatchUp().behind(view(node))] == ([why] if why else [])


def test_without_a_leader_no_node_has_caught_up() -> None:
    assert [one.why for one in CatchUp().behind(view(leader=None))] == ["without a leader"] * 3


def test_how_long_it_has_been_behind_counts_from_when_it_began() -> None:
    catch_up = CatchUp()
    unready = replace(FOLLOWS, state=NodeState.NOT_READY, ready=False, since=70.0)
    (one,) = catch_up.behind(view(unready))
    assert one.words(100.0) == "not ready for 30 s"
    (one,) = catch_up.behind(view(unready), {C: 90.0})
    assert one.words(100.0) == "not ready for 10 s", "what it was before its resume does not count"
    # A follower since long ago, in another term since this moment.
    other = replace(FOLLOWS, term=6)
    (one,) = catch_up.behind(view(other))
    assert one.words(100.0) == "in another term than the leader for 0 s"
    (one,) = catch_up.behind(view(other, at=104.0))
    assert one.words(104.0) == "in another term than the leader for 4 s"
    assert one.words(104.0, 80.0) == "in another term than the leader for 4 s, not caught up for 24 s"


def behind(node: str, held: float, *, answers: bool = True) -> Behind:
    return Behind(node, "not ready" if answers else "refused", 100.0 - held, answers)


@pytest.mark.parametrize(
    ("some", "hurt", "names"),
    [
        ([], [], []),
        ([behind(C, 1.0)], [], [C]),
        ([behind(C, 29.9)], [], [C]),
        ([behind(C, 31.0)], [], []),
        ([behind(C, 1.0)], [C], []),
        ([behind(C, 1.0, answers=False)], [], [C]),
        ([behind(C, DOWN_FOR_GOOD_S + 0.1, answers=False)], [], []),
        ([behind(C, 1.0, answers=False)], [C], []),
        # Nobody leads: two of three can elect, one alone never will.
        ([behind(A, 60.0, answers=False), behind(B, 1.0), behind(C, 1.0)], [A], [B, C]),
        ([behind(A, 60.0, answers=False), behind(B, 60.0, answers=False), behind(C, 1.0)], [], []),
        ([behind(A, 1.0, answers=False), behind(B, 1.0, answers=False), behind(C, 1.0)], [A, B], []),
    ],
)
def test_who_is_waited_for(some: list[Behind], hurt: list[str], names: list[str]) -> None:
    assert [one.node for one in awaited(some, 3, hurt, 100.0, 30.0)] == names


def test_a_node_that_was_down_before_the_run_is_not_waited_for() -> None:
    some = [behind(C, 3.0, answers=False)]
    assert [one.node for one in awaited(some, 3, [], 100.0, 30.0, 96.0)] == [C]
    assert awaited(some, 3, [], 100.0, 30.0, 98.0) == ()
    assert [one.node for one in awaited([behind(C, 3.0)], 3, [], 100.0, 30.0, 98.0)] == [C], "it answers"
