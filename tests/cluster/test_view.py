"""The view of the cluster, precise for hand-made moments that mislead a naive reader."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from confman_tui.cluster.states import Fact, FactKind, NodeState, Poll, PollKind
from confman_tui.cluster.view import ViewMachine
from tests.support.timelines import NODES, A, B, C, answer, failure, rows_of


def feed(machine: ViewMachine, *polls: Poll) -> list[Fact]:
    return [fact for poll in polls for fact in machine.apply(poll)]


def kinds(facts: Iterable[Fact]) -> list[FactKind]:
    return [fact.kind for fact in facts]


def states(machine: ViewMachine) -> list[NodeState]:
    return [view.state for view in machine.view(0).nodes]


def round_of(sent: float, leader: str, term: int) -> list[Poll]:
    """Each node asked once, ``leader`` leading."""
    return [
        answer(node, sent + place / 1000, "leader" if node == leader else "follower", leader, term)
        for place, node in enumerate(NODES)
    ]


@pytest.fixture
def settled() -> ViewMachine:
    """A leads term 3, all agree, as of second 10."""
    machine = ViewMachine(NODES)
    facts = feed(machine, *round_of(10.0, A, 3))
    assert rows_of(facts) == [("leader_serving", "6100", 3), ("all_agree", "6100", 3)]
    return machine


def test_nothing_is_known_before_the_first_poll() -> None:
    view = ViewMachine(NODES).view(5.0)
    assert (view.at, view.leader, view.term, view.ready) == (5.0, None, None, ())
    assert {node.state for node in view.nodes} == {NodeState.UNKNOWN}


def test_a_fresh_cluster_without_a_leader_tells_nothing_until_one_serves() -> None:
    machine = ViewMachine(NODES)
    assert feed(machine, *(answer(node, 1.0, "follower", None, 0) for node in NODES)) == []
    assert states(machine) == [NodeState.NOT_READY] * 3
    assert machine.view(1.0).term == 0
    facts = feed(machine, *round_of(2.0, B, 1))
    assert kinds(facts) == [
        FactKind.TERM_ADVANCED,
        FactKind.ELECTED,
        FactKind.LEADER_SERVING,
        FactKind.ALL_AGREE,
    ]


def test_the_figures_of_a_node_are_those_of_its_last_poll(settled: ViewMachine) -> None:
    feed(settled, answer(B, 11.0, "follower", A, 3, took=0.25))
    view = settled.view(11.5).node(B)
    assert (view.latency_s, view.last_answer, view.term, view.names_leader) == (0.25, 11.0, 3, A)
    feed(settled, failure(B, 11.3, PollKind.TIMEOUT, "no answer in time"))
    view = settled.view(12.0).node(B)
    assert (view.state, view.ready, view.last_answer, view.since) == (NodeState.SILENT, False, 11.0, 11.3)
    assert (view.term, view.detail) == (3, "no answer in time")
    feed(settled, answer(B, 12.0, "follower", A, 3))
    assert settled.view(12.1).node(B).detail == ""


def test_a_fact_says_when_it_was_asked_seen_and_how_sure_that_is(settled: ViewMachine) -> None:
    facts = feed(settled, failure(A, 10.1, PollKind.TIMEOUT, "no answer in time"))[:2]
    assert [(fact.kind, fact.node, fact.term, fact.at) for fact in facts] == [
        (FactKind.NOT_ANSWERING, A, 3, 10.1),
        (FactKind.LEADER_LOST, A, 3, 10.1),
    ]
    for fact in facts:
        assert fact.detail == "no answer in time"
        assert fact.uncertainty_s == pytest.approx(0.1)
        assert fact.seen == pytest.approx(10.49)
    assert settled.last_good == 10.0


@pytest.mark.parametrize(
    ("poll", "changed"),
    [
        (answer(B, 11.0, "follower", A, 3, took=0.25), False),
        (failure(A, 11.0, PollKind.TIMEOUT), True),
        (failure(B, 11.0, PollKind.REFUSED), True),
        (answer(B, 11.0, "follower", A, 4), True),
        (answer(B, 9.0, "follower", A, 4), False),
    ],
)
def test_latencies_are_no_change_but_states_and_terms_are(settled: ViewMachine, poll: Poll, changed: bool) -> None:
    settled.apply(poll)
    assert settled.changed is changed
    settled.apply(answer(C, 8.0, "follower", A, 3))
    assert not settled.changed


def test_a_late_answer_does_not_bring_an_old_leader_back(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.TIMEOUT), *round_of(12.0, B, 4)[1:], failure(A, 12.0, PollKind.TIMEOUT))
    before = settled.view(0)
    assert settled.apply(answer(A, 10.9, "leader", A, 3, took=2.0)) == ()
    assert settled.view(0) == before
    # Asked before the new term was known, it shows that the node lives, not that it claims to lead against B.
    machine = ViewMachine(NODES)
    feed(machine, *round_of(10.0, A, 3), failure(A, 10.1, PollKind.REFUSED), *round_of(12.0, B, 4)[1:])
    facts = machine.apply(answer(A, 11.9, "leader", A, 3, took=0.3))
    assert kinds(facts) == [FactKind.NODE_BACK]
    assert machine.view(0).leader == B
    facts = machine.apply(answer(A, 12.2, "leader", A, 3))
    assert rows_of(facts) == [("stale_leader", "6100", 3)]
    assert machine.apply(answer(A, 12.3, "leader", A, 3)) == ()
    assert states(machine) == [NodeState.STALE_LEADER, NodeState.LEADER, NodeState.FOLLOWER]


def test_a_resumed_leader_with_the_new_term_does_not_take_the_lead(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.TIMEOUT), *round_of(12.0, B, 4)[1:])
    facts = feed(settled, answer(A, 12.5, "leader", A, 4))
    assert rows_of(facts) == [("node_back", "6100", 4), ("split_claim", "6100", 4)]
    assert settled.view(0).leader == B
    assert states(settled)[0] is NodeState.STALE_LEADER
    facts = feed(settled, answer(A, 12.6, "leader", A, 4), answer(A, 12.7, "follower", B, 4))
    assert kinds(facts) == [FactKind.ALL_AGREE]


def test_a_resumed_leader_with_a_new_term_is_not_believed_before_the_elected_node_serves(settled: ViewMachine) -> None:
    elected = [answer(B, 12.0, "follower", B, 4), answer(C, 12.001, "follower", B, 4)]
    feed(settled, failure(A, 11.0, PollKind.TIMEOUT), *elected)
    feed(settled, answer(A, 12.5, "leader", A, 4), answer(A, 12.6, "leader", A, 4))
    assert settled.view(0).leader is None
    assert states(settled) == [NodeState.STALE_LEADER, NodeState.ELECTED, NodeState.FOLLOWER]
    facts = feed(settled, answer(B, 12.7, "leader", B, 4))
    assert kinds(facts)[0] is FactKind.LEADER_SERVING
    assert settled.view(0).leader == B


def test_a_leader_that_is_really_re_elected_is_believed_on_its_second_word(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.TIMEOUT), answer(B, 11.5, "follower", None, 4))
    feed(settled, answer(A, 12.0, "leader", A, 4))
    assert settled.view(0).leader is None
    facts = feed(settled, answer(A, 12.1, "leader", A, 4))
    assert kinds(facts) == [FactKind.LEADER_SERVING]


def test_a_restarted_leader_is_believed_at_once(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.REFUSED))
    facts = feed(settled, answer(A, 12.0, "leader", A, 4))
    assert FactKind.LEADER_SERVING in kinds(facts)


def test_an_elected_node_is_no_leader_until_it_says_so(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.REFUSED), answer(C, 11.0, "follower", None, 4))
    facts = feed(settled, answer(B, 12.0, "follower", B, 4), answer(B, 12.1, "follower", B, 4))
    assert rows_of(facts) == [("elected", "6200", 4)]
    assert (settled.view(0).leader, states(settled)[1]) == (None, NodeState.ELECTED)
    feed(settled, answer(C, 12.1, "follower", B, 4))
    assert (settled.agreed_on, settled.agreed_since) == (B, 12.1)
    facts = feed(settled, answer(B, 12.3, "leader", B, 4))
    assert rows_of(facts) == [("leader_serving", "6200", 4), ("all_agree", "6200", 4)]


def test_an_elected_node_is_told_when_a_follower_names_it_first(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.REFUSED), answer(B, 11.0, "follower", None, 4))
    facts = feed(settled, answer(C, 12.0, "follower", B, 4), answer(B, 12.01, "follower", B, 4))
    assert [(fact.kind, fact.node, fact.at) for fact in facts] == [(FactKind.ELECTED, B, 12.0)]
    assert facts[0].detail == "named by :6300"


def test_the_old_releases_leader_that_knows_no_leader_does_not_serve(settled: ViewMachine) -> None:
    """DotNext 5.26 says leader first, with ``leader: null`` for a moment."""
    feed(settled, failure(A, 11.0, PollKind.REFUSED))
    feed(settled, answer(B, 12.0, "leader", None, 4))
    assert (settled.view(0).leader, states(settled)[1]) == (None, NodeState.ELECTED)
    assert FactKind.LEADER_SERVING in kinds(feed(settled, answer(B, 12.1, "leader", B, 4)))


def test_a_leader_that_steps_down_and_still_names_itself_is_lost(settled: ViewMachine) -> None:
    facts = feed(settled, answer(A, 11.0, "follower", A, 3))
    assert [(fact.kind, fact.detail) for fact in facts] == [(FactKind.LEADER_LOST, "stepped down, still names itself")]
    facts = feed(settled, answer(B, 11.1, "follower", A, 3))
    assert rows_of(facts) == [("follows_dead_leader", "6200", 3)]


def test_a_leader_that_came_back_and_names_itself_was_leader_and_follows_nobody_yet(settled: ViewMachine) -> None:
    """It is no follower of a dead leader: the name it gives is its own."""
    feed(settled, failure(A, 11.0, PollKind.TIMEOUT), *round_of(12.0, B, 4)[1:])
    facts = feed(settled, answer(A, 12.5, "follower", A, 3))
    assert rows_of(facts) == [("node_back", "6100", 3), ("former_leader", "6100", 3)]
    assert facts[1].detail == "names itself"
    assert (states(settled)[0], settled.view(0).leader) == (NodeState.FORMER_LEADER, B)
    assert kinds(feed(settled, answer(A, 12.6, "follower", A, 4))) == [], "told once, in the new term, too"
    assert kinds(feed(settled, answer(A, 12.7, "follower", B, 4))) == [FactKind.ALL_AGREE]
    assert states(settled)[0] is NodeState.FOLLOWER


def test_followers_of_a_dead_leader_are_ready_and_told_once(settled: ViewMachine) -> None:
    facts = feed(
        settled,
        failure(A, 11.0, PollKind.REFUSED),
        answer(B, 11.1, "follower", A, 3),
        answer(B, 11.2, "follower", A, 3),
        answer(C, 11.1, "follower", A, 3),
    )
    assert rows_of(facts) == [
        ("node_down", "6100", 3),
        ("leader_lost", "6100", 3),
        ("follows_dead_leader", "6200", 3),
        ("follows_dead_leader", "6300", 3),
    ]
    assert settled.view(0).ready == (B, C)


def test_an_answer_asked_before_the_leader_died_names_no_dead_leader(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.REFUSED), answer(B, 10.9, "follower", A, 3, took=0.2))
    assert states(settled)[1] is NodeState.FOLLOWER


def test_a_lone_candidates_higher_term_does_not_depose_a_leader_that_a_majority_names(settled: ViewMachine) -> None:
    """A node cut off from the others, without pre-vote: its term rises, the leader serves on."""
    facts = feed(settled, answer(C, 11.0, "follower", None, 9), *round_of(11.1, A, 3)[:2])
    assert rows_of(facts) == [("term_advanced", "6300", 9)]
    view = settled.view(0)
    assert (view.leader, view.term, settled.leader_term) == (A, 9, 3)
    # The other follower has moved on too: a majority knows the higher term, so nothing can be committed in the old.
    facts = feed(settled, answer(B, 11.2, "follower", None, 9))
    assert rows_of(facts) == [("leader_lost", "6100", 3)]
    assert states(settled)[0] is NodeState.STALE_LEADER


def test_a_new_leader_is_seen_although_the_isolated_old_one_has_a_higher_term(settled: ViewMachine) -> None:
    feed(settled, answer(A, 11.0, "follower", None, 8))
    feed(settled, answer(B, 12.0, "leader", B, 4), answer(C, 12.0, "follower", B, 4))
    assert (settled.view(0).leader, settled.leader_term) == (B, 4)


def test_a_leader_that_no_majority_follows_is_lost_although_it_says_otherwise(settled: ViewMachine) -> None:
    """Cut off from both others, it goes on: role leader, ready, the highest term seen."""
    facts = feed(settled, answer(B, 11.0, "follower", None, 3), answer(A, 11.1, "leader", A, 3))
    assert facts == []
    facts = feed(settled, answer(C, 11.2, "follower", None, 3), answer(A, 11.3, "leader", A, 3))
    assert [(fact.kind, fact.node, fact.detail) for fact in facts] == [
        (FactKind.LEADER_LOST, A, "no majority follows it"),
        (FactKind.STALE_LEADER, A, "no majority follows it"),
    ]
    assert settled.view(0).leader is None
    # One of them learns of it again.
    facts = feed(settled, answer(C, 11.4, "follower", A, 3), answer(A, 11.5, "leader", A, 3))
    assert kinds(facts) == [FactKind.LEADER_SERVING]


def test_a_new_leader_is_not_held_against_by_those_that_have_not_heard_of_it_yet(settled: ViewMachine) -> None:
    feed(settled, failure(A, 11.0, PollKind.REFUSED), *(answer(node, 11.0, "follower", None, 4) for node in (B, C)))
    feed(
        settled,
        answer(B, 12.0, "leader", B, 4),
        answer(C, 12.1, "follower", None, 4),
        answer(A, 12.2, "follower", None, 3),
    )
    assert settled.view(0).leader == B
    feed(settled, answer(C, 12.6, "follower", None, 4), answer(A, 12.6, "follower", None, 3))
    assert settled.view(0).leader is None


def test_an_older_leader_never_replaces_a_newer_one(settled: ViewMachine) -> None:
    feed(settled, *round_of(11.0, B, 5))
    feed(
        settled, answer(A, 12.0, "leader", A, 4), answer(C, 12.0, "follower", A, 4), failure(B, 12.0, PollKind.REFUSED)
    )
    feed(settled, answer(A, 12.1, "leader", A, 4), answer(C, 12.1, "follower", A, 4))
    assert settled.view(0).leader is None
    assert states(settled)[0] is NodeState.STALE_LEADER


def test_leadership_that_moves_between_two_polls_is_lost_and_won_once(settled: ViewMachine) -> None:
    facts = feed(settled, *round_of(11.0, B, 4)[1:], round_of(11.0, B, 4)[0])
    assert rows_of(facts) == [
        ("term_advanced", "6200", 4),
        ("leader_lost", "6100", 3),
        ("leader_serving", "6200", 4),
        ("all_agree", "6200", 4),
    ]


@pytest.mark.parametrize(
    ("kind", "state", "fact"),
    [
        (PollKind.REFUSED, NodeState.REFUSED, FactKind.NODE_DOWN),
        (PollKind.RESET, NodeState.REFUSED, FactKind.NODE_DOWN),
        (PollKind.TIMEOUT, NodeState.SILENT, FactKind.NOT_ANSWERING),
        (PollKind.NOT_CONFMAN, NodeState.NOT_CONFMAN, FactKind.NODE_WRONG),
        (PollKind.WRONG, NodeState.WRONG, FactKind.NODE_WRONG),
        (PollKind.ERROR, NodeState.WRONG, FactKind.NODE_WRONG),
    ],
)
def test_each_failure_is_a_state_and_told_once(
    settled: ViewMachine, kind: PollKind, state: NodeState, fact: FactKind
) -> None:
    facts = feed(settled, *(failure(C, 11.0 + step, kind, "[red]x") for step in range(3)))
    assert kinds(facts) == [fact]
    assert facts[0].detail == "[red]x"
    assert states(settled)[2] is state
    assert kinds(feed(settled, answer(C, 15.0, "follower", A, 3))) == [FactKind.NODE_BACK]


def test_a_paused_node_that_is_killed_is_told_twice_because_it_changed(settled: ViewMachine) -> None:
    facts = feed(settled, failure(C, 11.0, PollKind.TIMEOUT), failure(C, 12.0, PollKind.REFUSED))
    assert kinds(facts) == [FactKind.NOT_ANSWERING, FactKind.NODE_DOWN]


def test_agreement_is_told_again_after_a_disagreement(settled: ViewMachine) -> None:
    facts = feed(
        settled,
        failure(C, 11.0, PollKind.REFUSED),
        answer(C, 12.0, "follower", None, 3),
        answer(C, 12.1, "follower", A, 3),
    )
    assert kinds(facts) == [FactKind.NODE_DOWN, FactKind.NODE_BACK, FactKind.ALL_AGREE]


def test_nobody_agrees_on_a_leader_before_it_is_one() -> None:
    """A poll that was asked before the leader's own may be answered after it."""
    machine = ViewMachine(NODES)
    slow = answer(C, 10.0, "follower", A, 3, took=0.2)
    facts = feed(machine, answer(B, 10.05, "follower", A, 3), answer(A, 10.1, "leader", A, 3), slow)
    assert [(fact.kind, fact.at) for fact in facts if fact.kind is not FactKind.TERM_ADVANCED] == [
        (FactKind.LEADER_SERVING, 10.1),
        (FactKind.ALL_AGREE, 10.1),
    ]


