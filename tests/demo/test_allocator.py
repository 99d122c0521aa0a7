"""When a node gives free memory back, and that it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from confman_tui.demo.allocator import TRIM_AFTER_BYTES, TRIM_EVERY_S, HeapTrimmer
from confman_tui.demo.raft import JOURNAL_BYTES
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ask, wait_agreed
from tests.support.waiting import wait_for

VALUE = "x" * 1024 * 1024
SPACE = "/api/v1/namespaces/large"


def test_the_heap_is_trimmed_after_much_has_changed_and_not_too_often() -> None:
    trims: list[float] = []
    now = 100.0
    trimmer = HeapTrimmer(lambda: trims.append(now))
    trimmer.tick(TRIM_AFTER_BYTES - 1, now)
    assert trims == []
    trimmer.tick(0, now)
    assert trims == [100.0], "what shrinks counts as what grows"
    trimmer.tick(2 * TRIM_AFTER_BYTES, now)
    now += TRIM_EVERY_S - 0.1
    trimmer.tick(2 * TRIM_AFTER_BYTES, now)
    assert trims == [100.0]
    now += 0.2
    trimmer.tick(2 * TRIM_AFTER_BYTES, now)
    trimmer.tick(2 * TRIM_AFTER_BYTES, now + TRIM_EVERY_S)
    assert trims == [100.0, now], "late, and once"


def resident(pid: int) -> int:
    """Bytes of a process's memory that are in use."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not show a process's memory")
def test_nodes_with_large_values_shorten_their_journals_and_give_memory_back() -> None:
    with DemoCluster(ports="auto") as cluster:
        leader = wait_agreed(cluster)
        folder = cluster.data_folder
        assert folder is not None
        assert ask(leader, "PUT", SPACE, {}).status == 200
        fresh = max(map(resident, cluster.pids.values()))
        count = JOURNAL_BYTES // len(VALUE) + 10
        for number in range(count):
            assert ask(leader, "PUT", f"{SPACE}/config/k{number}", {"value": VALUE}, timeout_s=30).status == 200
        for node in folder.glob("node-*"):
            wait_for(
                lambda node=node: (node / "journal").stat().st_size < JOURNAL_BYTES,  # type: ignore[misc]
                f"a shorter journal of {node.name}",
            )
        assert min(map(resident, cluster.pids.values())) > fresh + count * len(VALUE)
        assert len(ask(leader, "GET", f"{SPACE}/config/k0").body) > len(VALUE)
        assert ask(leader, "DELETE", SPACE).status == 204
        for url, pid in cluster.pids.items():
            wait_for(
                lambda pid=pid: resident(pid) < fresh + count * len(VALUE) // 2,  # type: ignore[misc]
                f"memory given back by {url}",
            )
