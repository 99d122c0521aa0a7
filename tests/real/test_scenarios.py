"""The five scenarios, and elections that somebody else causes, measured by the program on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import SUITE, StartedProgram
from tests.support.real_cluster import AGREE_S, NODES, RealCluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ON_CLUSTER = ["--nodes", ",".join(NODES)]


def document_of(started: StartedProgram, deadline_s: float, code: int = 0) -> dict[str, Any]:
    """What it printed as JSON, once it ended with that exit code."""
    try:
        assert started.wait_end(deadline_s) == code, started.said()
    finally:
        started.process.kill()
    started.assert_nothing_left()
    document: dict[str, Any] = json.loads(started.output.read_text())
    return document


def test_the_five_scenarios_fail_and_lose_nothing(cluster: RealCluster, tmp_path: Path) -> None:
    started = StartedProgram(["--headless", "--json", "--duration", "5s", *ON_CLUSTER], tmp_path)
    document = document_of(started, 150.0)
    rows = document["scenarios"]
    assert [row["name"] for row in rows] == SUITE
    assert {row["name"]: row["failures"] for row in rows} == dict.fromkeys(SUITE, 0)
    assert all(row["requests"] > 0 for row in rows)
    assert set(document["cluster"]["nodes"]) == set(NODES)
    for row in rows:
        judged = row["verification"]
        assert (judged is None) == row["name"].startswith("read")
        if judged is not None:
            assert judged["judged"]
            assert judged["acknowledged"] >= row["writes_ok"] > 0
            assert (judged["lost"], judged["phantom"], judged["stale"]) == (0, 0, 0)


def test_a_drill_by_pause_is_judged_and_loses_nothing(cluster: RealCluster, tmp_path: Path) -> None:
    """The drill pauses a process that it did not start, and resumes it."""
    before = cluster.wait_agreed()
    arguments = ["drill", "--json", "--rounds", "1", "--fault", "pause", "--allow-faults", "--wait", "60s"]
    started = StartedProgram([*arguments, *ON_CLUSTER], tmp_path)
    document = document_of(started, 200.0)
    (row,) = document["rounds"]
    assert row["judged"]
    assert row["node"] == before
    assert row["new_leader"] in set(NODES) - {before}
    assert row["term_after"] > row["term_before"]
    assert row["without_writes_s"] > 0
    assert document["verification"]["acknowledged"] > 0
    assert (document["verification"]["lost"], document["verification"]["phantom"]) == (0, 0)


def test_a_kill_from_outside_is_measured_in_the_run_that_it_hits(young_cluster: RealCluster, tmp_path: Path) -> None:
    before = young_cluster.wait_agreed()
    # one writer: the killed node must not have made a snapshot yet (see the fixture)
    arguments = ["--headless", "--json", "--scenario", "write-1u", "--duration", "15s", "--wait", "60s"]
    started = StartedProgram([*arguments, *ON_CLUSTER], tmp_path)
    try:
        timeline = tmp_path / "results" / "small-write-1u_timeline.csv.part"
        wait_for(lambda: timeline.exists() and len(timeline.read_text().splitlines()) >= 3, "seconds of load", 60.0)
        young_cluster.kill(before)
        after = young_cluster.wait_other_leader(before)
        young_cluster.restart(before)
        document = document_of(started, 15.0 + 2 * AGREE_S)
    finally:
        started.process.kill()
    (row,) = document["scenarios"]
    (election,) = row["elections"]
    assert (election["old_leader"], election["new_leader"]) == (before, after)
    assert election["term_after"] > election["term_before"]
    assert election["without_writes_s"] > 0
    judged = row["verification"]
    assert judged["judged"]
    assert judged["acknowledged"] >= row["writes_ok"] > 0
    assert (judged["lost"], judged["phantom"]) == (0, 0)
