"""One real Confman cluster for all tests of this folder.

CONFMAN_REAL_CLUSTER names a program that understands ``start fresh``, ``stop``, ``pause N``, ``resume N``, ``kill N``
and ``start1 N`` (N from 1 to 3) and whose nodes listen where Confman's do by default. It is started with empty data
before the first test, warmed by a short load, and stopped at the end, whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.real_cluster import RealCluster, named_program


@pytest.fixture(scope="session")
def session_cluster() -> Iterator[RealCluster]:
    cluster = RealCluster(named_program())
    try:
        cluster.start()
        cluster.warm(writes=150)
        yield cluster
    finally:
        cluster.stop()


def _left_clean(cluster: RealCluster) -> None:
    cluster.mend()
    assert cluster.ours() == []


@pytest.fixture
def cluster(session_cluster: RealCluster) -> Iterator[RealCluster]:
    """The cluster, all nodes in agreement; afterwards nothing of ours may be left in it."""
    session_cluster.wait_agreed()
    yield session_cluster
    _left_clean(session_cluster)


@pytest.fixture
def young_cluster(session_cluster: RealCluster) -> Iterator[RealCluster]:
    """The cluster started anew, with a log of some dozens of entries, for tests that kill a node and want it back.

    A Confman of February 2026 that is killed after its first snapshot (300 entries) ends at each start with "State
    machine is not restored", and never comes back.
    """
    session_cluster.start()
    session_cluster.warm(writes=10)
    yield session_cluster
    _left_clean(session_cluster)
