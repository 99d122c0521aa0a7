"""The write probe: fills the gaps of the stream of writes, so that elections are measured whatever else runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from confman_tui.cluster.api import WriteAttempt
from confman_tui.cluster.elections import WriteObserver, WriteOutcome, value_digest
from confman_tui.cluster.watch_mode import PROBE_TIMEOUT_S
from confman_tui.core.clock import Clock, now
from confman_tui.settings.tiers import PROBE_NAMESPACE

MAX_IN_FLIGHT = 64

_log = logging.getLogger(__name__)


def key_prefix(run_id: str) -> str:
    """What all keys of the probe with that id begin with, and no other's."""
    return f"key-{run_id}"


def idle_key(run_id: str) -> str:
    """The key that it overwrites while nothing is booked."""
    return f"{key_prefix(run_id)}{0:06x}"


class WriteClient(Protocol):
    """What the probe needs of `ConfmanClient`."""

    def attempt_put(
        self, node: str, namespace: str, key: str, value: str, timeout_s: float = 2.0
    ) -> Awaitable[WriteAttempt]:
        """Write once, and give how it went; never raises but when cancelled."""


class ProbeObserver(WriteObserver, Protocol):
    """Gets what becomes of the probe's writes."""

    def passed(self, started: float, ended: float, outcome: WriteOutcome, node: str) -> None:
        """A write ended that is not booked, because its key is overwritten: it counts only for the stream. ``node`` is
        the one that answered last, or was asked last."""


class WriteProbe:
    """Sends one small unique PUT whenever ``probe_s`` passed without any write being started by anybody.

    Open loop: it never waits for an earlier one. At most 64 are in flight; beyond that a turn is skipped and counted.
    The nodes take turns, so a write reaches the leader through redirects also while nobody knows who leads.

    It belongs to the event loop that starts it. Give it a client of its own: attempts at silent nodes hold their
    connections until their deadline, and must not keep other requests waiting.
    """

    def __init__(
        self,
        client: WriteClient,
        observer: ProbeObserver,
        last_started: Callable[[], float | None],
        live_nodes: Callable[[], Sequence[str]],
        *,
        probe_s: float,
        timeout_s: float = PROBE_TIMEOUT_S,
        max_in_flight: int = MAX_IN_FLIGHT,
        booking: bool = True,
        clock: Clock = now,
        run_id: str | None = None,
    ) -> None:
        """
        Args:
            client: sends the writes.
            observer: gets each, as every other write.
            last_started: when the last write of anybody was started, such as `WriteStream.last_started`.
            live_nodes: the nodes to try, in turn; where none is live, all of them are worth trying.
            probe_s: longest time without a started write, in seconds; 0 is off.
            timeout_s: deadline of one write, in seconds.
            max_in_flight: most writes in flight at one time.
            booking: see the attribute.
            clock: seconds since the epoch, the same that stamps the other writes.
            run_id: six hex digits that only this probe's keys begin with; None: drawn by chance.
        """
        self._probe_s = probe_s
        self._paced = asyncio.Event()
        """Wakes the loop when another interval is in force."""
        self.booking = booking
        """Whether each write gets a key of its own, so that it can be verified. Otherwise one key is overwritten: ten
        new entries a second, for hours, would slow the cluster's reads down."""
        self.skipped = 0
        """Turns left out because too many writes were in flight."""
        self._client = client
        self._observer = observer
        self._last_started = last_started
        self._live_nodes = live_nodes
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._run_id = run_id if run_id is not None else secrets.token_hex(3)
        self._sent = 0
        self._in_flight: dict[asyncio.Task[None], str] = {}
        self._turn = -1
        self._loop: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """Writes sent and not yet ended."""
        return len(self._in_flight)

    @property
    def key_prefix(self) -> str:
        """What all its keys begin with, and no other probe's."""
        return key_prefix(self._run_id)

    @property
    def idle_key(self) -> str:
        """The key that is overwritten while nothing is booked."""
        return idle_key(self._run_id)

    @property
    def sent(self) -> int:
        """Writes sent so far."""
        return self._sent

    @property
    def probe_s(self) -> float:
        """Longest time without a started write, in seconds; 0: it does not write."""
        return self._probe_s

    def set_interval(self, probe_s: float) -> None:
        """Write after that long without a started write from now on; 0: not at all."""
        if probe_s != self._probe_s:
            self._probe_s = probe_s
            self._paced.set()

    def start(self) -> None:
        """Begin; nothing happens when it runs already."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop().create_task(self._run(), name="write-probe")
            self._loop.add_done_callback(self._ended)

    async def stop(self) -> None:
        """No further writes; waits for those in flight, for 3 s at most."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
            await asyncio.wait({loop})
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=min(self._timeout_s, PROBE_TIMEOUT_S) + 1.0)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    async def _run(self) -> None:
        skipped_at = float("-inf")
        while True:
            self._paced.clear()
            probe_s = self._probe_s
            if not probe_s:
                await self._paced.wait()
                continue
            at = self._clock()
            last = self._last_started()
            due = max(at if last is None else last + probe_s, skipped_at + probe_s)
            if at < due:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(due - at, probe_s)):
                        await self._paced.wait()
                continue
            nodes = self._live_nodes()
            if not nodes or len(self._in_flight) >= self._max_in_flight:
                self.skipped += bool(nodes)
                skipped_at = at
                continue
            self._send(self._next(nodes), at)

    def nudge(self, node: str) -> None:
        """Write to this node at once: it was just seen to lead. All users may still wait for the old leader's answers,
        and the node's own turn may be two intervals away."""
        if self._loop is not None and self._probe_s and len(self._in_flight) < self._max_in_flight:
            self._send(node, self._clock())

    def _send(self, node: str, at: float) -> None:
        # Counted where it is sent, or the loop would find itself due again before the task's first step.
        self._observer.started(at)
        task = asyncio.get_running_loop().create_task(self._attempt(node, self._sent, at))
        self._sent += 1
        self._in_flight[task] = node
        task.add_done_callback(self._ended)

    def _next(self, nodes: Sequence[str]) -> str:
        """The node whose turn it is. One that still owes an answer loses its turn to those that do not: each of its
        turns would double the time in which nobody would notice that another node serves."""
        waiting = set(self._in_flight.values())
        for _ in nodes:
            self._turn += 1
            node = nodes[self._turn % len(nodes)]
            if node not in waiting:
                return node
        self._turn += 1
        return nodes[self._turn % len(nodes)]

    async def _attempt(self, node: str, number: int, started: float) -> None:
        # Settled when it is sent: a write on its way when a run begins must not be booked there, for its key is
        # overwritten when the run is over, and it would seem lost.
        booking = self.booking
        key = f"{self.key_prefix}{(1 + number) % (1 << 24):06x}" if booking else self.idle_key
        value = f"probe {self._run_id} {number}"
        outcome = WriteOutcome.UNKNOWN
        try:
            attempt = await self._client.attempt_put(node, PROBE_NAMESPACE, key, value, self._timeout_s)
            node, outcome = attempt.node, attempt.outcome
        finally:
            # Given up at the end of the program it is booked all the same: it may have happened.
            if booking:
                digest = value_digest(value)
                self._observer.ended(PROBE_NAMESPACE, key, digest, started, self._clock(), node, outcome)
            else:
                self._observer.passed(started, self._clock(), outcome, node)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the write probe failed unexpectedly", exc_info=task.exception())
