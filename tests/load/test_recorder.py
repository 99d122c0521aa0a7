"""Exact seconds, exact totals: the sum of the samples is the run."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.core.percentiles import nearest_ranks
from confman_tui.load.causes import RequestFailure
from confman_tui.load.context import RunContext
from confman_tui.load.histogram import LatencyCounts, decode, encode, percentiles_us
from confman_tui.load.recorder import Recorder
from confman_tui.load.run_model import Cause, SecondSample
from confman_tui.load.second import SecondCounts
from confman_tui.load.targets import TargetBoard
from confman_tui.load.totals import OPENING_S, RunTotals
from confman_tui.settings.scenarios import Target
from tests.support.load_runs import second_of

NODES = ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")


def a_context() -> RunContext:
    return RunContext(board=TargetBoard(), target=Target.ANY, namespaces=("a",), keys=(), payload_bytes=10, api_key="k")


@given(
    values=st.lists(st.integers(0, 10**8) | st.integers(0, 5), min_size=1, max_size=300),
    thousandths=st.lists(st.integers(1, 100_000), max_size=4),
)
def test_nearest_ranks_are_what_their_definition_says(values: list[int], thousandths: list[int]) -> None:
    ordered = sorted(values)
    percents = [Fraction(each, 1000) for each in thousandths]
    expected = [ordered[max(1, ceil(percent * len(ordered) / 100)) - 1] for percent in percents]
    assert nearest_ranks(Counter(values), [float(percent) for percent in percents]) == expected


def test_nearest_ranks_are_not_misled_by_floating_point() -> None:
    assert nearest_ranks(Counter(range(1000)), [99.9, 100]) == [998, 999]
    assert nearest_ranks(Counter([5]), [0]) == [5]


def test_no_values_have_no_percentiles() -> None:
    with pytest.raises(ValueError, match="no values"):
        nearest_ranks(Counter(), [50])


@given(st.lists(st.integers(1, 59_000_000), min_size=1, max_size=500), st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_a_runs_percentiles_are_within_a_thousandth_of_the_exact_ones(values: list[int], percent: float) -> None:
    counts = LatencyCounts()
    for at in range(0, len(values), 60):
        counts.add(Counter(values[at : at + 60]))
    ordered = sorted(values)
    exact = ordered[max(1, ceil(Fraction(str(percent)) * len(values) / 100)) - 1]
    found = percentiles_us(counts, [percent])[percent]
    assert found is not None
    assert exact <= found <= exact * 1.001 + 1
    assert found <= max(values)
    assert counts.total == len(values)
    assert counts.greatest == max(values)


@given(st.lists(st.integers(0, 70_000_000) | st.integers(2_000, 9_000), max_size=80))
def test_counts_are_to_the_digit_what_an_hdr_histogram_records(values: list[int]) -> None:
    counts, recorded = LatencyCounts(), HdrHistogram(1, 60_000_000, 3)
    for at in range(0, len(values), 7):
        counts.add(Counter(values[at : at + 7]))
    for value in values:
        recorded.record_value(min(max(value, 1), 60_000_000))
    assert encode(counts.histogram()) == encode(recorded)
    assert (counts.total, counts.greatest) == (len(values), max(values, default=None))


def test_a_run_keeps_few_counts_whatever_its_latencies() -> None:
    counts = LatencyCounts()
    for start in range(0, 60_000_000, 600_000):
        counts.add(Counter(range(start, start + 600_000, 200)))
    assert counts.total == 300_000
    assert len(counts._counts) <= 17_000


def test_counts_that_are_merged_are_the_counts_of_all() -> None:
    parts = [LatencyCounts(), LatencyCounts()]
    everything = []
    for number, part in enumerate(parts):
        values = [(i * 37 + number) % 5000 + 1 for i in range(200)]
        part.add(Counter(values))
        everything += values
    merged = LatencyCounts.merged(*parts)
    pooled = LatencyCounts()
    pooled.add(Counter(everything))
    assert merged.total == 400
    assert encode(merged.histogram()) == encode(pooled.histogram())


def test_longer_than_a_minute_is_a_minute_in_the_histogram_and_itself_as_the_greatest() -> None:
    counts = LatencyCounts()
    counts.add(Counter([1, 75_000_000]))
    assert counts.greatest == 75_000_000
    again = decode(encode(counts.histogram()))
    assert again.get_total_count() == 2
    assert abs(again.get_max_value() - 60_000_000) <= 60_000


def test_nothing_recorded_has_no_percentiles() -> None:
    recorder, totals = Recorder(0.0), RunTotals(0.0)
    sample = totals.add(recorder.cut(1.0, a_context(), users=1))
    assert (sample.ok, sample.failures, sample.p50_us, sample.max_us) == (0, 0, None, None)
    outcome = totals.outcome(1.0, stopped_early=False)
    assert outcome.p99_us is None
    assert decode(outcome.histogram).get_total_count() == 0


requests = st.tuples(
    st.sampled_from(["PUT", "GET"]),
    st.floats(0.001, 60_000, allow_nan=False),
    st.one_of(st.none(), st.sampled_from(list(Cause))),
)


@given(st.lists(st.lists(requests, max_size=40), min_size=1, max_size=6), st.integers(1, 9))
def test_the_seconds_add_up_to_the_run(seconds: list[list[tuple[str, float, Cause | None]]], tick: int) -> None:
    recorder, totals, context = Recorder(100.0), RunTotals(100.0), a_context()
    samples: list[SecondSample] = []
    for number, second in enumerate(seconds):
        for place, (method, milliseconds, cause) in enumerate(second):
            if place % tick == 0:
                recorder.mark(100.0 + number + place / 1000)
            failure: Any = RequestFailure(cause) if cause is not None else None
            meta: dict[str, Any] = {"exception": failure, "response": None, "node": NODES[place % 3]}
            recorder.on_request(request_type=method, response_time=milliseconds, **meta)
        samples.append(totals.add(recorder.cut(101.0 + number, context, users=3)))
        good = Counter(int(ms * 1000) for _method, ms, cause in second if cause is None)
        figures = (samples[-1].p50_us, samples[-1].p99_us, samples[-1].max_us)
        assert figures == (tuple(nearest_ranks(good, [50, 99, 100])) if good else (None, None, None))
    outcome = totals.outcome(101.0 + len(seconds), stopped_early=False)
    everything = [each for second in seconds for each in second]
    assert outcome.requests == len(everything) == sum(sample.ok + sample.failures for sample in samples)
    assert outcome.reads_ok == sum(sample.reads_ok for sample in samples)
    assert outcome.writes_ok == sum(sample.writes_ok for sample in samples)
    assert outcome.failures_by_cause == Counter(cause for _m, _ms, cause in everything if cause is not None)
    assert outcome.reads_failed + outcome.writes_failed == outcome.failures
    for index, node in enumerate(NODES):
        sent = [each for second in seconds for each in second[index::3]]
        good = Counter(int(ms * 1000) for _method, ms, cause in sent if cause is None)
        found = next((held for held in outcome.by_node if held.node == node), None)
        assert outcome.per_node.get(node, 0) == len(sent)
        assert sum(sample.per_node.get(node, 0) for sample in samples) == len(sent)
        if found is None:
            assert not sent
            continue
        assert (found.requests, found.ok, found.failed) == (len(sent), good.total(), len(sent) - good.total())
        assert found.reads == sum(method == "GET" for method, *_ in sent)
        if not good:
            assert found.p50_us is found.p99_us is None
            continue
        assert found.p50_us is not None
        assert found.p99_us is not None
        for figure, exact in zip((found.p50_us, found.p99_us), nearest_ranks(good, [50, 99]), strict=True):
            assert exact <= figure <= exact * 1.001
    assert sum(outcome.per_node.values()) == outcome.requests
    assert sum(outcome.error_texts.values()) == outcome.failures
    assert decode(outcome.histogram).get_total_count() == outcome.reads_ok + outcome.writes_ok
    assert decode(outcome.read_histogram).get_total_count() == outcome.reads_ok
    assert [sample.start for sample in samples] == [100.0, *[sample.end for sample in samples[:-1]]]


def test_what_is_in_flight_and_how_old_the_oldest_is() -> None:
    recorder, totals, context = Recorder(0.0), RunTotals(0.0), a_context()
    context.in_flight.update({3: 0.25, 1: 0.5})
    sample = totals.add(recorder.cut(1.0, context, users=2))
    assert sample.in_flight == 2
    assert sample.oldest_in_flight_s == pytest.approx(0.75)


def a_second(start: float, latencies: list[int], end: float | None = None) -> SecondCounts:
    return second_of(start, start + 1 if end is None else end, reads=latencies, node="n")


def test_a_warmup_is_in_the_samples_and_not_in_the_outcome() -> None:
    totals = RunTotals(100.0, warmup_s=2.0)
    samples = []
    for second, latency in enumerate([9000, 8000, 10, 20, 30]):
        assert totals.warm == (second >= 2)
        samples.append(totals.add(a_second(100.0 + second, [latency])))
    outcome = totals.outcome(105.0, stopped_early=False)
    assert [sample.warmup for sample in samples] == [True, True, False, False, False]
    assert (outcome.requests, outcome.max_us, outcome.started) == (3, 30, 102.0)
    assert outcome.rps == pytest.approx(1.0)
    assert outcome.opening is not None
    assert outcome.opening.left_out
    assert (outcome.opening.ok, outcome.opening.max_us, outcome.opening.rest_p99_us) == (2, 9000, 30)
    assert totals.requests == 5
    assert outcome.per_node == {"n": 3}


def test_the_first_seconds_are_told_apart_and_counted() -> None:
    totals = RunTotals(0.0)
    assert OPENING_S == 2.0
    for second, latencies in enumerate([[9000], [8000], [10, 10], [10, 10], [10, 10], [10, 10]]):
        totals.add(a_second(float(second), latencies))
    outcome = totals.outcome(6.0, stopped_early=False)
    assert (outcome.requests, outcome.max_us) == (10, 9000)
    opening = outcome.opening
    assert opening is not None
    assert not opening.left_out
    assert (opening.ok, opening.rps, opening.rest_rps) == (2, 1.0, 2.0)
    assert (opening.p99_us, opening.rest_p99_us) == (9000, 10)


def test_a_run_too_short_to_tell_its_first_seconds_apart() -> None:
    totals = RunTotals(0.0)
    totals.add(a_second(0.0, [5]))
    totals.add(a_second(1.0, [5]))
    totals.add(a_second(2.0, [5]))
    assert totals.outcome(3.0, stopped_early=False).opening is None


@given(st.lists(st.lists(st.integers(1, 10**7), max_size=30), min_size=1, max_size=5))
def test_merged_seconds_are_the_second_of_all(parts: list[list[int]]) -> None:
    merged = SecondCounts.merged([a_second(7.0, part, 8.0 + number) for number, part in enumerate(parts)])
    pooled = a_second(7.0, [value for part in parts for value in part], 7.0 + len(parts))
    one, other = RunTotals(7.0), RunTotals(7.0)
    assert one.add(merged) == other.add(pooled)
    ended = 7.0 + len(parts)
    assert one.outcome(ended, stopped_early=False) == other.outcome(ended, stopped_early=False)


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from(["read", "failed read", "write", "mark", "cut"])), max_size=60
    )
)
def test_reads_within_a_second_are_all_of_its_reads_and_no_others(steps: list[tuple[int, str]]) -> None:
    """However often they are marked; and two processes' seconds as one keep them at their times."""
    at, context, recorder = 1000.0, a_context(), Recorder(1000.0)
    seconds: list[SecondCounts] = []
    ended: list[float] = []
    for wait_ms, what in [*steps, (1, "cut")]:
        at += wait_ms / 1000
        if what == "mark":
            recorder.mark(at)
        elif what == "cut":
            seconds.append(recorder.cut(at, context, users=1))
        else:
            exception = RequestFailure(Cause.TIMEOUT, "late") if what == "failed read" else None
            recorder.on_request("PUT" if what == "write" else "GET", 1.0, exception)
            ended += [at] * (what != "write")
    for second in seconds:
        parts = second.reads_within()
        assert sum(ok for *_, ok, _failed in parts) == second.reads.total()
        assert sum(failed for *_, failed in parts) == sum(not write for write, *_ in second.failures)
        assert all(second.start - 0.001 <= start <= end <= second.end + 0.001 for start, end, *_ in parts)
    shown = [part for second in seconds for part in second.reads_within()]
    for moment in ended:
        assert any(start - 0.001 <= moment <= end + 0.001 for start, end, *_ in shown)
    whole = SecondCounts.merged(seconds)
    whole.begin_at(990.0)
    moved = whole.reads_within()
    assert [part[2:] for part in moved] == [part[2:] for part in shown]
    assert all(
        abs(a - b) < 0.0025
        for one, other in zip(moved, shown, strict=True)
        for a, b in zip(one[:2], other[:2], strict=True)
    )
