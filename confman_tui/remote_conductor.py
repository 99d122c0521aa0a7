"""The conductor in a process of its own, beside the screen's.

What the screen draws and the load it watches would share one interpreter: while Textual lays out a second's changes for
some milliseconds, every request waits. Measured with an instant server (`tests/benchmarks/observer_effect.py`), the
screen in the load's process cost a third to two thirds of p99, whatever the interpreter's switch interval; apart
it costs a tenth at most. So conductor, engine and Locust live in a child (`confman_tui.bench_process`), and only frozen
events and commands pass between: the same that pass between the conductor and any face.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import threading
from collections.abc import Sequence
from struct import Struct
from typing import Any

from confman_tui import children
from confman_tui.clock import now
from confman_tui.cluster.control import FaultRefusedError
from confman_tui.cluster.elections_model import FaultKind
from confman_tui.commands import FaultPreview
from confman_tui.events import Level, NoticeGiven, Phase, PhaseChanged, Sink
from confman_tui.settings import Settings

LENGTH = Struct("!I")
ANSWER_WITHIN_S = 5.0
"""How long a question may take: looking for the process behind a port takes tenths of a second on a busy machine."""
ABANDON_WITHIN_S = 1.0
NICE = 10
"""What the screen adds to its own niceness: where load, nodes and screen share few cores, a drawing takes some
milliseconds longer instead of a dozen requests. (19 would be too much: a drawing could take half a second.)"""


def send(channel: socket.socket, message: object) -> None:
    """Write one message. Raises OSError when the other side is gone."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    channel.sendall(LENGTH.pack(len(data)) + data)


def receive(channel: socket.socket) -> Any:
    """Read one message; raises EOFError when the other side is gone. Only for what this program's own child sends."""
    return pickle.loads(_exactly(channel, LENGTH.unpack(_exactly(channel, LENGTH.size))[0]))


def _exactly(channel: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        try:
            part = channel.recv(min(length - len(data), 1 << 20))
        except OSError:
            part = b""
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class RemoteConductor:
    """Implements `confman_tui.commands.Conductor` over a child process. Its methods may be called on any thread.

    The child is started by the thread that calls `start`, and ends with it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._sending = threading.Lock()
        self._reader: threading.Thread | None = None
        self._sink: Sink = lambda event: None
        self._answered = threading.Event()
        self._asking = threading.Lock()
        self._answer: Any = None
        self._question = 0
        self._quitting = False
        self.crash: str | None = None
        """A defect of this program that ended an activity, in a sentence."""

    # -- life

    def start(self, sink: Sink) -> None:
        """See `Conductor.start`."""
        self._sink = sink
        ours, theirs = socket.socketpair()
        self._channel = ours
        try:
            with theirs:
                self._process = subprocess.Popen(
                    children.command("confman_tui.bench_process", str(os.getpid()), str(theirs.fileno())),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                    env=children.environment(),
                )
            send(ours, self._settings)
            # from here on the screen gives way to the load, which the child makes
            os.nice(NICE)
        except OSError as error:
            self._lost(f"the process that makes the load can't be started: {error.strerror}")
            return
        self._reader = threading.Thread(target=self._read, args=(ours,), name="events", daemon=True)
        self._reader.start()
        if self._quitting:
            self.quit()

    def _read(self, channel: socket.socket) -> None:
        closed = False
        while True:
            try:
                kind, told = receive(channel)
            except (EOFError, pickle.UnpicklingError):
                break
            if kind == "event":
                closed = closed or (isinstance(told, PhaseChanged) and told.phase is Phase.CLOSED)
                self._sink(told)
            elif kind == "answer":
                number, self._answer = told
                if number == self._question:
                    self._answered.set()
            elif kind == "crash":
                self.crash = told
        self._answered.set()
        if not closed:
            code = self._process.wait() if self._process is not None else 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._lost(f"the process that makes the load ended by itself ({how})")

    def _lost(self, why: str) -> None:
        self.crash = self.crash or why
        self._sink(NoticeGiven(Level.ERROR, self.crash, now()))
        self._sink(PhaseChanged(Phase.CLOSED, now(), why))

    def join(self, timeout_s: float) -> bool:
        """See `Conductor.join`."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if self._reader is not None:
            self._reader.join(timeout_s)
        if self._channel is not None:
            self._channel.close()
        return True

    def abandon(self) -> None:
        """Leave at once: the child ends the demo cluster's processes and resumes paused nodes, and waits for nothing
        else; if it can't do even that, it is killed."""
        self._say("abandon")
        if not self.join(ABANDON_WITHIN_S) and self._process is not None:
            self._process.kill()
            self.join(ABANDON_WITHIN_S)

    # -- commands

    def _say(self, name: str, *arguments: object) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            with self._sending:
                send(channel, (name, arguments, 0))
        except OSError:
            pass  # it is gone; the reader tells

    def _ask(self, name: str, *arguments: object) -> Any:
        """What the conductor's method returns; None when it is gone or does not answer. Raises what that raises."""
        channel = self._channel
        if channel is None:
            return None
        with self._asking:
            self._question += 1
            self._answered.clear()
            self._answer = None
            try:
                with self._sending:
                    send(channel, (name, arguments, self._question))
            except OSError:
                return None
            self._answered.wait(ANSWER_WITHIN_S)
            answer = self._answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_scenarios(self, names: Sequence[str]) -> None:
        """See `Conductor.run_scenarios`."""
        self._say("run_scenarios", tuple(names))

    def stop(self) -> None:
        """See `Conductor.stop`."""
        self._say("stop")

    def choose_tier(self, tier: str) -> None:
        """See `Conductor.choose_tier`."""
        self._say("choose_tier", tier)

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """See `Conductor.override`."""
        self._say("override", users, duration_s, payload_bytes, rate)

    def change_rate(self, factor: float) -> None:
        """See `Conductor.change_rate`."""
        self._say("change_rate", factor)

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """See `Conductor.vary`."""
        self._say("vary", user_steps, payload_steps, warmup_s, repeat)

    def sweep(self) -> None:
        """See `Conductor.sweep`."""
        self._say("sweep")

    def note_screen_lag(self, seconds: float) -> None:
        """See `Conductor.note_screen_lag`."""
        self._say("note_screen_lag", seconds)

    def remove_leftovers(self) -> None:
        """See `Conductor.remove_leftovers`."""
        self._say("remove_leftovers")

    def retry(self) -> None:
        """See `Conductor.retry`."""
        self._say("retry")

    def start_demo(self) -> None:
        """See `Conductor.start_demo`."""
        self._say("start_demo")

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """See `Conductor.preview_fault`."""
        preview = self._ask("preview_fault", kind, node)
        if not isinstance(preview, FaultPreview):
            raise FaultRefusedError("the process that makes the load does not answer")
        return preview

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """See `Conductor.cause_fault`."""
        self._say("cause_fault", kind, node)

    def revive(self) -> None:
        """See `Conductor.revive`."""
        self._say("revive")

    def drill(self) -> None:
        """See `Conductor.drill`."""
        self._say("drill")

    def quit(self) -> None:
        """See `Conductor.quit`."""
        self._quitting = True
        self._say("quit")

    def leave_behind(self) -> str:
        """See `Conductor.leave_behind`."""
        return str(self._ask("leave_behind") or "")
