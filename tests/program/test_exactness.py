"""The whole path, from answers with planned delays to table, JSON and files: the figures are those of the plan, and
agree with one another to the digit."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import chain, repeat
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from confman_tui.core.percentiles import nearest_ranks
from confman_tui.load.histogram import decode
from confman_tui.results.formatting import milliseconds
from tests.support.confman_server import Server
from tests.support.program import run

PLAN_MS = {20: 140, 120: 30, 250: 24, 500: 6}
"""Delay → how many of 200 answers: so p50 is 20 ms, p71 to p85 120, to p97 250, above 500."""
PERCENTS = {"p50_us": 50.0, "p90_us": 90.0, "p95_us": 95.0, "p99_us": 99.0, "p999_us": 99.9}
EARLY_US = 1_500
"""The server's timers count whole milliseconds, and may end one early."""
LOCUST = {"p50_us": "50%", "p90_us": "90%", "p95_us": "95%", "p99_us": "99%"}
"""Columns of Locust's own file, which counts the same requests by itself: what a busy machine adds, both have."""


def planned() -> list[int]:
    """The delays in ms, well mixed: neighbours are 77 apart in order of size."""
    ordered = list(chain.from_iterable(repeat(delay, times) for delay, times in PLAN_MS.items()))
    return [ordered[index * 77 % len(ordered)] for index in range(len(ordered))]


def figures(ended_stdout: str) -> dict[str, Any]:
    """The one scenario of a JSON document."""
    [scenario] = json.loads(ended_stdout)["scenarios"]
    assert isinstance(scenario, dict)
    return scenario


@pytest.mark.parametrize("rate", [pytest.param(None, marks=pytest.mark.slow), "50"])
def test_planned_delays_come_out_everywhere_as_planned(rate: str | None, tmp_path: Path) -> None:
    with Server() as server:
        server.control(delays_s=[delay / 1000 for delay in planned()])
        flags = ["--headless", "--json", "--nodes", server.url, "--scenario", "read-10u", "--probe", "0"]
        ended = run([*flags, "--duration", "4s", *(["--rate", rate] if rate else [])], tmp_path)
    assert ended.returncode == 0, ended.stderr
    outcome = figures(ended.stdout)
    assert outcome["failures"] == 0
    assert outcome["requests"] > 100
    delays_us = Counter(delay * 1000 for delay in planned())
    for name, meant in zip(PERCENTS, nearest_ranks(delays_us, PERCENTS.values()), strict=True):
        assert meant - EARLY_US <= outcome[name], name
        if rate:
            assert meant - EARLY_US <= outcome["uncorrected"][name] <= outcome[name], name
    if rate:
        assert outcome["requests"] + outcome["not_started"] == 200

    results = tmp_path / "results"
    summary = json.loads((results / "small-read-10u_summary.json").read_text())
    assert {name: summary[name] for name in outcome} == outcome
    _agree_with_the_histogram(outcome, summary["histograms"])
    [of_node] = outcome["by_node"]
    assert [of_node[name] for name in ("requests", "p50_us", "p99_us")] == [
        outcome[name] for name in ("requests", "p50_us", "p99_us")
    ]
    _agree_with_the_timeline(outcome, results / "small-read-10u_timeline.csv")
    with (results / "small-read-10u_stats.csv").open(newline="") as stream:
        rows = {row["Name"]: row for row in csv.DictReader(stream)}
    assert int(rows["Aggregated"]["Request Count"]) == outcome["requests"]
    _agree_with_locust(summary["histograms"]["uncorrected" if rate else "all"], rows["Aggregated"])

    table = run(["--results-only"], tmp_path)
    assert table.returncode == 0, table.stderr
    lines = {line.split()[0]: line.split() for line in table.stdout.splitlines() if line.strip()}
    shown = [milliseconds(outcome[name]) for name in ("p50_us", "p95_us", "p99_us", "max_us")]
    assert lines["read-10u"][4:8] == shown
    if rate:
        actual = outcome["uncorrected"]
        assert lines["uncorrected"][1:] == [milliseconds(actual[f"{name}_us"]) for name in ("p50", "p95", "p99", "max")]


