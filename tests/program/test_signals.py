"""Signals from the program's first line to its last: one ends it in order, two at once, whatever it waits for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from confman_tui.core.errors import EXIT_INTERRUPTED
from confman_tui.core.signals import ENDING
from confman_tui.settings.worker_token import VARIABLE
from tests.support.confman_server import Server
from tests.support.odd_servers import free_port
from tests.support.program import PROGRAM, StartedProgram, environment
from tests.support.stalling_cluster import StallingCluster, all_but_health, everything
from tests.support.terminal import TerminalProgram
from tests.support.waiting import DEADLINE_S, wait_for

HOUR = ["--wait", "1h", "--request-timeout", "120s"]

STUCK = """
import pathlib, time
def stay():
    pathlib.Path({mark!r}).touch()
    time.sleep(3600)
"""
"""The program is kept at one place for an hour, and says that it is there."""
BEFORE = "stay()\n"
AFTER = "import atexit\natexit.register(stay)\n"


@pytest.fixture
def cluster() -> Iterator[StallingCluster]:
    with StallingCluster() as cluster:
        yield cluster


@pytest.mark.parametrize("where", ["before", "after"])
def test_before_a_front_end_stands_and_after_it_has_ended(where: str, tmp_path: Path) -> None:
    """While it imports its packages, and while it does what is to be done at its exit."""
    mark = tmp_path / "there"
    module, then = ("platformdirs.py", BEFORE) if where == "before" else ("sitecustomize.py", AFTER)
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / module).write_text(STUCK.format(mark=str(mark)) + then)
    variables = environment(tmp_path, PYTHONPATH=os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    for number in ENDING if where == "before" else [signal.SIGTERM]:
        mark.unlink(missing_ok=True)
        program = subprocess.Popen(
            [*PROGRAM, "--version"], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for(mark.exists, f"it is there, {where}")
            program.send_signal(number)
            _, errors = program.communicate(timeout=DEADLINE_S)
        finally:
            program.kill()
        assert (program.returncode, errors) == (EXIT_INTERRUPTED, ""), number.name


def test_the_first_ends_a_wait_and_the_second_the_program(cluster: StallingCluster, tmp_path: Path) -> None:
    """A node that says it is well and answers nothing else: neither its data nor the cleaning gets on."""
    started = StartedProgram(["--headless", "--nodes", cluster.nodes, *HOUR], tmp_path)
    try:
        started.wait_said("seeding:")
        wait_for(lambda: cluster.trio.namespaces, "the first namespace")
        cluster.stall(all_but_health, drips=True)
        wait_for(lambda: cluster.stalled, "a request without an answer")
        started.process.send_signal(signal.SIGTERM)
        started.wait_said("cleaning: tier small")
        started.process.send_signal(signal.SIGINT)
        assert started.wait_end() == EXIT_INTERRUPTED, started.said()
    finally:
        started.process.kill()
    assert "SIGINT again: leaving at once; 5 namespaces bench-small-… stay on the cluster" in started.said()
    assert "cleaning failed" not in started.said(), "it gave up by itself"
    assert "Traceback" not in started.said()
    started.assert_nothing_left()


@pytest.mark.slow
def test_one_is_enough_where_no_node_answers_anything(cluster: StallingCluster, tmp_path: Path) -> None:
    cluster.stall(everything)
    arguments = {"finding": ["--headless"], "worker": ["--headless", "--workers", "1"], "clean": ["clean", "--yes"]}
    programs = []
    try:
        for name, given in arguments.items():
            home = tmp_path / name
            home.mkdir()
            programs.append(StartedProgram([*given, "--nodes", cluster.nodes, "--wait", "1h"], home))
        for started in programs:
            started.wait_said("finding:")
            wait_for(lambda: cluster.stalled, "a request without an answer")
            started.process.send_signal(signal.SIGTERM)
        for started in programs:
            assert started.wait_end() == EXIT_INTERRUPTED, started.said()
            assert "Traceback" not in started.said()
            started.assert_nothing_left()
    finally:
        for started in programs:
            started.process.kill()


def test_the_second_ends_it_where_nobody_takes_its_output(cluster: StallingCluster, tmp_path: Path) -> None:
    """Its standard error is a pipe that is full: it waits in the middle of a line."""
    cluster.stall(everything)
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(sink, b"x" * 1024)
    os.set_blocking(sink, True)
    program = subprocess.Popen(
        [*PROGRAM, "--headless", "--nodes", cluster.nodes, "--wait", "1h"], stderr=sink, env=environment(tmp_path)
    )
    try:
        wait_for(lambda: _writes_to_stderr(program.pid), "it waits for its standard error")
        program.send_signal(signal.SIGTERM)
        program.send_signal(signal.SIGTERM)
        # two that come at once may arrive as one
        wait_for(lambda: _ended_by(program, signal.SIGINT), "its end")
        assert program.returncode == EXIT_INTERRUPTED
    finally:
        program.kill()
        program.wait()
        os.close(source)
        os.close(sink)


def test_the_second_ends_a_worker(tmp_path: Path) -> None:
    """It waits for its requests in flight, and their node answers nothing any more."""
    given = {VARIABLE: "00112233445566778899aabbccddeeff"}
    address = f"127.0.0.1:{free_port()}"
    homes = [tmp_path / name for name in ("master", "worker")]
    with Server() as server:
        node = ["--nodes", server.url, "--host", server.url, "--scenario", "write-10u"]
        expecting = ["--headless", *node, "--expect-workers", "1", "--master-bind", address]
        programs = []
        try:
            for home, arguments in zip(homes, (expecting, ["worker", "--master", address]), strict=True):
                home.mkdir()
                programs.append(StartedProgram(arguments, home, **given))
            master, worker = programs
            master.wait_said("write-10u started")
            server.control(delay_s=3600.0)
            served = server.control()["put"]
            wait_for(lambda: server.control()["put"] >= served + 10, "a request in flight of each user")
            worker.process.send_signal(signal.SIGTERM)
            worker.wait_said("again: leave at once")
            worker.process.send_signal(signal.SIGINT)
            assert worker.wait_end() == EXIT_INTERRUPTED, worker.said()
            assert "Traceback" not in worker.said()
            worker.assert_nothing_left()
        finally:
            for program in programs:
                program.process.kill()


DEAF = """
import signal, sys
if "confman_tui.demo.node" in sys.orig_argv:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
"""
"""A node does not hear that it is to end: the program waits for it, and kills it then."""


def test_the_second_ends_the_embedded_cluster(tmp_path: Path) -> None:
    first = tmp_path / "kept"
    first.mkdir()
    (first / "sitecustomize.py").write_text(DEAF)
    path = os.pathsep.join([str(first), os.environ.get("PYTHONPATH", "")])
    started = StartedProgram(["demo", "--demo-ports", "auto"], tmp_path, PYTHONPATH=path)
    try:
        wait_for(lambda: "ends it." in started.output.read_text(), started.said)
        started.note_ports()
        started.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Ending the demo cluster." in started.output.read_text(), started.said)
        started.process.send_signal(signal.SIGINT)
        assert started.wait_end() == EXIT_INTERRUPTED, started.said()
    finally:
        started.process.kill()
    assert "Traceback" not in started.said()
    started.assert_nothing_left()


def _ended_by(program: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Whether it has ended; if not, it gets one more signal."""
    if program.poll() is None:
        program.send_signal(number)
    return program.poll() is not None


