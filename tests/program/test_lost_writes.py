"""The whole program against a cluster that breaks its promise: it must be caught each time."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.lying_servers import LyingCluster
from tests.support.program import run
from tests.support.three_servers import Trio

SEEDED = 100
EVERY = 10
"""Each tenth write of the run is one to lie about, until there is no lie left."""


class Lies:
    """Each of its lies once, about writes of the run, not about seeds or the probe's."""

    def __init__(self, *kinds: str) -> None:
        self._left = list(kinds)
        self._met = 0
        self.keys: dict[str, str] = {}
        """Per lie, its key."""

    def __call__(self, trio: Trio, number: int, namespace: str, key: str, value: str) -> str | None:
        if not namespace.startswith("bench-small-") or number <= SEEDED:
            return None
        self._met += 1
        if self._met % EVERY or not self._left:
            return None
        kind = self._left.pop(0)
        self.keys[kind] = f"{namespace}/{key}"
        match kind:
            case "lost":
                trio.lose(namespace, key, 0, 1, 2)
            case "lost on two":
                trio.lose(namespace, key, 1, 2)
            case "altered":
                trio.alter(namespace, key, 0, 1, 2)
            case "stale":
                trio.lose(namespace, key, 2)
            case "late":
                trio.delay(namespace, key, 4.0, 1, 2)
            case "phantom":
                return "refuse"
            case "recovered":
                return "unknown"
        return None


def judged(lies: Lies, home: Path, *more: str) -> tuple[dict[str, Any], int, str]:
    with LyingCluster(lies) as cluster:
        arguments = ["--headless", "--json", "--nodes", cluster.nodes, "--scenario", "write-10u", "--duration", "1.5"]
        ended = run([*arguments, *more], home)
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    verification: dict[str, Any] = scenario["verification"]
    assert verification["acknowledged"] > 50
    return verification, ended.returncode, ended.stderr


def test_a_broken_promise_is_exit_5_and_names_the_keys(tmp_path: Path) -> None:
    lies = Lies("lost", "lost on two", "altered", "phantom")
    verification, code, said = judged(lies, tmp_path)
    assert len(lies.keys) == 4, "each lie had its turn"
    assert code == 5, said
    assert (verification["lost"], verification["phantom"], verification["stale"]) == (3, 1, 0)
    assert verification["passed"] is False
    with (tmp_path / "results" / "small-write-10u_lost.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {f"{row['namespace']}/{row['key']}" for row in rows} == set(lies.keys.values())
    summary = json.loads((tmp_path / "results" / "small-write-10u_summary.json").read_text())
    assert summary["verification"]["lost"] == 3


@pytest.mark.slow
def test_what_is_no_loss_is_counted_under_its_own_name(tmp_path: Path) -> None:
    lies = Lies("stale", "late", "recovered")
    verification, code, said = judged(lies, tmp_path)
    assert len(lies.keys) == 3, "each lie had its turn"
    assert code == 0, said
    assert (verification["lost"], verification["phantom"]) == (0, 0)
    assert (verification["stale"], verification["recovered"]) == (1, 1)
    assert not (tmp_path / "results" / "small-write-10u_lost.csv").exists()


def test_without_verification_nothing_is_claimed(tmp_path: Path) -> None:
    verification, code, _ = judged(Lies("lost"), tmp_path, "--verify", "off")
    assert (code, verification["judged"], verification["passed"], verification["checked"]) == (0, False, False, 0)
    assert "off" in verification["note"]


def test_a_run_without_an_acknowledged_write_is_exit_11_and_says_why(tmp_path: Path) -> None:
    seeds: set[str] = set()

    def forgetful(trio: Trio, number: int, namespace: str, key: str, value: str) -> str | None:
        if namespace.endswith("owner") or key in seeds:
            return None
        if len(seeds) < SEEDED:
            seeds.add(key)
            return None
        return "unknown"

    with LyingCluster(forgetful) as cluster:
        arguments = ["--headless", "--nodes", cluster.nodes, "--scenario", "write-1u", "--probe", "off"]
        ended = run([*arguments, "--duration", "500ms"], tmp_path)
    assert ended.returncode == 11, ended.stderr
    assert "write-1u NOT JUDGED: nothing to judge: no write was acknowledged" in ended.stderr
    assert "confman-tui: exit code 11: write-1u: acknowledged writes could not be judged" in ended.stderr
    assert "confman-tui: also (by itself exit code 1): write-1u: no request succeeded" in ended.stderr
    assert "writes of write-1u: NOT JUDGED: 0 acknowledged" in ended.stdout
