"""Watches one cluster: polls, the view, the probe and the stream of writes, turned into events.

It joins what the cluster package knows (polls, facts, writes) with those who need it: the front ends, the engine's
targets, the election meter. It belongs to the event loop that starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.observer.client import Observer
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.states import STATE_WORDS, ClusterView, Fact, NodeState, Poll, PollKind
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.cluster.view import ViewMachine
from confman_tui.cluster.watch_mode import PROBE_TIMEOUT_S, WatchPace, WatchUse
from confman_tui.cluster.writes.gaps import Drained
from confman_tui.cluster.writes.ledger import WriteBook, WriteLedger
from confman_tui.core.clock import Clock, now
from confman_tui.core.errors import ClusterError
from confman_tui.session.events import (
    ClusterChanged,
    FactObserved,
    Level,
    NoticeGiven,
    Sink,
    WatchModeChanged,
    WindowClosed,
    WritesAcknowledged,
)

DRAIN_S = 0.2
"""How often the stream of writes is drained while the watch is alert or no run is under way, in seconds."""
CALM_DRAIN_S = 0.5
"""The same in a calm run, where each turn of this loop holds up a request."""
GAUGE_S = 1.0
"""How often an unchanged view is emitted, in seconds: its latencies move all the time."""
ALERT_WITHIN_S = 0.3
"""How long a fault is put off so that the moment before it is known closely."""
LAG_S, CALM_LAG_S = 0.25, 0.5
"""Interval of the timer that measures how late this loop runs; in a calm run, see `CALM_DRAIN_S`."""


class ChangeListener(Protocol):
    """What must know of the cluster before the front ends do. Called on the monitor's loop; must return at once."""

    def on_view(self, view: ClusterView) -> None:
        """A poll ended; this is what is known with it."""

    def on_fact(self, fact: Fact) -> None:
        """The cluster changed."""

    def on_writes(self, drained: Drained) -> None:
        """The stream of writes was drained, as it is some times a second."""


