"""The view of the cluster, fed with what a real Confman answered around kills and pauses."""

from __future__ import annotations

from typing import Any

import pytest

from confman_tui.cluster.polling import DEADLINE_S
from confman_tui.cluster.states import Fact, FactKind, NodeState, Poll
from confman_tui.cluster.view import ViewMachine
from tests.support.timelines import FAST, NODES, node_url, timeline, trial_polls, trials

ANY_TERM = -1

# (earliest asking time, kind, port, term), in the order given. The times are those of the recording, or of the signal.
EXPECTED: dict[str, list[tuple[float, str, str, int]]] = {
    "leader_kill": [
        (0.11, "leader_serving", "6200", 1),
        (0.11, "all_agree", "6200", 1),
        (2.144, "node_down", "6200", 1),
        (2.144, "leader_lost", "6200", 1),
        (2.144, "follows_dead_leader", "*", 1),
        (2.144, "follows_dead_leader", "*", 1),
        (4.971, "term_advanced", "*", 2),
        (4.993, "elected", "6100", 2),
        (5.319, "leader_serving", "6100", 2),
        (5.319, "all_agree", "6100", 2),
        (11.455, "node_back", "6200", 2),
    ],
    "leader_pause": [
        (0.083, "leader_serving", "6100", 2),
        (0.083, "all_agree", "6100", 2),
        (2.078, "not_answering", "6100", 2),
        (2.078, "leader_lost", "6100", 2),
        (2.078, "follows_dead_leader", "6200", 2),
        (2.078, "follows_dead_leader", "6300", 2),
        (5.947, "term_advanced", "*", 3),
        (7.473, "elected", "6300", 3),
        (8.997, "leader_serving", "6300", 3),
        (8.997, "all_agree", "6300", 3),
    ],
    "leader_pause_short": [
        (0.108, "leader_serving", "6300", 3),
        (0.108, "all_agree", "6300", 3),
        (2.1, "not_answering", "6300", 3),
        (2.1, "leader_lost", "6300", 3),
        (2.1, "follows_dead_leader", "6100", 3),
        (2.1, "follows_dead_leader", "6200", 3),
        (6.482, "term_advanced", "*", 4),
        (7.963, "elected", "6100", 4),
        (8.27, "leader_serving", "6100", 4),
        (8.27, "all_agree", "6100", 4),
    ],
    "follower_kill": [
        (0.072, "leader_serving", "6100", 4),
        (0.072, "all_agree", "6100", 4),
        (2.085, "node_down", "6200", 4),
        (9.155, "node_back", "6200", 4),
    ],
    "no_quorum": [
        (0.141, "leader_serving", "6100", 4),
        (0.141, "all_agree", "6100", 4),
        (2.147, "node_down", "6200", 4),
        (2.147, "node_down", "6300", 4),
        (2.148, "leader_lost", "6100", 4),
        (19.577, "node_back", "6200", ANY_TERM),
        (19.596, "term_advanced", "*", 5),
        (19.618, "elected", "6100", 5),
        (19.946, "leader_serving", "6100", 5),
        (19.946, "all_agree", "6100", 5),
    ],
    "no_quorum_paused": [
        (0.14, "leader_serving", "6100", 6),
        (0.14, "all_agree", "6100", 6),
        (2.13, "not_answering", "6200", 6),
        (2.13, "not_answering", "6300", 6),
        (3.657, "leader_lost", "6100", 6),
        (22.182, "node_back", "6300", 6),
        (22.182, "node_back", "6200", 6),
        (22.182, "follows_dead_leader", "6300", 6),
        (22.182, "follows_dead_leader", "6200", 6),
        (24.322, "term_advanced", "*", 7),
        (24.322, "elected", "6100", 7),
        (24.623, "leader_serving", "6100", 7),
        (24.623, "all_agree", "6100", 7),
    ],
}


# A resumed node says "leader" for 25 ms: the slow grid happens to ask within them, the fast one is kept waiting by a
# deadline that began before.
RESUMED: dict[tuple[str, float], list[tuple[float, str, str, int]]] = {
    ("leader_pause", 0.02): [(14.093, "node_back", "6100", 3)],
    ("leader_pause", 0.1): [
        (14.093, "node_back", "6100", 2),
        (14.093, "stale_leader", "6100", 2),
        (14.118, "all_agree", "6300", 3),
    ],
    ("leader_pause_short", 0.02): [(8.118, "node_back", "6300", 4)],
    ("leader_pause_short", 0.1): [(8.118, "node_back", "6300", 3), (8.118, "stale_leader", "6300", 3)],
    # Restarted, it says 503 for 34 ms before it follows: the slow grid asks after them.
    ("follower_kill", 0.02): [(9.189, "all_agree", "6100", 4)],
}


def run(polls: list[Poll]) -> tuple[ViewMachine, list[Fact]]:
    """Feed all, and check at each step that a leader is one that says so itself."""
    machine = ViewMachine(NODES)
    facts: list[Fact] = []
    said: dict[str, Poll] = {}
    for poll in polls:
        facts += machine.apply(poll)
        said[poll.node] = poll
        view = machine.view(poll.answered)
        leaders = [node.node for node in view.nodes if node.state is NodeState.LEADER]
        assert leaders == ([] if view.leader is None else [view.leader])
        for leader in leaders:
            assert (said[leader].role, said[leader].ready, said[leader].leader) == ("leader", True, leader)
    return machine, facts


