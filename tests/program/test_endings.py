"""The program leaves nothing behind, however it ends: no process, no port, no temporary file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.program import PROGRAM, environment, wait_for

DEMO = ["--demo", "--demo-ports", "auto", "--demo-election-timeout", "150-300", "--headless", "--tier", "small"]


SUITE = ["write-1u", "write-10u", "read-1u", "read-10u", "mixed-10u"]


class Started:
    """The program as a child, with its stderr in a file and all its descendants marked by their environment."""

    def __init__(self, arguments: list[str], home: Path, name: str = "") -> None:
        self.home = home
        self.mark = uuid.uuid4().hex
        self.errors = home / f"stderr{name}.txt"
        self.output = home / f"stdout{name}.txt"
        with self.errors.open("w") as errors, self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment(home, TEST_MARK_OF_CONFMAN=self.mark),
                cwd=home,
            )
        self.ports: set[int] = set()

    def said(self) -> str:
        return self.errors.read_text()

    def wait_said(self, text: str, deadline_s: float = 30.0) -> None:
        wait_for(
            lambda: text in self.said() or self.process.poll() is not None, f"{text!r} in {self.said()}", deadline_s
        )
        assert text in self.said()

    def family(self) -> list[psutil.Process]:
        """Every live process that was started by it, at any depth, also those that were orphaned since."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TEST_MARK_OF_CONFMAN") == self.mark and process.status() != "zombie":
                    found.append(process)
        return found

    def note_ports(self) -> None:
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                self.ports |= {item.laddr.port for item in process.net_connections() if item.status == "LISTEN"}

    def listening(self) -> set[int]:
        """Those of the family's ports that somebody still accepts connections on."""
        found = set()
        for port in self.ports:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.add(port)
        return found

    def wait_end(self, deadline_s: float = 30.0) -> int:
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s} s:\n{self.said()}") from None

    def assert_nothing_left(self, *, temporary_too: bool = True) -> None:
        wait_for(lambda: not self.family(), f"processes left: {self.family()}", 5.0)
        # a process that dies loses its environment, by which the family is known, before its sockets
        wait_for(lambda: not self.listening(), f"ports still listen: {self.listening()}", 5.0)
        if temporary_too:
            kept = {"stderr.txt", "stdout.txt", "results", "state", "cache", "config", "runtime", "kept"}
            assert {path.name for path in self.home.iterdir()} <= kept
            results = self.home / "results"
            if results.exists():
                assert not [
                    path.name for path in results.iterdir() if path.name.startswith(".") or ".part" in path.name
                ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_the_suite_on_the_demo_cluster(home: Path) -> None:
    started = Started([*DEMO, "--duration", "500ms", "--json"], home)
    try:
        started.wait_said("write-1u:")
        started.note_ports()
        assert len(started.ports) >= 3
        assert started.wait_end(90.0) == 0, started.said()
    finally:
        started.process.kill()
    document = json.loads(started.output.read_text())
    assert [row["name"] for row in document["scenarios"]] == SUITE
    assert [row["failures"] for row in document["scenarios"]] == [0] * 5
    assert all(row["requests"] > 0 for row in document["scenarios"])
    assert document["scenarios"][0]["entries_before"] == 101, "the seeded keys and the probe's"
    assert document["scenarios"][1]["verification"]["lost"] == 0
    assert document["cluster"]["leader"] in document["cluster"]["nodes"]
    for row in document["scenarios"]:
        for kind in ("stats", "stats_history", "failures", "exceptions", "timeline"):
            assert (home / "results" / f"small-{row['name']}_{kind}.csv").exists()
        assert (home / "results" / f"small-{row['name']}_summary.json").exists()
    started.assert_nothing_left()
    for path in (home / "results").iterdir():
        assert "confman_dev_abc123" not in path.read_text(), path


PHASES = {
    "seeding": (["--tier", "xlarge"], "seeding:"),
    "run": (["--scenario", "write-10u"], "write-10u:"),
    "cleaning": (["--scenario", "write-1u", "--duration", "300ms", "--demo-data", "kept"], "cleaning:"),
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("phase", PHASES)
def test_signals_end_it_in_order(phase: str, home: Path) -> None:
    """One program per signal, beside each other, because most of the time goes into starting them."""
    arguments, said = PHASES[phase]
    programs: dict[signal.Signals, Started] = {}
    try:
        for number in SIGNALS:
            place = home / number.name
            place.mkdir()
            programs[number] = Started([*DEMO, *arguments], place)
        waiting = dict(programs)

        def signal_those_that_said_it() -> bool:
            for number, started in list(waiting.items()):
                if said in started.said() or started.process.poll() is not None:
                    if phase != "cleaning":  # which is over in a moment
                        started.note_ports()
                    started.process.send_signal(number)
                    del waiting[number]
            return not waiting

        wait_for(signal_those_that_said_it, f"{said} of each", 60.0)
        for number, started in programs.items():
            began = time.monotonic()
            code = started.wait_end(30.0)
            # A signal that comes when the last cleaning is all but done may find nothing left to interrupt.
            assert code == 130 or (phase == "cleaning" and code == 0), started.said()
            assert said in started.said()
            assert phase == "cleaning" or f"{number.name}: stopping" in started.said()
            assert "Traceback" not in started.said()
            assert time.monotonic() - began < 15.0
            started.assert_nothing_left()
            if phase == "run":
                assert (started.home / "results" / "small-write-10u_summary.json").exists(), "the figures so far"
    finally:
        for started in programs.values():
            started.process.kill()


def test_sigkill_leaves_no_node(home: Path) -> None:
    started = Started([*DEMO, "--scenario", "write-10u"], home)
    try:
        started.wait_said("write-10u:")
        assert len(started.family()) >= 4
        started.note_ports()
    finally:
        os.kill(started.process.pid, signal.SIGKILL)
        started.process.wait()
    started.assert_nothing_left(temporary_too=False)


def test_what_a_killed_run_left_is_announced_and_cleaned(home: Path) -> None:
    """Kill the program in a run and start again on the same cluster: announced; `clean` removes it."""
    with DemoCluster(3, "auto", (150, 300)) as cluster:
        assert cluster.wait_ready(10.0)
        nodes = ["--nodes", ",".join(cluster.urls)]
        # The entry must be one of the nodes.
        nodes += ["--host", cluster.urls[0]]
        first = Started(["--headless", *nodes, "--scenario", "write-10u"], home)
        try:
            first.wait_said("write-10u:")
        finally:
            first.process.kill()
            first.process.wait()
        again = Started(["--headless", *nodes, "--scenario", "read-1u", "--duration", "300ms", "--no-cleanup"], home)
        assert again.wait_end(60.0) == 0, again.said()
        assert "left by an earlier run" in again.said()
        asked = Started(["clean", *nodes], home)
        assert asked.wait_end() == 0, asked.said()
        assert "bench-small-000" in asked.output.read_text()
        assert "--yes" in asked.output.read_text()
        done = Started(["clean", *nodes, "--yes"], home)
        assert done.wait_end() == 0, done.said()
        after = Started(["clean", *nodes], home)
        assert after.wait_end() == 0
        assert "nothing to remove" in after.output.read_text()


def test_a_second_program_on_the_same_tier_refuses_and_names_the_first(home: Path) -> None:
    with DemoCluster(1, "auto", (150, 300)) as cluster:
        assert cluster.wait_ready(10.0)
        nodes = ["--nodes", cluster.urls[0], "--host", cluster.urls[0]]
        first = Started(["--headless", *nodes, "--scenario", "write-1u"], home)
        try:
            first.wait_said("write-1u:")
            second = Started(["--headless", *nodes, "--scenario", "read-1u"], home, "-second")
            assert second.wait_end() == 2, second.said()
            assert f"pid {first.process.pid}" in second.said()
        finally:
            first.process.send_signal(signal.SIGINT)
            assert first.wait_end() == 130, first.said()
        assert "Traceback" not in first.said() + second.said()


def test_a_wrong_key_and_a_readers_key(home: Path) -> None:
    with DemoCluster(1, "auto", (150, 300)) as cluster:
        assert cluster.wait_ready(10.0)
        nodes = ["--headless", "--nodes", cluster.urls[0], "--host", cluster.urls[0]]
        for key, told in (("nope-secret", "401"), ("confman_dev_reader", "403")):
            started = Started([*nodes, "--api-key", key], home)
            assert started.wait_end() == 3, started.said()
            assert told in started.said()
            assert key not in started.said()
            assert "Traceback" not in started.said()
