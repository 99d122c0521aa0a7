"""A process that listens on a port and answers each connection with its pid; for faults on real processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.waiting import DEADLINE_S

SOURCE = """
import os, socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""


@contextmanager
def listener(*extra: str, host: str = "127.0.0.1", user: str | None = None) -> Iterator[tuple[str, psutil.Popen]]:
    """(node's URL, process); the process is killed afterwards whatever became of it."""
    process = psutil.Popen(
        [sys.executable, "-c", SOURCE, host, "0", *extra], stdout=subprocess.PIPE, text=True, user=user, cwd="/"
    )
    try:
        port = int(process.stdout.readline().split()[1])
        yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}", process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait(DEADLINE_S)
        process.stdout.close()


def restart_command(folder: Path) -> str:
    """A ``--restart-cmd`` that starts such a process."""
    script = folder / "node with a blank.py"
    script.write_text(SOURCE)
    return f"{sys.executable} '{script}' 127.0.0.1 {{port}}"


def answering_pid(node: str, seconds: float = 0.5) -> int | None:
    """The pid that answers on the node's port, None when nobody does in time."""
    host, port = node.removeprefix("http://").split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return int(connection.recv(20) or b"0")
    except OSError:
        return None
