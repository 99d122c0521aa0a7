"""The parts of a distributed run that need no process: what goes over the wire, how seconds are put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.core.percentiles import nearest_ranks
from confman_tui.load.run_model import Cause
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.load.targets import Targets
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers import messages
from confman_tui.load.workers.clock_offset import ClockOffset, anchor
from confman_tui.load.workers.merge import WAIT_S, SecondsMerger
from confman_tui.load.workers.messages import PrepareRun, SecondCounted, UseTargets, WriteBatch, WritesReported
from confman_tui.load.workers.plan import WorkerShare
from confman_tui.settings.scenarios import Reads
from tests.support.load_runs import API_KEY, Book, plan, second_of

texts = st.text(max_size=5).map(messages.plain)
latencies = st.lists(st.integers(0, 2**40), max_size=30)
counts = latencies.map(Counter)
nodes = st.sampled_from(["http://a:1", "http://b:2", "http://c:3", ""])
node_counts = st.builds(NodeCounts, counts, counts, st.integers(0, 99), st.integers(0, 99))


def summed_up(**values: Any) -> SecondCounts:
    second = SecondCounts(10.0, 11.0, **values)
    second.sum_up()
    return second


seconds = st.builds(
    summed_up,
    users=st.integers(0, 1000),
    uncorrected=counts,
    failures=st.lists(st.tuples(st.booleans(), st.sampled_from(Cause), texts), max_size=8),
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


def over_the_wire(message: messages.FromWorker | messages.FromMaster) -> Any:
    """As Locust's messages carry it."""
    from locust.rpc.protocol import Message

    packed = Message(messages.Kind.MESSAGE, messages.encode(message), "id").serialize()  # type: ignore[no-untyped-call]
    data = Message.unserialize(packed).data  # type: ignore[no-untyped-call]
    return messages.from_worker(data) if isinstance(message, messages.FromWorker) else messages.from_master(data)


def altered(message: messages.FromWorker | messages.FromMaster, **changes: object) -> bytes:
    """A message with other values than its form allows."""
    plain: dict[str, object] = msgspec.msgpack.decode(messages.encode(message), strict=False)
    return messages.encode(plain | changes)


def there_and_back(second: SecondCounts) -> SecondCounts:
    back: SecondCounted = over_the_wire(SecondCounted.of(1, 1, second, last=False))
    return back.second()


@given(seconds)
def test_a_second_goes_over_the_wire_whole(second: SecondCounts) -> None:
    back = there_and_back(second)
    # equal failures may have changed places, nothing else
    assert sorted(back.failures) == sorted(second.failures)
    back.failures = second.failures
    assert back == second
    assert all(type(each) is Counter for each in (back.reads, back.writes, back.uncorrected, back.redirects))


def test_a_latency_beyond_an_hour_goes_over_the_wire() -> None:
    second = second_of(1.0, 2.0, reads=[2**32, 5, 5])
    assert there_and_back(second).reads == {2**32: 1, 5: 2}


@given(st.dictionaries(st.integers(0, 2**40), st.sampled_from([1, 255, 256, 65_535, 65_536, messages.MOST_REQUESTS])))
def test_counts_of_every_width_go_over_the_wire(reads: dict[int, int]) -> None:
    second = SecondCounts(1.0, 2.0, by_node={"a": NodeCounts(Counter(reads))})
    assert there_and_back(second).reads == reads


def test_ten_thousand_answers_take_few_bytes() -> None:
    alike = second_of(0.0, 1.0, reads=[1_000 + number % 500 for number in range(10_000)])
    apart = second_of(0.0, 1.0, reads=[100_000 + number for number in range(10_000)])
    assert len(messages.encode(SecondCounted.of(1, 1, alike, last=False))) < 4_000
    assert len(messages.encode(SecondCounted.of(1, 1, apart, last=False))) < 64_000


not_numbers = st.none() | st.text() | st.integers(-(2**63), -1) | st.floats(allow_nan=False) | st.binary(max_size=3)


