"""Elections recorded from a real Confman, and made-up ones, in figures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.election_meter import ElectionMeter
from confman_tui.cluster.elections import Election, Fault, FaultKind
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.cluster.writes.gaps import WriteStream
from tests.support.replay import DATA, EPOCH, NODES, Replay, answer, steps, timeline, trial

A, B, C = NODES
RECORDED: dict[str, Any] = json.loads((DATA / "elections.json").read_text())
TRIALS = [(kind, number) for kind in ("kill", "pause") for number in range(10)]


def assert_without_writes(election: Election, gap: float, apart: float) -> None:
    """From acknowledgement to acknowledgement it was this gap, with attempts so far apart at its edges."""
    assert election.without_writes_s is not None
    assert abs(election.without_writes_s - gap) <= election.write_uncertainty_s + 2.1e-3
    # both edges, twice the wait for an acknowledgement at each, and what another client sees more
    assert election.write_uncertainty_s <= (2 * apart + 0.02 + 0.02) / 2


@pytest.mark.parametrize(("kind", "number"), TRIALS)
@pytest.mark.parametrize("poll_s", [0.02, 0.1])
def test_each_recorded_trial_gives_its_own_figures(kind: str, number: int, poll_s: float) -> None:
    entry = RECORDED[kind]["trials"][number]
    measured = trial(entry, poll_s).run()
    assert len(measured) == 2
    election = measured[0]
    assert election.fault is not None
    assert election.fault.kind.value == kind
    assert (election.term_before, election.term_after) == (entry["term_before"], entry["term_after"])
    assert election.rounds == entry["term_after"] - entry["term_before"]
    urls = {f"node{n + 1}": url for n, url in enumerate(NODES)}
    assert election.old_leader == urls[entry["old_leader"]]
    assert election.new_leader == urls[entry["new_leader"]]
    late = poll_s + 0.001
    for ours, recorded in (
        (election.claim_s, "s_to_first_node_naming_new_leader"),
        (election.serving_s, "s_to_first_new_leader_role"),
        (election.agree_s, "s_to_survivors_agree"),
    ):
        assert ours is not None
        assert entry[recorded] - 0.001 <= ours <= entry[recorded] + late, recorded
    assert_without_writes(election, entry["write_gap_s"], 0.045)
    assert election.first_write_s == pytest.approx(entry["first_ok_write_s"], abs=1e-3)
    assert election.lost_s is not None
    assert election.lost_s <= late
    assert election.uncertainty_s <= late + 0.002
    assert election.write_uncertainty_s <= 0.06
    assert measured[1].recover90_s == pytest.approx(entry["first_ok_write_s"], abs=0.11)


def only(replay: Replay) -> Election:
    measured = replay.run()
    finals = {election.origin: election for election in measured}
    assert len(finals) == 1, measured
    return next(iter(finals.values()))


def test_leader_killed() -> None:
    election = only(timeline("leader_kill", 0.02))
    assert (election.old_leader, election.new_leader, election.rounds) == (B, A, 1)
    assert election.fault == Fault(FaultKind.KILL, B, EPOCH + 2.102)
    assert election.lost_s == pytest.approx(0.042, abs=0.04)
    assert election.lost_s is not None
    assert election.detected_s is not None
    assert election.lost_s <= election.detected_s <= election.lost_s + 0.02
    assert election.term_s == pytest.approx(4.971 - 2.102, abs=0.03)
    assert election.claim_s == pytest.approx(4.993 - 2.102, abs=0.03)
    assert election.agree_s == pytest.approx(5.022 - 2.102, abs=0.03)
    assert election.serving_s == pytest.approx(5.319 - 2.102, abs=0.03)
    assert election.first_write_s == pytest.approx(5.358 - 2.102, abs=0.01)
    assert election.without_writes_s == pytest.approx(5.358 - 2.102, abs=0.06)
    assert election.recover90_s == pytest.approx(5.358 - 2.102, abs=0.11)


@pytest.mark.parametrize("poll_s", [0.02, 0.1])
def test_leader_paused(poll_s: float) -> None:
    election = only(timeline("leader_pause", poll_s))
    assert (election.old_leader, election.new_leader, election.rounds) == (A, C, 1)
    assert election.fault == Fault(FaultKind.PAUSE, A, EPOCH + 2.078)
    # Lost at once; known only when the first poll that it did not answer was given up.
    assert election.lost_s is not None
    assert election.detected_s is not None
    assert election.lost_s <= poll_s + 0.01
    assert 0.38 <= election.detected_s <= 0.40 + poll_s
    assert election.claim_s == pytest.approx(7.473 - 2.078, abs=poll_s + 0.01)
    assert election.serving_s == pytest.approx(8.997 - 2.078, abs=poll_s + 0.01)
    assert election.without_writes_s == pytest.approx(9.031 - 2.078, abs=0.06)


def test_leader_resumed_in_the_middle_of_the_election() -> None:
    election = only(timeline("leader_pause_short"))
    assert (election.old_leader, election.new_leader, election.rounds) == (C, A, 1)
    assert election.fault is not None
    assert election.serving_s == pytest.approx(8.27 - 2.1, abs=0.11)


def test_follower_killed_is_no_election() -> None:
    assert timeline("follower_kill").run() == []


@pytest.mark.parametrize("name", ["no_quorum", "no_quorum_paused"])
def test_without_a_majority_the_second_fault_is_the_cause_and_revival_the_end(name: str) -> None:
    replay = timeline(name)
    elections = replay.run()
    assert elections
    election = elections[0]
    hurts = [fault for fault in replay.faults if fault.kind in (FaultKind.KILL, FaultKind.PAUSE)]
    assert election.fault in hurts
    assert election.without_writes_s is not None
    rows = json.loads((DATA / f"{name}.json").read_text())
    signal = next(row["t"] for row in rows if row["what"] == "signal")
    served = [row["t"] for row in rows if row["what"] == "put" and row["t"] > signal + 1 and row["answer"][0] == 200]
    assert election.first_write_s == pytest.approx(served[0] - signal, abs=0.12)
    assert len({one.origin for one in elections}) == 1


# Made-up ones


def cluster(replay: Replay, spans: list[tuple[float, dict[str, Any]]], end: float, every: float = 0.1) -> None:
    """Polls of all nodes; each span says what its nodes answer from then on."""
    for offset, node in enumerate(NODES):
        changes = [(at, span[node]) for at, span in spans if node in span]
        replay.polls += steps(node, changes, offset * 0.01, end, every)


def led_by(leader: str, term: int, *nodes: str) -> dict[str, Any]:
    return {node: (200, "leader" if node == leader else "follower", leader, term) for node in nodes or NODES}


def test_an_election_without_a_fault_of_ours_begins_at_the_last_good_moment() -> None:
    replay = Replay()
    spans = [(0.0, led_by(A, 1)), (5.05, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C))]
    cluster(replay, spans, 12.0)
    replay.writes(EPOCH, EPOCH + 5.05, 0.05)
    replay.writes(EPOCH + 5.05, EPOCH + 6.1, 0.05, served=False)
    replay.writes(EPOCH + 6.1, EPOCH + 12, 0.05)
    election = only(replay)
    assert election.fault is None
    assert election.origin == pytest.approx(EPOCH + 5.0)
    assert election.lost_s == pytest.approx(0.1)
    assert election.uncertainty_s == pytest.approx(0.1)
    assert election.serving_s == pytest.approx(1.01, abs=0.03)
    assert election.first_write_s == pytest.approx(1.105, abs=0.01)
    assert election.writes_missed == pytest.approx(20 * 1.1, abs=2.1)


@pytest.mark.parametrize("term_after", [1, 4])
def test_a_leader_that_comes_back_by_itself_is_a_disruption(term_after: int) -> None:
    replay = Replay()
    spans = [(0.0, led_by(A, 1)), (5.0, {A: (503, "follower", None, 1)}), (6.0, led_by(A, term_after))]
    cluster(replay, spans, 12.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    replay.writes(EPOCH + 5, EPOCH + 6, 0.05, served=False)
    replay.writes(EPOCH + 6, EPOCH + 12, 0.05)
    election = only(replay)
    assert election.old_leader == election.new_leader == A
    assert election.rounds == term_after - 1
    assert (election.term_s is None) == (term_after == 1)
    assert election.agree_s is not None
    assert_without_writes(election, 1.05, 0.055)


def test_a_second_fault_in_the_same_election_belongs_to_it() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0), Fault(FaultKind.PAUSE, B, EPOCH + 6.25)]
    replay.faults.append(Fault(FaultKind.RESTART, A, EPOCH + 7.0))
    spans = [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C)), (6.25, {B: None})]
    cluster(replay, [*spans, (8.0, led_by(C, 4, A, C))], 14.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    replay.writes(EPOCH + 5, EPOCH + 8.1, 0.05, served=False)
    replay.writes(EPOCH + 8.1, EPOCH + 14, 0.05)
    election = only(replay)
    assert election.fault == replay.faults[0]
    assert (election.old_leader, election.new_leader, election.rounds) == (A, C, 3)
    assert election.claim_s == pytest.approx(1.01, abs=0.11)
    assert election.serving_s == pytest.approx(3.02, abs=0.11)
    assert_without_writes(election, 3.145, 0.055)


def test_a_second_fault_after_writes_went_through_is_an_election_of_its_own() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0), Fault(FaultKind.RESTART, A, EPOCH + 6.5)]
    replay.faults.append(Fault(FaultKind.KILL, B, EPOCH + 9.0))
    spans = [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C)), (7.0, led_by(B, 2, A))]
    cluster(replay, [*spans, (9.0, {B: "ConnectError"}), (10.0, led_by(C, 3, A, C))], 16.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    replay.writes(EPOCH + 5, EPOCH + 6, 0.05, served=False)
    replay.writes(EPOCH + 6, EPOCH + 9, 0.05)
    replay.writes(EPOCH + 9, EPOCH + 10, 0.05, served=False)
    replay.writes(EPOCH + 10, EPOCH + 16, 0.05)
    measured = replay.run()
    assert [one.fault for one in measured] == [replay.faults[0]] * 2 + [replay.faults[2]] * 2
    assert [one.recover90_s is not None for one in measured] == [False, True, False, True]


def test_an_isolated_leader_goes_on_claiming_until_a_higher_term() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.ISOLATE, A, EPOCH + 5.0)]
    spans = [(0.0, led_by(A, 1)), (6.5, led_by(B, 2, B)), (6.8, led_by(B, 2, C))]
    cluster(replay, [*spans, (8.0, {A: (503, "follower", None, 1)})], 13.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    replay.writes(EPOCH + 5, EPOCH + 6.6, 0.05, served=False)
    replay.writes(EPOCH + 6.6, EPOCH + 13, 0.05)
    election = only(replay)
    assert election.fault == replay.faults[0]
    assert_without_writes(election, 1.645, 0.055)
    assert election.lost_s == pytest.approx(1.5, abs=0.12)
    assert election.agree_s == pytest.approx(1.8, abs=0.12)


def test_agreement_is_not_earlier_than_the_claim_that_it_is_about() -> None:
    """A follower's answer that names the new leader may have been asked for before the one that shows the claim."""
    meter = ElectionMeter(NODES, WriteStream())
    meter.fact(Fact(FactKind.LEADER_LOST, EPOCH + 1.0, A, 1, uncertainty_s=0.01))
    meter.fact(Fact(FactKind.ELECTED, EPOCH + 2.008, B, 2, uncertainty_s=0.01))
    meter.fact(Fact(FactKind.LEADER_SERVING, EPOCH + 2.008, B, 2, uncertainty_s=0.01))
    meter.agreed(B, EPOCH + 2.0)
    election = meter.unfinished()
    assert election is not None
    assert election.claim_s is not None
    assert election.agree_s == election.claim_s


