"""What the generator used, and that it was the limit, in the timeline, the table and the JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.load.generator_use import GeneratorUse, Used
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.contents import results_only
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.scenario_json import scenario_document
from confman_tui.results.files.summary import read_summary, save_result
from confman_tui.results.files.timeline_csv import TimelineWriter, bound_mark
from confman_tui.results.tables.columns import WIDTH
from confman_tui.results.tables.results_table import results_table
from tests.support import result_samples

BOUND = GeneratorBound(12, "the load's thread used 97 % of a core", "--workers 1 or more, or fewer users")
USE = GeneratorUse(
    gauges={"engine_cpu": Used(0.9512, 0.97), "hub_lag_ms": Used(1.25, 8.5), "in_flight": Used(9.5, 10)},
    worker_cpu={"worker-1": Used(0.5, 0.75)},
    node_cpu={result_samples.NODES[0]: Used(0.25, 0.5)},
)
WATCHED = GeneratorSample(
    at=result_samples.START + 1,
    seconds=1.0,
    machine_cpu=0.654,
    program_cpu=1.2,
    conductor_lag_s=0.0015,
    screen_lag_s=0.004,
    engine_wait=0.05,
    node_cpu={result_samples.NODES[0]: 0.3, "http://elsewhere:1": 9.0},
)


def test_the_timeline_has_a_row_a_second_of_it(tmp_path: Path) -> None:
    writer = TimelineWriter(tmp_path / "a.csv", result_samples.NODES)
    busy = result_samples.sample(0, worker_cpu={"worker-1": 0.5, "worker-2": 0.75}, worker_wait={"worker-1": 0.25})
    writer.row(busy, result_samples.view(), [bound_mark(BOUND)], generator=WATCHED)
    writer.row(
        result_samples.sample(1), generator=replace(WATCHED, machine_cpu=None, screen_lag_s=None, engine_wait=None)
    )
    writer.row(result_samples.sample(2))
    path = writer.close()
    assert path is not None
    with path.open(newline="") as stream:
        first, second, third = csv.DictReader(stream)
    names = (
        *("engine_wait", "machine_cpu", "program_cpu", "worker_cpu_max", "worker_wait_max"),
        *("conductor_lag_ms", "screen_lag_ms"),
    )
    assert [first[name] for name in names] == ["0.050", "0.654", "1.200", "0.750", "0.250", "1.50", "4.00"]
    assert [second[name] for name in names] == ["", "", "1.200", "", "", "1.50", ""]
    assert [third[name] for name in names] == [""] * 7
    assert [first[f"cpu 127.0.0.1:{port}"] for port in (6100, 6200, 6300)] == ["0.300", "", ""]
    assert first["marks"] == "generator-bound: the load's thread used 97 % of a core"
    assert None not in first


def test_the_table_says_whose_limit_it_was_and_what_to_do() -> None:
    lines = results_table(
        [result_samples.result(generator_bound=BOUND), result_samples.result("write-1u")]
    ).splitlines()
    below = lines[lines.index(next(line for line in lines if line.startswith("write-10u"))) :]
    assert below[3] == "  generator-bound"
    note = " ".join(line.strip() for line in lines)
    assert (
        "write-10u: generator-bound for 12 s, not the cluster's limit: the load's thread used 97 % of a core; "
        "try --workers 1 or more, or fewer users"
    ) in note
    assert "write-1u: generator-bound" not in note
    assert max(map(len, lines)) <= WIDTH


def test_the_json_holds_the_verdict_and_the_means() -> None:
    document = scenario_document(result_samples.result(generator=USE, generator_bound=BOUND))
    assert document["generator_bound"] == {"seconds": 12, "reason": BOUND.reason, "advice": BOUND.advice}
    generator = document["generator"]
    assert generator["engine_cpu"] == {"mean": 0.9512, "max": 0.97}
    assert generator["screen_lag_ms"] is None
    assert generator["node_cpu"] == {result_samples.NODES[0]: {"mean": 0.25, "max": 0.5}}
    assert generator["worker_cpu"] == {"worker-1": {"mean": 0.5, "max": 0.75}}
    nobody = scenario_document(result_samples.result())
    assert nobody["generator_bound"] is None
    assert nobody["generator"] is None


def test_it_comes_back_from_the_file(tmp_path: Path) -> None:
    chosen = result_samples.settings_for(tmp_path)
    saved = save_result(result_samples.result(generator=USE, generator_bound=BOUND), chosen, result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    back = read_summary(path)[0]
    assert (back.generator, back.generator_bound) == (USE, BOUND)
    assert saved.generator_bound == BOUND
    assert "  generator-bound" in results_only(tmp_path).splitlines()


@pytest.mark.parametrize(
    "change",
    [
        {"generator_bound": {"seconds": "many", "reason": "", "advice": ""}},
        {"generator_bound": {"seconds": 3}},
        {"generator_bound": 3},
        {"generator": {"engine_cpu": {"mean": "x", "max": 1}}},
        {"generator": {"engine_cpu": 3}},
        {"generator": {"node_cpu": [1]}},
        {"generator": []},
    ],
)
def test_a_damaged_one_is_refused_in_a_sentence(change: dict[str, object], tmp_path: Path) -> None:
    save_result(result_samples.result(generator=USE), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ResultsError, match=r"left out|holds wrong values"):
        read_summary(path)


def test_a_summary_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    save_result(result_samples.result(generator=USE), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    path = tmp_path / "small-write-10u_summary.json"
    document = json.loads(path.read_text())
    del document["generator"], document["generator_bound"]
    path.write_text(json.dumps(document))
    assert read_summary(path)[0].generator is None
