"""Resumes paused processes when the program that paused them is gone, however it went: SIGKILL included.

A tiny process of its own, started before the first pause. The program reports each pause before it happens and each
resume after it, and waits until the guard has taken note. The end of the guard's standard input means that the program
is gone: everything that is still paused gets SIGCONT, then the guard ends too. It is therefore the one child that must
not end with the program in any other way, and it ignores what a terminal or a person sends.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from threading import Lock

import msgspec
import psutil

from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core.child_process.inside import STDIN, STDOUT
from confman_tui.core.child_process.pipes import incoming, receive, send
from confman_tui.core.child_process.start import ChildProcess, start

MODULE = "confman_tui.cluster.faults.resume_guard"
_ANSWERS_WITHIN_S = 10.0
_ENDS_WITHIN_S = 2.0
_CREATED_WITHIN_S = 2.0
"""Two processes may compute a creation time that differs, when the clock was set in between; SIGCONT to a process that
is not paused does nothing."""


class Pausing(msgspec.Struct, frozen=True, tag=True):
    """This process is paused next."""

    pid: int
    created: float
    """psutil's creation time."""


class Resumed(msgspec.Struct, frozen=True, tag=True):
    """This process is paused no longer."""

    pid: int


class Noted(msgspec.Struct, frozen=True, tag=True):
    """The guard's answer to each."""


def watch() -> None:
    """The guard's own life."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(ignored, signal.SIG_IGN)
    paused: dict[int, float] = {}
    for message in incoming(STDIN, Pausing | Resumed):
        if isinstance(message, Pausing):
            paused[message.pid] = message.created
        else:
            paused.pop(message.pid, None)
        with suppress(OSError):
            send(STDOUT, Noted())
    for pid, created in paused.items():
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if abs(psutil.Process(pid).create_time() - created) < _CREATED_WITHIN_S:
                os.kill(pid, signal.SIGCONT)


class ResumeGuard:
    """The program's side: starts it when needed. Thread-safe."""

    def __init__(self) -> None:
        self._process: ChildProcess | None = None
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """Of the guard's process, None while there is none."""
        return None if self._process is None else self._process.pid

    def add(self, pid: int, created: float) -> None:
        """To be called before a pause.

        Raises:
            FaultRefusedError: it can't be started, so nobody would resume the process if this program was killed.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            if not self._noted(Pausing(pid, created)):
                raise FaultRefusedError("nothing was paused: what would resume it in every case does not answer")

    def remove(self, pid: int) -> None:
        """To be called after a resume."""
        with self._lock:
            self._noted(Resumed(pid))

    def close(self) -> None:
        """Ends it; it resumes whatever is still paused."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end(_ENDS_WITHIN_S)

    def _start(self) -> None:
        try:
            self._process = start(MODULE, own_session=True)
        except OSError as error:
            raise FaultRefusedError(
                f"nothing was paused: what would resume it in every case can't be started ({error.strerror})"
            ) from error

    def _noted(self, message: Pausing | Resumed) -> bool:
        process = self._process
        if process is None or process.stdout is None:
            return False
        try:
            process.send(message)
            receive(process.stdout.fileno(), Noted, _ANSWERS_WITHIN_S)
        except (OSError, EOFError, ValueError):
            return False
        return True


if __name__ == "__main__":
    watch()
