"""The view of the cluster under any polls: late, doubled, in any order, with wrong terms and clocks that step."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.states import ClusterView, Fact, FactKind, NodeState, Poll, PollKind
from confman_tui.cluster.view import ViewMachine
from tests.support.timelines import NODES

NAMES = st.sampled_from([*NODES, None, "http://elsewhere:1"])


@st.composite
def any_poll(draw: st.DrawFn) -> Poll:
    """A poll of any node at any time, with anything that the parser lets through."""
    node = draw(st.sampled_from(NODES))
    sent = draw(st.integers(0, 60)) / 10
    answered = sent + draw(st.integers(0, 8)) / 10
    kind = draw(st.sampled_from([PollKind.ANSWER] * 6 + list(PollKind)))
    if kind is not PollKind.ANSWER:
        return Poll(node, sent, answered, kind, detail="x")
    role = draw(st.sampled_from(["leader", "follower"]))
    leader = draw(NAMES)
    ready = draw(st.booleans()) if leader is None else draw(st.sampled_from([True, True, False]))
    return Poll(node, sent, answered, kind, ready, role, leader, draw(st.integers(0, 5)))


@st.composite
def any_run(draw: st.DrawFn) -> list[Poll]:
    """Polls of a clock that goes on but for a step now and then, late answers and doubled ones among them."""
    polls: list[Poll] = []
    # so high that no number of steps back leads to the times of `any_poll`
    now = 10_000.0
    for poll in draw(st.lists(any_poll(), max_size=60)):
        now += draw(st.sampled_from([0.0, 0.01, 0.1, 0.1, 0.1, 1.0, -30.0]))
        late = draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, 3.0]))
        moved = Poll(
            poll.node,
            now - late,
            now + 0.01,
            poll.kind,
            poll.ready,
            poll.role,
            poll.leader,
            poll.term,
            poll.detail,
        )
        polls += [moved] * draw(st.sampled_from([1, 1, 1, 2]))
    return polls


def leaders(view: ClusterView) -> list[str]:
    return [node.node for node in view.nodes if node.state is NodeState.LEADER]


def check_step(before: ClusterView, after: ClusterView, facts: tuple[Fact, ...]) -> None:
    """What must hold of one step, whatever was fed."""
    assert leaders(after) == ([] if after.leader is None else [after.leader])
    assert (after.leader is None) == (after.leader_since is None)
    changes = [(fact.kind, fact.node) for fact in facts]
    assert len(set(changes)) == len(changes)
    changed = before.leader != after.leader
    assert not changed or any(kind in (FactKind.LEADER_LOST, FactKind.LEADER_SERVING) for kind, _ in changes)
    for fact in facts:
        assert fact.uncertainty_s >= 0.0
        assert fact.seen >= fact.at
    for kind, state in (
        (FactKind.NODE_DOWN, NodeState.REFUSED),
        (FactKind.NOT_ANSWERING, NodeState.SILENT),
        (FactKind.FOLLOWS_DEAD_LEADER, NodeState.FOLLOWER_OF_DEAD),
        (FactKind.FORMER_LEADER, NodeState.FORMER_LEADER),
    ):
        entered = {
            node.node
            for old, node in zip(before.nodes, after.nodes, strict=True)
            if node.state is state
            and old.state is not state
            # one that led until now is reported as a lost leader
            and (state, old.state) != (NodeState.FORMER_LEADER, NodeState.LEADER)
        }
        assert {node for one, node in changes if one is kind} == entered


@given(st.lists(any_poll(), max_size=80) | any_run())
@settings(max_examples=300, deadline=None)
def test_any_polls_give_one_leader_at_most_and_each_change_once(polls: list[Poll]) -> None:
    machine = ViewMachine(NODES)
    claimed = -1
    led = -1
    down: set[str] = set()
    reborn = False
    serving: tuple[str | None, int | None] | None = None
    for poll in polls:
        before = machine.view(0)
        facts = machine.apply(poll)
        after = machine.view(0)
        check_step(before, after, facts)
        taken = after != before or facts
        if taken and poll.kind is PollKind.ANSWER:
            down.discard(poll.node)
            if reborn:
                claimed, led, reborn = -1, -1, False
            if poll.role == "leader":
                claimed = max(claimed, poll.term or 0)
        elif taken:
            (down.add if poll.kind is PollKind.REFUSED else down.discard)(poll.node)
            reborn = reborn or len(down) == len(NODES)
        for fact in facts:
            if fact.kind is FactKind.LEADER_SERVING:
                # Once for each leadership, and never for an older one.
                assert serving is None
                serving = (fact.node, fact.term)
                assert fact.term is not None
                assert fact.term >= led
                led = fact.term
            elif fact.kind is FactKind.LEADER_LOST:
                assert serving == (fact.node, fact.term)
                serving = None
        assert (serving[0] if serving is not None else None) == after.leader
        if after.leader is not None:
            assert machine.leader_term is not None
            assert machine.leader_term >= claimed
            assert after.term is not None
            assert machine.leader_term <= after.term


@given(st.lists(any_poll(), max_size=40) | any_run())
@settings(max_examples=150, deadline=None)
def test_a_doubled_answer_changes_nothing(polls: list[Poll]) -> None:
    machine, twice = ViewMachine(NODES), ViewMachine(NODES)
    for poll in sorted(polls, key=lambda poll: poll.sent):
        facts = machine.apply(poll)
        assert twice.apply(poll) == facts
        before = twice.view(0)
        assert twice.apply(poll) == ()
        assert twice.view(0) == before == machine.view(0)


@given(any_run(), st.lists(any_poll(), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_single_late_answer_changes_nothing(polls: list[Poll], late: list[Poll]) -> None:
    machine = ViewMachine(NODES)
    latest: dict[str, Poll] = {}
    for poll in sorted(polls, key=lambda poll: poll.sent):
        machine.apply(poll)
        latest[poll.node] = poll
    before = machine.view(0)
    for poll in {one.node: one for one in late}.values():
        if poll.node in latest:
            assert poll.sent < latest[poll.node].sent
            assert machine.apply(poll) == ()
    assert machine.view(0) == before


@given(st.lists(any_poll(), max_size=60), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_clusters_of_one_to_nine_nodes_take_any_polls(polls: list[Poll], count: int) -> None:
    nodes = tuple(f"http://127.0.0.1:{6000 + 100 * place}" for place in range(1, count + 1))
    machine = ViewMachine(nodes)
    for poll in polls:
        before = machine.view(0)
        facts = machine.apply(poll)
        check_step(before, machine.view(0), facts)
