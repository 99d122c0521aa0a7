"""Resumes paused processes when the program that paused them is gone, however it went: SIGKILL included.

A tiny process of its own, started before the first pause (``python -m confman_tui.cluster.faults.resume_guard``). It
reads lines from the program's pipe: ``+pid created`` before a pause, ``-pid`` after a resume, and answers each with
``ok``. The pipe's end means that the program is gone: everything still listed gets SIGCONT, then it ends too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from select import select
from threading import Lock
from time import monotonic

import psutil

from confman_tui.cluster.faults.control import FaultRefusedError

_READY_S = 10.0
_CREATED_WITHIN_S = 2.0
"""Two processes may compute a creation time that differs, when the clock was set in between; SIGCONT to a process that
is not paused does nothing."""


def watch() -> None:
    """The guard's own life."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(ignored, signal.SIG_IGN)
    paused: dict[int, float] = {}
    for line in sys.stdin:
        pid, _, created = line[1:].strip().partition(" ")
        if line.startswith("+"):
            paused[int(pid)] = float(created)
        else:
            paused.pop(int(pid), None)
        with suppress(OSError):
            os.write(1, b"ok\n")
    for number, made in paused.items():
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if abs(psutil.Process(number).create_time() - made) < _CREATED_WITHIN_S:
                os.kill(number, signal.SIGCONT)


class ResumeGuard:
    """The program's side: starts it when needed. Thread-safe."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
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
            if not self._tell(f"+{pid} {created!r}\n"):
                raise FaultRefusedError("nothing was paused: what would resume it in every case does not answer")

    def remove(self, pid: int) -> None:
        """To be called after a resume."""
        with self._lock:
            if self._process is not None:
                self._tell(f"-{pid}\n")

    def close(self) -> None:
        """Ends it; it resumes whatever is still listed."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2.0)

    def _start(self) -> None:
        keep = {name: value for name, value in os.environ.items() if name != "CONFMAN_BENCH_API_KEY"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "confman_tui.cluster.faults.resume_guard"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=keep,
                bufsize=0,
            )
        except OSError as error:
            raise FaultRefusedError(
                f"nothing was paused: what would resume it in every case can't be started ({error.strerror})"
            ) from error

    def _tell(self, line: str) -> bool:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return False
        try:
            process.stdin.write(line.encode())
            deadline = monotonic() + _READY_S
            answer = b""
            while not answer.endswith(b"\n"):
                if not select([process.stdout], [], [], max(0.0, deadline - monotonic()))[0]:
                    return False
                read = os.read(process.stdout.fileno(), 16)
                if not read:
                    return False
                answer += read
        except OSError:
            return False
        return True


if __name__ == "__main__":
    watch()
