"""Who sends where, as leadership moves and nodes come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from confman_tui.load.targets import TargetBoard

A, B, C, D = (f"http://127.0.0.1:{port}" for port in (1, 2, 3, 4))


def test_writers_follow_the_leader_and_go_on_trying_the_last_one() -> None:
    board = TargetBoard()
    assert board.current.for_leader(0) is None
    board.publish(A, (A, B, C))
    assert board.current.for_leader(7) == A
    board.publish(None, (B, C))
    assert board.current.for_leader(7) == A
    board.publish(C, (B, C))
    assert board.current.for_leader(7) == C


def test_writers_try_any_node_while_no_leader_was_ever_known() -> None:
    board = TargetBoard()
    board.publish(None, (A, B))
    assert {board.current.for_leader(user) for user in range(4)} == {A, B}


def test_a_lost_node_moves_its_own_users_only_and_gets_them_back() -> None:
    board = TargetBoard()
    board.publish(A, (A, B, C))
    before = [board.current.for_any(user) for user in range(9)]
    assert before == [A, B, C] * 3
    board.publish(A, (A, C))
    during = [board.current.for_any(user) for user in range(9)]
    assert all(now == then for now, then in zip(during, before, strict=True) if then != B)
    assert {now for now, then in zip(during, before, strict=True) if then == B} <= {A, C}
    board.publish(A, (A, B, C))
    assert [board.current.for_any(user) for user in range(9)] == before


def test_readers_stay_where_they_are_while_no_node_is_ready() -> None:
    board = TargetBoard()
    board.publish(A, (A, B))
    board.publish(None, ())
    assert [board.current.for_any(user) for user in range(2)] == [A, B]


def test_nothing_new_publishes_nothing() -> None:
    board = TargetBoard()
    board.publish(A, (A, B))
    snapshot = board.current
    board.publish(A, (A, B))
    assert board.current is snapshot


@given(
    st.lists(
        st.tuples(st.sampled_from([None, A, B, C]), st.lists(st.sampled_from([A, B, C]), unique=True)), min_size=1
    ),
    st.integers(0, 1000),
)
def test_a_user_is_never_sent_to_a_node_that_is_not_ready_while_one_is(
    history: list[tuple[str | None, list[str]]], user: int
) -> None:
    board = TargetBoard()
    for leader, ready in history:
        board.publish(leader, tuple(ready))
        chosen = board.current.for_any(user)
        if ready:
            assert chosen in ready
        follower = board.current.for_follower(user)
        if ready:
            assert follower in ready
            others = set(ready) - {board.current.leader or board.current.last_leader}
            assert follower in others or not others
        writer = board.current.for_leader(user)
        assert leader is None or writer == leader


def test_users_are_handed_out_in_turn_from_the_entry_on_whoever_is_ready_first() -> None:
    for first_ready in ((B,), (C, B), (A, B, C)):
        board = TargetBoard()
        board.publish(None, (), (A, B, C))
        board.publish(first_ready[0], first_ready, (A, B, C))
        board.publish(B, (A, B, C), (A, B, C))
        assert [board.current.for_any(user) for user in range(6)] == [A, B, C] * 2


def test_a_node_that_is_not_ready_yet_moves_its_own_users_only() -> None:
    board = TargetBoard()
    board.publish(B, (B, C), (A, B, C))
    assert [board.current.for_any(user) for user in (1, 2, 4, 5)] == [B, C, B, C]
    assert {board.current.for_any(user) for user in (0, 3)} == {B, C}


def test_the_entry_is_the_entry_whether_it_is_ready_or_leads() -> None:
    board = TargetBoard()
    board.publish(B, (B, C), (A, B, C))
    assert {board.current.for_entry(user) for user in range(4)} == {A}


def test_followers_are_all_but_the_leader_and_move_with_it() -> None:
    board = TargetBoard()
    board.publish(B, (A, B, C), (A, B, C))
    assert [board.current.for_follower(user) for user in range(4)] == [A, C, A, C]
    board.publish(C, (A, B, C), (A, B, C))
    assert [board.current.for_follower(user) for user in range(4)] == [A, B, A, B]
    # nobody leads: the last leader is no follower yet
    board.publish(None, (A, B), (A, B, C))
    assert [board.current.for_follower(user) for user in range(4)] == [A, B, A, B]


def test_a_follower_that_is_lost_moves_its_own_users_only() -> None:
    board = TargetBoard()
    nodes = (A, B, C, D)
    board.publish(A, nodes, nodes)
    assert [board.current.for_follower(user) for user in range(3)] == [B, C, D]
    board.publish(A, (A, B, D), nodes)
    assert [board.current.for_follower(user) for user in (0, 2)] == [B, D]
    assert {board.current.for_follower(user) for user in (1, 4)} == {B, D}


def test_without_a_follower_that_serves_the_leader_does() -> None:
    board = TargetBoard()
    board.publish(A, (A,), (A,))
    assert board.current.for_follower(3) == A
    board = TargetBoard()
    board.publish(A, (A,), (A, B, C))
    assert {board.current.for_follower(user) for user in range(4)} == {A}
    # nothing serves at all: a reader goes on trying its own
    board.publish(None, (), (A, B, C))
    assert [board.current.for_follower(user) for user in range(2)] == [B, C]