def quiet_writes(replay: Replay, end: float, *outages: tuple[float, float]) -> None:
    """Steady writes that fail within the outages."""
    at = 0.0
    for start, until in outages:
        replay.writes(EPOCH + at, EPOCH + start, 0.05)
        replay.writes(EPOCH + start, EPOCH + until, 0.05, served=False)
        at = until
    replay.writes(EPOCH + at, EPOCH + end, 0.05)


def test_a_fault_that_was_undone_long_ago_explains_nothing() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.PAUSE, A, EPOCH + 2.0), Fault(FaultKind.RESUME, A, EPOCH + 2.05)]
    cluster(replay, [(0.0, led_by(A, 1)), (8.0, {A: "ConnectError"}), (9.0, led_by(B, 2, B, C))], 14.0)
    quiet_writes(replay, 14.0, (8.0, 9.0))
    assert only(replay).fault is None


def test_a_fault_explains_one_election_only() -> None:
    """Somebody else starts the killed node again; it leads, and is lost once more without our doing."""
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
    spans = [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C)), (8.0, led_by(B, 2))]
    spans += [(10.0, led_by(A, 3)), (15.0, {A: "ConnectError"}), (16.0, led_by(B, 4, B, C))]
    cluster(replay, spans, 22.0)
    quiet_writes(replay, 22.0, (5.0, 6.0), (15.0, 16.0))
    measured = {one.origin: one for one in replay.run()}
    assert [one.fault for one in measured.values()] == [replay.faults[0], None, None]
    assert [one.new_leader for one in measured.values()] == [B, A, B]


