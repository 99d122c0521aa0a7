"""``--reads`` of the whole program on the demo cluster: who is sent what, and where that is reported."""

from __future__ import annotations

import csv
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.program import run
from tests.support.ready_cluster import ready_cluster

PORTS = ("first", "leader", "last")


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoCluster]:
    with ready_cluster(3, (400, 800)) as cluster:
        yield cluster


def leads(url: str) -> bool:
    """Whether that node does."""
    with urllib.request.urlopen(f"{url}/health/ready") as answer:
        return bool(json.load(answer)["cluster"]["role"] == "leader")


def leader_second(urls: tuple[str, ...]) -> list[str]:
    """The nodes with the leader in second place, so that the entry is a follower."""
    (leading,) = [url for url in urls if leads(url)]
    first, last = (url for url in urls if url != leading)
    return [first, leading, last]


def figures(scenario: str, reads: str, nodes: list[str], home: Path, *more: str) -> dict[str, Any]:
    """A short run's document; each node's entry by its place among the nodes."""
    flags = ["--headless", "--json", "--scenario", scenario, "--nodes", ",".join(nodes), "--duration", "400ms"]
    ended = run([*flags, *more], home, CONFMAN_BENCH_READS=reads)
    assert ended.returncode == 0, ended.stderr
    [outcome] = json.loads(ended.stdout)["scenarios"]
    assert isinstance(outcome, dict)
    assert outcome["failures"] == 0
    assert ("reads from" in ended.stderr) == (reads != "all")
    assert sum(held["requests"] for held in outcome["by_node"]) == outcome["requests"]
    assert sum(held["rps"] for held in outcome["by_node"]) == pytest.approx(outcome["rps"], abs=0.01)
    return {**outcome, "nodes": {PORTS[nodes.index(held["node"])]: held for held in outcome["by_node"]}}


def test_one_reader_reads_from_the_entry_and_the_table_names_it(demo: DemoCluster, tmp_path: Path) -> None:
    nodes = leader_second(demo.urls)
    for turned in (nodes, nodes[1:] + nodes[:1]):
        outcome = figures("read-1u", "all", turned, tmp_path)
        assert [held["node"] for held in outcome["by_node"]] == [turned[0]]
        assert outcome["reads"] == "all"
        [held] = outcome["by_node"]
        assert [held[name] for name in ("p50_us", "p99_us")] == [outcome["p50_us"], outcome["p99_us"]]
        with (tmp_path / "results" / "small-read-1u_timeline.csv").open(newline="") as stream:
            sent = [int(row["sent " + turned[0].removeprefix("http://")]) for row in csv.DictReader(stream)]
        assert sum(sent) == outcome["requests"]
        table = run(["--results-only"], tmp_path).stdout
        assert "read-1u: reads from " + turned[0].removeprefix("http://") in table


@pytest.mark.parametrize(
    "more", [(), pytest.param(("--workers", "1"), marks=pytest.mark.slow)], ids=["in_process", "worker"]
)
def test_with_entry_mixed_writes_go_there_too_and_are_redirected(
    demo: DemoCluster, tmp_path: Path, more: tuple[str, ...]
) -> None:
    outcome = figures("mixed-10u", "entry", leader_second(demo.urls), tmp_path, *more)
    assert list(outcome["nodes"]) == ["first"]
    assert outcome["redirected"] == outcome["nodes"]["first"]["writes"] == outcome["writes_ok"] > 0


def test_with_followers_reads_leave_the_leader_alone_and_writes_go_to_it(demo: DemoCluster, tmp_path: Path) -> None:
    outcome = figures("mixed-10u", "followers", leader_second(demo.urls), tmp_path)
    nodes = outcome["nodes"]
    assert set(nodes) == set(PORTS)
    assert (nodes["leader"]["reads"], nodes["leader"]["writes"]) == (0, outcome["writes_ok"])
    assert nodes["first"]["writes"] == nodes["last"]["writes"] == outcome["redirected"] == 0
    assert min(nodes["first"]["reads"], nodes["last"]["reads"]) > 0


@pytest.mark.slow
def test_pure_writes_go_to_the_leader_whatever_reads_do(demo: DemoCluster, tmp_path: Path) -> None:
    nodes = leader_second(demo.urls)
    ended = run(
        *(
            ["--headless", "--json", "--scenario", "write-1u", "--nodes", ",".join(nodes), "--duration", "400ms"],
            tmp_path,
        ),
        CONFMAN_BENCH_READS="entry",
    )
    assert ended.returncode == 0, ended.stderr
    [outcome] = json.loads(ended.stdout)["scenarios"]
    assert outcome["reads"] is None
    assert [held["node"] for held in outcome["by_node"]] == [nodes[1]]
