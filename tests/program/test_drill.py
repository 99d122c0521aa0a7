"""The drill against an independent observer, on real processes: do both see the same time without writes?"""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from confman_tui.demo.supervisor import DemoCluster
from confman_tui.session.figures import short_seconds
from tests.support.agreement import fault_seconds, gaps_around, tolerance
from tests.support.observed_drill import DRILL, observed_drill
from tests.support.program import StartedProgram
from tests.support.ready_cluster import ready_cluster
from tests.support.waiting import wait_for

PROBE_S = 0.1
"""The probe's interval."""


def assert_same(document: dict[str, Any], report: dict[str, Any], rounds: int, home: Path) -> None:
    """Each round's time without writes is the observer's, as far as both are sure of theirs."""
    fault = document["rounds"][0]["fault"]
    gaps = gaps_around(
        document["rounds"], report["gaps"], fault_seconds(home / "results" / "small-drill_timeline.csv", fault)
    )
    measured = [row["without_writes_s"] for row in document["rounds"]]
    seen = [gap["seconds"] for gap in gaps]
    print("measured:", measured, "observed:", seen)
    assert len(document["rounds"]) == rounds
    assert all(row["judged"] for row in document["rounds"]), document["rounds"]
    for row, gap in zip(document["rounds"], gaps, strict=True):
        most = tolerance(PROBE_S, row["uncertainty_s"], gap["uncertainty"])
        assert row["without_writes_s"] == pytest.approx(gap["seconds"], abs=most), (measured, seen)
        assert row["detect_s"] <= max(row["agree_s"], row["first_write_s"])
        # A paused leader's silence is known when a poll has waited for it in vain.
        assert row["detect_s"] >= (0.3 if row["fault"] == "pause" else 0.0)
        assert row["agree_s"] >= row["claim_s"]
        assert row["recover90_s"] >= row["first_write_s"]
        assert row["term_after"] > row["term_before"]
    judged = document["verification"]
    assert judged["acknowledged"] > 0
    assert (judged["lost"], judged["phantom"], judged["stale"]) == (0, 0, 0)
    assert judged["checked"] >= judged["acknowledged"]


DISTURBED = ("generator-bound", " not judged: ")
"""What a drill says of a machine that other programs keep so busy that a round of it proves nothing."""
DRILLS = 6
"""Tries of a drill that the machine disturbs."""


def undisturbed(drill: Callable[[Path], str], home: Path) -> Path:
    """Do a drill until the machine does not disturb it, at most `DRILLS` times; ``drill`` gets a folder of its own and
    gives what was said. Gives the last one's folder: what is asserted of it may fail all the same."""
    for number in range(DRILLS):
        folder = home / f"try-{number}"
        folder.mkdir()
        said = drill(folder)
        if not all(words in said for words in DISTURBED):
            break
    return folder


def drilled(arguments: list[str], home: Path, code: int | None = 0) -> tuple[dict[str, Any], str]:
    """What a drill on a demo cluster prints and logs, once it has ended with that code (None: any)."""
    started = StartedProgram([*DRILL, *arguments], home)
    try:
        ended = started.wait_end()
        assert code is None or ended == code, started.said()
    finally:
        started.process.kill()
    started.assert_nothing_left()
    return json.loads(started.output.read_text()), started.said()


def drilled_undisturbed(arguments: list[str], home: Path) -> tuple[dict[str, Any], str, Path]:
    """As `drilled`, again until the machine does not disturb it; with the folder of the last drill."""
    drills: list[tuple[dict[str, Any], str]] = []

    def drill(folder: Path) -> str:
        drills.append(drilled(arguments, folder, code=None))
        return drills[-1][1]

    folder = undisturbed(drill, home)
    return *drills[-1], folder


