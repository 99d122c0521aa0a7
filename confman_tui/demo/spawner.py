"""Starts processes from one thread that outlives them.

Linux sends the parent-death signal when the *thread* that started a process ends (prctl(2)), so nodes must not be
started from a worker thread that comes and goes.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple


class _Request(NamedTuple):
    command: Sequence[str]
    log_file: Path
    environment: Mapping[str, str]
    process: Future[subprocess.Popen[bytes]]


class Spawner:
    """A thread that starts processes on request, until `close`."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="demo-spawner", daemon=True)
        self._thread.start()

    def start(self, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own (a ^C in the terminal is not for it), with a pipe to its standard
        input and its output appended to a file. Raises OSError."""
        request = _Request(command, log_file, environment, Future())
        self._requests.put(request)
        return request.process.result()

    def close(self) -> None:
        """End the thread. The kernel kills the processes it started that still run."""
        self._requests.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                with request.log_file.open("ab") as output:
                    process = subprocess.Popen(
                        request.command,
                        stdin=subprocess.PIPE,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                        env=request.environment,
                    )
            except OSError as error:
                request.process.set_exception(error)
            else:
                request.process.set_result(process)