class Monitor:
    """Polls the nodes and probes writes from `start` to `stop`."""

    booking = False
    """Whether the probe's writes have keys of their own and are booked."""

    def __init__(
        self,
        nodes: Sequence[str],
        api_key: str,
        emit: Sink,
        listener: ChangeListener,
        *,
        pace: WatchPace,
        probe_timeout_s: float = PROBE_TIMEOUT_S,
        clock: Clock = now,
        tls: TlsOptions = MACHINE_CAS,
    ) -> None:
        """
        Args:
            nodes: base URLs of the nodes.
            api_key: for the probe's writes.
            emit: takes the events.
            listener: gets each view, change and draining of the stream of writes.
            pace: how closely to watch.
            probe_timeout_s: deadline of one of the probe's writes, in seconds.
            clock: stamps everything.
            tls: which certificates of nodes are taken.
        """
        self.nodes = tuple(nodes)
        self.names = short_names(self.nodes)
        self.windows: list[WriteWindow] = []
        """Stretches without writes that closed since the last run began."""
        self.open_window: WriteWindow | None = None
        self._emit = emit
        self._clock = clock
        self._listener = listener
        self.machine = ViewMachine(self.nodes)
        write_times = SharedWriteTimes()
        self.book = WriteBook(write_times, self._on_load_trouble)
        self.pace = pace
        self._observer = Observer(
            self.nodes,
            api_key,
            self.book,
            write_times,
            self._on_poll,
            pace=pace,
            probe_timeout_s=probe_timeout_s,
            on_trouble=self._on_observer_trouble,
            on_mode=self._on_mode,
            clock=clock,
            tls=tls,
        )
        self._untrusted: dict[str, str] = {}
        """Nodes whose certificate does not fit, and why."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._alerted = asyncio.Event()
        """The watch has become alert: the stream of writes is of interest now."""
        self._view_emitted_at = 0.0
        self.loop_lag_s = 0.0
        """How late this loop's timer fired last, in seconds."""
        self._worst_lag_s = 0.0

    # -- life

    async def start(self) -> None:
        """Begin to poll. The probe begins with `start_probe`, when writing is allowed to.

        Raises:
            ClusterError: the process that polls can't be started.
        """
        self._loop = asyncio.get_running_loop()
        await self._observer.start()
        self._tasks = [
            asyncio.create_task(self._drain_forever(), name="drain"),
            asyncio.create_task(self._measure_lag(), name="lag"),
        ]

    def start_probe(self) -> None:
        """Begin to fill the gaps of the stream of writes."""
        self._observer.start_probe()

    def is_spent_probe_key(self, key: str) -> bool:
        """Whether this program's probe wrote that key once and will not write it again."""
        return self._observer.is_spent_key(key)

    async def stop_probe(self, within_s: float | None = None) -> None:
        """No further probe writes; those in flight are waited for, until their deadline or for so long."""
        await self._observer.stop_probe(within_s)

    async def stop(self) -> None:
        """End everything and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._observer.stop()

    # -- how closely it watches

    async def watch_closely(self, reason: str) -> None:
        """Something will be amiss: return once the watch is alert and has seen each node so, or after 0.3 s."""
        before = self._observer.polls
        self._observer.sign(reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALERT_WITHIN_S):
                while not (self._observer.alert and self._observer.polls >= before + len(self.nodes)):
                    self._changed.clear()
                    await self._changed.wait()

    def _on_load_trouble(self, reason: str) -> None:
        # On the load's thread. The loop may be gone when the program is left in a hurry.
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._observer.sign, reason)

    def _on_observer_trouble(self, text: str) -> None:
        self._emit(NoticeGiven(Level.WARNING, text, self._clock()))

    def _on_mode(self, alert: bool, at: float, reason: str) -> None:
        if alert:
            self._alerted.set()
        self._emit(WatchModeChanged(alert, at, reason, self.pace))

    def watch_use(self) -> WatchUse:
        """How closely it watches, and what it has added to the cluster's work so far."""
        observer = self._observer
        return WatchUse(self.pace, observer.polls, observer.probe_writes, observer.alert_seconds())

    # -- what is known

    @property
    def view(self) -> ClusterView:
        """The cluster as far as it is known now."""
        return self.machine.view(self._clock())

    def live(self) -> tuple[str, ...]:
        """Nodes that answer; all of them when none does, so that a revival is seen."""
        return self.answering() or self.nodes

    def answering(self) -> tuple[str, ...]:
        """Nodes that answered as Confman does when last asked. Any thread."""
        return self.view.answering

    def describe(self) -> str:
        """The cluster's state in one line, for a person who waits for a leader."""
        view = self.view
        parts = []
        for node in view.nodes:
            word = STATE_WORDS[node.state]
            parts.append(f"{self.names[node.node]} {word}{' (' + node.detail + ')' if node.detail else ''}")
        term = f"term {view.term}; " if view.term is not None else ""
        stranger = f"; leader {view.stranger} is not among --nodes" if view.stranger is not None else ""
        return f"{term}{', '.join(parts)}{stranger}"

    async def wait_for(self, condition: Callable[[ClusterView], bool], deadline_s: float) -> bool:
        """Wait until the view fulfils a condition; False when it does not within the deadline."""
        try:
            async with asyncio.timeout(deadline_s):
                while not condition(self.view):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return condition(self.view)
        return True

    async def wait_all_polled(self, deadline_s: float) -> None:
        """Wait until each node was polled once, or the deadline has passed."""
        await self.wait_for(lambda view: all(node.state is not NodeState.UNKNOWN for node in view.nodes), deadline_s)

    def refuse_foreign(self) -> None:
        """Raise ClusterError when a node's certificate does not fit, or when it answers with something that isn't
        Confman's."""
        for url, why in self._untrusted.items():
            raise ClusterError(f"{url} is not trusted: {why}")
        for node in self.view.nodes:
            if node.state is NodeState.NOT_CONFMAN:
                raise ClusterError(f"{node.node} is not a Confman node: it {node.detail}")

    def start_booking(self) -> None:
        """A run begins, whose writes, the probe's included, will be verified: book them from now on."""
        self.windows = []
        self._book(True)

    def stop_booking(self) -> WriteLedger:
        """The run is over, or could not begin: gives what was booked since `start_booking`. The probe goes on without a
        key of its own for each write, which nobody would ever read back."""
        return self._book(False)

    def _book(self, booking: bool) -> WriteLedger:
        self.booking = booking
        self._observer.book(booking)
        return self.book.hand_over_ledger()

    # -- what comes in

    def _on_poll(self, poll: Poll) -> None:
        if poll.kind is PollKind.UNTRUSTED:
            self._untrusted[poll.node] = poll.detail
        elif self._untrusted:
            self._untrusted.pop(poll.node, None)
        facts = self.machine.apply(poll)
        self.book.stream.evidence.polled(poll.sent, poll.answered, poll.node, poll.role == "leader")
        view = self.view
        # The engine's targets first: writers must move before anyone is shown why.
        self._listener.on_view(view)
        for fact in facts:
            self._emit(FactObserved(fact))
            self._listener.on_fact(fact)
        if self.machine.changed or view.at - self._view_emitted_at >= GAUGE_S:
            self._view_emitted_at = view.at
            self._emit(ClusterChanged(view, self.loop_lag_s, news=self.machine.changed))
        self._changed.set()

    def drain(self) -> None:
        """Emit what the stream of writes knows by now."""
        drained = self.book.drain(self._clock())
        was_open = self.open_window
        self.open_window = drained.open_window
        if drained.counts or drained.open_window is not None or was_open is not None:
            self._emit(WritesAcknowledged(drained.counts, drained.at, drained.open_window))
        for window in drained.closed:
            self.windows.append(window)
            self._emit(WindowClosed(window))
        self._listener.on_writes(drained)

    def _is_calm_run(self) -> bool:
        """Whether a run is under way and nothing is amiss."""
        return self.booking and not self._observer.alert and self.open_window is None

    async def _drain_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_DRAIN_S if self._is_calm_run() else DRAIN_S):
                    await self._alerted.wait()
                    self._alerted.clear()
            self.drain()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait_s = CALM_LAG_S if self._is_calm_run() else LAG_S
            due = loop.time() + wait_s
            await asyncio.sleep(wait_s)
            self.loop_lag_s = max(0.0, loop.time() - due)
            self._worst_lag_s = max(self._worst_lag_s, self.loop_lag_s)

    def take_loop_lag(self) -> float:
        """The latest that this loop's timer fired since this was last asked, in seconds."""
        worst, self._worst_lag_s = self._worst_lag_s, 0.0
        return worst
