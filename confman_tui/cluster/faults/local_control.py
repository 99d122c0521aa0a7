"""Faults on nodes that somebody else started: processes of the same user on this machine's loopback."""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import RLock

from confman_tui.cluster.addresses import port_of
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.local_process import Listener, accepts, find_listener
from confman_tui.cluster.faults.resume_guard import ResumeGuard
from confman_tui.core.child_process.start import start_lasting
from confman_tui.core.errors import UsageError

API_KEY_VARIABLE = "CONFMAN_BENCH_API_KEY"
"""Where this program's API key may stand; it is nobody else's business."""


def parse_restart_command(text: str) -> tuple[str, ...]:
    """The words of ``--restart-cmd``, split as a shell does but never given to one.

    Raises:
        UsageError: it is empty, has a quote that is never closed, or no ``{port}``.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--restart-cmd has a quote that is never closed: {text!r}") from error
    if not words:
        raise UsageError("--restart-cmd is empty: give the command that starts the node of a port, with {port} in it")
    if not any("{port}" in word for word in words):
        raise UsageError(f"--restart-cmd has no {{port}} to say which node to start: {text!r}")
    return words


class LocalControl:
    """Implements `NodeControl` for the processes that listen on the nodes' ports.

    The process is looked up each time; one that was shown to a person (`describe`) is the only one that is then hit.
    A signal goes to the very process that was found, never to one that took over its pid. Paused processes are resumed
    by `close`, at exit, and by the resume guard when this program was killed.
    """

    def __init__(self, restart_command: str | None = None, log_folder: Path | None = None) -> None:
        """
        Args:
            restart_command: ``--restart-cmd``: starts the node of ``{port}`` again; None: killed is killed.
            log_folder: where the output of restarted nodes goes, ``node-{port}.log`` each; None: nowhere.

        Raises:
            UsageError: the command is malformed.
        """
        self._restart = parse_restart_command(restart_command) if restart_command is not None else None
        self._log_folder = log_folder
        self._shown: dict[str, Listener] = {}
        self._paused: dict[str, Listener] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self._resume_guard = ResumeGuard()
        self._lock = RLock()
        atexit.register(self.close)

    @property
    def can_restart(self) -> bool:
        """Whether a killed node can be started again."""
        return self._restart is not None

    def describe(self, node: str) -> str:
        """Pid and command line of the process, which is from now on the only one that a fault may hit there."""
        with self._lock:
            paused = self._paused.get(node)
            found = paused or find_listener(node)
            self._shown[node] = found
            return f"pid {found.pid}: {found.command}"

    def kill(self, node: str) -> None:
        """SIGKILL."""
        with self._lock:
            found = self._target(node)
            if not found.send(signal.SIGKILL):
                raise FaultRefusedError(f"pid {found.pid} has ended by itself before it could be killed")
            self._shown.pop(node, None)
            if self._paused.pop(node, None) is not None:
                self._resume_guard.remove(found.pid)

    def pause(self, node: str) -> None:
        """SIGSTOP."""
        with self._lock:
            found = self._target(node)
            self._resume_guard.add(found.pid, found.created)
            self._paused[node] = found
            if not found.send(signal.SIGSTOP):
                self._forget(node)
                raise FaultRefusedError(f"pid {found.pid} has ended by itself before it could be paused")
            self._shown.pop(node, None)

    def resume(self, node: str) -> None:
        """SIGCONT; nothing happens to a node that was not paused from here."""
        with self._lock:
            paused = self._paused.get(node)
            if paused is None:
                return
            gone = not paused.send(signal.SIGCONT)
            self._forget(node)
            if gone:
                raise FaultRefusedError(f"pid {paused.pid} has ended while it was paused")

    def isolate(self, node: str) -> None:
        """Refused: its Raft links are not ours to cut."""
        raise FaultRefusedError("isolating a node is possible on the demo cluster only (--demo)")

    def heal(self, node: str) -> None:
        """Refused, as `isolate` is."""
        raise FaultRefusedError("isolating a node is possible on the demo cluster only (--demo)")

    def restart(self, node: str) -> None:
        """Starts ``--restart-cmd`` for the node's port, in a session of its own: the node outlives this program."""
        with self._lock:
            if self._restart is None:
                raise FaultRefusedError("no --restart-cmd says how to start a killed node again")
            port = port_of(node)
            if accepts(node):
                raise FaultRefusedError(f"nothing was started: a process listens on port {port} already")
            words = [word.replace("{port}", str(port)) for word in self._restart]
            self._started = [one for one in self._started if one.poll() is None]
            try:
                log = os.open(self._log(port), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    process = start_lasting(words, log, API_KEY_VARIABLE)
                finally:
                    os.close(log)
            except OSError as error:
                raise FaultRefusedError(f"--restart-cmd can't be run: {words[0]}: {error.strerror}") from error
            self._started.append(process)

    def resume_all(self) -> None:
        """Resumes everything that was paused from here."""
        with self._lock:
            for node in tuple(self._paused):
                with suppress(FaultRefusedError):
                    self.resume(node)

    def close(self) -> None:
        """Resumes everything and ends the resume guard; nothing else of what was done is undone."""
        self.resume_all()
        self._resume_guard.close()
        self._started = [one for one in self._started if one.poll() is None]
        atexit.unregister(self.close)

    def _target(self, node: str) -> Listener:
        paused = self._paused.get(node)
        if paused is not None:
            return paused
        shown, found = self._shown.pop(node, None), find_listener(node)
        if shown is not None and (shown.pid, shown.created) != (found.pid, found.created):
            raise FaultRefusedError(
                f"nothing was done: pid {found.pid} listens on port {port_of(node)} now, not pid {shown.pid} as shown"
            )
        return found

    def _forget(self, node: str) -> None:
        paused = self._paused.pop(node)
        self._resume_guard.remove(paused.pid)

    def _log(self, port: int) -> Path:
        if self._log_folder is None:
            return Path(os.devnull)
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return self._log_folder / f"node-{port}.log"