def test_polls_of_foreign_nodes_change_nothing(settled: ViewMachine) -> None:
    before = settled.view(0)
    assert settled.apply(answer("http://127.0.0.1:7000", 20.0, "leader", A, 99)) == ()
    assert settled.view(0) == before


def test_a_clock_that_steps_back_blinds_for_three_polls_only(settled: ViewMachine) -> None:
    steps = [answer(A, 2.0 + step / 10, "follower", None, 4) for step in range(3)]
    assert feed(settled, *steps[:2]) == []
    assert FactKind.LEADER_LOST in kinds(feed(settled, steps[2]))
    feed(settled, *(poll for step in range(6) for poll in round_of(3.0 + step / 10, B, 5)))
    assert settled.view(0).leader == B


def test_nodes_that_call_themselves_otherwise_are_understood() -> None:
    inside = {A: "http://one.internal:8080", B: "http://two.internal:8080", C: "http://three.internal:8080"}
    machine = ViewMachine(NODES)
    facts = feed(
        machine,
        answer(A, 1.0, "leader", inside[A], 1),
        answer(B, 1.0, "follower", inside[A], 1),
        answer(C, 1.0, "follower", inside[A], 1),
    )
    assert rows_of(facts) == [("leader_serving", "6100", 1), ("all_agree", "6100", 1)]
    assert machine.view(0).node(B).names_leader == A


def test_one_node_is_a_cluster() -> None:
    machine = ViewMachine((A,))
    facts = feed(machine, answer(A, 1.0, "leader", A, 1), failure(A, 2.0, PollKind.REFUSED))
    assert kinds(facts) == [
        FactKind.LEADER_SERVING,
        FactKind.ALL_AGREE,
        FactKind.NODE_DOWN,
        FactKind.LEADER_LOST,
    ]
    facts = feed(machine, answer(A, 3.0, "follower", None, 1), answer(A, 4.0, "leader", A, 2))
    assert FactKind.LEADER_SERVING in kinds(facts)


def test_a_cluster_that_was_down_as_a_whole_may_start_again_at_a_lower_term(settled: ViewMachine) -> None:
    feed(settled, *(failure(node, 11.0, PollKind.REFUSED) for node in NODES))
    facts = feed(settled, *round_of(12.0, C, 1), *round_of(12.1, C, 1))
    assert FactKind.LEADER_SERVING in kinds(facts)
    assert FactKind.TERM_ADVANCED not in kinds(facts)
    view = settled.view(0)
    assert (view.leader, view.term) == (C, 1)
