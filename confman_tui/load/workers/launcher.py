"""Starts and ends the local workers: processes of our own, each with a log file."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.core import paths
from confman_tui.core.child_process.start import ChildProcess, start
from confman_tui.load.workers.clock_offset import anchor
from confman_tui.load.workers.local_worker import LocalWorkerOptions
from confman_tui.load.workers.plan import WorkerError

MODULE = "confman_tui.load.workers.local_worker"
END_S = 2.0
"""How long a worker may take to end before it is killed."""
_LONGEST_LINE = 200


@dataclass
class LocalWorker:
    """One local worker, as the program that started it sees it."""

    name: str
    process: ChildProcess
    log: Path
    ticket: str = field(repr=False)
    """Random; by it the master knows that it is this one that joins."""

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


class Launcher:
    """Has the local workers of one program. Used on one thread."""

    def __init__(self, address: tuple[str, int], api_key: str, token: str, tls: TlsOptions = MACHINE_CAS) -> None:
        self._address = address
        self._tls = tls
        self._api_key = api_key
        self._token = token
        self._folder: Path | None = None
        self._started = 0
        self._all_well = True
        self.alive: dict[int, LocalWorker] = {}
        """By process id; those that ended stay until `reap`."""

    def start(self) -> LocalWorker:
        """Start one more.

        Raises:
            WorkerError: it can't be started, or its log can't be written.
        """
        self._started += 1
        name = f"worker-{self._started}"
        try:
            log = self._made_folder() / f"{name}.log"
            with log.open("wb") as output:
                process = start(MODULE, str(log), output=output.fileno())
        except OSError as error:
            raise WorkerError(f"{name} can't be started: {error.strerror or error}") from None
        worker = LocalWorker(name, process, log, secrets.token_hex(16))
        self.alive[process.pid] = worker
        host, port = self._address
        with contextlib.suppress(OSError):  # it has ended already, which those who wait for it find out
            process.send(
                LocalWorkerOptions(name, host, port, anchor(), self._api_key, self._token, worker.ticket, self._tls)
            )
        return worker

    def _made_folder(self) -> Path:
        if self._folder is None:
            state = paths.ensure_folder(paths.state_dir())
            _sweep(state)
            self._folder = paths.ensure_folder(state / f"workers-{os.getpid()}-{time.monotonic_ns():x}")
        return self._folder

    def reap(self, worker: LocalWorker) -> None:
        """It has ended without being asked to, or is ended now: keep its log."""
        self._all_well = False
        self._remove(worker)

    def end_all(self) -> None:
        """They were asked to end: wait for it, kill those that don't, and remove the logs when all was well."""
        until = time.monotonic() + END_S
        for worker in list(self.alive.values()):
            # the end of its standard input ends it too, but gives it no time to say good-bye
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, until - time.monotonic()))
            self._all_well = self._all_well and worker.process.returncode == 0
            self._remove(worker)
        folder, self._folder = self._folder, None
        if folder is not None and self._all_well:
            shutil.rmtree(folder, ignore_errors=True)

    def _remove(self, worker: LocalWorker) -> None:
        self.alive.pop(worker.pid, None)
        worker.process.end(0.0)


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
