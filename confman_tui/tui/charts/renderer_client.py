"""The screen's side of the renderer: asks for graphs without ever waiting, on the thread of a running asyncio loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from confman_tui.core.child_process.pipes import MessagePipe
from confman_tui.core.child_process.start import ChildProcess, start
from confman_tui.tui.charts.spec import DrawGraph, GraphDrawn, GraphNotDrawn, GraphSpec, Rows

MODULE = "confman_tui.tui.charts.renderer"

Answer = Callable[[Rows], None]

RESTART_S = 3.0
"""Seconds between two starts of the renderer, at least."""
PATIENCE_S = 10.0
"""A renderer that has not answered for so long is taken for stuck and replaced."""


@dataclass(slots=True)
class _Request:
    """One graph to be drawn, for one widget."""

    key: str
    spec: GraphSpec
    answer: Answer
    deaths: int = 0
    """How many renderers died over it."""


@dataclass(slots=True)
class _Child:
    process: ChildProcess
    pipe: MessagePipe


@dataclass(slots=True)
class _Together:
    """Answers that are kept back until the last one is there."""

    then: Callable[[], None]
    timer: asyncio.TimerHandle
    held: list[tuple[_Request, Rows]] = field(default_factory=list)


class ChartRenderer:
    """Draws graphs in one child process. One request per graph is under way; of those that wait, the newest counts."""

    def __init__(
        self, on_notice: Callable[[str], None] | None = None, command: list[str] | None = None, nap: float = RESTART_S
    ) -> None:
        """``on_notice`` gets one plain sentence when the renderer had to be restarted or can't run.

        ``command`` replaces the renderer's command line (tests); ``nap`` the seconds between two starts.
        """
        self._on_notice = on_notice
        self._command = command
        self._nap = nap
        self._child: _Child | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers = 0
        self._sent: dict[int, _Request] = {}
        self._waiting: dict[str, _Request] = {}
        self._last_start = -1e9
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._together: _Together | None = None
        self._closed = False
        self._deaths = 0
        self.starts = 0
        """How many times a renderer was started."""

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._child is None else self._child.process.pid

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for or waits."""
        return not self._sent and not self._waiting

    def request(self, key: str, spec: GraphSpec, answer: Answer, *, deaths: int = 0) -> None:
        """Have a graph drawn and its rows given to ``answer``, later, on this loop.

        ``key`` names the widget. A request that waits is replaced by a later one of the same key; the one under way
        is answered first. ``deaths``: how many renderers died over it.
        """
        if self._closed:
            return
        request = self._waiting[key] = _Request(key, spec, answer, deaths)
        if any(sent.key == key for sent in self._sent.values()):
            return
        if self._child is None:
            self._spawn_later()
        if self._child is not None:
            del self._waiting[key]
            self._numbers += 1
            self._sent[self._numbers] = request
            self._child.pipe.send(DrawGraph(self._numbers, msgspec.Raw(msgspec.json.encode(spec))))
            self._watch_answers()

    def _request_waiting(self) -> None:
        """Request what waits once more: its turn may have come."""
        for waiting in list(self._waiting.values()):
            self.request(waiting.key, waiting.spec, waiting.answer, deaths=waiting.deaths)

    def together(self, then: Callable[[], None], within_s: float) -> None:
        """Give the answers to all that was asked for in one go, as soon as the last one is there or after ``within_s``
        seconds, and call ``then`` right after them; at once where none is awaited. Needs a running loop."""
        self._release()
        if self._closed or self.idle:
            then()
            return
        timer = asyncio.get_running_loop().call_later(within_s, self._release)
        self._together = _Together(then, timer)

    def _release(self) -> None:
        """End `together`: hand out what was kept back."""
        if (kept := self._take_together()) is not None:
            for request, rows in kept.held:
                request.answer(rows)
            kept.then()

    def _take_together(self) -> _Together | None:
        kept, self._together = self._together, None
        if kept is not None:
            kept.timer.cancel()
        return kept

    def forget(self, key: str) -> None:
        """Give no more answers to that widget."""
        self._waiting.pop(key, None)
        for request, _rows in self._together.held if self._together is not None else ():
            if request.key == key:
                request.answer = _nobody
        for number in [number for number, request in self._sent.items() if request.key == key]:
            self._sent[number].answer = _nobody

    def start(self) -> None:
        """Start the child now, so that the first graph needs not wait for it. Needs a running loop."""
        if not self._closed and self._child is None:
            self._spawn()

    def close(self) -> None:
        """End the child and take no more requests. Returns within a moment; may be called again."""
        self._closed = True
        together, self._together = self._together, None
        for timer in (self._timer, self._watch, None if together is None else together.timer):
            if timer is not None:
                timer.cancel()
        self._waiting.clear()
        self._sent.clear()
        self._drop_child()

    def _spawn_later(self) -> None:
        """Start a child now, or as soon as the last start is long enough ago."""
        # One that dies again and again is not worth more than a try now and then.
        nap = self._nap * 2 ** min(self._deaths, 4)
        left = self._last_start + nap - time.monotonic()
        if left <= 0:
            self._spawn()
        elif self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(left, self._retry)

    def _retry(self) -> None:
        self._timer = None
        if self._closed:
            return
        if self._child is None:
            self._spawn()
        self._request_waiting()

    def _spawn(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._last_start = time.monotonic()
        try:
            process = start(MODULE, command=self._command)
        except OSError as error:
            self._deaths += 1
            self._notice(f"the graph renderer can't be started: {error.strerror or error}")
            return
        assert process.stdin is not None
        assert process.stdout is not None
        answers = GraphDrawn | GraphNotDrawn
        source, sink = process.stdout.fileno(), process.stdin.fileno()
        self._child = _Child(process, MessagePipe(loop, source, sink, answers, self._answered, self._lost))
        self.starts += 1

    def _answered(self, message: GraphDrawn | GraphNotDrawn) -> None:
        request = self._sent.pop(message.id, None)
        if request is None:
            return
        self._watch_answers()
        self._deaths = 0
        if isinstance(message, GraphNotDrawn):
            self._notice(f"a graph could not be drawn: {message.error}")
        elif self._together is not None:
            self._together.held.append((request, message.rows))
        else:
            request.answer(message.rows)
        self._request_waiting()
        if self.idle and (kept := self._take_together()) is not None:
            for held, rows in kept.held:
                held.answer(rows)
            kept.then()

    def _watch_answers(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._sent and self._loop is not None:
            self._watch = self._loop.call_later(PATIENCE_S, self._lost)

    def _lost(self) -> None:
        """The child ended or is stuck: ask a new one for what was under way, but not for what killed two."""
        self._drop_child()
        for number in sorted(self._sent):
            request = self._sent[number]
            request.deaths += 1
            if request.deaths < 2:
                self._waiting.setdefault(request.key, request)
        self._sent.clear()
        if self._closed:
            return
        self._deaths += 1
        if self._deaths == 1:
            self._notice("graph renderer restarted")
        elif self._deaths == 3:
            self._notice("no graphs: their renderer ended three times without drawing one")
        self._request_waiting()

    def _drop_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.pipe.close()
            # at once: nothing of value is lost, and the screen must not wait
            child.process.end(0.0)

    def _notice(self, text: str) -> None:
        if self._on_notice is not None:
            self._on_notice(text)


def _nobody(rows: Rows) -> None:
    """Takes the answer to a request that its widget no longer wants."""
