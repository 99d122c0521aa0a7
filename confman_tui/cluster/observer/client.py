"""The program's side of the observer: the process that polls the nodes and probes writes (`process`)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence

from confman_tui.cluster.observer.messages import (
    BeAlert,
    BookWrites,
    ModeChanged,
    NodePolled,
    ObserverCrashed,
    ObserverOptions,
    Polling,
    ProbeStopped,
    ProbeWriteEnded,
    ProbeWritePassed,
    ProbeWriteStarted,
    StartProbe,
    StopProbe,
    ToObserver,
    ToProgram,
)
from confman_tui.cluster.observer.probe import ProbeObserver, idle_key, key_prefix
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.states import Poll
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.cluster.watch_mode import PROBE_TIMEOUT_S, WatchPace
from confman_tui.core.child_process.pipes import MessagePipe
from confman_tui.core.child_process.start import ChildProcess, start
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
    """Polls and probes from `start` to `stop`. Belongs to the event loop that starts it."""

    polls = 0
    """Polls so far."""
    probe_writes = 0
    """Probe writes started so far."""

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
        probe_timeout_s: float = PROBE_TIMEOUT_S,
        clock: Clock = now,
        tls: TlsOptions = MACHINE_CAS,
        command: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            nodes: base URLs of the nodes.
            api_key: for the probe's writes.
            writes: gets the probe's writes.
            write_times: set by the program when the load's writes start and are acknowledged: the probe fills the gaps.
            on_poll: called with each poll; must return at once.
            pace: how closely to watch.
            on_trouble: called with a sentence when the process ended by itself.
            on_mode: called when the watch becomes alert (True) or calm, with the time and the first sign in words.
            probe_timeout_s: deadline of one of the probe's writes, in seconds.
            clock: the program's clock; the process stamps with the same.
            tls: which certificates are taken.
            command: stands for the process's command line (tests).
        """
        self._nodes = tuple(nodes)
        self._api_key = api_key
        self._writes = writes
        self._write_times = write_times
        self._on_poll = on_poll
        self._pace = pace
        self._probe_timeout_s = probe_timeout_s
        self._on_trouble = on_trouble
        self._on_mode = on_mode
        self._alert = False
        self._alert_since = 0.0
        self._alert_s = 0.0
        self._clock = clock
        self._tls = tls
        self._command = command
        self._run_ids: list[str] = []
        self._process: ChildProcess | None = None
        self._pipe: MessagePipe | None = None
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
        self._spawn()
        assert self._ended is not None
        waits = [asyncio.create_task(event.wait()) for event in (self._up, self._ended)]
        try:
            await asyncio.wait(waits, timeout=UP_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._up.is_set():
            why = self._last_words or f"not within {UP_WITHIN_S:g} s"
            if self._ended.is_set() and not self._last_words and self._process is not None:
                why = self._process.how_it_ended()
            await self.stop()
            raise ClusterError(f"the process that polls the nodes did not begin: {why}")
        self._began = True

    def _spawn(self) -> None:
        self._spawned = time.monotonic()
        # each process has keys of its own: a key that two probes wrote would be taken for an altered write
        run_id = secrets.token_hex(3)
        self._run_ids.append(run_id)
        write_times = self._write_times.descriptor
        offset = self._clock() - time.monotonic()
        options = ObserverOptions(
            self._nodes, self._api_key, self._pace, run_id, offset, write_times, self._probe_timeout_s, self._tls
        )
        try:
            process = start(MODULE, inherit=(write_times,), command=self._command)
        except OSError as error:
            raise ClusterError(f"the process that polls the nodes can't be started: {error.strerror}") from None
        assert process.stdin is not None
        assert process.stdout is not None
        ended = self._ended = asyncio.Event()
        self._process = process
        self._pipe = MessagePipe(
            asyncio.get_running_loop(),
            process.stdout.fileno(),
            process.stdin.fileno(),
            ToProgram,
            self._on_message,
            lambda: self._lost(process, ended),
        )
        self._pipe.send(options)

    def _lost(self, process: ChildProcess, ended: asyncio.Event) -> None:
        """Its output has ended."""
        ended.set()
        self._probe_stopped.set()
        if process is self._process and self._began and not self._closed:
            why = self._last_words or process.how_it_ended()
            self._on_trouble(f"the process that polls the nodes ended ({why}) and is started again")
            self._restarting = asyncio.get_running_loop().create_task(self._restart(), name="observer restarts")

    async def _restart(self) -> None:
        self._let_go()
        self._last_words = ""
        while True:
            await asyncio.sleep(max(0.0, self._spawned + RESTART_S - time.monotonic()))
            try:
                self._spawn()
                break
            except ClusterError as error:
                self._on_trouble(str(error))
        self._send(BookWrites(self._booking))
        if self._probing:
            self._send(StartProbe())

    async def stop(self) -> None:
        """End the process; no callback comes after it."""
        self._closed = True
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        process, pipe, ended = self._process, self._pipe, self._ended
        if process is not None and pipe is not None and ended is not None:
            pipe.stop_sending()
            process.close_input()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await ended.wait()
        self._let_go()

    def _let_go(self) -> None:
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.end(0.0)

    @property
    def pid(self) -> int | None:
        """Of its process, None while there is none."""
        return None if self._process is None else self._process.pid

    # -- calm or alert

    @property
    def alert(self) -> bool:
        """Whether the watch is alert, as last reported."""
        return self._alert

    def sign(self, reason: str) -> None:
        """Something is, or will be, amiss: be alert."""
        self._send(BeAlert(reason))

    def alert_seconds(self) -> float:
        """For how long the watch has been alert so far, in seconds."""
        return self._alert_s + (self._clock() - self._alert_since if self._alert else 0.0)

    def _on_mode_changed(self, alert: bool, at: float, reason: str) -> None:
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
        self._send(StartProbe())

    def book(self, booking: bool) -> None:
        """Whether probe writes sent from now on get keys of their own and come by `ProbeObserver.ended`."""
        if booking and not self._booking:
            self._booking_since = self._clock()
        self._booking = booking
        self._send(BookWrites(booking))

    async def stop_probe(self, within_s: float | None = None) -> None:
        """No further probe writes; those in flight are waited for, until their deadline or for so long."""
        if not self._probing or self._pipe is None:
            return
        self._probing = False
        self._probe_stopped.clear()
        self._send(StopProbe())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_STOPS_WITHIN_S if within_s is None else within_s):
                await self._probe_stopped.wait()

    def is_spent_key(self, key: str) -> bool:
        """Whether its probe wrote that key once and will not write it again."""
        present = self._run_ids[-1] if self._run_ids else ""
        return any(key.startswith(key_prefix(run_id)) for run_id in self._run_ids) and key != idle_key(present)

    # -- messages

    def _send(self, message: ToObserver) -> None:
        if self._pipe is not None:
            self._pipe.send(message)

    def _on_message(self, message: ToProgram) -> None:
        if self._closed:
            return
        writes = self._writes
        match message:
            case NodePolled(poll):
                self.polls += 1
                self._on_poll(poll)
            case ModeChanged(alert, at, reason):
                self._on_mode_changed(alert, at, reason)
            case ProbeWriteStarted(at):
                self.probe_writes += 1
                writes.started(at)
            case ProbeWriteEnded(namespace, key, digest, started, ended, node, outcome):
                if started < self._booking_since:
                    # Of an earlier run, reported late: its key may have been removed since, and would seem lost.
                    writes.passed(started, ended, outcome, node)
                else:
                    writes.ended(namespace, key, digest, started, ended, node, outcome)
            case ProbeWritePassed(started, ended, outcome, node):
                writes.passed(started, ended, outcome, node)
            case Polling():
                self._up.set()
            case ProbeStopped():
                self._probe_stopped.set()
            case ObserverCrashed(error):
                self._last_words = error
