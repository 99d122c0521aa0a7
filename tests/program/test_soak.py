"""The soak on the embedded cluster; half an hour, or what SOAK_SECONDS says.

    SOAK_SECONDS=120 pytest -s -n0 -m slow tests/program/test_soak.py

A load with writes goes on while a node is killed or paused every 10 s; it ends by itself. No acknowledged write may be
lost, nothing may be left over, and the memory of each process, the nodes' too, must be flat after the first sixth of
the time. `tests/support/soak.py` says why it can be.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import wait_agreed
from tests.support.soak import SECONDS, soak, wait_gone

RATE = 100
"""Requests a second, a fifth of them writes."""
COMPACT_AFTER = 1_000
"""Log entries after which a node writes a snapshot: often, so that what a log takes is the same in each part."""


@pytest.mark.slow
@pytest.mark.timeout(4 * SECONDS + 600)
def test_half_an_hour_of_kills_and_pauses(tmp_path: Path) -> None:
    with DemoCluster(3, "auto", (300, 600), compact_after=COMPACT_AFTER) as cluster:
        wait_agreed(cluster)
        folder, pids = cluster.data_folder, set(cluster.pids.values())

        def node_pids() -> dict[str, int]:
            found = {f"node {url}": pid for url, pid in cluster.pids.items()}
            pids.update(found.values())
            return found

        faults = [("kill", cluster.kill, cluster.restart), ("pause", cluster.pause, cluster.resume)]
        row, memory, _ = soak(cluster.urls, faults, node_pids, tmp_path, RATE)
        wait_agreed(cluster)
    assert folder is not None
    assert not folder.exists()
    wait_gone(pids)
    judged = row["verification"]
    assert judged["judged"]
    assert judged["acknowledged"] > 0
    assert (judged["lost"], judged["phantom"]) == (0, 0)
    assert row["elections"], "no fault hit a leader"
    assert memory.growth(memory.seen) == {}
