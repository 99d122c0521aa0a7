"""An open loop's figures in JSON, table and back; the cost of redirects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from confman_tui.load.run_model import Uncorrected
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.files.summary import read_summary, save_result
from confman_tui.results.model import RateChange, ScenarioResult
from confman_tui.results.tables.results_table import results_table
from tests.support import result_samples

ACTUAL = Uncorrected(1_010, 1_500, 2_140, 5_160, 13_000, 23_000, 27_800, "SElTVB==")


def open_loop(**changes: Any) -> ScenarioResult:
    """A run at 200/s, raised once, in which 45 requests never began."""
    outcome = result_samples.outcome(
        uncorrected=ACTUAL,
        not_started=45,
        schedule_lag_s=1.25,
        redirected=1_268,
        redirect_p50_us=452,
        redirect_max_us=95_300,
    )
    base = result_samples.result(outcome=outcome, rate=200.0, rate_changes=(RateChange(3.25, 220.0),))
    return replace(base, **changes)


def test_json_holds_the_corrected_figures_and_the_others_apart() -> None:
    document = scenario_document(open_loop())
    assert (document["p50_us"], document["p99_us"], document["max_us"]) == (34_120, 110_400, 1_630_123)
    assert document["uncorrected"] == {
        "p50_us": 1_010,
        "p90_us": 1_500,
        "p95_us": 2_140,
        "p99_us": 5_160,
        "p999_us": 13_000,
        "p9999_us": 23_000,
        "max_us": 27_800,
    }
    assert (document["rate"], document["not_started"], document["schedule_lag_s"]) == (200.0, 45, 1.25)
    assert document["rate_changes"] == [{"after_s": 3.25, "rate": 220.0}]
    assert (document["redirected"], document["redirect_p50_us"], document["redirect_max_us"]) == (1_268, 452, 95_300)


def test_a_closed_loop_has_none_of_it() -> None:
    document = scenario_document(result_samples.result())
    names = ("rate", "uncorrected", "not_started", "schedule_lag_s")
    assert [document[name] for name in names] == [None] * 4
    assert document["rate_changes"] == []


def test_a_run_without_any_success_is_open_all_the_same() -> None:
    nothing = Uncorrected(None, None, None, None, None, None, None, "")
    result = open_loop(outcome=result_samples.outcome(uncorrected=nothing, p50_us=None))
    document = scenario_document(result)
    assert document["uncorrected"]["p99_us"] is None
    assert document["not_started"] == 0


@pytest.mark.parametrize("result", [open_loop(), result_samples.result(), open_loop(rate_changes=())])
def test_it_comes_back(result: ScenarioResult, tmp_path: Path) -> None:
    saved = save_result(result, result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    assert read_summary(path)[0] == replace(saved, outcome=replace(saved.outcome, files=()))


def test_summaries_from_before_there_were_rates_are_read(tmp_path: Path) -> None:
    save_result(result_samples.result(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    document = json.loads(path.read_text())
    names = ("rate", "rate_changes", "uncorrected", "not_started", "schedule_lag_s", "redirect_p50_us")
    for name in (*names, "redirect_max_us"):
        del document[name]
    path.write_text(json.dumps(document))
    read = read_summary(path)[0]
    assert (read.rate, read.rate_changes, read.outcome.uncorrected) == (None, (), None)
    assert (read.outcome.not_started, read.outcome.redirect_p50_us) == (0, None)
    document["uncorrected"] = {"p50_us": 1}
    path.write_text(json.dumps(document))
    with pytest.raises(ResultsError):
        read_summary(path)


def test_the_table_shows_both_and_what_never_began() -> None:
    lines = results_table(
        [open_loop(), result_samples.result("read-10u", outcome=result_samples.outcome(redirected=0))]
    ).splitlines()
    assert lines[2].endswith("88.0    34.1    81.2     110   1,630    1,000")
    assert lines[3].endswith("1.01    2.14    5.16    27.8")
    # under the percentiles they belong to
    assert lines[3].index("5.16") + 4 == lines[2].index(" 110") + 4
    text = " ".join(line.strip() for line in lines)
    assert (
        "write-10u: 200 requests/s asked for, changed once, to 220 at the end; the longest that one began late" in text
    )
    assert "45 of 1,377 requests were due and never began" in text
    assert (
        "served after a redirect: 1,268 requests; of their times, the redirects took 0.45 ms (median), at most" in text
    )
    assert "with a rate, times run from when each request was due" in lines[-1]
    assert max(len(line) for line in lines) <= 100
    assert text.count("uncorrected") == 2
    assert "read-10u: " not in text.split("elections:")[0], "a closed loop needs no note"


def test_a_schedule_that_was_kept_needs_no_warning() -> None:
    kept = result_samples.outcome(uncorrected=ACTUAL, not_started=0, schedule_lag_s=0.004, redirected=1)
    text = results_table([open_loop(outcome=kept, rate_changes=())])
    assert "200 requests/s asked for; the longest that one began late: 4.00 ms" in text
    assert "never began" not in text
    assert "after a redirect: 1 request\n" in text
