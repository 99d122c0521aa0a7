"""The parts of a distributed run that need no process: what goes over the wire, how seconds are put together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load.histogram import nearest_ranks
from confman_tui.load.run_model import Cause, RunPlan
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.load.targets import Targets
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers import messages
from confman_tui.load.workers.clock_offset import ClockOffset, anchor
from confman_tui.load.workers.merge import WAIT_S, SecondsMerger
from confman_tui.settings.scenarios import Reads
from tests.support.load_runs import API_KEY, Book, bucket_of, plan

latencies = st.lists(st.integers(0, 2**32 - 1), max_size=30)
counts = latencies.map(Counter)
nodes = st.sampled_from(["http://a:1", "http://b:2", "http://c:3", ""])
node_counts = st.builds(NodeCounts, counts, counts, st.integers(0, 99), st.integers(0, 99))


def summed_up(**values: Any) -> SecondCounts:
    bucket = SecondCounts(10.0, 11.0, **values)
    bucket.sum_up()
    return bucket


buckets = st.builds(
    summed_up,
    users=st.integers(0, 1000),
    uncorrected=counts,
    failures=st.lists(st.tuples(st.booleans(), st.sampled_from(Cause), st.text(max_size=5)), max_size=8),
    redirects=counts,
    redirected=st.integers(0, 50),
    by_node=st.dictionaries(nodes, node_counts, max_size=3),
    in_flight=st.integers(0, 9),
    oldest_in_flight_s=st.floats(0, 60),
    engine_cpu=st.floats(0, 1),
    hub_lag_s=st.floats(0, 1),
    not_started=st.integers(0, 9),
    schedule_lag_s=st.floats(0, 9),
    worker_cpu=st.dictionaries(st.text(max_size=5), st.floats(0, 1), max_size=1),
)


def over_the_wire(message: object) -> object:
    """As Locust's messages carry it."""
    from locust.rpc.protocol import Message

    return Message.unserialize(Message("x", message, "id").serialize()).data  # type: ignore[no-untyped-call]


@given(buckets)
def test_a_second_goes_over_the_wire_whole(bucket: SecondCounts) -> None:
    back = messages.unpack_bucket(over_the_wire(messages.pack_bucket(bucket)))  # type: ignore[arg-type]
    # equal failures may have changed places, nothing else
    assert sorted(back.failures) == sorted(bucket.failures)
    back.failures = bucket.failures
    assert back == bucket


def test_a_latency_beyond_an_hour_goes_over_the_wire() -> None:
    bucket = bucket_of(1.0, 2.0, reads=[2**32, 5, 5])
    assert messages.unpack_bucket(messages.pack_bucket(bucket)).reads == {2**32: 1, 5: 2}


@given(st.dictionaries(st.integers(0, 2**64 - 1), st.sampled_from([1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32])))
def test_counts_of_every_width_go_over_the_wire(reads: dict[int, int]) -> None:
    bucket = SecondCounts(1.0, 2.0, by_node={"a": NodeCounts(Counter(reads))})
    assert messages.unpack_bucket(messages.pack_bucket(bucket)).reads == reads


not_packed = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(not_packed | st.just(b"\0" * 3))
def test_what_is_no_second_is_refused(value: object) -> None:
    for second in (
        {"read_marks": ["I", value]},
        {"redirects": ["c", value]},
        {"redirects": ["c", [["I", value], ["I", value]]]},
        {"redirects": ["c", [["I", b"\0" * 8], ["I", b"\0" * 4]]]},
        {"by_node": ["n", {"http://a:1": value}]},
        {"by_node": ["n", {"http://a:1": [value, value, 0, 0]}]},
        {"by_node": ["n", {"http://a:1": [[["I", b""], ["I", b""]], [["I", b""], ["I", b""]], 0]}]},
    ):
        with pytest.raises(messages.WireError):
            messages.unpack_bucket({"start": ["v", 1.0], "end": ["v", 2.0], **second})
    with pytest.raises(messages.WireError):
        messages.unpack_bucket(value)  # type: ignore[arg-type]


def test_a_plan_goes_over_the_wire_without_its_key_and_its_files() -> None:
    whole = replace(plan(csv_prefix=Path("somewhere")), rate=12.5, warmup_s=3.0, workers=2, reads=Reads.FOLLOWERS)
    packed = messages.pack_plan(whole)
    assert API_KEY not in json.dumps(packed)
    assert {item.name for item in fields(RunPlan)} - set(packed) == {"api_key", "csv_prefix"}
    back = messages.unpack_plan(over_the_wire(packed), "other key")  # type: ignore[arg-type]
    assert back == replace(whole, csv_prefix=None, api_key="other key")
    assert isinstance(back.keys[0], tuple)
    assert type(back.target) is type(whole.target)
    assert type(back.reads) is Reads


