"""The whole program against a cluster of which one node has not caught up when the run ends: it is waited for, and what
it lacks is no stale write."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.lying_servers import LyingCluster, Whole, WritesOfTheRun
from tests.support.odd_servers import free_port
from tests.support.program import run
from tests.support.three_servers import PutRule, Trio

FALLS_BEHIND_AT = 10
"""The number of the run's write after which node 2 knows no leader; from then on it lacks what is written."""


class FallsBehind:
    """A rule for `LyingCluster`: node 2 falls behind in the run and catches up after so many seconds, or never."""

    def __init__(self, back_s: float | None = None) -> None:
        self._back_s = back_s
        self._writes = WritesOfTheRun()
        self.missed: list[tuple[str, str, str]] = []

    def __call__(self, trio: Trio, number: int, namespace: str, key: str, value: str) -> str | None:
        assert isinstance(trio, Whole)
        if self._writes.takes(namespace, key) and self._writes.count == FALLS_BEHIND_AT:
            trio.not_ready.add(2)
            if self._back_s is not None:
                asyncio.get_running_loop().call_later(self._back_s, self._catch_up, trio)
        if 2 in trio.not_ready:
            trio.lose(namespace, key, 2)
            self.missed.append((namespace, key, value))
        return None

    def _catch_up(self, trio: Whole) -> None:
        for namespace, key, value in self.missed:
            trio.nodes[2].entries[namespace, key] = value
        trio.not_ready.clear()


def verified(rule: PutRule, home: Path, *more: str, extra_node: str = "") -> tuple[dict[str, Any], str, str]:
    """The verification, what the program said, and the short name of node 2."""
    with LyingCluster(rule) as cluster:
        nodes = ",".join([cluster.nodes, *([extra_node] if extra_node else [])])
        arguments = ["--headless", "--json", "--nodes", nodes, "--scenario", "write-10u", "--duration", "1"]
        ended = run([*arguments, *more], home)
        name = ":" + cluster.trio.urls[2].rpartition(":")[2]
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    verification: dict[str, Any] = scenario["verification"]
    assert verification["acknowledged"] > FALLS_BEHIND_AT
    assert ended.returncode == 0, ended.stderr
    assert (verification["lost"], verification["stale"]) == (0, 0)
    assert verification["checked"] >= verification["acknowledged"]
    return verification, ended.stderr, name


def test_a_node_that_stays_not_ready_is_named_and_its_old_values_are_not_held_against_the_cluster(
    tmp_path: Path,
) -> None:
    rule = FallsBehind()
    verification, said, name = verified(rule, tmp_path, "--wait", "5")
    assert rule.missed, "it lacks acknowledged writes"
    assert f"waiting for {name} (not ready)" in said
    (without,) = verification["without"]
    assert without["node"].endswith(name)
    # behind since the run's beginning or a bit later: five seconds of it are enough
    assert int(without["why"].removeprefix("not ready for ").removesuffix(" s")) >= 5
    assert f"judged without {name} ({without['why']})" in verification["note"]
    assert f"; judged without {name} ({without['why']})" in said
    summary = json.loads((tmp_path / "results" / "small-write-10u_summary.json").read_text())
    assert summary["verification"]["without"] == [without]


def test_a_node_that_catches_up_in_time_is_waited_for_and_read(tmp_path: Path) -> None:
    rule = FallsBehind(back_s=6.0)
    verification, said, name = verified(rule, tmp_path, "--wait", "50")
    assert rule.missed
    assert f"waiting for {name} (not ready)" in said
    assert (verification["without"], verification["note"]) == ([], "")


def test_a_node_that_was_down_before_the_run_is_not_waited_for_but_named(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    verification, said, _ = verified(lambda *_: None, tmp_path, "--wait", "50", extra_node=dead)
    assert "waiting for" not in said
    (without,) = verification["without"]
    assert without["node"] == dead
    assert without["why"].startswith("refused for ")


def test_with_all_nodes_well_nothing_is_waited_for(tmp_path: Path) -> None:
    verification, said, _ = verified(lambda *_: None, tmp_path)
    # a node whose answer is late just then is waited for: on a busy machine
    assert "(not ready)" not in said
    assert "waiting for" not in said or "(not answering)" in said, said
    assert (verification["without"], verification["note"]) == ([], "")