def test_reads_meanwhile_count_for_their_share_of_the_time() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
    cluster(replay, [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (7.0, led_by(B, 2, B, C))], 13.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    replay.writes(EPOCH + 5, EPOCH + 7.5, 0.05, served=False)
    replay.writes(EPOCH + 7.5, EPOCH + 13, 0.05)
    replay.reads = [(EPOCH + n, EPOCH + n + 1, 100, 10) for n in range(12)]
    election = only(replay)
    assert election.reads_ok == pytest.approx(250, abs=2)
    assert election.reads_failed == pytest.approx(25, abs=1)


def test_recovery_waits_for_nine_tenths_and_a_change_of_load_ends_the_waiting() -> None:
    def half_speed_until(back: float) -> Replay:
        replay = Replay()
        replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
        cluster(replay, [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C))], 20.0)
        replay.writes(EPOCH, EPOCH + 5, 0.02)
        replay.writes(EPOCH + 5, EPOCH + 6, 0.02, served=False)
        replay.writes(EPOCH + 6, EPOCH + back, 0.04)
        replay.writes(EPOCH + back, EPOCH + 20, 0.02)
        return replay

    election = only(half_speed_until(10.0))
    assert election.recover90_s == pytest.approx(5.0, abs=0.25)
    assert election.writes_missed == pytest.approx(50 * 1.0 + 25 * 4, rel=0.08)

    replay = half_speed_until(20.0)
    assert [one.recover90_s for one in replay.run(until=EPOCH + 19)] == [None]
    replay.meter.load_changed(EPOCH + 20)
    for n in range(200):
        replay.stream.started(EPOCH + 20 + n * 0.02)
        replay.stream.acknowledged(EPOCH + 20 + n * 0.02 + 0.001, EPOCH + 20 + n * 0.02)
    replay.stream.drain(EPOCH + 25)
    assert replay.meter.tick(EPOCH + 25) == ()