def test_targets_go_over_the_wire() -> None:
    targets = Targets("http://a:1", ("http://a:1", "http://b:2"), "http://c:3", ("http://a:1",))
    assert messages.unpack_targets(over_the_wire(messages.pack_targets(targets))) == targets  # type: ignore[arg-type]
    with pytest.raises(messages.WireError):
        messages.unpack_targets(["http://a:1"])


writes = st.tuples(
    st.text(max_size=4),
    st.text(max_size=12),
    st.integers(0, 2**64 - 1),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
    st.sampled_from(["http://a:1", "http://b:2"]),
    st.sampled_from(WriteOutcome),
)


@given(st.lists(st.floats(0, 2e9)), st.lists(writes, max_size=20), st.floats(-1e6, 1e6))
def test_writes_go_over_the_wire_on_the_masters_clock(
    starts: list[float], ends: list[tuple[str, str, int, float, float, str, WriteOutcome]], offset: float
) -> None:
    batch = messages.WriteBatch()
    for at in starts:
        batch.started(at)
    for end in ends:
        batch.ended(*end)
    assert batch.empty == (not starts and not ends)
    book = Book()
    messages.replay_writes(over_the_wire(batch.take(offset)), book)  # type: ignore[arg-type]
    assert batch.empty
    assert book.starts == [at + offset for at in starts]
    assert book.ends == [(*end[:3], end[3] + offset, end[4] + offset, *end[5:]) for end in ends]
    assert book.intended == [None] * len(ends), "in a closed loop, nothing was due before it was sent"


def test_when_an_open_loops_writes_were_due_goes_over_the_wire_too() -> None:
    batch = messages.WriteBatch()
    batch.ended("space", "key", 1, 12.0, 12.5, "node", WriteOutcome.ACKNOWLEDGED, 10.0)
    book = Book()
    messages.replay_writes(over_the_wire(batch.take(100.0)), book)  # type: ignore[arg-type]
    assert (book.ends[0][3], book.intended) == (112.0, [110.0])


def test_what_are_no_writes_is_refused() -> None:
    batch = messages.WriteBatch()
    batch.ended("space", "key", 1, 1.0, 2.0, "node", WriteOutcome.UNKNOWN)
    message = batch.take(0.0)
    changes: tuple[dict[str, object], ...] = ({"key": []}, {"outcome": b"\x09"}, {"starts": "text"}, {"spaces": []})
    for change in changes:
        with pytest.raises(messages.WireError):
            messages.replay_writes({**message, **change}, Book())


# -- seconds


reports = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), latencies, latencies, st.booleans(), st.floats(0, 2.0)), max_size=24
)


@given(reports)
def test_nothing_is_dropped_and_percentiles_are_those_of_the_pooled_values(
    reported: list[tuple[str, list[int], list[int], bool, float]],
) -> None:
    """Workers report their seconds on time, late or not at all until the end: the totals are those of all values."""
    merger, totals = SecondsMerger(100.0), RunTotals(100.0)
    for name in "abc":
        merger.join(name)
    number = dict.fromkeys("abc", 0)
    samples, told = [], []
    at = 100.0
    for name, reads, values, failed, delay in reported:
        number[name] += 1
        failures = [(True, Cause.TIMEOUT, "timeout")] if failed else []
        end = 100.0 + number[name]
        second = bucket_of(end - 1, end, reads=reads, writes=values, node=f"http://{name}:1", failures=failures)
        second.node(f"http://{name}:1").writes_failed += failed
        merger.add(name, number[name], second)
        at = max(at, end) + delay
        told += merger.due(at)
    for name in "abc":
        merger.leave(name)
    told += [*merger.due(at), *merger.rest()]
    assert merger.pending == 0
    for bucket in told:
        pooled = bucket.reads + bucket.writes
        sample = totals.add(bucket)
        samples.append(sample)
        assert sample.ok == pooled.total()
        assert sample.p99_us == (nearest_ranks(pooled, [99])[0] if pooled else None)
    ends = [100.0, *(bucket.end for bucket in told)]
    assert [bucket.start for bucket in told] == ends[:-1]
    assert ends == sorted(set(ends))
    outcome = totals.outcome(ends[-1] + 0.1, stopped_early=False)
    everything = sorted(value for _n, reads, values, _f, _d in reported for value in reads + values)
    assert outcome.requests == sum(sample.ok + sample.failures for sample in samples)
    assert outcome.reads_ok + outcome.writes_ok == len(everything)
    assert outcome.failures == sum(failed for *_rest, failed, _delay in reported)
    if everything:
        exact = nearest_ranks(Counter(everything), [50])[0]
        assert outcome.p50_us is not None
        assert exact <= outcome.p50_us <= exact * 1.001
        assert outcome.max_us == everything[-1]
    for held in outcome.by_node:
        mine = [each for each in reported if f"http://{each[0]}:1" == held.node]
        assert held.reads_ok == sum(len(reads) for _n, reads, *_rest in mine)
        assert held.writes_ok == sum(len(values) for _n, _reads, values, *_rest in mine)
        assert held.failed == sum(failed for *_rest, failed, _delay in mine)
        pooled = Counter(value for _n, reads, values, *_rest in mine for value in reads + values)
        for percent, figure in ((50, held.p50_us), (99, held.p99_us)):
            if not pooled:
                assert figure is None
                continue
            assert figure is not None
            assert nearest_ranks(pooled, [percent])[0] <= figure <= nearest_ranks(pooled, [percent])[0] * 1.001
    assert sum(held.requests for held in outcome.by_node) == outcome.requests