@given(not_numbers)
def test_what_is_no_second_is_refused(value: object) -> None:
    message = SecondCounted.of(1, 1, second_of(0.0, 1.0, reads=[5], failures=[(True, Cause.RESET, "x")]), last=False)
    counts: dict[str, Any] = msgspec.msgpack.decode(messages.encode(message), strict=False)["counts"]
    changes: tuple[dict[str, object], ...] = (
        {"read_marks": value},
        {"read_marks": [[value]]},
        {"redirects": value},
        {"redirects": {5: value}},
        {"redirects": {"five": 5}},
        {"by_node": {"http://a:1": value}},
        {"by_node": {"http://a:1": {"reads": value}}},
        {"by_node": {"http://a:1": {"reads": {5: value}}}},
        {"by_node": {5: {}}},
        {"start": None},
    )
    for change in changes:
        with pytest.raises(ValueError):
            messages.from_worker(altered(message, counts=counts | change))
    for wrong in ({"counts": value}, {"failures": value}, {"failures": {"x": 1}}, {"number": value}, {"type": value}):
        with pytest.raises(ValueError):
            messages.from_worker(altered(message, **wrong))


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\xff" * 9, b"\x80", messages.encode({"type": "PrepareRun", "run": 1})]
)
def test_what_is_no_message_of_a_worker_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        messages.from_worker(data)


@pytest.mark.parametrize("data", [None, "text", 5, {}])
def test_what_is_no_bytes_is_refused(data: Any) -> None:
    with pytest.raises(TypeError):
        messages.from_worker(data)


def test_a_plan_goes_over_the_wire_without_its_key_and_its_files() -> None:
    whole = replace(plan(csv_prefix=Path("somewhere")), rate=12.5, warmup_s=3.0, workers=2, reads=Reads.FOLLOWERS)
    share, targets = WorkerShare(1, 2, 3, "abcde", "worker-2"), Targets("http://a:1", ("http://a:1",))
    message = PrepareRun.of(7, whole, share, targets, observed=True)
    assert API_KEY.encode() not in messages.encode(message)
    assert b"somewhere" not in messages.encode(message)
    back: PrepareRun = over_the_wire(message)
    assert back.plan == replace(whole, csv_prefix=None, api_key="")
    assert isinstance(back.plan.keys[0], tuple)
    assert type(back.plan.target) is type(whole.target)
    assert type(back.plan.reads) is Reads
    assert (back.run, back.share, back.targets, back.observed) == (7, share, targets, True)


def test_targets_go_over_the_wire() -> None:
    targets = Targets("http://a:1", ("http://a:1", "http://b:2"), "http://c:3", ("http://a:1",))
    assert over_the_wire(UseTargets(targets)) == UseTargets(targets)
    for wrong in (["http://a:1"], None, {"ready": "http://a:1"}, {"leader": 5}):
        with pytest.raises(ValueError):
            messages.from_master(altered(UseTargets(targets), targets=wrong))


writes = st.tuples(
    st.text(max_size=4),
    st.text(max_size=12),
    st.integers(0, 2**64 - 1),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
    st.sampled_from(["http://a:1", "http://b:2"]),
    st.sampled_from(WriteOutcome),
)


def replayed(batch: WriteBatch, offset: float) -> Book:
    book = Book()
    report: WritesReported = over_the_wire(batch.take(1, offset))
    report.replay(book)
    return book


@given(st.lists(st.floats(0, 2e9)), st.lists(writes, max_size=20), st.floats(-1e6, 1e6))
def test_writes_go_over_the_wire_on_the_masters_clock(
    starts: list[float], ends: list[tuple[str, str, int, float, float, str, WriteOutcome]], offset: float
) -> None:
    batch = WriteBatch()
    for at in starts:
        batch.started(at)
    for end in ends:
        batch.ended(*end)
    assert batch.empty == (not starts and not ends)
    book = replayed(batch, offset)
    assert batch.empty
    assert book.starts == [at + offset for at in starts]
    assert book.ends == [(*end[:3], end[3] + offset, end[4] + offset, *end[5:]) for end in ends]
    assert book.intended == [None] * len(ends), "in a closed loop, nothing was due before it was sent"


def test_when_an_open_loops_writes_were_due_goes_over_the_wire_too() -> None:
    batch = WriteBatch()
    batch.ended("space", "key", 1, 12.0, 12.5, "node", WriteOutcome.ACKNOWLEDGED, 10.0)
    book = replayed(batch, 100.0)
    assert (book.ends[0][3], book.intended) == (112.0, [110.0])


@pytest.mark.parametrize(
    "change",
    [{0: 5}, {1: None}, {2: -1}, {2: 2**64 - 1 + 0.5}, {3: "early"}, {6: 9}, {7: "late"}],
)
def test_what_are_no_writes_is_refused(change: dict[int, object]) -> None:
    batch = WriteBatch()
    batch.ended("space", "key", 1, 1.0, 2.0, "node", WriteOutcome.UNKNOWN)
    message = batch.take(1, 0.0)
    write: list[object] = list(message.ended[0])
    for place, value in change.items():
        write[place] = value
    for wrong in ({"ended": [write]}, {"ended": [write[:-1]]}, {"ended": write}, {"started": "text"}, {"run": None}):
        with pytest.raises(ValueError):
            messages.from_worker(altered(message, **wrong))


