"""Starts and ends the local workers: processes of our own, in sessions of their own, each with a log file.

Linux sends the parent-death signal when the *thread* that started a process ends (prctl(2)), so `Children.start` is
called on the engine's thread, which outlives them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from confman_tui.core import child_process, paths
from confman_tui.load.workers.clock_offset import anchor
from confman_tui.load.workers.local_lifeline import Orders
from confman_tui.load.workers.plan import WorkerError

END_S = 2.0
"""How long a worker may take to end before it is killed."""
_LONGEST_LINE = 200


@dataclass
class Child:
    """One local worker's process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def ended(self) -> str:
        """How it ended, in words; empty while it lives. One that ended by itself has said why in its log's last line,
        one that a signal ended has not."""
        code = self.process.poll()
        if code is None:
            return ""
        if code < 0:
            return f"ended by signal {-code}"
        words = self._last_words()
        return f"ended with code {code}{': ' + words if words else ''}"

    def _last_words(self) -> str:
        """The last line of its log, the way a traceback ends; empty when there is none."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        words = "".join(letter for letter in lines[-1] if letter.isprintable()) if lines else ""
        return words[:_LONGEST_LINE]


class Children:
    """The local workers of one program. Used on one thread."""

    def __init__(self, address: tuple[str, int], api_key: str) -> None:
        self._address = address
        self._api_key = api_key
        self._folder: Path | None = None
        self._started = 0
        self._all_well = True
        self.alive: dict[int, Child] = {}
        """By process id; those that ended stay until `reap`."""

    def start(self) -> Child:
        """Start one more.

        Raises:
            WorkerError: it can't be started, or its log can't be written.
        """
        self._started += 1
        name = f"worker-{self._started}"
        try:
            log = self._made_folder() / f"{name}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    child_process.command("confman_tui.load.workers.local_process"),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    process_group=0,
                    env=_environment(),
                )
        except OSError as error:
            raise WorkerError(f"{name} can't be started: {error.strerror or error}") from None
        child = Child(name, process, log)
        self.alive[process.pid] = child
        host, port = self._address
        orders = Orders(name, host, port, os.getpid(), anchor(), str(log), self._api_key)
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already; that is noticed by whoever waits for it
            process.stdin.write(orders.line())
            process.stdin.flush()
        return child

    def _made_folder(self) -> Path:
        if self._folder is None:
            state = paths.ensure_folder(paths.state_dir())
            _sweep(state)
            self._folder = paths.ensure_folder(state / f"workers-{os.getpid()}-{time.monotonic_ns():x}")
        return self._folder

    def reap(self, child: Child) -> None:
        """It has ended, and not because it was told to: keep its log."""
        self._all_well = False
        self._forget(child)

    def kill(self, child: Child) -> None:
        """End it without asking."""
        with contextlib.suppress(OSError):
            child.process.kill()
        child.process.wait()
        self.reap(child)

    def end_all(self, sleep_s: float = 0.01) -> None:
        """They were told to end: wait for it, kill those that don't, and remove the logs when all was well."""
        until = time.monotonic() + END_S
        for child in list(self.alive.values()):
            # the end of its standard input ends it too, but gives it no time to say good-bye
            while child.process.poll() is None and time.monotonic() < until:
                time.sleep(sleep_s)
            if child.process.poll() is None:
                self.kill(child)
            else:
                self._all_well = self._all_well and child.process.returncode == 0
                self._forget(child)
        folder, self._folder = self._folder, None
        if folder is not None and self._all_well:
            shutil.rmtree(folder, ignore_errors=True)

    def _forget(self, child: Child) -> None:
        self.alive.pop(child.pid, None)
        if child.process.stdin is not None:
            with contextlib.suppress(OSError):
                child.process.stdin.close()


def _environment() -> dict[str, str]:
    """What any child gets, without what would change how Locust behaves in it."""
    return {name: value for name, value in child_process.environment().items() if not name.startswith("LOCUST_")}


def _sweep(state: Path) -> None:
    """Remove the logs that earlier programs left, those of programs that live excepted."""
    with contextlib.suppress(OSError):
        for folder in state.glob("workers-*"):
            match = re.fullmatch(r"workers-(\d+)-[0-9a-f]+", folder.name)
            if match is not None and not _lives(int(match[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
