"""The screen's memory: what is asked of it is true, and it stays small."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.states import ClusterView, Fact, FactKind, NodeState
from confman_tui.load.run_model import Cause
from confman_tui.session import events
from confman_tui.tui.history.acks import AckStore
from confman_tui.tui.history.history import History
from confman_tui.tui.history.samples import CAUSES, SampleStore, SecondsBucket, merge_buckets
from confman_tui.tui.history.track import Track
from tests.support import screen_story
from tests.support.chart_history import NODES, SAMPLE, T0, Feed, view

buckets = st.builds(
    lambda ok, failed, latency, scenario: (ok, failed, latency, scenario),
    st.integers(0, 9_000),
    st.tuples(*[st.integers(0, 50)] * len(CAUSES)),
    st.one_of(st.none(), st.integers(1, 60_000_000)),
    st.sampled_from(["write-10u", "read-10u"]),
)


def chain(parts: list[tuple[int, tuple[int, ...], int | None, str]]) -> list[SecondsBucket]:
    return [
        SecondsBucket(
            T0 + i, T0 + i + 1, 1, ok, ok, ok, failed, sum(failed), latency, latency, latency, latency, scenario
        )
        for i, (ok, failed, latency, scenario) in enumerate(parts)
    ]


def peak(found: list[SecondsBucket]) -> int | None:
    return max((bucket.max_us for bucket in found if bucket.max_us is not None), default=None)


@given(st.lists(buckets, min_size=1, max_size=200), st.sampled_from([2.0, 3.0, 5.0, 10.0]))
def test_merging_keeps_sums_and_peaks(
    parts: list[tuple[int, tuple[int, ...], int | None, str]], seconds: float
) -> None:
    one_by_one = chain(parts)
    merged = merge_buckets(one_by_one, seconds)
    assert len(merged) <= len(one_by_one)
    assert sum(bucket.ok for bucket in merged) == sum(bucket.ok for bucket in one_by_one)
    assert sum(bucket.seconds for bucket in merged) == len(one_by_one)
    for index in range(len(CAUSES)):
        assert sum(b.failed[index] for b in merged) == sum(b.failed[index] for b in one_by_one)
    assert max(b.ok_max for b in merged) == max(b.ok for b in one_by_one)
    assert min(b.ok_min for b in merged) == min(b.ok for b in one_by_one)
    assert max(b.failed_max for b in merged) == max(sum(b.failed) for b in one_by_one)
    assert peak(merged) == peak(one_by_one)
    assert all(bucket.end - bucket.start <= seconds for bucket in merged)
    assert {bucket.scenario for bucket in merged} == {bucket.scenario for bucket in one_by_one}


@settings(max_examples=12, deadline=None)
@given(st.lists(buckets, min_size=1, max_size=60), st.integers(100, 500))
def test_aging_loses_no_sum_and_no_peak(parts: list[tuple[int, tuple[int, ...], int | None, str]], times: int) -> None:
    store = SampleStore()
    scenario = parts[0][3]
    parts = [(ok, failed, latency, scenario) for ok, failed, latency, _ in parts]
    everything = chain((parts * (times * 10 // len(parts) + 1))[: times * 10])
    for bucket in everything:
        store.add(bucket)
    kept = list(store)
    assert sum(bucket.ok for bucket in kept) == sum(bucket.ok for bucket in everything)
    assert peak(kept) == peak(everything)
    assert [bucket.start for bucket in kept] == sorted(bucket.start for bucket in kept)
    assert len(kept) <= 961 + times * 10 / 5 + 1


@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 30)), max_size=200), st.floats(0.06, 9.0))
def test_acks_spread_over_cells_sum_up(slots: list[tuple[int, int]], width: float) -> None:
    store = AckStore()
    for slot, count in slots:
        store.add(T0 + slot * 0.05, count)
    total = sum(count for _, count in slots)
    assert store.total() == total
    cells = int(200 / width) + 4
    assert sum(store.spread(T0 - width, width, cells)) == pytest.approx(total)


def test_acks_age_without_losing_any() -> None:
    store = AckStore()
    for second in range(12_000):
        store.add(T0 + second, 3)
    assert store.total() == 36_000
    assert len(store) < 9_000
    assert sum(store.spread(T0, 60.0, 200)) == pytest.approx(36_000)


def test_equal_rates_give_equal_heights() -> None:
    store = AckStore()
    for slot in range(1_200):
        store.add(T0 + slot * 0.05, 7)
    cells = store.spread(T0 + 1, 0.5454, 100)
    assert max(cells) - min(cells) < 1e-3


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abc")), max_size=60))
def test_a_track_is_a_partition_of_time(changes: list[tuple[float, str]]) -> None:
    track: Track[str] = Track()
    for at, value in changes:
        track.set(at, value)
    spans = track.between(-1.0, 200.0)
    for (_, end, value), (start, _, other) in pairwise(spans):
        assert end == start
        assert value != other
    for start, end, value in spans:
        assert start < end
        assert track.at(start) == value
    if changes:
        assert track.last == changes[-1][1]
        assert spans[-1][1] == 200.0


def test_a_long_track_is_thinned_and_keeps_the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Track, "MOST", 100)
    track: Track[int] = Track()
    for step in range(1_000):
        track.set(step * 0.3, step)
        assert len(track) <= 100
    assert track.last == 999
    assert [value for _, _, value in track.between(290.0, 300.0)] == list(range(966, 1000))


def test_a_state_starts_when_it_was_first_so_and_not_when_it_was_reported() -> None:
    history = History()
    leader, follower, silent = NodeState.LEADER, NodeState.FOLLOWER, NodeState.SILENT
    history.apply(events.ClusterChanged(view(T0 + 1, leader, follower, follower, leader=NODES[0]), 0.0))
    history.apply(events.ClusterChanged(view(T0 + 9, silent, follower, follower, since=T0 + 5), 0.0))
    assert history.states(NODES[0], T0, T0 + 20) == [
        (T0, T0 + 5, (leader, 6)),
        (T0 + 5, T0 + 9, (silent, 6)),
    ], "the silence began with the last answer; nothing is known after the last poll"


def test_leader_changes_are_kept_once_and_the_first_leader_is_none() -> None:
    history = History()
    for at, node, term in ((1, NODES[0], 6), (20, NODES[1], 7), (21, NODES[1], 7), (40, NODES[0], 8)):
        history.apply(events.FactObserved(Fact(FactKind.LEADER_SERVING, T0 + at, node, term)))
    assert [(change.node, change.term) for change in history.changes(T0, T0 + 60)] == [(NODES[1], 7), (NODES[0], 8)]
    assert history.changes(T0, T0 + 30)[0].at == T0 + 20
    assert history.leader_of(7) == NODES[1]


def test_bands_join_the_time_without_a_leader_and_the_time_without_writes() -> None:
    history = History()
    leader, follower, refused = NodeState.LEADER, NodeState.FOLLOWER, NodeState.REFUSED
    history.apply(events.ClusterChanged(view(T0, leader, follower, follower, leader=NODES[0]), 0.0))
    history.apply(events.FactObserved(Fact(FactKind.LEADER_LOST, T0 + 10, NODES[0], 6)))
    history.apply(events.FactObserved(Fact(FactKind.LEADER_SERVING, T0 + 12, NODES[1], 7)))
    history.apply(events.ClusterChanged(view(T0 + 20, refused, leader, follower, leader=NODES[1]), 0.0))
    history.apply(events.WindowClosed(WriteWindow(T0 + 9.9, T0 + 12.1, 0.05)))
    assert history.bands(T0, T0 + 60, T0 + 20) == [(T0 + 9.9, T0 + 12.1)]
    assert history.longest_without_writes(T0, T0 + 60) == pytest.approx(2.2)
    assert history.bands(T0 + 11, T0 + 11.5, T0 + 20) == [(T0 + 11, T0 + 11.5)]


def test_an_open_window_grows_until_it_is_closed() -> None:
    history = History()
    history.apply(events.WritesAcknowledged(((T0, 3),), T0 + 0.2))
    history.apply(events.WritesAcknowledged((), T0 + 2, WriteWindow(T0 + 0.05, None, 0.05)))
    assert history.windows(T0, T0 + 60, T0 + 2) == [(T0 + 0.05, T0 + 2)]
    history.apply(events.WindowClosed(WriteWindow(T0 + 0.05, T0 + 2.1, 0.05)))
    assert history.windows(T0, T0 + 60, T0 + 3) == [(T0 + 0.05, T0 + 2.1)]
    assert history.last_ack == T0


def test_a_moment_says_what_was() -> None:
    history = History()
    feed = Feed(T0)
    for event in feed.until(T0 + 40):
        history.apply(event)
    fault = history.faults(T0, T0 + 40)[0]
    during = history.moment(fault.at + 0.3, T0 + 40)
    assert during.leader is None
    assert during.states[NODES[0]] is NodeState.REFUSED
    assert during.without_writes_s is not None
    assert during.faults == (fault,)
    before = history.moment(fault.at - 3, T0 + 40)
    assert (before.leader, before.term) == (NODES[0], 6)
    assert before.bucket is not None
    assert before.acks_per_s > 50
    beyond = history.moment(T0 + 50, T0 + 40)
    assert (beyond.leader, beyond.states, beyond.bucket) == (None, {}, None)


def test_health_gives_the_slowest_poll_of_each_second() -> None:
    history = History()
    leader = NodeState.LEADER
    for tenth in range(35):
        slow = 0.03 if tenth == 12 else 0.001
        nodes = tuple(
            replace(node, latency_s=slow, state=NodeState.REFUSED if tenth == 25 else leader)
            for node in view(T0, leader).nodes
        )
        history.apply(events.ClusterChanged(ClusterView(T0 + tenth / 10, nodes, NODES[0], 6, T0), 0.0))
    assert history.health(NODES[0]) == (0.001, 0.03, None), "the second that lasts is not counted yet"
    assert history.health("http://nobody") == ()


def test_samples_are_merged_to_what_an_axis_can_show() -> None:
    history = History()
    for second in range(300):
        failed = {Cause.REFUSED: 5} if second == 77 else {}
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed=failed)
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
    assert len(history.samples(T0, T0 + 60)) == 60
    merged = history.samples(T0, T0 + 300, 3.0)
    assert len(merged) == 100
    assert sum(bucket.ok for bucket in merged) == 3_000
    assert max(bucket.failed_max for bucket in merged) == 5


@pytest.mark.slow
def test_an_hour_with_elections_takes_little_memory() -> None:
    history = History()
    feed = Feed(T0, election_every=11.0, run_s=60.0, pause_s=2.0, poll_s=0.1)
    for event in feed.until(T0 + 60):
        history.apply(event)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for event in feed.until(T0 + 3_660):
            history.apply(event)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(history.changes(T0, T0 + 3_660)) > 300
    assert after - before < 6_000_000, f"{(after - before) / 1e6:.1f} MB"
    oldest = history.samples(T0, T0 + 60)
    assert oldest, "the first minute is still there"
    assert oldest[0].seconds > 1, "but thinned"


def test_a_warm_up_is_named_apart_from_its_run() -> None:
    history = History()
    history.apply(events.ScenarioStarted("read-10u", T0, 10, 15.0, 100, 1024, warmup_s=5.0))
    ran = [(span.name, span.start - T0) for span in history.scenarios(T0, T0 + 60)]
    assert ran == [("warm-up", 0.0), ("read-10u", 5.0)]
    history.apply(events.ScenarioEnded(screen_story.result("read-10u", 10, T0 + 5, T0 + 20)))
    ended = [(span.name, span.end) for span in history.scenarios(T0, T0 + 60)]
    assert ended == [("warm-up", T0 + 5), ("read-10u", T0 + 20)]
    history.apply(events.ScenarioStarted("read-1u", T0 + 30, 1, 15.0, 100, 1024, warmup_s=9.0))
    history.apply(events.ScenarioEnded(screen_story.result("read-1u", 1, T0 + 33, T0 + 33)))
    assert [span.name for span in history.scenarios(T0, T0 + 60)] == ["warm-up", "read-10u", "warm-up"]
