"""The process that polls the nodes and probes writes.

It is apart because each poll and each probe takes the interpreter for half a millisecond: in the load's own process
ten users' requests wait meanwhile, forty times a second, which is what a p99 is made of. Every time is taken here, so
that no pause of the program can falsify one.

Started by `confman_tui.cluster.observer.client` only; it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome
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
from confman_tui.cluster.observer.probe import WriteProbe
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.polling import Poller
from confman_tui.cluster.states import FactKind, Poll
from confman_tui.cluster.tls import context_for
from confman_tui.cluster.view import ViewMachine
from confman_tui.cluster.watch_mode import LATE_WRITE_S, WatchMode
from confman_tui.core import event_loop as loops
from confman_tui.core.child_process.inside import STDIN, end_with_program, keep_output_for_messages
from confman_tui.core.child_process.pipes import MessagePipe, receive, send
from confman_tui.core.clock import Clock

REPORT_WITHIN_S = 0.04
"""A message that reports no change waits this long for others, because each write wakes the program up."""
CALM_REPORT_WITHIN_S = 0.5
"""The same while the watch is calm: polls that show what is known already."""
ACKNOWLEDGED_LATELY_S = 0.2
"""The load's acknowledgements are booked twenty times a second: what is older than this says that none comes."""
EXIT_CRASHED = 1