@pytest.mark.parametrize("every_s", [0.02, 0.1])
@pytest.mark.parametrize("name", EXPECTED)
def test_each_change_of_a_recorded_timeline_is_told_once_and_in_time(name: str, every_s: float) -> None:
    _, facts = run(timeline(name, every_s))
    rest = list(facts)
    for earliest, kind, port, term in EXPECTED[name] + RESUMED.get((name, every_s), []):
        # A silent node is asked again only after its deadline, so its return can be seen that much later.
        slack = every_s + FAST + 0.01 + (DEADLINE_S + every_s if kind in ("node_back", "follows_dead_leader") else 0)
        if earliest < 1.0:
            slack += 0.1  # the recordings begin within the first 0.2 s, node by node
        found = [
            fact
            for fact in rest
            if fact.kind.value == kind
            and term in (fact.term, ANY_TERM)
            and port in ("*", (fact.node or "")[-4:])
            and earliest - 0.02 <= fact.at <= earliest + slack
        ]
        assert found, f"{kind} :{port} term {term} from {earliest}: not in {rest}"
        rest.remove(found[0])
    assert rest == []


BESIDE = (FactKind.FOLLOWS_DEAD_LEADER, FactKind.NODE_BACK, FactKind.STALE_LEADER)


@pytest.mark.parametrize("name", ["leader_kill", "leader_pause", "leader_pause_short"])
def test_facts_come_in_the_order_of_an_election(name: str) -> None:
    _, facts = run(timeline(name, 0.1))
    order = [fact.kind for fact in facts if fact.kind not in BESIDE and fact.at < 10.0]
    down = FactKind.NODE_DOWN if "kill" in name else FactKind.NOT_ANSWERING
    assert order == [
        FactKind.LEADER_SERVING,
        FactKind.ALL_AGREE,
        down,
        FactKind.LEADER_LOST,
        FactKind.TERM_ADVANCED,
        FactKind.ELECTED,
        FactKind.LEADER_SERVING,
        FactKind.ALL_AGREE,
    ]


TRIALS = [pytest.param(trial, id=f"{kind}-{trial['trial']}") for kind in ("kill", "pause") for trial in trials(kind)]


@pytest.mark.parametrize("every_s", [0.02, 0.1])
@pytest.mark.parametrize("trial", TRIALS)
def test_the_steps_of_each_recorded_election_are_timed_right(trial: dict[str, Any], every_s: float) -> None:
    old, new = node_url(trial["old_leader"]), node_url(trial["new_leader"])
    polls = trial_polls(trial, every_s)
    machine = ViewMachine(NODES)
    facts: list[Fact] = []
    agreed: float | None = None
    for poll in polls:
        facts += machine.apply(poll)
        if agreed is None and machine.agreed_on == new:
            agreed = machine.agreed_since
        assert machine.view(poll.answered).leader in (None, old if poll.answered < 0.5 else None, new)

    def first(kind: FactKind, node: str | None = None, term: int | None = None) -> Fact:
        return next(
            fact for fact in facts if fact.kind is kind and node in (None, fact.node) and term in (None, fact.term)
        )

    slack = 2 * every_s + 0.01
    lost = first(FactKind.LEADER_LOST)
    assert (lost.node, lost.term) == (old, trial["term_before"])
    assert 0.0 <= lost.at <= slack
    assert lost.at - lost.uncertainty_s <= 0.0
    assert lost.seen <= 0.5
    elected = first(FactKind.ELECTED, new)
    assert elected.at == pytest.approx(trial["s_to_first_node_naming_new_leader"], abs=slack)
    assert elected.term == trial["term_after"]
    assert agreed == pytest.approx(trial["s_to_survivors_agree"], abs=slack)
    serving = first(FactKind.LEADER_SERVING, new)
    assert serving.at == pytest.approx(trial["s_to_first_new_leader_role"], abs=slack)
    assert serving.term == trial["term_after"]
    # Its uncertainty reaches back to before it can have happened.
    assert serving.at - serving.uncertainty_s <= trial["s_to_first_new_leader_role"]
    kinds = [fact.kind for fact in facts]
    assert kinds.count(FactKind.LEADER_LOST) == 1
    assert kinds.count(FactKind.LEADER_SERVING) == 2
    rounds = trial["term_after"] - trial["term_before"]
    assert 1 <= kinds.count(FactKind.TERM_ADVANCED) <= rounds
    final = machine.view(0)
    assert (final.leader, final.term) == (new, trial["term_after"])


@pytest.mark.parametrize("trial", list(trials("pause")), ids=lambda trial: f"pause-{trial['trial']}")
def test_a_resumed_leader_is_told_as_what_it_said(trial: dict[str, Any]) -> None:
    old = node_url(trial["old_leader"])
    machine, facts = run(trial_polls(trial, 0.1))
    after = [fact for fact in facts if fact.node == old and fact.at > trial["first_ok_write_s"]]
    said = [(one["role"], one["term"]) for one in trial["resumed_ready"]]
    kinds = [fact.kind for fact in after]
    assert kinds[0] is FactKind.NODE_BACK
    assert (FactKind.SPLIT_CLAIM in kinds) == (("leader", trial["term_after"]) in said)
    assert (FactKind.STALE_LEADER in kinds) == (("leader", trial["term_before"]) in said)
    assert machine.view(0).node(old).state is NodeState.FOLLOWER
