"""Repeated runs, the kept run they are compared with, and the first seconds, in words, in JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from confman_tui.cluster.elections import Breach, BrokenKey, UnreadNode, Verification
from confman_tui.core.errors import UsageError
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.files.summary import read_summary, save_result
from confman_tui.results.kept_run import KeptRun
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.opening import opening_matters
from confman_tui.results.statistics.repeats import combined, spreads, typical, values_of
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.sentences import comparison_line, opening_line
from tests.support import result_samples


def test_repeats_hold_each_run_and_their_spread() -> None:
    result = result_samples.repeated([100, 104, 96, 102, 98])
    assert [run.number for run in result.repeats] == [1, 2, 3, 4, 5]
    assert result.outcome.rps == 98, "the last run's, as its files are"
    rps = spreads(result)["rps"]
    assert (rps.runs, rps.median, rps.min, rps.max, rps.mean) == (5, 100, 96, 104, 100)
    assert typical(result, "rps") == 100
    document = scenario_document(result)
    assert [run["rps"] for run in document["repeats"]] == [100, 104, 96, 102, 98]
    assert set(document["repeated"]) == {"rps", "p50_us", "p95_us", "p99_us", "max_us"}
    assert {"median", "min", "max", "mean", "stdev", "mad", "ci95_low", "ci95_high", "runs"} == set(
        document["repeated"]["rps"]
    )
    assert document["repeated"]["rps"]["ci95_low"] == pytest.approx(96.074, abs=0.001)
    json.dumps(document, allow_nan=False)


def test_a_single_run_has_no_repeats() -> None:
    document = scenario_document(result_samples.run(100))
    assert (document["repeats"], document["repeated"], document["comparison"]) == ([], {}, None)


def test_a_write_lost_in_any_run_is_never_forgotten() -> None:
    lost = Verification(acknowledged=10, checked=10, lost=1, broken=(BrokenKey("bench-small-000/a", Breach.LOST),))
    first = replace(result_samples.result(), verification=lost)
    whole = combined(first, result_samples.result())
    assert whole.verification is not None
    assert (whole.verification.lost, whole.verification.acknowledged) == (1, 1330)
    assert whole.verification.lost_keys == lost.lost_keys
    assert len(whole.elections) == 2
    behind = (UnreadNode(result_samples.NODES[2], "not ready for 30 s"),)
    again = combined(whole, replace(result_samples.result(), verification=replace(lost, without=behind)))
    assert again.verification is not None
    assert again.verification.without == behind
    unverified = combined(replace(first, verification=None), replace(first, verification=None))
    assert unverified.verification is None


def test_a_run_that_was_stopped_counts_for_no_spread() -> None:
    whole = combined(result_samples.repeated([100, 104]), result_samples.run(30, stopped_early=True))
    assert values_of(whole, "rps") == [100, 104]
    assert len(whole.repeats) == 3
    only = combined(result_samples.run(30, stopped_early=True), result_samples.run(20, stopped_early=True))
    assert values_of(only, "rps") == [30, 20]


def test_runs_without_success_have_a_spread_of_what_there_is() -> None:
    nothing = result_samples.run(0, p99_us=None)
    assert list(spreads(combined(nothing, nothing))) == ["rps"]
    assert "p99" not in results_table([combined(nothing, nothing)]).split("elections")[0].split("\n\n")[-1]


def saved(result: ScenarioResult, folder: Path, **flags: str) -> ScenarioResult:
    return save_result(result, result_samples.settings_for(folder, **flags), result_samples.CLUSTER)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    kept = saved(result_samples.repeated([100, 104, 96]), tmp_path)
    later = KeptRun(result_samples.settings_for(tmp_path), "read-10u").compared(
        replace(result_samples.run(103, opening=result_samples.opening(left_out=True)), warmup_s=0.0)
    )
    assert later.comparison is not None
    back = read_summary(Path(saved(later, tmp_path).files[-1]))[0]
    assert back.comparison is not None
    assert back.comparison.changes[0].change == pytest.approx(0.03)
    assert back.outcome.opening == later.outcome.opening
    assert [run.rps for run in read_summary(Path(saved(kept, tmp_path).files[-1]))[0].repeats] == [100, 104, 96]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([100, 104, 96], [103, 101, 105], "req/s 3.0 % more, within the noise (± "),
        ([100, 101, 99], [120, 121, 119], "req/s 20.0 % more, more than the noise (± "),
        ([100, 104, 96], [97], "req/s 3.0 % less, within the noise (± "),
        ([100], [103], "one run each can't tell such a difference from noise: --repeat 5 can"),
    ],
)
def test_a_difference_smaller_than_the_noise_is_said_to_be_noise(
    tmp_path: Path, before: list[float], after: list[float], words: str
) -> None:
    saved(result_samples.repeated(before), tmp_path)
    later = KeptRun(result_samples.settings_for(tmp_path), "read-10u").compared(result_samples.repeated(after))
    assert words in comparison_line(later)
    # lines of the table are wrapped
    assert words in results_table([later]).replace("\n    ", " ")


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"users": 11}, {}),
        ({"payload_bytes": 10}, {}),
        ({"duration_s": 30.0}, {}),
        ({"warmup_s": 5.0}, {}),
        ({}, {"nodes": "http://10.0.0.1:6100"}),
        ({}, {"demo": "true"}),
        ({"name": "read-1u"}, {}),
        ({"tier": "large"}, {}),
    ],
)
def test_runs_under_other_settings_are_not_compared(
    tmp_path: Path, changes: dict[str, Any], flags: dict[str, str]
) -> None:
    saved(result_samples.run(100), tmp_path)
    settings = result_samples.settings_for(tmp_path, **flags)
    name = changes.get("name", "read-10u")
    assert KeptRun(settings, name).compared(replace(result_samples.run(101), **changes)).comparison is None


def test_no_run_a_broken_one_or_a_stopped_one_is_nothing_to_compare_with(tmp_path: Path) -> None:
    settings = result_samples.settings_for(tmp_path)
    assert KeptRun(settings, "read-10u").compared(result_samples.run(101)).comparison is None
    (tmp_path / "small-read-10u_summary.json").write_text("{broken")
    assert KeptRun(settings, "read-10u").compared(result_samples.run(101)).comparison is None
    saved(result_samples.run(100, stopped_early=True), tmp_path)
    assert KeptRun(settings, "read-10u").compared(result_samples.run(101)).comparison is None
    saved(result_samples.run(100), tmp_path)
    kept = KeptRun(settings, "read-10u")
    assert kept.compared(result_samples.run(101, stopped_early=True)).comparison is None
    assert kept.compared(result_samples.run(101)).comparison is not None


@pytest.mark.parametrize("name", ["repeats", "repeated", "comparison", "opening", "warmup_s"])
def test_a_summary_of_an_earlier_version_is_read(tmp_path: Path, name: str) -> None:
    path = Path(saved(result_samples.run(100), tmp_path).files[-1])
    document = json.loads(path.read_text())
    del document[name]
    path.write_text(json.dumps(document))
    assert read_summary(path)[0].outcome.rps == 100


@pytest.mark.parametrize(
    ("name", "value"),
    [("repeats", [{"number": 1}]), ("repeats", 3), ("comparison", {"kept_at": 3}), ("opening", []), ("warmup_s", "x")],
)
def test_a_summary_with_other_things_there_is_refused(tmp_path: Path, name: str, value: object) -> None:
    path = Path(saved(result_samples.run(100), tmp_path).files[-1])
    document = json.loads(path.read_text())
    document[name] = value
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="left out"):
        read_summary(path)


def test_the_table_of_repeated_runs() -> None:
    lines = results_table([result_samples.repeated([100, 104, 96, 102, 98])]).splitlines()
    assert lines[4:7] == [
        "read-10u, 5 runs  median   min   max   mad  mean  95 % confidence      ±",
        "  req/s              100  96.0   104  2.00   100       96.1 … 104  3.9 %",
        "  p50 ms            3.00  3.00  3.00  0.00  3.00      3.00 … 3.00  0.0 %",
    ]
    assert max(map(len, lines)) <= 100


def test_the_first_seconds_are_shown_where_they_matter() -> None:
    first = result_samples.run(88, opening=result_samples.opening())
    assert opening_matters(first)
    assert opening_line(first) == (
        "read-10u: first 2.0 s: 50.0 req/s, p50 22.0, p99 191 ms; then 88.0 req/s, p50 8.00, p99 27.0 ms; "
        "--warmup 2 leaves them out"
    )
    steady = result_samples.opening(ok=176, p50_us=8_100, p99_us=28_000)
    assert not opening_matters(result_samples.run(88, opening=steady))
    assert opening_line(result_samples.run(88, opening=steady)) == ""
    warm = result_samples.run(88, opening=replace(steady, left_out=True, seconds=5.0, ok=440))
    assert opening_line(warm).startswith("read-10u: warm-up of 5.0 s left out: 88.0 req/s, p50 8.10")
    assert opening_line(result_samples.run(88)) == ""


def test_the_first_seconds_in_json() -> None:
    document = scenario_document(result_samples.run(88, opening=result_samples.opening()))["opening"]
    assert (document["requests"], document["failures"], document["rps"], document["matters"]) == (103, 3, 50.0, True)
    assert scenario_document(result_samples.run(88))["opening"] is None
