"""Real nodes on damaged data: the others serve, the log says what to do, and doing it heals the cluster."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultInjector
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ask, health, wait_agreed
from tests.support.demo_writers import Writers, lost
from tests.support.program import HEADLESS_DEMO, run
from tests.support.waiting import DEADLINE_S, wait_for

FAST = (200, 500)
PATH = "/api/v1/namespaces/kept/config"


def damage(file: Path) -> int:
    """Flip a byte in the middle of the file; gives its place."""
    data = bytearray(file.read_bytes())
    at = len(data) // 2
    data[at] ^= 0x40
    file.write_bytes(data)
    return at


def filled_folder(folder: Path, *, nodes: int = 3, writes: int = 40) -> None:
    """A cluster's folder with these writes."""
    with DemoCluster(nodes, ports="auto", election_timeout_ms=FAST, data_dir=folder) as cluster:
        leader = wait_agreed(cluster)
        for number in range(writes):
            assert ask(leader, "PUT", f"{PATH}/k{number}", {"value": str(number)}).status == 200


def keys_at(url: str) -> set[str]:
    return {row["key"] for row in ask(url, "GET", PATH).json}


def test_one_damaged_node_leaves_a_majority_and_comes_back_without_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    filled_folder(folder)
    keys = {f"k{number}" for number in range(40)}
    damaged = folder / "node-2"
    damage(damaged / "journal")
    # As a person sees it: a run on that cluster, without a screen.
    run_on = [*HEADLESS_DEMO, "--scenario", "read-1u", "--duration", "0.5", "--wait", "20", "--demo-fsync"]
    ended = run([*run_on, "--demo-data", str(folder)], tmp_path)
    (line,) = [line for line in ended.stderr.splitlines() if "journal is damaged" in line]
    assert f"{damaged / 'journal'} is damaged at byte" in line
    assert f"remove the folder {damaged}" in line
    assert "has ended, and not by this program" in line
    assert "read-1u" in ended.stdout, ended.stderr
    assert "on the disks of a majority of the nodes (--demo-fsync)" in " ".join(ended.stdout.split())
    assert "3 demo nodes, with fsync" in ended.stderr
    with DemoCluster(ports="auto", election_timeout_ms=FAST, data_dir=folder) as cluster:
        assert cluster.wait_ready(DEADLINE_S), "a majority is ready"
        away = cluster.urls[1]
        assert cluster.ended == (away,)
        assert len(cluster.take_ended()) == 1
        assert cluster.take_ended() == (), "once"
        leader = wait_agreed(cluster)
        assert all(keys_at(url) == keys for url in cluster.urls if url != away)
        assert ask(leader, "PUT", f"{PATH}/later", {"value": "v"}).status == 200
        cluster.restart(away)
        wait_for(lambda: not cluster.alive(away), "it refuses again")
        (again,) = wait_for(cluster.take_ended, "it says why again")
        assert "journal is damaged" in again.sentence
        assert (again.node, again.word) == (cluster.urls[1], "data damaged")
        shutil.rmtree(damaged)
        cluster.restart(away)
        wait_agreed(cluster)
        wait_for(lambda: keys_at(away) == {*keys, "later"}, "it has caught up")


def test_a_snapshot_that_is_damaged_on_the_leaders_disk_is_written_anew(tmp_path: Path) -> None:
    with DemoCluster(ports="auto", election_timeout_ms=FAST, compact_after=30, data_dir=tmp_path) as cluster:
        wait_agreed(cluster)
        with Writers(cluster.urls, count=2) as writers:
            wait_for(lambda: len(writers.acknowledged) >= 60, "writes")
        away, *others = cluster.urls
        folder, *healthy = (tmp_path / f"node-{number}" for number in (1, 2, 3))
        # Whoever leads: the machine may be so busy that another node is elected.
        wait_for(lambda: all((node / "snapshot").exists() for node in healthy), "snapshots")
        cluster.kill(away)
        shutil.rmtree(folder)
        for node in healthy:
            damage(node / "snapshot")
        cluster.restart(away)
        log = folder / "node.log"
        wait_for(lambda: "not ready, because the snapshot that the leader sent" in log.read_text(), log.read_text)
        # It may have the new one within the blink of an eye, where the log goes on behind the damaged one; what it
        # says until then stands in `test_fsync`.
        with Writers(others, count=1, prefix="later-") as more:
            wait_for(lambda: health(away).status == 200, "it got the new one")
            wait_for(lambda: more.acknowledged, "writes go on")
        acknowledged = [*writers.acknowledged, *more.acknowledged]
        wait_for(lambda: not lost([away], acknowledged), "it has all")


