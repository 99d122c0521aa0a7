"""Faults on real processes that this program did not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from confman_tui.cluster.faults import local_process
from confman_tui.cluster.faults.control import FaultRefusedError, NodeControl
from confman_tui.cluster.faults.local_control import LocalControl, parse_restart_command
from confman_tui.cluster.faults.local_process import Listener, find_listener, shown_command
from confman_tui.core.errors import UsageError
from tests.support.odd_servers import free_port
from tests.support.port_listener import SOURCE, answering_pid, listener, restart_command
from tests.support.waiting import DEADLINE_S, wait_for


@pytest.fixture
def control() -> Iterator[LocalControl]:
    made = LocalControl()
    yield made
    made.close()


def stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def test_pause_and_resume_the_listener(control: LocalControl) -> None:
    as_control: NodeControl = control
    with listener() as (node, process):
        assert f"pid {process.pid}" in as_control.describe(node)
        as_control.pause(node)
        wait_for(lambda: stopped(process))
        as_control.pause(node)
        as_control.resume(node)
        assert not stopped(process)
        as_control.resume(node)
        wait_for(lambda: answering_pid(node) == process.pid)


def test_kill_the_listener_and_a_paused_one(control: LocalControl) -> None:
    with listener() as (node, process), listener() as (other, paused):
        control.kill(node)
        assert process.wait(DEADLINE_S) == -signal.SIGKILL
        control.pause(other)
        control.kill(other)
        assert paused.wait(DEADLINE_S) == -signal.SIGKILL
        with pytest.raises(FaultRefusedError, match="no process listens"):
            control.kill(node)


def test_close_resumes_what_is_paused() -> None:
    control = LocalControl()
    with listener() as (node, process), listener() as (other, second):
        control.pause(node)
        control.pause(other)
        wait_for(lambda: stopped(process) and stopped(second))
        control.close()
        wait_for(lambda: not stopped(process) and not stopped(second))


DRIVER = """
import sys, time
from confman_tui.cluster.faults.local_control import LocalControl
control = LocalControl()
control.pause(sys.argv[1])
print(control._resume_guard.pid, flush=True)
{then}
"""


@pytest.mark.parametrize("end", ["sigkill", "exit", "crash"])
def test_the_program_ends_and_the_paused_node_is_resumed(end: str) -> None:
    then = {"sigkill": "time.sleep(60)", "exit": "sys.exit(0)", "crash": "raise RuntimeError"}[end]
    with listener() as (node, process):
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER.format(then=then), node],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert driver.stdout is not None
        guard = int(driver.stdout.readline())
        if end == "sigkill":
            wait_for(lambda: stopped(process))
            driver.kill()
        driver.wait(DEADLINE_S)
        driver.stdout.close()
        wait_for(lambda: not stopped(process))
        wait_for(lambda: not psutil.pid_exists(guard) or psutil.Process(guard).status() == psutil.STATUS_ZOMBIE)


def test_the_resume_guard_outlives_what_a_terminal_sends() -> None:
    control = LocalControl()
    with listener() as (node, process):
        control.pause(node)
        guard = control._resume_guard.pid
        assert guard is not None
        assert os.getsid(guard) == guard
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.kill(guard, number)
        control.resume(node)
        control.pause(node)
        assert control._resume_guard.pid == guard
        control.close()
        wait_for(lambda: not stopped(process))


def test_a_killed_resume_guard_is_replaced_before_the_next_pause(control: LocalControl) -> None:
    with listener() as (node, process):
        control.pause(node)
        first = control._resume_guard.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: psutil.Process(first).status() == psutil.STATUS_ZOMBIE)
        control.resume(node)
        control.pause(node)
        assert control._resume_guard.pid != first
        wait_for(lambda: stopped(process))


def test_killed_and_started_again_by_the_restart_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFMAN_BENCH_API_KEY", "confman_secret")
    control = LocalControl(restart_command(tmp_path), tmp_path / "logs")
    assert control.can_restart
    with listener() as (node, process):
        with pytest.raises(FaultRefusedError, match="already"):
            control.restart(node)
        control.kill(node)
        process.wait(DEADLINE_S)
        control.restart(node)
        wait_for(lambda: answering_pid(node) is not None)
        found = find_listener(node)
        try:
            assert found.pid != process.pid
            assert os.getsid(found.pid) == found.pid
            assert "CONFMAN_BENCH_API_KEY" not in psutil.Process(found.pid).environ()
            log = tmp_path / "logs" / f"node-{node.rpartition(':')[2]}.log"
            assert "listening" in log.read_text()
            assert log.stat().st_mode & 0o077 == 0
        finally:
            assert found.send(signal.SIGKILL)
    control.close()


def test_a_restart_command_that_is_none() -> None:
    control = LocalControl("/no/such/program {port}")
    with pytest.raises(FaultRefusedError, match="can't be run: /no/such/program"):
        control.restart(f"http://127.0.0.1:{free_port()}")
    control.close()
    without = LocalControl()
    assert not without.can_restart
    with pytest.raises(FaultRefusedError, match="--restart-cmd"):
        without.restart("http://127.0.0.1:1")
    without.close()


@pytest.mark.parametrize("text", ["", "   ", "run 'it {port}", "run it"])
def test_a_malformed_restart_command_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--restart-cmd"):
        parse_restart_command(text)


def test_words_of_the_restart_command_never_see_a_shell() -> None:
    assert parse_restart_command("run --at={port} 'a b' ';' $HOME") == ("run", "--at={port}", "a b", ";", "$HOME")


# What is refused


def test_nobody_listens(control: LocalControl) -> None:
    with pytest.raises(FaultRefusedError, match="no process listens on port"):
        control.describe(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("node", ["http://192.0.2.1:6100", "http://example.org:6100", "http://[2001:db8::1]:6100"])
def test_a_node_that_is_not_on_loopback(control: LocalControl, node: str) -> None:
    with pytest.raises(FaultRefusedError, match="loopback"):
        control.kill(node)


def test_the_program_itself(control: LocalControl) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, pytest.raises(FaultRefusedError, match="this program itself"):
        control.kill(f"http://127.0.0.1:{server.getsockname()[1]}")


def test_one_that_started_the_program() -> None:
    source = (
        "import socket, subprocess, sys\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "node = f'http://127.0.0.1:{server.getsockname()[1]}'\n"
        "inner = 'import sys; from confman_tui.cluster.faults.local_control import LocalControl as C; '\n"
        "inner += 'C().kill(sys.argv[1])'\n"
        "done = subprocess.run([sys.executable, '-c', inner, node], capture_output=True, text=True)\n"
        "print(done.stderr[-300:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert "this program was started by" in done.stdout


def test_another_users_process(control: LocalControl, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as (node, process):
        monkeypatch.setattr(os, "getuid", lambda: 54321)
        with pytest.raises(FaultRefusedError, match="belongs to another user"):
            control.kill(node)
        assert process.is_running()


def test_another_users_process_that_the_system_does_not_show(
    control: LocalControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listener() as (node, process):
        port = int(node.rpartition(":")[2])
        monkeypatch.setattr(local_process, "_listening", lambda asked: [("127.0.0.1", None)] if asked == port else [])
        with pytest.raises(FaultRefusedError, match="belongs to another user"):
            control.pause(node)
        monkeypatch.setattr(local_process, "_listening", lambda asked: [])
        with pytest.raises(FaultRefusedError, match="belongs to another user"):
            control.pause(node)
        assert not stopped(process)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_a_real_process_of_another_user(control: LocalControl) -> None:
    source = (
        "import os, socket, time\nserver = socket.create_server(('127.0.0.1', 0))\nos.setuid(65534)\n"
        "print(server.getsockname()[1], flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        node = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with pytest.raises(FaultRefusedError, match="belongs to another user"):
            control.kill(node)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        if process.stdout is not None:
            process.stdout.close()


def test_several_processes_on_one_port(control: LocalControl) -> None:
    source = (
        "import os, socket, time\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "pid = os.fork()\nif pid: print(server.getsockname()[1], pid, flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port, child = process.stdout.readline().split()
    try:
        with pytest.raises(FaultRefusedError, match="several processes"):
            control.kill(f"http://127.0.0.1:{port}")
    finally:
        os.kill(int(child), signal.SIGKILL)
        process.kill()
        process.wait(DEADLINE_S)
        process.stdout.close()


def test_the_process_changed_since_it_was_shown(control: LocalControl) -> None:
    with listener() as (node, process):
        control.describe(node)
        process.kill()
        process.wait(DEADLINE_S)
        port = node.rpartition(":")[2]
        other = subprocess.Popen([sys.executable, "-c", SOURCE, "127.0.0.1", port], stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: answering_pid(node) == other.pid)
            with pytest.raises(FaultRefusedError, match="not pid"):
                control.kill(node)
            assert other.poll() is None
            control.kill(node)
            assert other.wait(DEADLINE_S) == -signal.SIGKILL
        finally:
            other.kill()
            other.wait(DEADLINE_S)


def test_a_signal_never_hits_a_process_that_took_over_the_pid() -> None:
    with listener() as (node, process):
        found = find_listener(node)
        imposter = Listener(found.pid, found.created - 10.0, found.command)
        assert not imposter.send(signal.SIGKILL)
        assert process.is_running()
        process.kill()
        process.wait(DEADLINE_S)
        assert not found.send(signal.SIGKILL)


def test_isolating_is_for_the_demo_cluster(control: LocalControl) -> None:
    for act in (control.isolate, control.heal):
        with pytest.raises(FaultRefusedError, match="demo cluster only"):
            act("http://127.0.0.1:1")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0"])
def test_the_address_counts_beside_the_port(control: LocalControl, host: str) -> None:
    with listener(host=host) as (node, process):
        assert find_listener(node).pid == process.pid
        other = f"http://127.0.0.3:{node.rpartition(':')[2]}"
        if host == "0.0.0.0":
            assert find_listener(other).pid == process.pid
        else:
            with pytest.raises(FaultRefusedError, match="no process listens"):
                find_listener(other)


# What is shown


def test_the_command_line_is_shown_without_secrets(control: LocalControl) -> None:
    secret = "hunter2"
    extra = (
        "--api-key",
        secret,
        f"--token={secret}",
        f"Auth:Password={secret}",
        f"http://me:{secret}@host/",
        "--urls",
        "x",
    )
    with listener(*extra, "confman_dev_abc123") as (node, _):
        text = control.describe(node)
    assert secret not in text
    assert "abc123" not in text
    assert "--urls x" in text or "…" in text


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["dotnet", "Confman.dll", "--urls", "http://x:1"], "dotnet Confman.dll --urls http://x:1"),
        (["n", "--ApiKey", "v", "--port", "1"], "n --ApiKey … --port 1"),
        (["n", "--api-key=v"], "n --api-key=…"),
        (["n", "-m", "confman_tui.demo.node", "x=confman_dev_reader"], "n -m confman_tui.demo.node x=…"),
        (["n", "DB_PASSWORD=v"], "n DB_PASSWORD=…"),
        (["n", "/Secret:v"], "n /Secret:…"),
        (["n", "--password", "--verbose"], "n --password --verbose"),
        (["n", "a\x1b[2Jb\nc"], "n a [2Jb c"),
        (["n", "https://u:p@h/"], "n https://…@h/"),
    ],
)
def test_what_is_hidden(arguments: list[str], shown: str) -> None:
    assert shown_command(arguments) == shown


def test_a_long_command_line_is_cut() -> None:
    assert len(shown_command(["x" * 1000])) <= 160
