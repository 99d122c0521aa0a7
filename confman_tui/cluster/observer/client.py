"""The program's side of the observer: the process that polls the nodes and probes writes (`lookout_process`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.observer import messages as wire
from confman_tui.cluster.observer.probe import ProbeObserver, idle_key, key_prefix
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.states import Poll
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.core import child_process
from confman_tui.core.clock import Clock, now
from confman_tui.core.errors import ClusterError

MODULE = "confman_tui.cluster.observer.process"
UP_WITHIN_S = 20.0
"""How long its process may take to begin: a busy machine takes seconds to import its packages."""
PROBE_STOPS_WITHIN_S = 4.0
"""The deadline of a probe write, and some."""
ENDS_WITHIN_S = 1.0
RESTART_S = 3.0
"""A process that ends by itself is replaced, but no more often than this."""


class Observer:
    """Polls and probes from `start` to `stop`. Belongs to the event loop that starts it, and to a thread that lives as
    long as it: the kernel ends the process with the thread that started it."""

    def __init__(
        self,
        nodes: Sequence[str],
        api_key: str,
        writes: ProbeObserver,
        write_times: SharedWriteTimes,
        on_poll: Callable[[Poll], None],
        *,
        pace: WatchPace,
        on_trouble: Callable[[str], None],
        on_mode: Callable[[bool, float, str], None] = lambda alert, at, reason: None,
        clock: Clock = now,
        command: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            nodes: base URLs of the nodes.
            api_key: for the probe's writes.
            writes: is told of the probe's writes.
            write_times: set by the program when the load's writes start and are acknowledged: the probe fills the gaps.
            on_poll: called with each poll; must return at once.
            pace: how closely to watch.
            on_trouble: called with a sentence when the process ended by itself.
            on_mode: called when the watch becomes alert (True) or calm, with the time and the first sign in words.
            clock: the program's clock; the process stamps with the same.
            command: stands for the process's command line (tests).
        """
        self._nodes = tuple(nodes)
        self._api_key = api_key
        self._writes = writes
        self._write_times = write_times
        self._on_poll = on_poll
        self._pace = pace
        self._on_trouble = on_trouble
        self._on_mode = on_mode
        self.polls = 0
        """Polls so far."""
        self.probe_writes = 0
        """Probe writes started so far."""
        self._alert = False
        self._alert_since = 0.0
        self._alert_s = 0.0
        self._clock = clock
        self._command = command
        self._run_ids: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: asyncio.WriteTransport | None = None
        self._ended: asyncio.Event | None = None
        self._up = asyncio.Event()
        self._probe_stopped = asyncio.Event()
        self._probing = False
        self._booking = False
        self._booking_since = 0.0
        self._closed = False
        self._began = False
        self._spawned = 0.0
        self._last_words = ""
        self._restarting: asyncio.Task[None] | None = None

    # -- life

    async def start(self) -> None:
        """Begin to poll. The probe begins with `start_probe`, when writing is allowed to.

        Raises:
            ClusterError: its process can't be started, or did not begin in time.
        """
        await self._spawn()
        assert self._ended is not None
        waits = [asyncio.create_task(event.wait()) for event in (self._up, self._ended)]
        try:
            await asyncio.wait(waits, timeout=UP_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._up.is_set():
            why = self._last_words or ("it ended" if self._ended.is_set() else f"not within {UP_WITHIN_S:g} s")
            await self.stop()
            raise ClusterError(f"the process that polls the nodes did not begin: {why}")
        self._began = True

    async def _spawn(self) -> None:
        self._spawned = time.monotonic()
        # each process has keys of its own: a key that two probes wrote would be taken for an altered write
        run_id = secrets.token_hex(3)
        self._run_ids.append(run_id)
        process = self._process = self._start_process()
        loop = asyncio.get_running_loop()
        ended = self._ended = asyncio.Event()
        await loop.connect_read_pipe(lambda: _Lines(self._take, lambda: self._lost(process, ended)), process.stdout)
        pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        self._pipe = pipe
        offset = self._clock() - time.monotonic()
        pipe.write(wire.config_line(wire.Config(self._nodes, self._api_key, self._pace, run_id, offset)))

    def _start_process(self) -> subprocess.Popen[bytes]:
        stamp = self._write_times.descriptor
        try:
            return subprocess.Popen(
                self._command or child_process.command(MODULE, str(os.getpid()), str(stamp)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=(stamp,),
                process_group=0,
                env=child_process.environment(),
            )
        except OSError as error:
            raise ClusterError(f"the process that polls the nodes can't be started: {error.strerror}") from None

    def _lost(self, process: subprocess.Popen[bytes], ended: asyncio.Event) -> None:
        """Its output has ended."""
        ended.set()
        self._probe_stopped.set()
        if process is self._process and self._began and not self._closed:
            why = self._last_words or "it was killed"
            self._on_trouble(f"the process that polls the nodes ended ({why}) and is started again")
            self._restarting = asyncio.get_running_loop().create_task(self._restart(), name="observer restarts")

    async def _restart(self) -> None:
        self._let_go()
        self._last_words = ""
        while True:
            await asyncio.sleep(max(0.0, self._spawned + RESTART_S - time.monotonic()))
            try:
                await self._spawn()
                break
            except ClusterError as error:
                self._on_trouble(str(error))
        self._say("booking", int(self._booking))
        if self._probing:
            self._say("probe")

    async def stop(self) -> None:
        """End the process; no callback comes after it."""
        self._closed = True
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.close()  # the end of its input ends it
        if self._ended is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await self._ended.wait()
        self._let_go()

    def _let_go(self) -> None:
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None and not pipe.is_closing():
            pipe.abort()
        if process is not None:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """Of its process, None while there is none."""
        return None if self._process is None else self._process.pid

    # -- calm or alert

    @property
    def alert(self) -> bool:
        """Whether the watch is alert, as last heard."""
        return self._alert

    def sign(self, reason: str) -> None:
        """Something is, or will be, amiss: be alert."""
        self._say("sign", reason)

    def alert_seconds(self) -> float:
        """For how long the watch has been alert so far, in seconds."""
        return self._alert_s + (self._clock() - self._alert_since if self._alert else 0.0)

    def _take_mode(self, alert: bool, at: float, reason: str) -> None:
        if alert and not self._alert:
            self._alert_since = at
        elif self._alert and not alert:
            self._alert_s += max(0.0, at - self._alert_since)
        self._alert = alert
        self._on_mode(alert, at, reason)

    # -- the probe

    def start_probe(self) -> None:
        """Begin to fill the gaps of the stream of writes."""
        self._probing = True
        self._say("probe")

    def book(self, booking: bool) -> None:
        """Whether probe writes sent from now on get keys of their own and are told by `ProbeObserver.ended`."""
        if booking and not self._booking:
            self._booking_since = self._clock()
        self._booking = booking
        self._say("booking", int(booking))

    async def stop_probe(self) -> None:
        """No further probe writes; those in flight are waited for."""
        if not self._probing or self._pipe is None:
            return
        self._probing = False
        self._probe_stopped.clear()
        self._say("stop")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_STOPS_WITHIN_S):
                await self._probe_stopped.wait()

    def is_spent_key(self, key: str) -> bool:
        """Whether its probe wrote that key once and will not write it again."""
        present = self._run_ids[-1] if self._run_ids else ""
        return any(key.startswith(key_prefix(run_id)) for run_id in self._run_ids) and key != idle_key(present)

    # -- what is said

    def _say(self, *message: object) -> None:
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(wire.messages_line([message]))

    def _take(self, line: bytes) -> None:
        if self._closed:
            return
        for message in wire.read_messages(line):
            try:
                self._hear(message)
            except Exception as error:
                # The listener's defect must be heard of, and must not leave the nodes unwatched.
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "what listens to the observer failed", "exception": error}
                )

    def _hear(self, message: wire.Message) -> None:
        writes = self._writes
        match message[0]:
            case "poll":
                self.polls += 1
                self._on_poll(wire.read_poll(message))
            case "mode":
                self._take_mode(bool(message[1]), message[2], message[3])
            case "start":
                self.probe_writes += 1
                writes.started(message[1])
            case "end":
                _, namespace, key, digest, started, ended, node, outcome = message
                if started < self._booking_since:
                    # Of an earlier run, told late: its key may have been removed since, and would seem lost.
                    writes.passed(started, ended, WriteOutcome(outcome), node)
                else:
                    writes.ended(namespace, key, digest, started, ended, node, WriteOutcome(outcome))
            case "pass":
                writes.passed(message[1], message[2], WriteOutcome(message[3]), message[4])
            case "up":
                self._up.set()
            case "stopped":
                self._probe_stopped.set()
            case "crash":
                self._last_words = str(message[1])


class _Lines(asyncio.Protocol):
    """Cuts what it reads into lines."""

    def __init__(self, take: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._take = take
        self._lost = lost
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
