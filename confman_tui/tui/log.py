"""The event log of the screen: its lines by their time, bounded. Their words are `confman_tui.session.event_text`'s."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from confman_tui.cluster.elections import Fault
from confman_tui.session import event_text
from confman_tui.session.event_text import EventLine
from confman_tui.session.event_text import Topic as Topic
from confman_tui.session.events import DeferredRunDropped, Event, LeftoversFound, Level, RunDeferred
from confman_tui.tui import numbers
from confman_tui.tui.node_names import name_of
from confman_tui.tui.text import clean

MOST_LINES = 2_000
"""Lines kept; older ones are in the files."""


@dataclass(frozen=True, slots=True)
class LogLine(EventLine):
    """One line of the log, fit for the screen."""

    @property
    def shown_at(self) -> int:
        """The time as it is shown, in hundredths of a second: what comes at one moment keeps its order."""
        return round(self.at * 1000) // 10

    @property
    def plain(self) -> str:
        """The whole line as it is copied."""
        return f"{numbers.time_of_day(self.at)} {self.glyph} {self.text}"


class EventLog:
    """The lines by their time, oldest first, bounded.

    Some come late (a loss is known when a poll's deadline is over, a run's figures when its writes are verified): each
    stands where its time puts it, among those of the same time in the order in which they came.
    """

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque(maxlen=MOST_LINES)
        self.total = 0
        """Lines that ever came."""

    def add(self, line: LogLine) -> None:
        """A new line."""
        self.total += 1
        place = len(self.lines)
        while place and self.lines[place - 1].shown_at > line.shown_at:
            place -= 1
        if place == len(self.lines):
            self.lines.append(line)
            return
        if len(self.lines) == self.lines.maxlen:
            if place == 0:
                return
            self.lines.popleft()
            place -= 1
        self.lines.insert(place, line)

    def copy(self) -> EventLog:
        """A log that stays as it is while this one goes on."""
        kept = EventLog()
        kept.lines.extend(self.lines)
        kept.total = self.total
        return kept

    def newest_first(self, topic: Topic | None) -> tuple[LogLine, ...]:
        """All lines, or those of one topic (problems: also any line that is more than news), newest first."""
        if topic is None:
            return tuple(reversed(self.lines))
        problems = topic is Topic.PROBLEMS
        return tuple(
            line for line in reversed(self.lines) if line.topic is topic or (problems and line.level is not Level.INFO)
        )


def describe(event: Event, names: Mapping[str, str], known: Collection[float], now: float) -> LogLine | None:
    """The line that ``event`` gets, if any; see `confman_tui.session.event_text.line_of`.

    ``known`` holds the origins of elections that have a line; ``now`` stands in where an event has no time of its own.
    """
    line = event_text.line_of(event, lambda node: name_of(node, names), known, now)
    if line is None:
        return None
    way_out = "; 'remove leftovers' takes them away" if isinstance(event, LeftoversFound) else ""
    return LogLine(line.at, line.glyph, clean(line.text) + way_out, line.topic, line.level)


def deferred_words(event: RunDeferred | DeferredRunDropped, stop_key: str = "") -> str:
    """``write-10u starts when the data is there``, and which key forgets it; or that it won't start."""
    text = clean(event_text.deferred_words(event))
    if not stop_key or isinstance(event, DeferredRunDropped):
        return text
    return f"{text}; {stop_key} forgets {'it' if len(event.names) == 1 else 'them'}"


def fault_words(fault: Fault, names: Mapping[str, str]) -> str:
    """``kill :6100 (you)``."""
    return clean(event_text.fault_words(fault, lambda node: name_of(node, names)))
