"""What was acknowledged survives SIGKILL: of each node in turn, of all at once, with log compaction under it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from confman_tui.demo import commands
from confman_tui.demo.journal import NodeJournal
from confman_tui.demo.store import Store
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ask, health, wait_agreed
from tests.support.demo_snapshots import write_snapshot
from tests.support.demo_writers import Writers, lost
from tests.support.waiting import wait_for

FAST = (200, 500)
SOON_COMPACTED = 400
"""Log entries after which a snapshot is made: several times in each of these tests."""


def wait_written(writers: Writers, more: int, deadline_s: float = 20.0) -> None:
    goal = len(writers.acknowledged) + more
    wait_for(lambda: len(writers.acknowledged) >= goal, f"{more} more acknowledged writes", deadline_s)


def kill_all(cluster: DemoCluster) -> None:
    for url in cluster.urls:
        cluster.kill(url)


def restart_all(cluster: DemoCluster) -> None:
    for url in cluster.urls:
        cluster.restart(url)


def test_each_node_in_turn_and_all_at_once_are_killed_under_writes() -> None:
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=SOON_COMPACTED) as cluster:
        wait_agreed(cluster)
        with Writers(cluster.urls) as writers:
            for url in cluster.urls:
                wait_written(writers, 300)
                cluster.kill(url)
                wait_written(writers, 300)
                cluster.restart(url)
                wait_agreed(cluster)
            wait_written(writers, 300)
            terms = max(health(url).term for url in cluster.urls)
            kill_all(cluster)
        restart_all(cluster)
        wait_agreed(cluster)
        assert max(health(url).term for url in cluster.urls) > terms, "terms must not begin anew"
        assert lost(cluster.urls, writers.acknowledged) == {}
        assert len(writers.acknowledged) >= 2100
        folder = cluster.data_folder
        assert folder is not None
        assert all((node / "snapshot").exists() for node in folder.glob("node-*")), "no log was compacted"
        # The rest goes on from there.
        with Writers(cluster.urls) as more:
            wait_written(more, 10)


def test_all_killed_at_once_again_and_again_during_compaction(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=40, data_dir=tmp_path) as cluster:
        for round_ in range(4):
            wait_agreed(cluster)
            with Writers(cluster.urls, count=4, prefix=f"round-{round_}-") as writers:
                wait_written(writers, 150 + random.randrange(60))
                kill_all(cluster)
            acknowledged += writers.acknowledged
            restart_all(cluster)
        wait_agreed(cluster)
        assert lost(cluster.urls, acknowledged) == {}


def test_versions_and_creation_times_survive_compaction_and_restart() -> None:
    base = "/api/v1/namespaces/kept"
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=20) as cluster:
        leader = wait_agreed(cluster)
        assert ask(leader, "PUT", base, {"description": "d", "owner": "o"}).status == 200
        created = ask(leader, "GET", base).json
        for number in range(60):
            assert ask(leader, "PUT", f"{base}/config/k{number % 6}", {"value": str(number), "type": "t"}).status == 200
        assert ask(leader, "DELETE", f"{base}/config/k0").status == 204
        before = ask(leader, "GET", f"{base}/config").json
        kill_all(cluster)
        restart_all(cluster)
        wait_agreed(cluster)
        for url in cluster.urls:
            assert ask(url, "GET", base).json == created
            assert ask(url, "GET", f"{base}/config").json == before
        assert [row["version"] for row in before] == [10] * 5


def test_a_kill_between_snapshot_and_shortened_journal_costs_nothing(tmp_path: Path) -> None:
    """The moment is too short to hit: the snapshot is made afterwards, from the journal, as the node would have."""
    with DemoCluster(nodes=1, ports="auto", election_timeout_ms=FAST, data_dir=tmp_path) as cluster:
        url = wait_agreed(cluster)
        for number in range(30):
            assert ask(url, "PUT", f"/api/v1/namespaces/cut/config/k{number}", {"value": "v"}).status == 200
        cluster.kill(url)
    journal = NodeJournal(tmp_path / "node-1")
    store = Store()
    for command, _, _ in journal[:20]:
        if command[0] == commands.REGULAR:
            name, *args = commands.loads(command[1:])[1]
            store._COMMANDS[name](store, *args)
    assert 10 < len(store) < 30
    write_snapshot(store, tmp_path / "node-1" / "snapshot", journal[19], journal[18])
    with DemoCluster(nodes=1, ports="auto", election_timeout_ms=FAST, data_dir=tmp_path) as cluster:
        url = wait_agreed(cluster)
        assert len(ask(url, "GET", "/api/v1/namespaces/cut/config").json) == 30


def test_a_node_that_was_away_gets_a_snapshot_and_the_rest() -> None:
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=SOON_COMPACTED) as cluster:
        leader = wait_agreed(cluster)
        away = next(url for url in cluster.urls if url != leader)
        cluster.kill(away)
        with Writers([url for url in cluster.urls if url != away]) as writers:
            wait_written(writers, 3 * SOON_COMPACTED)
            cluster.restart(away)
            wait_written(writers, 100)
        wait_agreed(cluster)
        wait_for(lambda: not lost([away], writers.acknowledged), "the node that was away has all")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_acknowledged_write_is_lost_in_many_kills() -> None:
    """At least 25 kills, of the leader mostly, and of all nodes now and then."""
    chance = random.Random(7)
    kills = 0
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=1500) as cluster:
        wait_agreed(cluster)
        with Writers(cluster.urls, count=24) as writers:
            while kills < 30:
                wait_written(writers, 200 + chance.randrange(600), 60)
                if chance.random() < 0.15:
                    kill_all(cluster)
                    restart_all(cluster)
                    kills += 3
                else:
                    victim = wait_agreed(cluster) if chance.random() < 0.7 else chance.choice(cluster.urls)
                    cluster.kill(victim)
                    kills += 1
                    if chance.random() < 0.5:
                        wait_written(writers, 100, 60)
                    cluster.restart(victim)
        wait_agreed(cluster)
        assert lost(cluster.urls, writers.acknowledged) == {}
        folder = cluster.data_folder
        assert folder is not None
        logs = "".join(path.read_text() for path in folder.glob("*/node.log"))
    assert "already-applied" not in logs
    assert "Traceback" not in logs