def assert_returned(document: dict[str, Any], log: str, home: Path) -> None:
    """The log says when each round's fault ended and when its node answered: the return lies between."""
    rows = document["rounds"]
    said = [line for line in log.splitlines() if line.startswith("drill round ")]
    with (home / "results" / "small-drill_rounds.csv").open() as stream:
        kept = list(csv.DictReader(stream))
    assert len(said) == len(kept) == len(rows)
    for number, (row, line, written) in enumerate(zip(rows, said, kept, strict=True), 1):
        undone = {"kill": "restart", "pause": "resume", "isolate": "heal"}[row["fault"]]
        assert f"fault: {undone} {row['node']} (drill)" in log
        assert line.startswith(f"drill round {number} of {len(rows)}: ")
        assert line.endswith(f" s without writes, back after {short_seconds(row['return_s'])}")
        assert row["return_s"] > 0.0
        assert row["no_return"] == ""
        assert float(written["return_s"]) == row["return_s"]
    assert document["spread"]["return_s"]["max"] == max(row["return_s"] for row in rows)
    assert document["verification"]["without"] == []


def test_a_drill_measures_what_an_observer_sees_and_says_when_its_node_was_back(tmp_path: Path) -> None:
    arguments = ["--rounds", "2", "--demo-election-timeout", "500-900", "--max-unavailable", "10s"]
    drills: list[tuple[dict[str, Any], dict[str, Any], int]] = []

    def drill(folder: Path) -> str:
        drills.append(observed_drill(arguments, folder))
        return (folder / "stderr.txt").read_text()

    folder = undisturbed(drill, tmp_path)
    document, report, code = drills[-1]
    assert code == 0, document["verdict"]
    assert_same(document, report, 2, folder)
    assert_returned(document, (folder / "stderr.txt").read_text(), folder)


def test_an_isolated_leader_is_measured_up_to_the_agreement_of_the_others(tmp_path: Path) -> None:
    arguments = ["--rounds", "1", "--fault", "isolate", "--demo-election-timeout", "400-1500"]
    document, log, folder = drilled_undisturbed(arguments, tmp_path)
    assert_returned(document, log, folder)
    (row,) = document["rounds"]
    assert row["judged"]
    steps = [row[name] for name in ("claim_s", "elect_s", "agree_s", "first_write_s", "without_writes_s")]
    assert all(step > 0 for step in steps)
    assert row["new_leader"] != row["node"]
    # It steps down 1.5 s after its links were cut; a leader that was elected hardly before leaves no stale one to see.
    if row["elect_s"] < 1.2:
        assert "stale leader" in log
    assert document["tier"] == "small"
    assert row["node"] in document["cluster"]["nodes"]
    assert document["cluster"]["leader"] == row["new_leader"]
    summary = json.loads((folder / "results" / "small-drill_summary.json").read_text())
    assert (summary["stopped_early"], summary["note"]) == (False, "")


def test_a_round_says_when_its_paused_node_was_back(tmp_path: Path) -> None:
    arguments = ["--rounds", "1", "--fault", "pause", "--demo-election-timeout", "300-600"]
    assert_returned(*drilled_undisturbed(arguments, tmp_path))


def test_a_drill_needs_three_nodes(tmp_path: Path) -> None:
    refused = StartedProgram([*DRILL, "--demo-nodes", "2", "--demo-election-timeout", "150-300"], tmp_path)
    assert refused.wait_end() == 2
    assert "at least three nodes" in refused.said()
    assert "fault:" not in refused.said()
    refused.assert_nothing_left()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", ["kill", "pause", "isolate"])