def test_a_load_that_begins_in_an_outage_can_not_recover_to_what_was_before() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
    cluster(replay, [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C))], 13.0)
    replay.writes(EPOCH, EPOCH + 5, 0.1)
    replay.writes(EPOCH + 5, EPOCH + 6, 0.1, served=False)
    replay.writes(EPOCH + 6, EPOCH + 13, 0.01)
    replay.loads = [EPOCH + 5.9]
    election = only(replay)
    assert_without_writes(election, 1.1, 0.105)
    assert election.recover90_s is None


def test_where_nobody_wrote_before_the_time_without_writes_counts_from_the_last_good_poll_and_says_so() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 15.0)]
    cluster(replay, [(0.0, led_by(A, 1)), (15.0, {A: "ConnectError"}), (16.0, led_by(B, 2, B, C))], 23.0)
    replay.writes(EPOCH, EPOCH + 5, 0.05)
    # the probe begins when the watch has become alert
    replay.writes(EPOCH + 15.15, EPOCH + 16, 0.05, served=False)
    replay.writes(EPOCH + 16, EPOCH + 23, 0.05)
    election = only(replay)
    assert election.writes_from_poll
    assert_without_writes(election, 1.0, 0.15)


def test_without_any_writes_the_election_is_told_all_the_same() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
    cluster(replay, [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"}), (6.0, led_by(B, 2, B, C))], 13.0)
    election = only(replay)
    assert election.first_write_s is None
    assert election.without_writes_s is None
    assert election.serving_s == pytest.approx(1.0, abs=0.11)


def test_an_election_without_an_end_is_given_as_far_as_it_is_known() -> None:
    replay = Replay()
    replay.faults = [Fault(FaultKind.KILL, A, EPOCH + 5.0)]
    cluster(replay, [(0.0, led_by(A, 1)), (5.0, {A: "ConnectError"})], 13.0)
    assert replay.run() == []
    assert replay.meter.under_way
    unfinished = replay.meter.unfinished()
    assert unfinished is not None
    assert unfinished.lost_s is not None
    assert unfinished.new_leader is None


facts = st.builds(
    Fact,
    st.sampled_from(list(FactKind)),
    st.floats(EPOCH, EPOCH + 100),
    st.sampled_from([*NODES, None]),
    st.one_of(st.none(), st.integers(0, 5)),
    st.just(""),
    st.floats(0, 0.5),
    st.just(0.0),
)
faults = st.builds(
    Fault, st.sampled_from(list(FaultKind)), st.sampled_from(NODES), st.floats(EPOCH, EPOCH + 100), st.just("you")
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(facts, faults), max_size=40), st.booleans())
def test_any_order_of_facts_and_faults_gives_consistent_elections(events: list[Fact | Fault], ordered: bool) -> None:
    stream = WriteStream()
    meter = ElectionMeter(NODES, stream)
    measured: list[Election] = []
    if ordered:
        events = sorted(events, key=lambda event: event.at)
    for n, event in enumerate(events):
        now = EPOCH + n * 3
        stream.started(now)
        if n % 3:
            stream.acknowledged(now + 0.01, now)
        stream.drain(now + 0.1)
        measured += meter.fact(event) if isinstance(event, Fact) else ()
        if isinstance(event, Fault):
            meter.fault(event)
        measured += meter.tick(now + 0.1)
    used = [one.fault for one in measured if one.fault is not None and one.recover90_s is None]
    assert len(used) == len(set(map(id, used)))
    for election in measured:
        assert election.old_leader is not None
        assert election.rounds >= 0
        steps_seen = (election.lost_s, election.term_s, election.claim_s, election.serving_s, election.first_write_s)
        assert all(step is None or step >= 0 for step in steps_seen)


def test_polls_of_the_helper_are_polls() -> None:
    assert answer(A, EPOCH, 200, "leader", A + "/", 3).leader == A
