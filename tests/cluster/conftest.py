"""Real clusters for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confman_tui.demo.supervisor import DemoCluster


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoCluster]:
    """Three nodes that nobody harms."""
    with DemoCluster(nodes=3, ports="auto", election_timeout_ms=(300, 600)) as cluster:
        assert cluster.wait_ready(15)
        yield cluster


@pytest.fixture
def mortal() -> Iterator[DemoCluster]:
    """Three nodes to kill and pause."""
    with DemoCluster(nodes=3, ports="auto", election_timeout_ms=(300, 600)) as cluster:
        assert cluster.wait_ready(15)
        yield cluster
