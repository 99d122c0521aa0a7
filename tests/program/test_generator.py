"""The whole program against a server that answers at once: a saturated generator says so, an idle one does not."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from confman_tui.core import errors
from tests.support.confman_server import Server
from tests.support.program import run

ATTEMPTS = 5
"""Runs at most, where other processes disturb one."""


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


Ended = subprocess.CompletedProcess[str]
Rows = list[dict[str, str]]


def telling_run(
    arguments: list[str], home: Path, name: str, disturbed: Callable[[Rows], bool]
) -> tuple[Ended, Rows, Path]:
    """The first run that nothing else on the machine disturbed, and its folder; there must be one."""
    for attempt in range(ATTEMPTS):
        folder = home / f"{attempt}"
        folder.mkdir()
        ended = run(arguments, folder)
        rows = rows_of(folder, name)
        if not disturbed(rows):
            return ended, rows, folder
    pytest.fail(f"each of {ATTEMPTS} runs was disturbed")


def starved(rows: Rows, cpu: str, wait: str) -> bool:
    """Whether the thread did not have work all the time, since the server did not get its core, or did not get one
    itself where the system does not say how long it waited for it (Linux does)."""
    return min(float(row[cpu]) + float(row[wait] or 0.0) for row in rows) < 0.9


def test_a_saturated_generator_is_exit_6_where_that_is_wanted(node: str, tmp_path: Path) -> None:
    """Many users without a pause: the thread that makes the load has work all the time, on a busy machine too."""
    arguments = ["--headless", "--nodes", node, "--scenario", "read-10u", "--users", "100"]
    arguments += ["--duration", "3.5", "--strict"]
    ended, rows, tmp_path = telling_run(
        arguments, tmp_path, "read-100u", lambda rows: starved(rows, "engine_cpu", "engine_wait")
    )
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


FILES_HELD = """
import os
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(250)]
"""
"""The program begins with so many open files."""


def test_out_of_file_descriptors_is_exit_6_where_that_is_wanted(node: str, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "sitecustomize.py").write_text(FILES_HELD)
    arguments = ["--headless", "--nodes", node, "--scenario", "read-10u", "--users", "100", "--duration", "1"]
    path = os.pathsep.join([str(first), os.environ.get("PYTHONPATH", "")])
    ended = run([*arguments, "--strict"], tmp_path, most_files=360, PYTHONPATH=path)
    assert ended.returncode == errors.EXIT_GENERATOR_BOUND, ended.stderr
    assert "Traceback" not in ended.stderr
    document = summary_of(tmp_path, "read-100u")
    assert document["failures_by_cause"]["out_of_files"] > 0
    assert document["generator_bound"]["reason"].startswith("out of file descriptors: ")
    assert "ulimit -n" in document["generator_bound"]["advice"]


@pytest.mark.parametrize("command", ["--headless", "drill"])
def test_more_users_than_the_system_allows_files_are_refused_before_the_run(
    command: str, node: str, tmp_path: Path
) -> None:
    faults = ["--allow-faults"] if command == "drill" else []
    ended = run([command, "--nodes", node, "--users", "200", *faults], tmp_path, most_files=360)
    assert ended.returncode == errors.EXIT_USAGE, ended.stderr
    said = "200 users need 456 open files in one process, and this system allows 360 (ulimit -Hn)"
    assert ended.stderr.count(said) == 1
    assert "started" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_saturated_worker_is_named(node: str, tmp_path: Path) -> None:
    arguments = ["--headless", "--nodes", node, "--scenario", "read-10u", "--users", "100", "--workers", "1"]
    ended, rows, tmp_path = telling_run(
        [*arguments, "--duration", "5", "--strict"],
        tmp_path,
        "read-100u",
        lambda rows: starved(rows, "worker_cpu_max", "worker_wait_max"),
    )
    assert all(float(row["worker_cpu_max"]) > 0 for row in rows)
    assert ended.returncode == errors.EXIT_GENERATOR_BOUND, (ended.stderr, rows)
    document = summary_of(tmp_path, "read-100u")
    assert document["generator_bound"]["reason"].startswith(("worker-1 used up to", "the load's loop was"))
    assert document["generator"]["worker_cpu"]["worker-1"]["max"] > 0
    assert document["generator"]["program_cpu"]["mean"] >= document["generator"]["worker_cpu_max"]["mean"] * 0.8


@pytest.mark.slow
def test_an_idle_generator_is_not_the_limit(node: str, tmp_path: Path) -> None:
    arguments = ["--headless", "--nodes", node, "--scenario", "write-1u", "--duration", "3.5", "--strict", "--json"]
    # where even an idle loop is 20 ms late for 3 s, it is the machine that is full
    ended, rows, tmp_path = telling_run(
        arguments, tmp_path, "write-1u", lambda rows: sum(float(row["hub_lag_ms"]) > 20 for row in rows) >= 3
    )
    assert all(float(row["engine_cpu"]) < 0.5 for row in rows)
    assert ended.returncode == errors.EXIT_OK, ended.stderr
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert scenario["generator_bound"] is None
    assert scenario["generator"]["engine_cpu"]["max"] < 0.5
    assert "generator" not in ended.stderr
    assert not any("generator" in row["marks"] for row in rows)
