"""The whole program against a cluster of which one node has not caught up when the run ends: it is waited for, and what
it lacks then is neither lost nor stale: it is not judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.lying_servers import LyingCluster, Whole, WritesOfTheRun
from tests.support.odd_servers import free_port
from tests.support.program import StartedProgram
from tests.support.three_servers import PutRule, Trio
from tests.support.waiting import wait_for

FALLS_BEHIND_AT = 10
"""The number of the run's write after which node 2 knows no leader; from then on it lacks what is written."""


class FallsBehind:
    """A rule for `LyingCluster`: node 2 falls behind in the run, and stays there until it is told to catch up."""

    def __init__(self) -> None:
        self._writes = WritesOfTheRun()
        self.missed: list[tuple[str, str, str]] = []

    def __call__(self, trio: Trio, number: int, namespace: str, key: str, value: str) -> str | None:
        assert isinstance(trio, Whole)
        if self._writes.takes(namespace, key) and self._writes.count == FALLS_BEHIND_AT:
            trio.not_ready.add(2)
        if 2 in trio.not_ready:
            trio.lose(namespace, key, 2)
            self.missed.append((namespace, key, value))
        return None

    def catch_up(self, trio: Whole) -> None:
        """Node 2 has all that it missed."""
        for namespace, key, value in self.missed:
            trio.nodes[2].entries[namespace, key] = value
        trio.not_ready.clear()


def verified(
    rule: PutRule,
    home: Path,
    *more: str,
    extra_node: str = "",
    code: int = 0,
    when_waiting: Callable[[Whole], None] = lambda trio: None,
) -> tuple[dict[str, Any], str, str]:
    """The verification, what the program said, and the short name of node 2. ``when_waiting`` happens to the cluster
    as soon as the program says that it waits for that node."""
    with LyingCluster(rule) as cluster:
        nodes = ",".join([cluster.nodes, *([extra_node] if extra_node else [])])
        arguments = ["--headless", "--json", "--nodes", nodes, "--scenario", "write-10u", "--duration", "1"]
        started = StartedProgram([*arguments, *more], home)
        name = ":" + cluster.trio.urls[2].rpartition(":")[2]
        try:
            wait_for(lambda: waiting_for(name) in started.said() or started.process.poll() is not None, started.said)
            cluster.soon(when_waiting)
            ended = started.wait_end()
        finally:
            started.process.kill()
    (scenario,) = json.loads(started.output.read_text())["scenarios"]
    verification: dict[str, Any] = scenario["verification"]
    assert verification["acknowledged"] > FALLS_BEHIND_AT
    assert ended == code, started.said()
    assert (verification["lost"], verification["diverged"], verification["stale"]) == (0, 0, 0)
    assert verification["checked"] >= verification["acknowledged"]
    return verification, started.said(), name


def waiting_for(name: str) -> str:
    """What the program says while it waits for that node."""
    return f"waiting for {name} (not ready)"


def test_what_a_node_lacks_that_stays_not_ready_is_not_judged_and_not_held_against_the_cluster(
    tmp_path: Path,
) -> None:
    rule = FallsBehind()
    verification, said, name = verified(rule, tmp_path, "--wait", "5", code=11)
    assert 0 < verification["not_caught_up"] <= len(rule.missed)
    assert (verification["nodes_read"], verification["nodes"], verification["passed"]) == (2, 3, False)
    assert waiting_for(name) in said
    (without,) = verification["without"]
    assert without["node"].endswith(name)
    # behind since the run's beginning or a bit later: five seconds of it are enough
    assert int(without["why"].removeprefix("not ready for ").partition(" s")[0]) >= 5
    assert f"judged without {name} ({without['why']})" in verification["note"]
    assert f"write-10u NOT JUDGED: judged without {name} ({without['why']}); {verification['not_caught_up']:,}" in said
    summary = json.loads((tmp_path / "results" / "small-write-10u_summary.json").read_text())
    assert summary["verification"]["without"] == [without]


def test_a_node_that_catches_up_in_time_is_waited_for_and_read(tmp_path: Path) -> None:
    rule = FallsBehind()
    verification, said, name = verified(rule, tmp_path, "--wait", "50", when_waiting=rule.catch_up)
    assert rule.missed
    assert waiting_for(name) in said
    assert (verification["without"], verification["note"]) == ([], "")
    assert (verification["nodes_read"], verification["nodes"], verification["passed"]) == (3, 3, True)


def test_a_node_that_was_down_before_the_run_is_not_waited_for_but_named(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    verification, said, _ = verified(lambda *_: None, tmp_path, "--wait", "50", extra_node=dead)
    assert "waiting for" not in said
    (without,) = verification["without"]
    assert without["node"] == dead
    assert without["why"].startswith("refused for ")
    # three of four are a majority
    assert (verification["nodes_read"], verification["nodes"], verification["passed"]) == (3, 4, True)


def test_with_all_nodes_well_nothing_is_waited_for(tmp_path: Path) -> None:
    verification, said, _ = verified(lambda *_: None, tmp_path)
    # a node whose answer is late just then is waited for: on a busy machine
    assert "(not ready)" not in said
    assert "waiting for" not in said or "(not answering)" in said, said
    assert (verification["without"], verification["note"]) == ([], "")
