"""The whole program on a real terminal (a pseudo-terminal of 120×40), with real keys and real signals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.program.test_endings import Started
from tests.support.program import PROGRAM, environment, wait_for

DEMO = ["--demo", "--demo-ports", "auto", "--demo-election-timeout", "300-600"]
LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


class OnScreen(Started):
    """The program with a terminal of its own, as in a window."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self.home = home
        self.mark = uuid.uuid4().hex
        self.ports = set()
        self.written = bytearray()
        self.main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment(home, TEST_MARK_OF_CONFMAN=self.mark, TERM="xterm-256color", COLORTERM="truecolor"),
            cwd=home,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        self._reading = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while self._reading:
            try:
                if select.select([self.main], [], [], 0.1)[0]:
                    self.written += os.read(self.main, 65536)
            except (OSError, ValueError):
                return

    def said(self) -> str:
        return self.written.decode("utf-8", "replace")[-3000:]

    def shows(self, *texts: str) -> bool:
        """Whether one of these was ever on the screen."""
        return any(text.encode() in self.written for text in texts)

    def wait_shows(self, text: str) -> None:
        wait_for(lambda: self.shows(text), f"{text!r} in\n{self.said()}", 30.0)

    def wait_restored(self) -> None:
        """Until the terminal is as the program found it."""
        wait_for(lambda: LEFT_ALTERNATE_SCREEN in self.written, "the terminal is restored")

    def of_module(self, module: str) -> list[psutil.Process]:
        """Its processes that run this module."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                if module in process.cmdline():
                    found.append(process)
        return found

    def press(self, keys: str) -> None:
        os.write(self.main, keys.encode())

    def wait_idle(self) -> None:
        """Until the data is seeded: the registry of its keys is written then."""
        wait_for(lambda: (self.home / "results" / "small-registry.json").exists(), self.said(), 20.0)

    def start_writing(self) -> None:
        """Until ten users write."""
        self.wait_idle()
        self.note_ports()
        self.press("2")
        wait_for((self.home / "results" / "small-write-10u_timeline.csv.part").exists, "the run")

    def summary(self, name: str, deadline_s: float = 30.0) -> dict[str, Any]:
        path = self.home / "results" / f"small-{name}_summary.json"
        wait_for(path.exists, f"{path.name} in\n{self.said()}", deadline_s)
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def hang_up(self) -> None:
        """Close the window."""
        self._reading = False
        self._reader.join()
        os.close(self.main)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._reading:
            self.hang_up()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_a_key_runs_a_scenario_and_q_leaves_a_whole_terminal(home: Path) -> None:
    screen = OnScreen([*DEMO, "--duration", "1"], home)
    try:
        screen.wait_idle()
        screen.note_ports()
        screen.press("1")
        document = screen.summary("write-1u")
        assert document["requests"] > 0
        assert document["failures"] == 0
        lag = document["generator"]["screen_lag_ms"]
        assert 0 <= lag["mean"] <= lag["max"], "the screen tells the session how late it is"
        assert len(document["generator"]["node_cpu"]) == 3
        screen.press("q")
        began = time.monotonic()
        assert screen.wait_end(10.0) == 0, screen.said()
        assert time.monotonic() - began < 5.0
        wait_for(lambda: LEFT_ALTERNATE_SCREEN in screen.written, "the terminal is restored")
        assert b"Traceback" not in screen.written
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_the_leader_dies_while_users_write(home: Path) -> None:
    """The writers move by themselves, the run ends with its figures, and nothing that was acknowledged is lost."""
    screen = OnScreen([*DEMO, "--duration", "6"], home)
    try:
        screen.wait_idle()
        screen.press("2")
        timeline = home / "results" / "small-write-10u_timeline.csv.part"
        wait_for(lambda: timeline.exists() and len(timeline.read_text().splitlines()) >= 3, "two seconds of load")
        screen.press("k")
        document = screen.summary("write-10u")
        assert len(document["elections"]) == 1
        election = document["elections"][0]
        assert election["without_writes_s"] < 5.0
        assert election["new_leader"] != election["old_leader"]
        assert document["verification"]["lost"] == document["verification"]["phantom"] == 0
        assert document["verification"]["acknowledged"] > 100
        rows = (home / "results" / "small-write-10u_timeline.csv").read_text().splitlines()
        assert any("kill" in row for row in rows)
        screen.press("q")
        assert screen.wait_end(10.0) == 0
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_a_run_that_was_stopped_is_verified_all_the_same(home: Path) -> None:
    screen = OnScreen(DEMO, home)
    try:
        screen.wait_idle()
        screen.press("2")
        timeline = home / "results" / "small-write-10u_timeline.csv.part"
        wait_for(lambda: timeline.exists() and len(timeline.read_text().splitlines()) >= 2, "a second of load")
        screen.press("s")
        document = screen.summary("write-10u", 10.0)
        assert document["stopped_early"]
        verification = document["verification"]
        assert verification["judged"]
        assert verification["checked"] >= verification["acknowledged"] > 50
        assert verification["note"] == ""
        screen.press("q")
        assert screen.wait_end(10.0) == 0
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_sigkill_of_the_screen_leaves_no_process(home: Path) -> None:
    screen = OnScreen(DEMO, home)
    try:
        screen.wait_idle()
        screen.note_ports()
        assert len(screen.family()) >= 4
    finally:
        screen.end()
    screen.assert_nothing_left(temporary_too=False)


def test_an_unknown_action_in_the_keys_table_is_one_sentence(home: Path) -> None:
    folder = home / "config" / "confman-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[keys]\ndance = "d"\n')
    screen = OnScreen(DEMO, home)
    try:
        assert screen.wait_end(20.0) == 2
        wait_for(lambda: "dance" in screen.said(), "the sentence")
        assert "Traceback" not in screen.said()
    finally:
        screen.end()
