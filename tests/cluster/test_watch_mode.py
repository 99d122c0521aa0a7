"""When the watch is calm and when it is alert."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.states import ClusterView, NodeState, NodeView, Poll, PollKind
from confman_tui.cluster.watch_mode import (
    PROBE_ALERT_S,
    PROBE_IDLE_S,
    WatchMode,
    WatchPace,
    WatchUse,
    agrees,
    late_write_s,
)

A, B, C = NODES = ("http://a:1", "http://b:1", "http://c:1")


def node(url: str, state: NodeState = NodeState.FOLLOWER, names: str | None = A, term: int = 3) -> NodeView:
    return NodeView(url, state, since=0.0, term=term, ready=True, names_leader=names)


def well(at: float = 0.0) -> ClusterView:
    return ClusterView(at, (node(A, NodeState.LEADER), node(B), node(C)), leader=A, term=3)


def with_node(view: ClusterView, changed: NodeView) -> ClusterView:
    return replace(view, nodes=tuple(changed if one.node == changed.node else one for one in view.nodes))


def poll(url: str, at: float, kind: PollKind = PollKind.ANSWER, took: float = 0.001) -> Poll:
    return Poll(url, at, at + took, kind, ready=True, role="follower", leader=A, term=3)


def calm_at(at: float) -> WatchMode:
    """One that became calm at that time, having seen the nodes well."""
    mode = WatchMode(at)
    for url in NODES:
        mode.polled(poll(url, at), changed=True)
    assert mode.tick(at, well(), 0.0, 0.0)
    assert not mode.alert
    return mode


def test_it_begins_alert_and_is_calm_once_the_nodes_were_seen_to_agree() -> None:
    mode = WatchMode(100.0)
    assert mode.alert
    unknown = replace(well(), leader=None, nodes=(NodeView(A), NodeView(B), NodeView(C)))
    mode.polled(poll(A, 100.0), changed=True)
    assert not mode.tick(100.0, with_node(unknown, node(A, NodeState.LEADER)), 0.0, 0.0)
    mode.polled(poll(B, 100.0), changed=True)
    assert mode.tick(100.1, well(), 0.0, 0.0)


def test_a_start_in_trouble_is_calm_once_all_was_well_for_three_seconds() -> None:
    mode = WatchMode(100.0)
    mode.polled(poll(A, 100.0, PollKind.REFUSED), changed=True)
    mode.polled(poll(A, 101.0), changed=True)
    assert not mode.tick(101.1, well(), 0.0, 0.0)
    assert not mode.tick(104.0, well(), 0.0, 0.0)
    assert mode.tick(104.2, well(), 0.0, 0.0)
    assert not mode.alert


@pytest.mark.parametrize(
    ("seen", "changed"),
    [
        (poll(B, 200.0, PollKind.REFUSED), True),
        (poll(B, 200.0, PollKind.TIMEOUT), False),
        (poll(B, 200.0, took=0.3), False),
        (poll(B, 200.0), True),
    ],
)
def test_each_first_sign_makes_it_alert(seen: Poll, changed: bool) -> None:
    mode = calm_at(199.0)
    assert mode.polled(seen, changed)
    assert mode.alert
    assert mode.reason.startswith(B)


def test_an_answer_as_ever_is_no_sign() -> None:
    mode = calm_at(199.0)
    for at in range(200, 300):
        assert not mode.polled(poll(B, float(at)), changed=False)
    assert not mode.alert


def test_a_poll_without_an_answer_yet_is_a_sign_unless_the_node_was_away() -> None:
    mode = calm_at(199.0)
    assert mode.waits_for(B, 200.0)
    mode = calm_at(199.0)
    away = with_node(well(), node(B, NodeState.SILENT))
    mode.polled(poll(B, 200.0, PollKind.TIMEOUT), changed=True)
    mode.tick(200.1, away, 0.0, 0.0)
    assert mode.tick(203.2, away, 0.0, 0.0), "a node that stays away is no news"
    assert not mode.waits_for(B, 204.0)
    assert not mode.polled(poll(B, 204.0, PollKind.TIMEOUT), changed=False)
    assert mode.polled(poll(B, 205.0), changed=True), "its return is"


def test_writes_must_go_through_again_when_anybody_writes() -> None:
    mode = calm_at(199.0)
    mode.sign(200.0, "a request failed")
    for at in (200.5, 204.0, 210.0):
        assert not mode.tick(at, well(), started=at - 0.01, acknowledged=199.9)
    assert not mode.tick(210.1, well(), started=210.05, acknowledged=200.5)
    assert not mode.tick(213.0, well(), started=213.0, acknowledged=212.9)
    assert mode.tick(213.2, well(), started=213.1, acknowledged=213.0)


def test_a_new_sign_begins_the_three_seconds_anew() -> None:
    mode = calm_at(199.0)
    assert mode.sign(200.0, "first")
    mode.tick(200.1, well(), 0.0, 0.0)
    assert not mode.sign(202.0, "second")
    assert mode.reason == "first"
    assert not mode.tick(203.5, well(), 0.0, 0.0)
    assert mode.tick(206.6, well(), 0.0, 0.0)


def test_nodes_agree_when_all_that_answer_follow_the_leader_in_its_term() -> None:
    assert agrees(well())
    assert agrees(with_node(well(), node(C, NodeState.REFUSED)))
    assert not agrees(with_node(well(), node(C, NodeState.NOT_READY, None)))
    assert not agrees(with_node(well(), node(C, names=B)))
    assert not agrees(with_node(well(), node(C, term=2)))
    assert not agrees(with_node(well(), node(C, NodeState.UNKNOWN)))
    assert not agrees(replace(well(), leader=None))


def test_the_probe_is_quiet_in_calm_runs_and_asks_once_a_second_when_idle() -> None:
    pace = WatchPace(0.25, 0.05, None)
    assert pace.probes_every(alert=False, running=True) == 0.0
    assert pace.probes_every(alert=False, running=False) == PROBE_IDLE_S
    assert pace.probes_every(alert=True, running=True) == pace.probes_every(alert=True, running=False) == PROBE_ALERT_S
    for said in (0.0, 0.1):
        held = WatchPace(0.25, 0.05, said)
        assert {held.probes_every(alert, running) for alert in (True, False) for running in (True, False)} == {said}


@given(st.floats(0.02, 10), st.floats(0.02, 10))
def test_alert_is_never_slower_than_calm(calm: float, alert: float) -> None:
    pace = WatchPace(calm, alert)
    assert pace.polls_every(alert=True) <= pace.polls_every(alert=False) == calm


def test_a_write_is_late_by_the_last_seconds_p99() -> None:
    assert late_write_s(None) == late_write_s(0.01) == 0.2
    assert late_write_s(0.5) == 2.0


def test_what_a_run_added_is_what_came_since() -> None:
    pace = WatchPace()
    added = WatchUse(pace, 70, 8, 4.5).since(WatchUse(pace, 50, 5, 1.5))
    assert added == WatchUse(pace, 20, 3, 3.0)
    assert added.with_more(added) == WatchUse(pace, 40, 6, 6.0)