class Outbox:
    """Gathers messages and sends them in the order they came."""

    def __init__(self, send: Callable[..., None]) -> None:
        """``send`` takes any number of messages."""
        self._send = send
        self.within_s = REPORT_WITHIN_S
        """How long a message that reports no change may wait, in seconds."""
        self._waiting: list[ToProgram] = []
        self._timer: asyncio.TimerHandle | None = None

    def put(self, message: ToProgram, *, at_once: bool = False) -> None:
        """Send it, with all that waits, now or within `within_s`."""
        self._waiting.append(message)
        if at_once:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.within_s, self.flush)

    def flush(self) -> None:
        """Send what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._send(*waiting)


class ReportedWrites:
    """Implements `confman_tui.cluster.observer.probe.ProbeObserver`: reports to the program."""

    def __init__(self, outbox: Outbox, load: SharedWriteTimes, clock: Clock, on_sign: Callable[[str], None]) -> None:
        """
        Args:
            outbox: sends to the program.
            load: when the load's writes were started and acknowledged.
            clock: the program's.
            on_sign: called when a probe write failed, or has been in flight for too long.
        """
        self._outbox = outbox
        self._load = load
        self._clock = clock
        self._on_sign = on_sign
        self._started = 0.0
        self._acknowledged = 0.0
        """The start of the latest probe write that was acknowledged."""
        self._well = False
        self._flying: dict[float, asyncio.TimerHandle] = {}
        """By its start: what notices that a probe write is late."""

    def last_started(self) -> float | None:
        """When anybody started a write last."""
        return max(self._started, self._load.started) or None

    def last_useful(self) -> float | None:
        """As `last_started`, but the load's writes count only while some are acknowledged: users that try a dead
        leader again and again would keep the probe from finding the new one."""
        flows = self._clock() - self._load.acknowledged < ACKNOWLEDGED_LATELY_S
        return max(self._started, self._load.started if flows else 0.0) or None

    def last_acknowledged_start(self) -> float:
        """The start of the latest write of anybody that was acknowledged; 0: none was."""
        return max(self._acknowledged, self._load.acknowledged_start)

    def started(self, at: float) -> None:
        """A probe write is sent now."""
        self._started = at
        self._outbox.put(ProbeWriteStarted(at))
        self._flying[at] = asyncio.get_running_loop().call_later(
            LATE_WRITE_S, self._on_sign, "a probe write is without an answer"
        )

    def ended(
        self,
        namespace: str,
        key: str,
        digest: int,
        started: float,
        ended: float,
        node: str,
        outcome: WriteOutcome,
        intended: float | None = None,
    ) -> None:
        """One that is booked ended. The probe has no schedule: its writes are due when they are sent."""
        self._report(ProbeWriteEnded(namespace, key, digest, started, ended, node, outcome))

    def passed(self, started: float, ended: float, outcome: WriteOutcome, node: str) -> None:
        """One that is not booked ended."""
        self._report(ProbeWritePassed(started, ended, outcome, node))

    def _report(self, write: ProbeWriteEnded | ProbeWritePassed) -> None:
        late = self._flying.pop(write.started, None)
        if late is not None:
            late.cancel()
        well = write.outcome is WriteOutcome.ACKNOWLEDGED
        if well:
            self._acknowledged = max(self._acknowledged, write.started)
        else:
            self._on_sign("a probe write failed")
        # the usual can wait: an acknowledgement after others, a failure after others
        self._outbox.put(write, at_once=well != self._well)
        self._well = well


class Watch:
    """All that the process does."""

    def __init__(self, options: ObserverOptions, send: Callable[..., None]) -> None:
        """``send`` takes any number of messages to the program."""
        offset, monotonic = options.clock_offset, time.monotonic
        self._clock: Clock = lambda: offset + monotonic()
        self._outbox = Outbox(send)
        self._pace = options.pace
        self._machine = ViewMachine(options.nodes)
        self._running = False
        self._mode = WatchMode(self._clock())
        self._writes = ReportedWrites(self._outbox, SharedWriteTimes(options.write_times), self._clock, self._on_sign)
        tls = context_for(options.nodes, options.tls)
        self._poller = Poller(
            options.nodes,
            self._on_poll,
            poll_s=self._pace.polls_every(alert=True),
            on_late=self._on_late,
            clock=self._clock,
            tls=tls,
        )
        timeout_s = options.probe_timeout_s
        self._client = ConfmanClient(
            options.api_key, concurrency=64, nodes=options.nodes, timeout_s=2 * timeout_s, tls=tls
        )
        self._probe = WriteProbe(
            self._client,
            self._writes,
            self._last_write,
            lambda: self._machine.view(self._clock()).answering or options.nodes,
            probe_s=self._pace.probes_every(alert=True, running=False),
            timeout_s=timeout_s,
            booking=False,
            clock=self._clock,
            run_id=options.run_id,
        )

    def start(self) -> None:
        """Begin to poll."""
        self._outbox.put(Polling(), at_once=True)
        self._report_mode()
        self._poller.start()

    async def obey(self, message: ToObserver) -> None:
        """Do what the program says."""
        match message:
            case StartProbe():
                self._probe.start()
            case StopProbe():
                await self._probe.stop()
                self._outbox.put(ProbeStopped(), at_once=True)
            case BookWrites(booking):
                self._running = self._probe.booking = booking
                self._set_pace()
            case BeAlert(reason):
                self._on_sign(reason)

    async def close(self) -> None:
        """End all of it."""
        await self._poller.stop()
        await self._client.aclose()

    # -- calm or alert

    def _last_write(self) -> float | None:
        as_needed = self._mode.alert and self._pace.probe_s is None
        return self._writes.last_useful() if as_needed else self._writes.last_started()

    def _on_sign(self, reason: str) -> None:
        if self._mode.sign(self._clock(), reason):
            self._mode_changed()

    def _on_late(self, node: str) -> None:
        if self._mode.waits_for(node, self._clock()):
            self._mode_changed()

    def _mode_changed(self) -> None:
        self._report_mode()
        self._set_pace()

    def _report_mode(self) -> None:
        self._outbox.put(ModeChanged(self._mode.alert, self._clock(), self._mode.reason), at_once=True)

    def _set_pace(self) -> None:
        alert = self._mode.alert
        probe_s = self._pace.probes_every(alert, self._running)
        # acknowledgements of probe writes are judged soon after they came
        peace = self._running and not alert and not probe_s
        self._outbox.within_s = CALM_REPORT_WITHIN_S if peace else REPORT_WITHIN_S
        _give_way(peace)
        self._poller.set_interval(self._pace.polls_every(alert))
        self._probe.set_interval(probe_s)

    def _on_poll(self, poll: Poll) -> None:
        facts = self._machine.apply(poll)
        now = self._clock()
        view = self._machine.view(now)
        started, acknowledged = self._writes.last_started() or 0.0, self._writes.last_acknowledged_start()
        if self._mode.polled(poll, self._machine.changed) or self._mode.tick(now, view, started, acknowledged):
            self._mode_changed()
        for fact in facts:
            if fact.kind is FactKind.LEADER_SERVING and fact.node is not None:
                self._probe.nudge(fact.node)
        self._outbox.put(NodePolled(poll), at_once=bool(facts) or self._machine.changed)


def _give_way(calm: bool) -> None:
    """In calm, let a poll wait until a core is free instead of taking one from the load or a node (Linux's batch class
    pre-empts nobody when it wakes; sched(7)). In alert each poll is due at once."""
    with suppress(AttributeError, OSError):  # not on Linux, or forbidden
        os.sched_setscheduler(0, os.SCHED_BATCH if calm else os.SCHED_OTHER, os.sched_param(0))


async def live(options: ObserverOptions, sink: int) -> None:
    """Poll and probe until the standard input ends; messages go to the file descriptor ``sink``."""
    inbox: asyncio.Queue[ToObserver | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    pipe = MessagePipe(loop, STDIN, sink, ToObserver, inbox.put_nowait, lambda: inbox.put_nowait(None))
    watch = Watch(options, pipe.send)
    watch.start()
    obeying: set[asyncio.Task[None]] = set()
    while (message := await inbox.get()) is not None:
        task = asyncio.create_task(watch.obey(message))
        obeying.add(task)
        task.add_done_callback(obeying.discard)
    await watch.close()


def main() -> None:
    """The process's life."""
    end_with_program()
    sink = keep_output_for_messages()
    last_words = os.dup(sink)
    try:
        loops.run(live(receive(STDIN, ObserverOptions), sink))
    except EOFError:
        pass  # the program has ended before it said anything
    except Exception as error:
        send(last_words, ObserverCrashed(f"{type(error).__name__}: {error}"))
        os._exit(EXIT_CRASHED)
    # What still runs (a write that waits for a silent node) is nobody's any more.
    os._exit(0)


if __name__ == "__main__":
    main()
