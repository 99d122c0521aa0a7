"""Nodes end with the program in every case, and nothing is left behind."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.demo import datafolder
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ask, wait_agreed
from tests.support.waiting import DEADLINE_S, wait_for

PROGRAM = """
import json, signal, sys, threading
from confman_tui.demo.supervisor import DemoCluster
cluster = DemoCluster(ports="auto", election_timeout_ms=(200, 400))
starter = threading.Thread(target=cluster.start)  # a thread that ends: the nodes must outlive it
starter.start()
starter.join()
cluster.wait_ready(60)
cluster.pause(cluster.urls[1])
cluster.isolate(cluster.urls[2])
print(json.dumps({"pids": list(cluster.pids.values()), "folder": str(cluster.data_folder), "urls": cluster.urls}))
sys.stdout.flush()
"""


def runs(pid: int) -> bool:
    """Whether a process exists and is not just waiting to be reaped (there may be nobody to do it)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def started(rest: str, tmp_path: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A program with a running cluster, and what it says of it."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + rest],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert program.stdout is not None
    described = json.loads(program.stdout.readline())
    assert len(described["pids"]) == 3
    assert all(runs(pid) for pid in described["pids"])
    return program, described


def test_with_sigkill_of_the_program_no_node_survives_not_even_a_paused_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, described = started("signal.pause()", tmp_path)
    program.kill()
    program.wait()
    wait_for(lambda: not any(runs(pid) for pid in described["pids"]), "all nodes ended")
    # The folder could not be removed by anybody: the next start does it.
    assert Path(described["folder"]).exists()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with DemoCluster(nodes=1, ports="auto") as cluster:
        assert cluster.data_folder is not None
        assert cluster.data_folder.parent == tmp_path
        assert not Path(described["folder"]).exists()


@pytest.mark.parametrize("end", ["", "raise RuntimeError('a defect')", "cluster.stop(); cluster.stop()"])
def test_a_program_that_ends_leaves_nothing(tmp_path: Path, end: str) -> None:
    program, described = started(end, tmp_path)
    program.wait(DEADLINE_S)
    assert not any(runs(pid) for pid in described["pids"])
    assert list(tmp_path.iterdir()) == []


FOREGROUND = """
import sys
from confman_tui.demo.foreground import run_foreground
from confman_tui.demo.supervisor import DemoCluster
say = lambda line: print(line, flush=True)
sys.exit(run_foreground(DemoCluster(1, "auto", election_timeout_ms=(200, 400)), say))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_foreground_says_how_to_use_it_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert program.stdout is not None
    said: list[str] = []
    while not (said and "ends it" in said[-1]):
        line = program.stdout.readline()
        assert line, "it ended too soon"
        said.append(line)
    text = "".join(said)
    assert "confman_dev_abc123" in text
    assert "--nodes http://127.0.0.1:" in text
    nodes = psutil.Process(program.pid).children()
    assert len(nodes) == 1
    program.send_signal(number)
    rest, errors = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 0
    assert "Ending" in rest
    assert errors == ""
    assert not any(runs(node.pid) for node in nodes)
    assert list(tmp_path.iterdir()) == []


def test_nodes_are_in_sessions_of_their_own_and_carry_no_key() -> None:
    with DemoCluster(nodes=2, ports="auto") as cluster:
        for pid in cluster.pids.values():
            assert os.getsid(pid) == pid
            assert "confman_dev" not in " ".join(psutil.Process(pid).cmdline())


def test_a_node_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    cluster = DemoCluster(nodes=1, ports="auto", data_dir=tmp_path)
    with cluster:
        cluster.wait_ready(DEADLINE_S)
    # A snapshot that nobody wrote.
    (tmp_path / "node-1" / "snapshot").write_bytes(b"nonsense")
    with cluster, pytest.raises(ClusterError, match=r"ended at once: .*snapshot"):
        cluster.wait_ready(DEADLINE_S)


def test_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with DemoCluster(nodes=1, ports="auto") as first:
        assert first.wait_ready(DEADLINE_S)
        port = int(first.urls[0].rpartition(":")[2])
        second = DemoCluster(nodes=1, ports=[port], data_dir=tmp_path / "second")
        with pytest.raises(UsageError, match=rf"^Port {port} .* --demo-ports auto.*\.$"):
            second.start()
        assert second.pids == {}
        second.stop()
        assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"nodes": 0}, "1 to 9"),
        ({"nodes": 10}, "1 to 9"),
        ({"ports": [7000, 7001]}, "2 ports for 3 nodes"),
        ({"ports": [7000, 7000, 7001]}, "7000 twice"),
        ({"ports": [0, 1, 2]}, "1 to 65535"),
        ({"ports": [70000, 1, 2]}, "1 to 65535"),
        ({"election_timeout_ms": (300, 150)}, "the first the smaller"),
        ({"election_timeout_ms": (0, 150)}, "from 100"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DemoCluster(**arguments)


def test_default_ports() -> None:
    assert DemoCluster().urls == ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")
    assert len(DemoCluster(nodes=9).urls) == 9


def test_kept_data_comes_back_on_other_ports(tmp_path: Path) -> None:
    path = "/api/v1/namespaces/kept/config/k"
    folder = tmp_path / "a folder" / ("long-" * 20)  # longer than a socket's path may be
    with DemoCluster(ports="auto", election_timeout_ms=(200, 400), data_dir=folder) as cluster:
        leader = wait_agreed(cluster)
        assert ask(leader, "PUT", path, {"value": "v"}).status == 200
    with DemoCluster(ports="auto", election_timeout_ms=(200, 400), data_dir=folder) as cluster:
        leader = wait_agreed(cluster)
        for url in cluster.urls:
            assert ask(url, "GET", path).json["value"] == "v"
        assert ask(leader, "PUT", path, {"value": "w"}).status == 200
    assert folder.exists()


def test_a_folder_in_use_for_others_or_not_usable_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with DemoCluster(nodes=1, ports="auto", data_dir=folder) as first:
        assert first.data_folder == folder
        with pytest.raises(UsageError, match=rf"in use by another running program \(process {os.getpid()}\)"):
            DemoCluster(nodes=1, ports="auto", data_dir=folder).start()
    with pytest.raises(UsageError, match=r"made for 1 node, not 3; use --demo-nodes 1"):
        DemoCluster(ports="auto", data_dir=folder).start()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UsageError, match="not a folder"):
        DemoCluster(ports="auto", data_dir=file).start()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").write_text("x")
    with pytest.raises(UsageError, match=r"letter\.txt"):
        DemoCluster(ports="auto", data_dir=strange).start()
    assert sorted(path.name for path in strange.iterdir()) == ["letter.txt"], "a refused folder stays as it was"
    (folder / "cluster.json").write_text("{")
    with pytest.raises(UsageError, match=r"unreadable cluster\.json"):
        DemoCluster(nodes=1, ports="auto", data_dir=folder).start()
    with pytest.raises(UsageError, match="can't be used"):
        DemoCluster(ports="auto", data_dir=Path("/proc/nowhere")).start()


def test_sweep_spares_folders_in_use_and_of_living_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = datafolder.DataFolder.temporary(1)
    dead = tmp_path / f"confman-demo-{gone.pid}-abc"
    dead.mkdir()
    (dead / "lock").touch()
    bare = tmp_path / f"confman-demo-{gone.pid}-bare"
    bare.mkdir()
    stranger = tmp_path / "confman-demo-notes"
    stranger.mkdir()
    # In use although its process id is nobody's here: a program in another container.
    used = datafolder.DataFolder.temporary(1)
    elsewhere = used.path.rename(tmp_path / f"confman-demo-{gone.pid}-used")
    datafolder.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.path.name, stranger.name, elsewhere.name])
    mine.close()
    used.close()


def test_a_port_taken_in_the_last_moment_is_the_same_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with DemoCluster(nodes=1, ports="auto") as first:
        assert first.wait_ready(DEADLINE_S)
        port = int(first.urls[0].rpartition(":")[2])
        monkeypatch.setattr("confman_tui.demo.ports.check_free", lambda port: None)
        with DemoCluster(nodes=1, ports=[port]) as second:
            wait_for(lambda: not second.alive(second.urls[0]), "the node without a port ended")
            with pytest.raises(UsageError, match=rf"^Port {port} .* --demo-ports auto.*\.$"):
                second.wait_ready(DEADLINE_S)


def test_the_supervisor_loads_no_server_and_no_raft() -> None:
    program = "import sys, confman_tui.demo.supervisor, confman_tui.demo.foreground; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"starlette", "uvicorn", "uvloop", "pysyncobj"} & set(modules)


def test_faults_from_many_threads_and_a_stop_among_them() -> None:
    cluster = DemoCluster(ports="auto", election_timeout_ms=(200, 400))
    cluster.start()
    cluster.wait_ready(DEADLINE_S)
    failures: list[BaseException] = []
    enough = threading.Event()

    def harm(number: int) -> None:
        chance = random.Random(number)
        faults = [cluster.kill, cluster.pause, cluster.resume, cluster.isolate, cluster.heal, cluster.restart]
        while not enough.is_set():
            try:
                chance.choice(faults)(chance.choice(cluster.urls))
            except FaultRefusedError:
                continue
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=harm, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seen: set[int] = set()

    def many_seen() -> bool:
        seen.update(cluster.pids.values())
        return len(seen) > 12

    wait_for(many_seen, "nodes killed and restarted")
    cluster.stop()
    enough.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cluster.pids == {}
    assert not any(runs(pid) for pid in seen)
    # It can be started again.
    with cluster:
        wait_agreed(cluster)


def test_nodes_run_the_copy_of_the_package_that_started_them(tmp_path: Path) -> None:
    """From a checkout that is not installed, in its own folder."""
    shutil.copytree(Path(datafolder.__file__).parent.parent, tmp_path / "confman_tui")
    node = tmp_path / "confman_tui" / "demo" / "node.py"
    node.write_text(
        node.read_text().replace("def main() -> None:\n", "def main() -> None:\n    raise SystemExit('copy')\n")
    )
    program = (
        "from confman_tui.demo.supervisor import DemoCluster\n"
        "with DemoCluster(nodes=1, ports='auto') as cluster:\n"
        "    cluster.wait_ready(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "ended at once: copy (exit code 1)" in done.stderr


def test_a_node_that_is_killed_while_it_starts_is_named_as_that() -> None:
    with DemoCluster(1, "auto") as cluster:
        os.kill(cluster.pids[cluster.urls[0]], signal.SIGKILL)
        with pytest.raises(ClusterError, match="did not start: it was killed by SIGKILL"):
            cluster.wait_ready(DEADLINE_S)
