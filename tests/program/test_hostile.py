"""The whole program against nodes that send its requests elsewhere: the key stays, and nothing counts as served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.hostile_servers import HostileServer, honest
from tests.support.lying_servers import LyingCluster, Whole
from tests.support.program import run
from tests.support.three_servers import Node


def _as_told(*_: object) -> None:
    """All writes are as they should be."""


class Elsewhere(Whole):
    """Redirects each read of an entry."""

    def __init__(self, to: str) -> None:
        super().__init__(_as_told)
        self.to = to

    async def _answer(self, node: Node, method: str, path: str, body: bytes) -> tuple[int, object, str | None] | None:
        if method == "GET" and path.startswith("/api/v1/namespaces/bench-small-") and "/config/" in path:
            return 302, None, f"{self.to}{path}"
        return await super()._answer(node, method, path, body)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_reads_that_are_sent_elsewhere_are_failures_and_the_key_stays(workers: str, tmp_path: Path) -> None:
    with HostileServer(honest) as foreign, LyingCluster(_as_told, Elsewhere(foreign.url)) as cluster:
        arguments = ["--headless", "--json", "--nodes", cluster.nodes, "--scenario", "read-10u", "--duration", "1"]
        ended = run([*arguments, "--workers", workers], tmp_path)
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert scenario["requests"] == scenario["failures_by_cause"]["redirected_away"] > 0
    assert list(scenario["error_texts"]) == [f"redirected away: 302 to {foreign.url}"]
    assert foreign.asked == []
    assert ended.returncode == 1, "no successful request"