def _agree_with_the_histogram(outcome: dict[str, Any], histograms: dict[str, str]) -> None:
    for figures_, histogram in ((outcome, histograms["all"]), (outcome["uncorrected"], histograms.get("uncorrected"))):
        if figures_ is None or histogram is None:
            continue
        counted = decode(histogram)
        assert counted.get_total_count() == outcome["requests"]
        # the greatest value of each slot, so that ranks come out as the program's do
        held = {item.value_iterated_to: item.count_at_value_iterated_to for item in counted.get_recorded_iterator()}
        for name, exact in zip(PERCENTS, nearest_ranks(held, PERCENTS.values()), strict=True):
            assert figures_[name] == min(exact, figures_["max_us"]), name


def _agree_with_locust(histogram: str, row: dict[str, str]) -> None:
    """To its two digits, and to one place in the order: its rank of a percentile is another."""
    counted = decode(histogram)
    ordered = sorted(
        value
        for item in counted.get_recorded_iterator()
        for value in [item.value_iterated_to] * item.count_at_value_iterated_to
    )
    for name, column in LOCUST.items():
        rank = ceil(PERCENTS[name] / 100 * len(ordered))
        least, most = ordered[rank - 2] / 1000, ordered[min(rank, len(ordered) - 1)] / 1000
        assert 0.95 * least - 1 <= float(row[column]) <= 1.05 * most + 1, name


def _agree_with_the_timeline(outcome: dict[str, Any], path: Path) -> None:
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(row["ok"]) for row in rows) == outcome["requests"]
    assert max(int(row["max_us"]) for row in rows) == outcome["max_us"]
    # the run's percentile lies between those of its seconds
    for name in ("p50_us", "p95_us", "p99_us"):
        seconds = [int(row[name]) for row in rows]
        assert min(seconds) * 0.999 <= outcome[name] <= max(seconds) * 1.001
    if outcome["uncorrected"] is not None:
        assert max(int(row["uncorrected_max_us"]) for row in rows) == outcome["uncorrected"]["max_us"]
        assert rows[-1]["not_started"] == str(outcome["not_started"])


def test_a_rate_that_cannot_be_kept_is_named_everywhere(tmp_path: Path) -> None:
    with Server(delay_ms=30) as server:
        flags = ["--headless", "--nodes", server.url, "--scenario", "read-10u", "--probe", "0", "--users", "1"]
        ended = run([*flags, "--duration", "1500ms", "--rate", "100"], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "read-10u started: 1 user, 100/s" in ended.stderr
    assert "never began" in ended.stderr
    assert "of 150 requests were due and never began" in " ".join(ended.stdout.split())


def test_a_wrong_rate_is_refused_in_a_sentence(tmp_path: Path) -> None:
    ended = run(["--headless", "--rate", "0.4"], tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "confman-tui: --rate: '0.4' must be a number of requests per second from 0.5 to 100000, such as 500\n"
    )


def test_another_number_of_users_has_files_and_a_row_of_its_own(tmp_path: Path) -> None:
    flags = ["--headless", "--scenario", "read-10u", "--duration", "300ms", "--nodes"]
    with Server() as server:
        assert run([*flags, server.url], tmp_path).returncode == 0
        more = run([*flags, server.url, "--users", "50"], tmp_path)
    assert more.returncode == 0, more.stderr
    results = tmp_path / "results"
    of_ten = {path.name for path in results.glob("small-read-10u_*")}
    assert {name.replace("10u", "50u") for name in of_ten} == {path.name for path in results.glob("small-read-50u_*")}
    assert json.loads((results / "small-read-10u_summary.json").read_text())["users"] == 10
    summary = json.loads((results / "small-read-50u_summary.json").read_text())
    assert (summary["name"], summary["scenario"], summary["users"]) == ("read-50u", "read-10u", 50)
    assert "read-50u: read-10u with 50 users" in more.stdout
    shown = run(["--results-only"], tmp_path).stdout
    starts = [line.split()[0] for line in shown.splitlines() if line.startswith("read-") and ":" not in line]
    assert starts == ["read-10u", "read-50u"]
