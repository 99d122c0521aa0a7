"""The real program on a terminal of its own: a pseudo-terminal of 120×40."""

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
import uuid
from pathlib import Path
from typing import Any

import psutil

from tests.support.program import PROGRAM, StartedProgram, environment
from tests.support.waiting import wait_for

SCREEN_DEMO = ["--demo", "--demo-ports", "auto", "--demo-election-timeout", "300-600"]
LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


class TerminalProgram(StartedProgram):
    """The program with a terminal of its own, as in a window."""

    def __init__(
        self, arguments: list[str], home: Path, *, rows: int = 40, columns: int = 120, **variables: str
    ) -> None:
        """``variables``: more for its environment, or others."""
        self.home = home
        self.mark = uuid.uuid4().hex
        self.ports = set()
        self.written = bytearray()
        self.main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment(
                home,
                TEST_MARK_OF_CONFMAN=self.mark,
                **{"TERM": "xterm-256color", "COLORTERM": "truecolor", **variables},
            ),
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
        wait_for(lambda: self.shows(text), lambda: f"{text!r} in\n{self.said()}")

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
        wait_for(lambda: (self.home / "results" / "small-key-registry.json").exists(), self.said)

    def start_writing(self) -> None:
        """Until ten users write."""
        self.wait_idle()
        self.note_ports()
        self.press("2")
        wait_for((self.home / "results" / "small-write-10u_timeline.csv.part").exists, "the run")

    def summary(self, name: str) -> dict[str, Any]:
        path = self.home / "results" / f"small-{name}_summary.json"
        wait_for(path.exists, lambda: f"{path.name} in\n{self.said()}")
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def leave(self, key: str = "q") -> int:
        """Press what leaves, and yes where the program asks, since it has not quite finished; gives the exit code."""
        self.press(key)
        wait_for(lambda: self.process.poll() is not None or self.shows("Quit?", "leaving"), self.said)
        if self.process.poll() is None and self.shows("Quit?"):
            with contextlib.suppress(OSError):
                self.press("y")
        return self.wait_end()

    def stop_output(self) -> None:
        """Take no more of what it writes, as ^S does."""
        self._reading = False
        self._reader.join()

    def hang_up(self) -> None:
        """Close the window."""
        self.stop_output()
        os.close(self.main)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._reading:
            self.hang_up()
