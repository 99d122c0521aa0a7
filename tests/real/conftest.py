"""One real Confman cluster for all tests of this folder.

CONFMAN_REAL_CLUSTER names a program that understands ``start fresh``, ``stop``, ``pause N``, ``resume N``, ``kill N``
and ``start1 N`` (N from 1 to 3) and whose nodes listen where Confman's do by default. It is started with empty data
before the first test, warmed by a short load, and stopped at the end, whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.cluster import RealCluster, named_program


@pytest.fixture(scope="session")
def session_cluster() -> Iterator[RealCluster]:
    cluster = RealCluster(named_program())
    try:
        cluster.start()
        cluster.warm()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(session_cluster: RealCluster) -> Iterator[RealCluster]:
    """The cluster, all nodes in agreement; afterwards nothing of ours may be left in it."""
    session_cluster.wait_agreed()
    yield session_cluster
    session_cluster.mend()
    assert session_cluster.ours() == []
