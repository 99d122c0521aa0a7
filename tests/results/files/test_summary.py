"""A result as JSON and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import UnreadNode, Verification
from confman_tui.core.errors import UsageError
from confman_tui.load.run_model import Cause
from confman_tui.results.contents import load, results_only
from confman_tui.results.files.election_files import write_elections, write_lost
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.files.summary import json_document, read_summary, save_result
from confman_tui.results.tables.results_table import results_table
from tests.support import result_samples

_ASKED = (
    *("name", "users", "duration_s", "entries_before", "requests", "failures", "failures_by_cause", "rps"),
    *("p50_us", "p95_us", "p99_us", "p999_us", "max_us", "elections", "files"),
)


def test_a_scenario_has_the_names_that_were_agreed() -> None:
    document = scenario_document(result_samples.result())
    assert tuple(name for name in document if name in _ASKED) == _ASKED
    assert document["rps"] == 88.0
    assert document["failures_by_cause"] == {
        **{str(cause): 0 for cause in Cause},
        "refused": 8,
        "no_leader": 4,
    }
    assert {"acknowledged", "refused", "unknown", "lost", "stale", "recovered", "phantom", "checked"} <= set(
        document["verification"]
    )
    assert document["elections"][0]["without_writes_s"] == 1.62
    assert document["write_rps"] == 88.0
    assert document["read_rps"] == 0.0


def test_the_whole_document() -> None:
    document = json_document(result_samples.CLUSTER, "small", [result_samples.result()])
    assert list(document) == ["version", "cluster", "tier", "scenarios"]
    assert document["cluster"] == result_samples.CLUSTER
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    chosen = result_samples.settings_for(tmp_path, users="10")
    lost = Verification(acknowledged=5, checked=5, lost=1, lost_keys=("bench-small-000/key-a/b",), note="one lost")
    lost = replace(lost, without=(UnreadNode(result_samples.NODES[2], "not ready for 30 s"),))
    before = result_samples.result(
        verification=lost, note="stopped", elections=(result_samples.election(), result_samples.election(fault=None))
    )
    saved = save_result(before, chosen, result_samples.CLUSTER)
    names = ["_stats.csv", "_elections.csv", "_lost.csv", "_summary.json"]
    assert [Path(file).name for file in saved.files] == [f"small-write-10u{name}" for name in names]
    assert (tmp_path / "small-write-10u_lost.csv").read_text().splitlines() == [
        "namespace,key",
        "bench-small-000,key-a/b",
    ]
    path = tmp_path / "small-write-10u_summary.json"
    assert read_summary(path)[0] == replace(saved, outcome=replace(saved.outcome, files=()))
    document = json.loads(path.read_text())
    assert document["settings"]["users"] == 10
    assert document["verification"]["without"] == [{"node": result_samples.NODES[2], "why": "not ready for 30 s"}]
    assert "api_key" not in document["settings"]
    assert set(document["versions"]) >= {"confman-tui", "python", "locust", "textual", "platform"}
    assert set(document["machine"]) >= {"cpu_count", "cpu_model", "memory_bytes", "kernel"}
    assert document["start"] < document["end"]
    assert document["histograms"]["all"] == "SElTVA=="


def test_a_later_run_leaves_no_lost_keys_nor_elections_of_the_earlier_one(tmp_path: Path) -> None:
    bad = Verification(acknowledged=1, checked=1, lost=1, lost_keys=("a/b",))
    write_lost(tmp_path, "small", "write-1u", bad)
    write_elections(tmp_path, "small", "write-1u", [result_samples.election()])
    assert write_lost(tmp_path, "small", "write-1u", Verification(acknowledged=1, checked=1)) is None
    path = write_elections(tmp_path, "small", "write-1u", [])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert len(path.read_text().splitlines()) == 1


def test_elections_in_rows(tmp_path: Path) -> None:
    path = write_elections(
        tmp_path, "small", "write-1u", [result_samples.election(), result_samples.election(fault=None, agree_s=None)]
    )
    heading, first, second = (line.split(",") for line in path.read_text().splitlines())
    row = dict(zip(heading, first, strict=True))
    assert (row["fault"], row["fault_node"], row["serving_s"]) == ("kill", result_samples.NODES[0], "1.43")
    assert dict(zip(heading, second, strict=True))["agree_s"] == ""


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


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just(10**400),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_either_refused_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    """A value replaced or removed anywhere: the file is named as wrong, or table and JSON can still be made."""
    folder = tmp_path / "damaged"
    folder.mkdir(exist_ok=True)
    saved = save_result(result_samples.result(), result_samples.settings_for(folder), result_samples.CLUSTER)
    path = Path(saved.files[-1])
    document = json.loads(path.read_text())
    holder: Any = document
    while True:
        key = data.draw(
            st.sampled_from(sorted(holder)) if isinstance(holder, dict) else st.integers(0, len(holder) - 1)
        )
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            holder = inner
            continue
        if data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(_JUNK)
        break
    path.write_text(json.dumps(document))
    try:
        loaded = read_summary(path)[0]
    except ResultsError as error:
        said = str(error)
    else:
        said = str(path)
        table = results_table([loaded])
        assert all(line.isprintable() and len(line) <= 100 for line in table.splitlines()), table
        json.dumps(json_document(result_samples.CLUSTER, "small", [loaded]), allow_nan=False)
    assert str(path) in said


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


def test_an_invalid_run_is_called_so_everywhere_and_after_reading_it_back(tmp_path: Path) -> None:
    why = "worker-1 ended by signal 9"
    outcome = replace(result_samples.outcome(), invalid=why)
    note = f"INVALID: {why}"
    saved = save_result(
        result_samples.result(outcome=outcome, note=note), result_samples.settings_for(tmp_path), result_samples.CLUSTER
    )
    assert scenario_document(saved)["invalid"] == why
    assert scenario_document(result_samples.result())["invalid"] is None
    (summary,) = tmp_path.glob("*_summary.json")
    back = read_summary(summary)[0]
    assert back.outcome.invalid == why
    assert note in results_table([back])