def test_five_rounds_with_confmans_own_timeouts(fault: str, tmp_path: Path) -> None:
    document, report, code = observed_drill(["--rounds", "5", "--fault", fault], tmp_path, 300.0)
    assert code == 0, document["verdict"]
    assert_same(document, report, 5, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_rounds_lose_and_leak_nothing_and_need_no_hand(tmp_path: Path) -> None:
    started = StartedProgram(
        [*DRILL, "--rounds", "50", "--demo-election-timeout", "300-600"],
        tmp_path,
    )
    try:
        assert started.wait_end(1500.0) == 0, started.said()
    finally:
        started.process.kill()
    document = json.loads(started.output.read_text())
    assert len(document["rounds"]) == 50
    assert document["verification"]["lost"] == document["verification"]["phantom"] == 0
    started.assert_nothing_left()


@pytest.mark.slow
def test_a_limit_that_is_broken_is_exit_4(tmp_path: Path) -> None:
    arguments = ["--rounds", "1", "--max-unavailable", "0.1s", "--demo-election-timeout", "500-900"]
    document, _ = drilled(arguments, tmp_path, 4)
    assert "broken" in document["verdict"]


def test_faults_on_a_cluster_of_ones_own_need_to_be_allowed(node: DemoCluster, tmp_path: Path) -> None:
    nodes = ["--nodes", node.urls[0]]
    refused = StartedProgram(["drill", *nodes], tmp_path)
    assert refused.wait_end() == 2
    assert "--allow-faults" in refused.said()
    last = StartedProgram(["drill", *nodes, "--allow-faults"], tmp_path)
    assert last.wait_end() == 2, last.said()
    assert "last live node" in last.said()
    assert node.alive(node.urls[0])


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL], ids=lambda number: number.name
)
def test_a_paused_node_of_somebody_elses_cluster_is_resumed_whatever_ends_the_drill(
    number: signal.Signals, tmp_path: Path
) -> None:
    def answers(url: str) -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=0.3, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    with ready_cluster(3, (800, 1200)) as cluster:
        nodes = ["--nodes", ",".join(cluster.urls), "--allow-faults"]
        started = StartedProgram(["drill", *nodes, "--fault", "pause"], tmp_path)
        try:
            started.wait_said("fault: pause")
            assert "(pid " in started.said(), "the process is shown before"
            wait_for(lambda: not all(answers(url) for url in cluster.urls), "a paused node")
            started.process.send_signal(number)
            assert started.wait_end() == (130 if number is signal.SIGINT else -number)
        finally:
            started.process.kill()
        wait_for(lambda: all(answers(url) for url in cluster.urls), "every node answers again")
        wait_for(lambda: not started.family(), lambda: f"processes left: {started.family()}")


def test_a_drill_on_a_cluster_without_a_leader(tmp_path: Path) -> None:
    with ready_cluster(3) as cluster:
        for url in cluster.urls[:2]:
            cluster.kill(url)
        nodes = ["--nodes", ",".join(cluster.urls), "--wait", "2"]
        started = StartedProgram(["drill", *nodes, "--allow-faults"], tmp_path)
        assert started.wait_end() == 3, started.said()
        assert "no leader" in started.said()


@pytest.mark.slow
def test_a_drill_on_a_cluster_that_lacks_a_node(tmp_path: Path) -> None:
    """It is refused with the node's name before any load."""
    with ready_cluster(3) as cluster:
        lacking = cluster.urls[0]
        cluster.kill(lacking)
        started = StartedProgram(["drill", "--nodes", ",".join(cluster.urls), "--allow-faults"], tmp_path)
        assert started.wait_end() == 3, started.said()
        assert f"a drill needs every node, and it lacks {lacking} (refused)" in started.said()
        started.assert_nothing_left()


def test_a_node_that_never_comes_back_ends_the_drill(tmp_path: Path) -> None:
    """The cluster's restart command starts nothing: the drill ends with what it has and names the node."""
    with ready_cluster(3, (300, 600)) as cluster:
        nodes = ["--nodes", ",".join(cluster.urls), "--allow-faults", "--restart-cmd", "true {port}", "--wait", "2"]
        started = StartedProgram(["drill", *nodes, "--json", "--rounds", "3"], tmp_path)
        try:
            assert started.wait_end(110.0) == 4, started.said()
        finally:
            started.process.kill()
        document = json.loads(started.output.read_text())
        assert len(document["rounds"]) == 1
        assert "did not come back: refused for 2 s" in document["verdict"]
        assert any(url in document["verdict"] for url in cluster.urls)
        assert document["verification"]["lost"] == 0
