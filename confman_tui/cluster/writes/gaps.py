"""The stream of writes: when none was acknowledged, for how long, and how sure that is. Pure: times are arguments.

Two threads report writes (the engine's and the session's); one thread, the session's, drains them. A report is an
append to a queue, atomic under the interpreter's lock; all arithmetic happens in `WriteStream.drain`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from operator import sub

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.writes.ack_history import AckHistory, Gap
from confman_tui.cluster.writes.outage_bounds import Bounds, OutageBounds
from confman_tui.cluster.writes.usual_gap import UsualGap

SLOTS_PER_SECOND = 20
"""Acknowledgements are given in slots of 50 ms."""
IDLE_S = 5.0
"""Nobody tried for this long (or for a whole threshold, when that is longer): nobody was kept from writing."""
SETTLE_S = 0.15
"""A time is stamped a moment before it is reported (the probe's process and the workers gather reports for up to
50 ms): what is younger than this waits for stragglers."""

_RECENT_STARTS = 256
_KEPT_GAP_S = 0.02
"""Shorter gaps are not kept."""
_LEAST_AT_ONCE = 16
"""Fewer acknowledgements than this are taken one by one."""
_MARK_EVERY_S = 0.005
_KEPT_WINDOWS = 256


_Ack = tuple[float, float, float, str]
"""When a write was acknowledged, sent and due, and by which node."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What became known since the last drain."""

    at: float
    counts: tuple[tuple[float, int], ...]
    """(start of a slot of 50 ms, further acknowledgements in it), in order, empty slots left out."""
    open_window: WriteWindow | None
    """The stretch without writes that lasts now, if it counts."""
    closed: tuple[WriteWindow, ...]
    """Windows that ended since, in order."""


