"""What reaches the app from other threads, and the mailbox that carries it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from textual.message import Message

from confman_tui.cluster.states import ClusterView
from confman_tui.session.events import ClusterChanged, Event, ProgressMade, WritesAcknowledged


class EventsArrived(Message):
    """Events wait in the mailbox. One such message is enough for any number of them."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, EventsArrived)


class QuitRequested(Message):
    """A signal or another thread asks the program to end."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__()
        self.exit_code = exit_code


class Mailbox:
    """Takes events on the session's thread, gives them on the screen's.

    History (facts, samples, notices, acknowledged writes) is kept whole and in order. Gauges (`ClusterChanged`,
    `ProgressMade`) replace an older one of their kind, and wake nobody unless they bring news: the next
    drawing takes them along.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._history: deque[Event] = deque()
        self._cluster: ClusterChanged | None = None
        self._progress: ProgressMade | None = None
        self._shape: tuple[object, ...] = ()
        self._woken = False

    def put(self, event: Event) -> None:
        """Take one event; returns at once, on any thread."""
        with self._lock:
            urgent = True
            if isinstance(event, ClusterChanged):
                self._keep_changed_view(event)
                shape = shape_of(event.view)
                urgent = shape != self._shape
                self._shape = shape
            elif isinstance(event, ProgressMade):
                self._progress = event
                urgent = False
            else:
                if self._progress is not None:
                    self._history.append(self._progress)
                    self._progress = None
                self._history.append(event)
                urgent = not isinstance(event, WritesAcknowledged)
            wake = urgent and not self._woken
            self._woken = self._woken or urgent
        if wake:
            self._wake()

    def _keep_changed_view(self, event: ClusterChanged) -> None:
        """A view that differs in more than its gauges is history: the timeline would miss a state of 20 ms."""
        if self._cluster is not None and shape_of(self._cluster.view) != shape_of(event.view):
            self._history.append(self._cluster)
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


def shape_of(view: ClusterView) -> tuple[object, ...]:
    """What of a view is news rather than a gauge's movement."""
    return (view.leader, view.term, *((node.node, node.state, node.term) for node in view.nodes))
