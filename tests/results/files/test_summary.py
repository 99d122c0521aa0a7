"""A result as JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import Breach, BrokenKey, UnreadNode, Verification
from confman_tui.load.run_model import Cause
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
    broken = BrokenKey("bench-small-000/key-a/b", Breach.LOST, {"http://n:1": "nothing"})
    lost = Verification(acknowledged=5, checked=5, lost=1, broken=(broken,), note="one lost")
    lost = replace(lost, without=(UnreadNode(result_samples.NODES[2], "not ready for 30 s"),))
    before = result_samples.result(
        verification=lost, note="stopped", elections=(result_samples.election(), result_samples.election(fault=None))
    )
    saved = save_result(before, chosen, result_samples.CLUSTER)
    names = ["_stats.csv", "_elections.csv", "_verification.csv", "_lost.csv", "_summary.json"]
    assert [Path(file).name for file in saved.files] == [f"small-write-10u{name}" for name in names]
    assert (tmp_path / "small-write-10u_lost.csv").read_text().splitlines() == [
        "namespace,key,verdict,nodes_read,nodes,http://n:1",
        "bench-small-000,key-a/b,lost,0,0,nothing",
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


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("requests", "many", "is not a summary of confman-tui"),
        ("requests", None, "is not a summary of confman-tui"),
        ("p50_us", 1.5, "is not a summary of confman-tui"),
        ("note", 3, "is not a summary of confman-tui"),
        ("elections.0.rounds", True, "is not a summary of confman-tui"),
        ("start", 3, "is not a summary of confman-tui"),
        ("requests", -1, "holds wrong values"),
        ("writes_ok", 10**30, "holds wrong values"),
        ("duration_s", float("nan"), "holds wrong values"),
        ("failures", 10**6, "holds wrong values"),
        ("start", "yesterday", "holds wrong values"),
        ("failures_by_cause.bad luck", 3, "holds wrong values"),
        ("reads", "nowhere", "holds wrong values"),
        ("elections.0.fault", "flood", "holds wrong values"),
        ("by_node.0.writes_failed", 10**6, "holds wrong values"),
    ],
)
def test_each_damage_has_its_sentence(tmp_path: Path, path: str, value: object, why: str) -> None:
    saved = save_result(result_samples.result(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    file = Path(saved.files[-1])
    document = json.loads(file.read_text())
    *holders, name = path.split(".")
    holder = document
    for key in holders:
        holder = holder[int(key) if key.isdecimal() else key]
    holder[name] = value
    file.write_text(json.dumps(document))
    with pytest.raises(ResultsError) as caught:
        read_summary(file)
    assert str(caught.value) == f"{file} {why}, so it is left out"


@pytest.mark.parametrize("name", ["lost", "phantom", "acknowledged", "checked"])
def test_a_verdict_without_a_count_is_none(tmp_path: Path, name: str) -> None:
    """A missing count must not pass for "none lost"."""
    saved = save_result(result_samples.result(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    file = Path(saved.files[-1])
    document = json.loads(file.read_text())
    del document["verification"][name]
    file.write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="is not a summary"):
        read_summary(file)


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
