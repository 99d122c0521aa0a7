"""The program's side of a child process: starts it and ends it.

A child is tied to the program twice, because each tie alone has a hole: its standard input ends when the program does,
but a paused child does not notice; the kernel's parent-death signal (Linux, see `inside.end_with_program`) ends a
paused child too, but is lost when the program dies before the child has asked for it.

Each child gets a process group of its own, so that a ^C in the terminal is not for it, but no session of its own unless
the caller asks for one: Linux shares out the cores among sessions first (autogroup, see sched(7)), and niceness counts
only within one. Next to a load in another session, a drawing with a niceness of 10 takes as much of a core as one
without.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import IO, cast

import confman_tui
from confman_tui.core.child_process import pipes

LEFT_OUT = ("CONFMAN", "LOCUST_")
"""What begins the names of variables that no child gets: this program's, among them its API key, which nobody may read
in a child's environment, and Locust's, which would change how it behaves in a worker."""
KILLED_WITHIN_S = 5.0
"""How long a killed process is waited for: longer only where the system itself hangs."""
_ABOUT_TO_END_S = 0.2
"""Its pipes are closed a moment before it is gone."""


class ChildProcess(subprocess.Popen[bytes]):
    """A child; `start` makes it."""

    @property
    def command_line(self) -> str:
        """As a shell would take it."""
        return shlex.join(cast(Sequence[str], self.args))

    def send(self, message: object) -> None:
        """Write a message into its standard input; waits while the pipe is full. Raises OSError."""
        assert self.stdin is not None
        pipes.send(self.stdin.fileno(), message)

    def how_it_ended(self) -> str:
        """In words, once it has, or is about to: whether a signal killed it, or with which code it ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(_ABOUT_TO_END_S)
        code = self.returncode
        if code is None:
            return "it does not answer"
        if code >= 0:
            return f"it ended by itself with code {code}"
        try:
            return f"it was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was killed by signal {-code}"

    def close_input(self) -> None:
        """Close its standard input, which ends it."""
        _close(self.stdin)

    def end(self, within_s: float) -> None:
        """Close its standard input and wait for its end; kill it when that does not come within the time."""
        self.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(within_s)
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(KILLED_WITHIN_S)
        _close(self.stdout)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


def start(
    module: str,
    *arguments: str,
    output: int | None = None,
    own_session: bool = False,
    inherit: Sequence[int] = (),
    command: Sequence[str] | None = None,
) -> ChildProcess:
    """Start ``python -P -m MODULE PID ARGUMENTS``, where PID is this program's process id. Any thread may call it.

    Args:
        module: a module of this package, which calls `inside.end_with_program` first.
        arguments: anybody on the machine can read them, so no secret may be among them: it goes through the pipe.
        output: descriptor of a file for the standard output and error; None: a pipe takes the output, and errors are
            dropped.
        own_session: whether it gets a session of its own and not only a process group.
        inherit: further descriptors that it keeps.
        command: stands for the whole command line (tests).

    Raises:
        OSError: it can't be started.
    """
    make = functools.partial(
        ChildProcess,
        # -P: a module of the working directory must not stand in for one of ours
        command or [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.DEVNULL if output is None else output,
        start_new_session=own_session,
        process_group=None if own_session else 0,
        pass_fds=inherit,
        env=_environment(),
    )
    return _starting_thread().start(make)


def start_lasting(command: Sequence[str], output: int, without: str) -> subprocess.Popen[bytes]:
    """Start somebody else's program, which outlives this one, in a session of its own.

    Args:
        command: its command line.
        output: descriptor of a file for its standard output and error.
        without: the variable of our environment that is kept from it.

    Raises:
        OSError: it can't be started.
    """
    environment = {name: value for name, value in os.environ.items() if name != without}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
    )


def _environment() -> dict[str, str]:
    """What a child gets: our environment without `LEFT_OUT`, and the same copy of this package, also from a checkout
    that is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    root = Path(confman_tui.__file__).resolve().parent.parent
    # An installed one is found anyhow, and its folder must not come before the standard library.
    if root.name not in ("site-packages", "dist-packages"):
        given = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
        kept["PYTHONPATH"] = os.pathsep.join([str(root), *given])
    return kept


class _StartingThread:
    """Starts processes on request, as long as the program lives: Linux sends the parent-death signal when the *thread*
    that started a process ends (prctl(2)), so no thread that comes and goes may start one."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[tuple[Callable[[], ChildProcess], Future[ChildProcess]]] = SimpleQueue()
        threading.Thread(target=self._work, name="child-starter", daemon=True).start()

    def start(self, make: Callable[[], ChildProcess]) -> ChildProcess:
        future: Future[ChildProcess] = Future()
        self._requests.put((make, future))
        return future.result()

    def _work(self) -> None:
        while True:
            make, future = self._requests.get()
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
            del make, future


_starting_thread = functools.cache(_StartingThread)
