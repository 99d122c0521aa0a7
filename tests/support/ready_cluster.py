"""An embedded cluster of the test's own, with a leader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confman_tui.demo.supervisor import DemoCluster
from tests.support.waiting import DEADLINE_S

SOON_MS = (150, 300)
"""Election timeouts with which a leader is there at once."""


@contextmanager
def ready_cluster(nodes: int = 3, election_timeout_ms: tuple[int, int] = SOON_MS) -> Iterator[DemoCluster]:
    """A running cluster on free ports, all nodes ready."""
    with DemoCluster(nodes, "auto", election_timeout_ms) as cluster:
        assert cluster.wait_ready(DEADLINE_S)
        yield cluster
