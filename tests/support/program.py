"""Running the real program as a child, as a shell would: to its end, or beside the test."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.support.waiting import DEADLINE_S, wait_for

PROGRAM = [sys.executable, "-m", "confman_tui"]
HEADLESS_DEMO = [
    "--demo",
    "--demo-ports",
    "auto",
    "--demo-election-timeout",
    "150-300",
    "--headless",
    "--tier",
    "small",
]
SUITE = ["write-1u", "write-10u", "read-1u", "read-10u", "mixed-10u"]
"""The scenarios of the suite, in its order."""


def environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment in which nothing of the developer's own settings counts."""
    # COLUMNS and LINES: the snapshot tests leave their own in this process, and they outweigh a terminal's size.
    others = ("CONFMAN_", "BENCH_", "XDG_", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "TMPDIR": str(home),
        **extra,
    }


def run(
    arguments: Sequence[str],
    home: Path,
    *,
    timeout_s: float = DEADLINE_S,
    stdin: int = subprocess.DEVNULL,
    most_files: int | None = None,
    **extra: str,
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; ``most_files``: the hard limit of its open files."""
    limited = [] if most_files is None else ["sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh"]
    return subprocess.run(
        [*limited, *PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=stdin,
        env=environment(home, **extra),
        cwd=home,
        check=False,
    )


class StartedProgram:
    """The program as a child, with its stderr in a file and all its descendants marked by their environment."""

    def __init__(self, arguments: list[str], home: Path, name: str = "", **extra: str) -> None:
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
                env=environment(home, TEST_MARK_OF_CONFMAN=self.mark, **extra),
                cwd=home,
            )
        self.ports: set[int] = set()

    def said(self) -> str:
        return self.errors.read_text()

    def wait_said(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        wait_for(
            lambda: text in self.said() or self.process.poll() is not None,
            lambda: f"{text!r} in {self.said()}",
            deadline_s,
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

    def wait_end(self, deadline_s: float = DEADLINE_S) -> int:
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s} s:\n{self.said()}") from None

    def assert_nothing_left(self, *, temporary_too: bool = True) -> None:
        wait_for(lambda: not self.family(), lambda: f"processes left: {self.family()}")
        # a process that dies loses its environment, by which the family is known, before its sockets
        wait_for(lambda: not self.listening(), lambda: f"ports still listen: {self.listening()}")
        if temporary_too:
            kept = {"stderr.txt", "stdout.txt", "results", "state", "cache", "config", "runtime", "kept"}
            assert {path.name for path in self.home.iterdir()} <= kept
            results = self.home / "results"
            if results.exists():
                assert not [
                    path.name for path in results.iterdir() if path.name.startswith(".") or ".part" in path.name
                ]
