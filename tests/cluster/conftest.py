"""Real clusters for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.ready_cluster import ready_cluster


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoCluster]:
    """Three nodes that nobody harms."""
    with ready_cluster(3, (300, 600)) as cluster:
        yield cluster


@pytest.fixture
def mortal() -> Iterator[DemoCluster]:
    """Three nodes to kill and pause."""
    with ready_cluster(3, (300, 600)) as cluster:
        yield cluster