def test_a_damaged_majority_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    filled_folder(folder, nodes=1, writes=3)
    damage(folder / "node-1" / "journal")
    cluster = DemoCluster(1, ports="auto", data_dir=folder)
    with (
        cluster,
        pytest.raises(ClusterError, match=r"ended at once: .*node-1/journal is damaged at byte \d+: .*65\)\.$"),
    ):
        cluster.wait_ready(DEADLINE_S)


def test_a_node_that_died_by_itself_is_told_of_and_revived() -> None:
    with DemoCluster(2, ports="auto", election_timeout_ms=FAST) as cluster:
        wait_agreed(cluster)
        dead, alive = cluster.urls
        injector = FaultInjector(
            cluster.urls, cluster, lambda: tuple(cluster.pids), demo=True, ended=lambda: cluster.ended
        )
        with pytest.raises(FaultRefusedError, match="nothing to undo"):
            injector.cause(FaultKind.RESTART, dead)
        injector.cause(FaultKind.PAUSE, alive)
        os.kill(cluster.pids[dead], signal.SIGKILL)
        (ended,) = wait_for(cluster.take_ended, "its end is seen")
        sentence = ended.sentence
        assert sentence.startswith(f"{dead} has ended, and not by this program: killed by SIGKILL; bring it back")
        done, failed = injector.revive()
        assert failed == ()
        assert [(fault.kind, fault.node) for fault in done] == [(FaultKind.RESUME, alive), (FaultKind.RESTART, dead)]
        wait_agreed(cluster)
        assert len(cluster.pids) == 2
        injector.cause(FaultKind.PAUSE, dead)
        cluster.kill(dead)
        assert cluster.take_ended() == (), "that was this program"
        done, failed = injector.revive()
        assert [fault.kind for fault in done] == [FaultKind.RESTART], "what was paused is gone"
        assert injector.standing() == ()


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ('{"format": 1, "nodes": 1}', "made by an older version of this program, whose files this one does not read"),
        ('{"format": 3, "nodes": 1}', "made by a newer version"),
        ('{"format": 2, "nodes": 1e400}', r"unreadable cluster\.json"),
        ('{"format": 1e400, "nodes": 1}', r"unreadable cluster\.json"),
        ('{"format": 2, "nodes": "1"}', r"unreadable cluster\.json"),
        ("[" * 5000, r"unreadable cluster\.json"),
        ('{"format": 2, "nodes": -7}', "made for -7 nodes, not 1"),
    ],
)
def test_a_folder_that_is_not_of_this_version_is_one_sentence(tmp_path: Path, layout: str, told: str) -> None:
    (tmp_path / "cluster.json").write_text(layout)
    with pytest.raises(UsageError, match=told) as error:
        DemoCluster(nodes=1, ports="auto", data_dir=tmp_path).start()
    assert "\n" not in str(error.value)


def test_a_folder_whose_lock_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "lock").symlink_to(precious)
    with pytest.raises(UsageError, match="a link to another file"):
        DemoCluster(nodes=1, ports="auto", data_dir=folder).start()
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("option", ["--demo-data", "--output-dir"])
def test_a_path_that_is_too_long_is_one_sentence(tmp_path: Path, option: str) -> None:
    ended = run([*HEADLESS_DEMO, "--scenario", "read-1u", option, "d" * 300], tmp_path)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("confman-tui: ")]
    assert len(lines) == 1, ended.stderr
    assert option in lines[0]
    assert "too long" in lines[0]
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2
