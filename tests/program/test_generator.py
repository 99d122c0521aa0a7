"""The whole program against a server that answers at once: a saturated generator says so, an idle one does not."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confman_tui.core import errors
from tests.support.confman_server import Server
from tests.support.program import run


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with Server() as server:
        yield server.url


def rows_of(home: Path, scenario: str) -> list[dict[str, str]]:
    with (home / "results" / f"small-{scenario}_timeline.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def summary_of(home: Path, scenario: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((home / "results" / f"small-{scenario}_summary.json").read_text())
    return document


def test_a_saturated_generator_is_exit_6_where_that_is_wanted(node: str, tmp_path: Path) -> None:
    """Many users without a pause: the thread that makes the load has work all the time, on a busy machine too."""
    arguments = ["--headless", "--nodes", node, "--scenario", "read-10u", "--users", "100"]
    arguments += ["--duration", "3.5", "--strict"]
    ended = run(arguments, tmp_path)
    rows = rows_of(tmp_path, "read-100u")
    if not rows[0]["engine_wait"] and min(float(row["engine_cpu"]) for row in rows) < 0.9:
        pytest.skip("the machine was too busy, and this system does not say how long a thread waits for a core")
    assert ended.returncode == errors.EXIT_GENERATOR_BOUND, (ended.stderr, rows)
    document = summary_of(tmp_path, "read-100u")
    bound = document["generator_bound"]
    assert 3 <= bound["seconds"] <= 4
    assert bound["reason"].startswith(("the load's thread used", "the load's loop was"))
    assert "fewer users" in bound["advice"]
    assert ended.stderr.count("read-10u: generator-bound, not the cluster's limit: ") == 1
    assert "  generator-bound" in ended.stdout.splitlines()
    assert "read-100u: generator-bound for" in ended.stdout
    marks = [row["marks"] for row in rows]
    assert marks[0] == marks[1] == ""
    assert sum("generator-bound: the load's" in mark for mark in marks) == 1
    use = document["generator"]
    assert use["engine_cpu"]["mean"] <= use["engine_cpu"]["max"]
    assert 0 < use["machine_cpu"]["mean"] <= 1
    assert use["program_cpu"]["mean"] >= 0.9 * use["engine_cpu"]["mean"]
    assert use["node_cpu"][node]["max"] > 0, "the server's process was found behind its port"
    assert all(float(row["conductor_lag_ms"]) >= 0 for row in rows)
    assert {row["screen_lag_ms"] for row in rows} == {""}, "there is no screen"


@pytest.mark.slow
def test_a_saturated_worker_is_named(node: str, tmp_path: Path) -> None:
    arguments = ["--headless", "--nodes", node, "--scenario", "read-10u", "--users", "100", "--workers", "1"]
    ended = run([*arguments, "--duration", "5", "--strict"], tmp_path)
    rows = rows_of(tmp_path, "read-100u")
    assert all(float(row["worker_cpu_max"]) > 0 for row in rows)
    if not rows[0]["worker_wait_max"] and min(float(row["worker_cpu_max"]) for row in rows) < 0.9:
        pytest.skip("the machine was too busy, and this system does not say how long a thread waits for a core")
    assert ended.returncode == errors.EXIT_GENERATOR_BOUND, (ended.stderr, rows)
    document = summary_of(tmp_path, "read-100u")
    assert document["generator_bound"]["reason"].startswith(("worker-1 used up to", "the load's loop was"))
    assert document["generator"]["worker_cpu"]["worker-1"]["max"] > 0
    assert document["generator"]["program_cpu"]["mean"] >= document["generator"]["worker_cpu_max"]["mean"] * 0.8


@pytest.mark.slow
def test_an_idle_generator_is_not_the_limit(node: str, tmp_path: Path) -> None:
    arguments = ["--headless", "--nodes", node, "--scenario", "write-1u", "--duration", "3.5", "--strict", "--json"]
    ended = run(arguments, tmp_path)
    rows = rows_of(tmp_path, "write-1u")
    assert all(float(row["engine_cpu"]) < 0.5 for row in rows)
    if sum(float(row["hub_lag_ms"]) > 20 for row in rows) >= 3:
        pytest.skip("the machine was so busy that even an idle loop was 20 ms late for 3 s")
    assert ended.returncode == errors.EXIT_OK, ended.stderr
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert scenario["generator_bound"] is None
    assert scenario["generator"]["engine_cpu"]["max"] < 0.5
    assert "generator" not in ended.stderr
    assert not any("generator" in row["marks"] for row in rows)
