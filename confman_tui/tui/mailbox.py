"""What reaches the app from other threads, and the mailbox that carries it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from textual.message import Message

from confman_tui.session.events import ClusterChanged, Event, GeneratorWatched, ProgressMade, WritesAcknowledged


class EventsArrived(Message):
    """Events wait in the mailbox. One such message is enough for any number of them."""

    def __init__(self, *, draw_gauges: bool = False) -> None:
        """``draw_gauges``: draw what moved, even without news."""
        super().__init__()
        self.draw_gauges = draw_gauges

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, EventsArrived)


class QuitRequested(Message):
    """A signal or another thread asks the program to end."""

    def __init__(self, exit_code: int | None, *, at_once: bool = False) -> None:
        """``at_once``: without waiting for the session's end."""
        super().__init__()
        self.exit_code = exit_code
        self.at_once = at_once


class Mailbox:
    """Takes events on the session's thread, gives them on the screen's.

    History (facts, samples, notices, acknowledged writes) is kept whole and in order. Gauges (`ClusterChanged`,
    `ProgressMade`) replace an older one of their kind, and wake nobody unless they bring news: the next
    drawing takes them along.
    """

    def __init__(self, post: Callable[[Message], object]) -> None:
        """``post`` takes messages to the screen from any thread; RuntimeError where the screen has ended."""
        self._post = post
        self._lock = threading.Lock()
        self._history: deque[Event] = deque()
        self._cluster: ClusterChanged | None = None
        self._progress: ProgressMade | None = None
        self._woken = False

    def put(self, event: Event) -> None:
        """Take one event; returns at once, on any thread."""
        with self._lock:
            urgent = True
            if isinstance(event, ClusterChanged):
                self._keep_changed_view(event)
                urgent = event.news
            elif isinstance(event, ProgressMade):
                self._progress = event
                urgent = False
            else:
                if self._progress is not None:
                    self._history.append(self._progress)
                    self._progress = None
                self._history.append(event)
                urgent = not isinstance(event, WritesAcknowledged | GeneratorWatched)
            wake = urgent and not self._woken
            self._woken = self._woken or urgent
        if wake:
            with suppress(RuntimeError):
                self._post(EventsArrived())

    def _keep_changed_view(self, event: ClusterChanged) -> None:
        """The view before one with news is history: the timeline would miss a state of 20 ms."""
        held = self._cluster
        if held is not None and event.news:
            self._history.append(held)
        elif held is not None and held.news:
            event = replace(event, news=True)
        self._cluster = event

    def take(self) -> list[Event]:
        """All that came since the last time, oldest first."""
        with self._lock:
            events: list[Event] = list(self._history)
            self._history.clear()
            if self._cluster is not None:
                events.append(self._cluster)
                self._cluster = None
            if self._progress is not None:
                events.append(self._progress)
                self._progress = None
            self._woken = False
        return events