def test_versions_are_named_so_that_they_differ() -> None:
    ours = messages.identity()
    assert messages.version_words({"version": "0.0.7", "protocol": 1}, ours) == "0.0.7"
    older = {**ours, "protocol": messages.PROTOCOL - 1}
    assert messages.version_words(older, ours).endswith(f" (messages of form {messages.PROTOCOL - 1})")
    assert messages.version_words(ours, older).endswith(f" (messages of form {messages.PROTOCOL})")
    assert messages.version_words({}, ours) == "None"
    assert messages.version_words({"version": "1\n\x1b" + "x" * 99}, ours) == "1" + "x" * 27


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
    samples, whole = [], []
    at = 100.0
    for name, reads, values, failed, delay in reported:
        number[name] += 1
        failures = [(True, Cause.TIMEOUT, "timeout")] if failed else []
        end = 100.0 + number[name]
        second = second_of(end - 1, end, reads=reads, writes=values, node=f"http://{name}:1", failures=failures)
        second.node(f"http://{name}:1").writes_failed += failed
        merger.add(name, number[name], second)
        at = max(at, end) + delay
        whole += merger.due(at)
    for name in "abc":
        merger.leave(name)
    whole += [*merger.due(at), *merger.rest()]
    assert merger.pending == 0
    for second in whole:
        pooled = second.reads + second.writes
        sample = totals.add(second)
        samples.append(sample)
        assert sample.ok == pooled.total()
        assert sample.p99_us == (nearest_ranks(pooled, [99])[0] if pooled else None)
    ends = [100.0, *(second.end for second in whole)]
    assert [second.start for second in whole] == ends[:-1]
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
    merger.add("a", 1, second_of(0.0, 1.0, users=2, reads=[10], in_flight=1))
    assert merger.due(1.0 + WAIT_S - 0.01) == []
    (first,) = merger.due(1.0 + WAIT_S)
    assert (first.start, first.end, first.reads, first.users) == (0.0, 1.0, Counter([10]), 2)
    # b's first second counts for the next one; its users and its requests in flight count once
    merger.add("b", 1, second_of(0.0, 1.0, users=3, reads=[20], in_flight=3))
    merger.add("b", 2, second_of(1.0, 2.0, users=3, reads=[30], in_flight=2))
    assert merger.due(2.1) == []
    merger.add("a", 2, second_of(1.0, 2.01, users=2, reads=[40], in_flight=1))
    (second,) = merger.due(2.1)
    assert (second.start, second.end) == (1.0, 2.01)
    assert (sorted(second.reads), second.users, second.in_flight) == ([20, 30, 40], 5, 3)


def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    merger = SecondsMerger(0.0)
    merger.join("a")
    merger.join("b")
    merger.add("a", 1, second_of(0.0, 1.0, reads=[10]))
    assert merger.due(1.01) == []
    merger.leave("b")
    assert [second.reads for second in merger.due(1.01)] == [Counter([10])]
    merger.add("a", 2, second_of(1.0, 1.4, reads=[11]), last=True)
    assert [second.end for second in [*merger.due(9.0), *merger.rest()]] == [1.4]


def test_a_second_that_nobody_reports_is_empty() -> None:
    merger = SecondsMerger(0.0)
    merger.join("a")
    assert [(second.start, second.end) for second in merger.due(2.0 + WAIT_S)] == [(0.0, 1.0), (1.0, 2.0)]


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


def test_a_seconds_fields_are_all_on_the_wire() -> None:
    """A field that `SecondCounts` gains must not get lost between a worker and its master."""
    left_out = {"reads", "writes", "failures"}
    on_wire = set(messages.SecondOnWire.__struct_fields__)
    assert on_wire == {item.name for item in fields(SecondCounts)} - left_out
    assert set(messages.NodeOnWire.__struct_fields__) == {item.name for item in fields(NodeCounts)}


def test_many_writes_go_in_several_reports_and_none_ends_before_it_was_started() -> None:
    batch, many = WriteBatch(), messages.MOST_WRITES + 5
    for number in range(many):
        batch.started(float(number))
        batch.ended("space", f"key-{number}", 1, float(number), number + 0.5, "node", WriteOutcome.ACKNOWLEDGED)
    started = ended = reports = 0
    while not batch.empty:
        report = batch.take(1, 0.0)
        started, ended, reports = started + len(report.started), ended + len(report.ended), reports + 1
        assert ended <= started
    assert (started, ended) == (many, many)
    assert reports > 1