def _writes_to_stderr(pid: int) -> bool:
    """Whether its main thread is in a system call that has the standard error as its first argument."""
    try:
        words = Path(f"/proc/{pid}/syscall").read_text().split()
    except OSError:
        return False
    return len(words) > 2 and words[1] == "0x2"


@pytest.mark.parametrize("output", [pytest.param("taken", marks=pytest.mark.slow), "stopped"])
def test_the_second_ends_the_screen(output: str, cluster: StallingCluster, tmp_path: Path) -> None:
    """Also where the terminal takes no more output."""
    screen = TerminalProgram(["--nodes", cluster.nodes, *HOUR], tmp_path)
    try:
        screen.wait_idle()
        cluster.stall(all_but_health, drips=True)
        screen.press("2")
        wait_for(lambda: cluster.stalled, "a request without an answer")
        if output == "stopped":
            screen.stop_output()
        screen.process.send_signal(signal.SIGTERM)
        if output == "taken":
            screen.wait_shows("leaving")
        wait_for(lambda: _ended_by(screen.process, signal.SIGHUP), "its end")
        assert screen.process.returncode == EXIT_INTERRUPTED
        if output == "taken":
            screen.wait_restored()
            assert b"cleaning failed" not in screen.written, "it gave up by itself"
        assert b"Traceback" not in screen.written
        wait_for(lambda: not screen.family(), lambda: f"processes left: {screen.family()}")
    finally:
        with contextlib.suppress(OSError):
            screen.end()
