"""A cluster of one node for all tests of this folder that leave it as it was: running, without data of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.ready_cluster import ready_cluster


@pytest.fixture(scope="session")
def node() -> Iterator[DemoCluster]:
    with ready_cluster(1) as cluster:
        yield cluster
