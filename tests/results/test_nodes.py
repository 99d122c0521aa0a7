"""Where reads went and how each node did: as JSON and back, in the table, in a series' CSV, in the comparison."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.files.series_files import save_series
from confman_tui.results.files.summary import read_summary, save_result
from confman_tui.results.kept_run import KeptRun
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.sentences import nodes_notes
from confman_tui.settings.scenarios import Reads
from tests.support import result_samples


def test_each_node_has_its_figures_and_they_add_up() -> None:
    document = scenario_document(
        result_samples.result("mixed-10u", outcome=result_samples.read_by_node(), reads=Reads.FOLLOWERS)
    )
    assert document["reads"] == "followers"
    first, second, third = document["by_node"]
    assert first == {
        "node": result_samples.NODES[0],
        "requests": 900,
        "failed": 0,
        "reads": 900,
        "writes": 0,
        "reads_failed": 0,
        "writes_failed": 0,
        "rps": 60.0,
        "p50_us": 2_000,
        "p99_us": 9_000,
    }
    assert (second["reads"], second["writes"], third["requests"], third["failed"]) == (0, 40, 300, 10)
    assert sum(held["rps"] for held in document["by_node"]) == pytest.approx(document["rps"], abs=0.002)
    assert {held["node"]: held["requests"] for held in document["by_node"]} == document["per_node"]


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    for name, reads in (("read-10u", Reads.ENTRY), ("write-10u", None)):
        saved = save_result(
            result_samples.result(name, outcome=result_samples.read_by_node(), reads=reads),
            result_samples.settings_for(tmp_path),
            result_samples.CLUSTER,
        )
        back = read_summary(tmp_path / f"small-{name}_summary.json")[0]
        assert back == replace(saved, outcome=replace(saved.outcome, files=()))
        assert back.reads is reads


def test_a_summary_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    save_result(result_samples.result(reads=Reads.ALL), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    document = json.loads(path.read_text())
    del document["reads"], document["by_node"]
    path.write_text(json.dumps(document))
    back = read_summary(path)[0]
    assert (back.reads, back.outcome.by_node) == (None, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reads", "nowhere"),
        ("reads", 5),
        ("by_node", [{}]),
        ("by_node", 3),
        ("by_node", [{"node": "a", "reads": 1, "reads_failed": 2, "writes": 0, "writes_failed": 0}]),
    ],
)
def test_a_summary_with_other_things_there_is_refused(tmp_path: Path, name: str, value: object) -> None:
    save_result(result_samples.result(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ResultsError, match="so it is left out"):
        read_summary(path)


def test_the_table_names_the_nodes_where_it_matters() -> None:
    def note(reads: Reads | None, users: int) -> list[str]:
        return nodes_notes(result_samples.result("r", outcome=result_samples.read_by_node(), reads=reads, users=users))

    shares = "127.0.0.1:6100 75.0 %, 127.0.0.1:6300 25.0 %"
    assert note(Reads.ALL, 10) == note(None, 1) == []
    assert note(Reads.ALL, 1) == [f"reads from {shares}"]
    assert note(Reads.FOLLOWERS, 10) == [f"reads from the followers: {shares}"]
    assert "r: reads from the leader: " + shares in results_table(
        [result_samples.result("r", outcome=result_samples.read_by_node(), reads=Reads.LEADER)]
    )
    one = replace(result_samples.read_by_node(), by_node=result_samples.read_by_node().by_node[:1])
    assert nodes_notes(result_samples.result("r", outcome=one, reads=Reads.ALL, users=1)) == [
        "reads from 127.0.0.1:6100"
    ]


def test_a_series_rows_say_where_reads_went(tmp_path: Path) -> None:
    series = result_samples.user_series({1: 100, 10: 800})
    points = tuple(
        replace(point, results=tuple(replace(result, reads=Reads.LEADER) for result in point.results))
        for point in series.points
    )
    save_series(replace(series, points=points), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    with (tmp_path / "small-read-10u_users.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["reads"] for row in csv.DictReader(stream)] == ["leader", "leader"]


@pytest.mark.parametrize(("reads", "compared"), [(Reads.ALL, True), (Reads.ENTRY, False)])
def test_runs_that_read_from_elsewhere_are_not_compared(tmp_path: Path, reads: Reads, compared: bool) -> None:
    chosen = result_samples.settings_for(tmp_path)
    kept = replace(result_samples.run(100.0), reads=Reads.ALL)
    save_result(kept, chosen, result_samples.CLUSTER)
    present = KeptRun(chosen, kept.name).compared(replace(kept, reads=reads))
    assert (present.comparison is not None) == compared


def test_runs_whose_requests_could_take_longer_are_not_compared(tmp_path: Path) -> None:
    chosen = result_samples.settings_for(tmp_path)
    kept = result_samples.run(100.0)
    save_result(kept, chosen, result_samples.CLUSTER)
    assert KeptRun(chosen, kept.name).compared(kept).comparison is not None
    assert KeptRun(chosen, kept.name).compared(replace(kept, request_timeout_s=30.0)).comparison is None
