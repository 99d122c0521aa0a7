"""A folder of results, our own and stock Locust's, read and printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from confman_tui.cluster.elections import Verification
from confman_tui.core.errors import UsageError
from confman_tui.results.contents import load, results_only
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.summary import save_result
from tests.support import result_samples


def test_a_folder_is_read_in_the_catalogues_order(tmp_path: Path) -> None:
    for tier, name in (("large", "write-1u"), ("small", "zzz-own"), ("small", "mixed-10u"), ("small", "read-1u")):
        save_result(result_samples.result(name, tier), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    loaded = load(tmp_path)
    assert [(r.tier, r.name) for r in loaded.results] == [
        ("small", "read-1u"),
        ("small", "mixed-10u"),
        ("small", "zzz-own"),
        ("large", "write-1u"),
    ]
    assert loaded.cluster == result_samples.CLUSTER
    assert loaded.problems == ()
    document = json.loads(results_only(tmp_path, as_json=True))
    assert document["tier"] is None
    assert [scenario["tier"] for scenario in document["scenarios"]] == ["small", "small", "small", "large"]


def test_a_broken_file_costs_its_own_row_only(tmp_path: Path) -> None:
    save_result(result_samples.result(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    broken = tmp_path / "small-read-1u_summary.json"
    broken.write_text('{"name": "read-1u"')
    text = results_only(tmp_path)
    assert "write-10u" in text
    assert text.splitlines()[-1] == f"{broken} is broken, so it is left out"
    assert json.loads(results_only(tmp_path, as_json=True))["problems"] == [f"{broken} is broken, so it is left out"]


def test_writes_that_were_not_judged_do_not_pass_when_they_are_shown_again(tmp_path: Path) -> None:
    verification = Verification(
        acknowledged=12_339, checked=80, unread=12_259, note="stopped after 80 of 12,339 writes"
    )
    stopped = result_samples.result(verification=verification)
    save_result(stopped, result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    save_result(result_samples.result("write-1u"), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    text = results_only(tmp_path)
    assert "writes of write-10u: NOT JUDGED: 12,339 acknowledged, 80 read back" in text
    assert "stopped after 80 of 12,339 writes" in text
    scenarios = json.loads(results_only(tmp_path, as_json=True))["scenarios"]
    verdicts = {scenario["name"]: scenario["verification"] for scenario in scenarios}
    assert (verdicts["write-10u"]["judged"], verdicts["write-10u"]["passed"]) == (False, False)
    assert verdicts["write-1u"]["passed"] is True


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"name": 1}', "[" * 100_000, '"\\ud800"', "\x00", "NaN"])
def test_nothing_but_broken_files(tmp_path: Path, content: str) -> None:
    (tmp_path / "small-read-1u_summary.json").write_text(content)
    with pytest.raises(UsageError, match=r"small-read-1u_summary.json") as caught:
        results_only(tmp_path)
    assert caught.value.exit_code == 2


def test_folders_without_results(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=f"{tmp_path} holds no results"):
        results_only(tmp_path)
    with pytest.raises(ResultsError, match="there is no folder"):
        results_only(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="is a file"):
        results_only(tmp_path / "file")


_STOCK = """
import csv, sys
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV
env = Environment()
env.stats.total.start_time = start = env.stats.total.start_time - 30
def log(count, kind, ms, error=None):
    name = f"/config/[key] {kind}"
    for number in range(count):
        env.stats.log_request(kind, name, ms, 1500)
        if error is not None:
            env.stats.log_error(kind, name, error)
    env.stats.get(name, kind).start_time = start
log(4000, "GET", int(sys.argv[2]))
log(1000, "PUT", 34.5)
log(100, "PUT", 1.5, "503")
with open(sys.argv[1], "w", newline="") as stream:
    StatsCSV(env, PERCENTILES_TO_REPORT).requests_csv(csv.writer(stream))
"""


def test_a_folder_of_the_original_suite(tmp_path: Path) -> None:
    """What stock Locust's own writer wrote."""
    stats = tmp_path / "small-mixed-10u_stats.csv"
    environ = {**os.environ, "LOCUST_SKIP_MONKEY_PATCH": "1"}
    subprocess.run([sys.executable, "-c", _STOCK, str(stats), "22"], env=environ, check=True)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "unknown-read-1u_stats.csv").write_text("")
    (result,) = load(tmp_path).results
    assert (result.tier, result.name) == ("small", "mixed-10u")
    assert (result.outcome.reads_ok, result.outcome.writes_ok) == (4000, 1000)
    assert result.duration_s == pytest.approx(30.0, abs=2.0)
    assert (result.outcome.p50_us, result.outcome.max_us) == (22_000, 34_500)
    text = results_only(tmp_path)
    assert "100 (1.96 %)" in text
    assert "times are rounded" in text
    assert "elections" not in text, "Locust knows of none"
    (scenario,) = json.loads(results_only(tmp_path, as_json=True))["scenarios"]
    assert (scenario["entries_before"], scenario["users"]) == (None, None)
    save_result(result_samples.result("mixed-10u"), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    assert load(tmp_path).results[0].entries_before == 1000, "our own summary tells more"


@pytest.mark.parametrize(
    "content", ["", "Type,Name\n", "a,b\n1,2\n", "\x00", "Type,Name,Request Count\n,Aggregated,x\n"]
)
def test_half_a_csv_of_locust(tmp_path: Path, content: str) -> None:
    (tmp_path / "small-read-1u_stats.csv").write_text(content)
    with pytest.raises(ResultsError, match="not a complete CSV of Locust's statistics"):
        results_only(tmp_path)


def test_a_scenario_of_stock_locust_that_only_failed_has_no_times(tmp_path: Path) -> None:
    heading = "Type,Name,Request Count,Failure Count,Max Response Time,Requests/s,50%,90%,95%,99%,99.9%,99.99%\n"
    figures = "7,7,196.4,1.4,34,100,100,190,200,200\n"
    stats = tmp_path / "small-write-1u_stats.csv"
    stats.write_text(f"{heading}PUT,/config/[key] PUT,{figures},Aggregated,{figures}")
    (result,) = load(tmp_path).results
    assert (result.outcome.p50_us, result.outcome.max_us) == (None, None)
    assert (result.outcome.writes_ok, result.outcome.failures) == (0, 7)
