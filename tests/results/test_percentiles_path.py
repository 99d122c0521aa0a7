"""Percentiles along the whole path, from the latencies that workers report to the table, the JSON document, the screen
and the histogram's marks: each is the value that a sort gives, to the histogram's thousandth."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.load.run_model import RunOutcome
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers import messages
from confman_tui.load.workers.merge import SecondsMerger
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.formatting import milliseconds
from confman_tui.results.tables.results_table import results_table
from confman_tui.tui.charts.histogram import percentiles_of
from tests.support import result_samples

PERCENTS: dict[str, int | str] = {
    "p50_us": 50,
    "p90_us": 90,
    "p95_us": 95,
    "p99_us": 99,
    "p999_us": "99.9",
    "p9999_us": "99.99",
}
WORKERS = ("a", "b", "c")
# stepped delays show a rank that is one off; others any rounding of the histogram
latencies = st.lists(
    st.sampled_from([20_000, 53_200, 119_600, 303_600, 700_600]) | st.integers(1, 59_000_000), min_size=1, max_size=400
)


def by_sort(values: list[int], percent: int | str) -> int:
    """The definition, as literally as can be."""
    return sorted(values)[max(1, ceil(Fraction(percent) * len(values) / 100)) - 1]


def a_run(values: list[int]) -> RunOutcome:
    """Three workers share the requests, to two nodes, in seconds that go over the wire and are put together again; the
    figures of each second are checked on the way."""
    merger, totals = SecondsMerger(0.0), RunTotals(0.0)
    for worker in WORKERS:
        merger.join(worker)
    length = max(1, ceil(len(values) / 3))
    for number in range(1, 4):
        mine = values[(number - 1) * length : number * length]
        for index, worker in enumerate(WORKERS):
            part = mine[index :: len(WORKERS)]
            nodes = {"http://x:1": NodeCounts(reads=Counter(part[::2])), "http://y:1": NodeCounts(Counter(part[1::2]))}
            second = SecondCounts(number - 1.0, float(number), by_node=nodes)
            second.sum_up()
            sent = messages.encode(messages.SecondCounted.of(1, number, second, last=number == 3))
            received = messages.from_worker(sent)
            assert isinstance(received, messages.SecondCounted)
            merger.add(worker, number, received.second(), last=number == 3)
        for whole in [*merger.due(float(number)), *(merger.rest() if number == 3 else [])]:
            sample, pooled = totals.add(whole), list((whole.reads + whole.writes).elements())
            shown = (sample.p50_us, sample.p95_us, sample.p99_us, sample.max_us)
            assert shown == (tuple(by_sort(pooled, p) for p in (50, 95, 99, 100)) if pooled else (None,) * 4)
    return totals.outcome(3.0, stopped_early=False)


@settings(deadline=None)
@given(latencies)
def test_every_percentile_is_that_of_a_sort(values: list[int]) -> None:
    outcome = a_run(values)
    result = result_samples.result("read-10u", outcome=outcome, elections=(), verification=None)
    document = json.loads(json.dumps(scenario_document(result)))
    for name, percent in PERCENTS.items():
        exact = by_sort(values, percent)
        assert exact <= document[name] <= exact * 1.001, name
    assert document["max_us"] == max(values)
    row = next(line.split() for line in results_table([result]).splitlines() if line.startswith("read-10u"))
    assert row[4:8] == [milliseconds(document[name]) for name in ("p50_us", "p95_us", "p99_us", "max_us")]
    for name, value in percentiles_of(outcome.histogram):
        exact = by_sort(values, name.removeprefix("p"))
        assert exact <= value <= exact * 1.001, name