def test_a_second_waits_for_the_late_but_not_for_long() -> None:
    merger = SecondsMerger(0.0)
    merger.join("a")
    merger.join("b")
    merger.add("a", 1, bucket_of(0.0, 1.0, users=2, reads=[10], in_flight=1))
    assert merger.due(1.0 + WAIT_S - 0.01) == []
    (first,) = merger.due(1.0 + WAIT_S)
    assert (first.start, first.end, first.reads, first.users) == (0.0, 1.0, Counter([10]), 2)
    # b's first second counts for the next one; its users and its requests in flight count once
    merger.add("b", 1, bucket_of(0.0, 1.0, users=3, reads=[20], in_flight=3))
    merger.add("b", 2, bucket_of(1.0, 2.0, users=3, reads=[30], in_flight=2))
    assert merger.due(2.1) == []
    merger.add("a", 2, bucket_of(1.0, 2.01, users=2, reads=[40], in_flight=1))
    (second,) = merger.due(2.1)
    assert (second.start, second.end) == (1.0, 2.01)
    assert (sorted(second.reads), second.users, second.in_flight) == ([20, 30, 40], 5, 3)


def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    merger = SecondsMerger(0.0)
    merger.join("a")
    merger.join("b")
    merger.add("a", 1, bucket_of(0.0, 1.0, reads=[10]))
    assert merger.due(1.01) == []
    merger.leave("b")
    assert [bucket.reads for bucket in merger.due(1.01)] == [Counter([10])]
    merger.add("a", 2, bucket_of(1.0, 1.4, reads=[11]), last=True)
    assert [bucket.end for bucket in [*merger.due(9.0), *merger.rest()]] == [1.4]


def test_a_second_that_nobody_reports_is_told_as_empty() -> None:
    merger = SecondsMerger(0.0)
    merger.join("a")
    assert [(bucket.start, bucket.end) for bucket in merger.due(2.0 + WAIT_S)] == [(0.0, 1.0), (1.0, 2.0)]


# -- clocks


def test_a_clock_of_the_same_machine_is_known_at_once() -> None:
    offset = ClockOffset(anchor() + 5.0)
    assert offset.fixed
    assert offset.uncertainty_s == 0
    assert abs(offset.seconds - 5.0) < 0.001


@given(
    st.floats(-1000, 1000),
    st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=20),
)
def test_a_clock_from_elsewhere_is_wrong_by_half_a_round_trip_at_most(
    real: float, trips: list[tuple[float, float]]
) -> None:
    offset = ClockOffset()
    assert offset.uncertainty_s == inf
    at = 1000.0
    for there, back in trips:
        offset.heard(at, at + there + real, at + there + back)
        at += 1.0
    best = min(there + back for there, back in trips)
    assert abs(offset.uncertainty_s - best / 2) < 1e-9
    assert abs(offset.seconds - real) <= offset.uncertainty_s + 1e-9


def test_an_old_answer_counts_no_more() -> None:
    offset = ClockOffset()
    offset.heard(0.0, 5.0, 0.001)
    offset.heard(100.0, 106.0, 100.2)
    assert abs(offset.seconds - 5.9) < 1e-9
