"""The soak on a real cluster; half an hour, or what SOAK_SECONDS says.

    SOAK_SECONDS=120 CONFMAN_REAL_CLUSTER=PROGRAM pytest -s -n0 -m 'slow and real' tests/real/test_soak_real.py

As on the embedded cluster (`tests/program/test_soak.py`), with two differences. Nodes are paused, and never killed: a
Confman of February 2026 that is killed after its first snapshot (300 entries, which seeding and some seconds of load
write) ends at each start with "State machine is not restored" and never comes back. And only the program's memory is
judged: that of the nodes is printed, but how .NET keeps its heap is not this program's business.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.local_process import find_listener
from tests.support.real_cluster import VARIABLE, RealCluster
from tests.support.soak import SECONDS, soak

RATE = 50
"""Requests a second, a fifth of them writes: less than half of what three nodes and the load do on two cores."""


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} names no cluster, and -m slow asks for none")
@pytest.mark.timeout(4 * SECONDS + 600)
def test_half_an_hour_of_pauses(cluster: RealCluster, tmp_path: Path) -> None:
    known: dict[str, int] = {}

    def node_pids() -> dict[str, int]:
        for url in cluster.urls:
            if f"node {url}" not in known:
                try:
                    known[f"node {url}"] = find_listener(url).pid
                except FaultRefusedError:
                    continue
        return known

    faults = [("pause", cluster.pause, cluster.resume)]
    row, memory, _ = soak(cluster.urls, faults, node_pids, tmp_path, RATE)
    judged = row["verification"]
    assert judged["judged"]
    assert judged["acknowledged"] > 0
    assert (judged["lost"], judged["phantom"]) == (0, 0)
    assert row["elections"], "no pause hit a leader for long enough"
    assert memory.growth(name for name in memory.seen if not name.startswith("node ")) == {}