class WriteStream:
    """Books starts and acknowledgements of writes, and finds the stretches in which none was acknowledged.

    A stretch runs from the last acknowledgement before (A) to the first one after (B). It counts as a window when it
    is longer than 300 ms and than 3 usual gaps (`UsualGap`). Of a gap of 20 ms or more the part before its first
    attempt is left out: one probe a second is no reason to take an outage of two seconds for usual.

    Only time in which somebody tried counts. When the first attempt after A came later than the threshold, or nobody
    tried for 5 s within the stretch, the stretch begins at the first attempt after that; a write that was in flight
    all the while makes up for it. Before the first acknowledgement the stretch begins at the first attempt.

    For how long writes were impossible is not the stretch's length, which also holds the time until the next attempt at
    either edge: see `outage_bounds`. A window's `seconds` are the middle between the shortest and the longest time that
    fit, its uncertainty is half the difference. When nobody had tried before, it counts from the last poll that showed
    a leader which the next poll showed no more, where there is one.

    Memory is bounded: 180 s of history in bins of 100 ms, 256 windows, and what was reported since the last `drain`.
    """

    def __init__(self, on_start: Callable[[float], None] | None = None) -> None:
        """``on_start`` is called with a start, on the thread that reports it, unless one came less than 5 ms before."""
        self.last_started: float | None = None
        """When the last write was started."""
        self._mark_start = on_start
        self.last_ack: float | None = None
        """When the last write was acknowledged, as reported; may be a moment ahead of `settled_until`."""
        self.settle_s = SETTLE_S
        """How long stragglers are waited for; longer where the writes of other processes come in."""
        self._bounds = OutageBounds()
        self.evidence = self._bounds.evidence
        """What is known of the nodes beside the acknowledgements."""
        self._started_in: deque[float] = deque()
        self._acks_in: deque[_Ack] = deque()
        self._report_start = self._started_in.append
        self._report_ack = self._acks_in.append
        self._pending_starts: list[float] = []
        self._pending_acks: list[_Ack] = []
        self._recent: deque[float] = deque(maxlen=_RECENT_STARTS)
        self.history = AckHistory()
        """The last 180 s."""
        self.usual = UsualGap()
        self._ack: float | None = None
        self._from: float | None = None
        self._first_after: float | None = None
        self._first_try: float | None = None
        """The first attempt since the last acknowledgement, whatever came after it."""
        self._edge = 0.0
        self._intended = 0
        self._windows: deque[Gap] = deque(maxlen=_KEPT_WINDOWS)

    def started(self, at: float) -> None:
        """A write was started. Any thread."""
        if self._mark_start is not None and at - (self.last_started or 0.0) >= _MARK_EVERY_S:
            self._mark_start(at)
        self.last_started = at
        self._report_start(at)

    def acknowledged(self, at: float, started: float, intended: float | None = None, node: str = "") -> None:
        """A write that was sent at ``started`` was acknowledged by ``node``. Any thread.

        The stretches without writes are found by what was sent. The client's wait begins when the write was due:
        at ``intended`` where that was earlier (an open loop's backlog). Without a node, each attempt counts as one at
        it.
        """
        self.last_ack = at
        self._report_ack((at, started, started if intended is None else intended, node))

    def acknowledged_all(self, acks: Sequence[_Ack]) -> None:
        """As `acknowledged` for each (at, started, intended, node)."""
        if acks:
            self.last_ack = acks[-1][0]
            self._acks_in.extend(acks)

    def drain(self, now: float) -> Drained:
        """Take in what was reported and settle all that is older than 150 ms. One thread only, some times a second."""
        take = self._acks_in.popleft
        acks = [take() for _ in range(len(self._acks_in))]
        slots = Counter([floor(ack[0] * SLOTS_PER_SECOND) for ack in acks])
        self._pending_acks += acks
        take_start = self._started_in.popleft
        self._pending_starts += [take_start() for _ in range(len(self._started_in))]
        self._pending_acks.sort()
        self._pending_starts.sort()
        self.evidence.take_in()
        closed = list(self._settle(now - self.settle_s))
        self.history.forget(now)
        return Drained(
            at=now,
            counts=tuple((slot / SLOTS_PER_SECOND, slots[slot]) for slot in sorted(slots)),
            open_window=self._open_window(now),
            closed=tuple(gap.window() for gap in closed),
        )

    @property
    def windows(self) -> tuple[WriteWindow, ...]:
        """The last 256 windows, with waits that became known after they closed; one without an end was given up,
        because nobody tried any more."""
        return tuple(gap.window() for gap in self._windows)

    @property
    def settled_until(self) -> float | None:
        """The last acknowledgement that was settled."""
        return self._ack

    def _settle(self, horizon: float) -> Iterator[Gap]:
        starts, acks = self._pending_starts, self._pending_acks
        start_count = bisect_right(starts, horizon)
        ack_count = bisect_right(acks, (horizon, float("inf")))
        position = 0
        ready = acks[:ack_count]
        if self._without_gaps(ready):
            position = bisect_right(starts, ready[-1][0], hi=start_count)
            self._take_without_gaps(ready, starts[:position])
            ready = []
        for at, begun, intended, node in ready:
            while position < start_count and starts[position] <= at:
                self._on_start(starts[position])
                position += 1
            gap = self._on_ack(at, begun, intended, node)
            if gap is not None:
                yield gap
        for start in starts[position:start_count]:
            self._on_start(start)
        del starts[:start_count]
        del acks[:ack_count]

    def _without_gaps(self, acks: list[_Ack]) -> bool:
        """Whether between these, which are in order, no stretch can be worth keeping, nor any wait.

        A busy cluster acknowledges thousands of writes a second, and looking at each one by one would take several
        per cent of the time in which the load is made.
        """
        before = self._ack
        if before is None or len(acks) < _LEAST_AT_ONCE or not 0 < acks[0][0] - before < _KEPT_GAP_S:
            return False
        times = [ack[0] for ack in acks]
        if max(map(sub, times[1:], times)) >= _KEPT_GAP_S:
            return False
        ended = next((gap.end for gap in reversed(self._windows) if gap.end is not None), None)
        return ended is None or min(ack[2] for ack in acks) >= ended

    def _take_without_gaps(self, acks: list[_Ack], starts: list[float]) -> None:
        """As `_on_start` and `_on_ack` for each of them, in the order of time."""
        before = self._ack
        assert before is not None
        last = acks[-1][0]
        self.history.add([ack[0] for ack in acks])
        # a start takes its place only after a later one
        newest = self._recent[-1] if self._recent else float("-inf")
        self._recent.extend(sorted({start for start in starts[-_RECENT_STARTS:] if start > newest}))
        self._bounds.waited([ack[0] - ack[1] for ack in acks])
        times = sorted({ack[0] for ack in acks})
        self.usual.add_between([before, *times])
        self._ack = self._from = last
        self._first_after = self._first_try = None
        self._edge = 0.0
        self._intended = 0

    def _on_start(self, at: float) -> None:
        before = self._recent[-1] if self._recent else None
        if before is not None and at < before:
            self._intended += 1
            return
        if self._first_try is None:
            self._first_try = at
        if self._first_after is None:
            self._first_after = at
            self._edge = at - before if before is not None else 0.0
            if self._ack is None or self.usual.is_exceeded_by(at - self._ack):
                self._from = at
        elif before is not None and at - before > IDLE_S and self.usual.is_exceeded_by(at - before):
            self._give_up(before)
            self._first_after = self._from = at
            self._edge = at - before
            self._intended = 0
        self._intended += 1
        if before is None or at > before:
            self._recent.append(at)

    def _give_up(self, last_try: float) -> None:
        """The load ended in the middle of an outage: nobody knows when it was over."""
        if self._from is not None and self.usual.is_exceeded_by(last_try - self._from):
            self._windows.append(Gap(self._from, None, Bounds(0.0, self._edge), self._intended, counts=True))

    def _on_ack(self, at: float, begun: float, intended: float, node: str) -> Gap | None:
        self.history.add((at,))
        before = self._ack
        if before is not None and at <= before:
            self._bounds.waited((at - begun,))
            self._wait(at, intended)
            return None
        self._ack = at
        worth = before is None or at - before >= _KEPT_GAP_S
        closed = self._close(at, begun, before, node) if worth else None
        if before is not None:
            tried = self._first_try if worth and self._first_try is not None and begun > before else before
            self.usual.add(at, at - tried)
        self._bounds.waited((at - begun,))
        self._wait(at, intended)
        self._from = at
        self._first_after = self._first_try = None
        self._edge = 0.0
        self._intended = 0
        return closed

    def _close(self, at: float, begun: float, before: float | None, node: str) -> Gap | None:
        beginning = self._bounds.beginning(self._from, begun, before, self._first_after, self._edge)
        begin = beginning.start
        if at - begin < _KEPT_GAP_S:
            return None
        counts = self.usual.is_exceeded_by(at - begin)
        earlier = next((start for start in reversed(self._recent) if start < begun), None)
        gap = Gap(begin, at, self._bounds.bounds(beginning, at, begun, node, earlier), self._intended, counts)
        self.history.keep(gap)
        if not counts:
            return None
        if self._windows and self._windows[-1].end is None and self._windows[-1].start >= begin:
            self._windows.pop()  # given up too early: a write was in flight all the while
        self._windows.append(gap)
        return gap

    def _wait(self, at: float, intended: float) -> None:
        """A write that succeeded had waited through every window that ended after it was due."""
        for gap in reversed(self._windows):
            if gap.end is None:
                continue
            if intended >= gap.end:
                return
            gap.longest_wait = max(gap.longest_wait, at - intended)

    def _open_window(self, now: float) -> WriteWindow | None:
        if self._from is None or self._first_after is None:
            return None
        quiet = now - self._recent[-1]
        if (
            not self.usual.is_exceeded_by(now - self._from)
            or (quiet > IDLE_S and self.usual.is_exceeded_by(quiet))
            or self._pending_acks
        ):
            return None
        return WriteWindow(self._from, None, self._edge, self._intended)
