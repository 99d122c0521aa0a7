"""The event log of the screen: its lines by their time, bounded. Their words are `confman_tui.session.event_text`'s."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from confman_tui.cluster.elections import Election, Fault
from confman_tui.cluster.states import FactKind
from confman_tui.session import event_text
from confman_tui.session.event_text import EventLine
from confman_tui.session.event_text import Topic as Topic
from confman_tui.session.events import (
    DeferredRunDropped,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    LeftoversFound,
    Level,
    RunDeferred,
    WindowClosed,
)
from confman_tui.settings.fault_kinds import HURTING
from confman_tui.tui import numbers
from confman_tui.tui.election_card import seconds_of
from confman_tui.tui.election_card import text as election_text
from confman_tui.tui.node_names import name_of
from confman_tui.tui.text import clean

MOST_LINES = 2_000
"""Lines kept; older ones are in the files."""


@dataclass(frozen=True, slots=True)
class LogLine(EventLine):
    """One line of the log, fit for the screen."""

    election: Election | None = None
    """The line is this election's card."""
    ongoing: bool = False
    """The card's election goes on."""
    step_of: str | None = None
    """The line is about a step that an election's card shows: the node (base URL) that was lost, or empty for a step
    of whatever node. None: about anything else."""

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
        if line.election is not None:
            self._drop_card(line.election.origin)
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

    def _drop_card(self, origin: float) -> None:
        """An election has one card: the newest."""
        for place in range(len(self.lines) - 1, -1, -1):
            held = self.lines[place].election
            if held is not None and (held.origin == origin or self.lines[place].ongoing):
                del self.lines[place]

    def copy(self) -> EventLog:
        """A log that stays as it is while this one goes on."""
        kept = EventLog()
        kept.lines.extend(self.lines)
        kept.total = self.total
        return kept

    def newest_first(self, topic: Topic | None) -> tuple[LogLine, ...]:
        """All lines, or those of one topic (problems: also any line that is more than news), newest first. Among all
        lines, an election's card stands for the lines about its steps."""
        if topic is None:
            return tuple(reversed(self._folded()))
        problems = topic is Topic.PROBLEMS
        return tuple(
            line for line in reversed(self.lines) if line.topic is topic or (problems and line.level is not Level.INFO)
        )

    def _folded(self) -> list[LogLine]:
        cards = sorted(
            ((line.election.origin, line) for line in self.lines if line.election is not None), key=lambda card: card[0]
        )
        origins = [origin for origin, _ in cards]

        def on_a_card(line: LogLine) -> bool:
            place = bisect_right(origins, line.at + _SLACK_S) - 1
            if line.step_of is None or place < 0:
                return False
            card = cards[place][1]
            election = card.election
            if election is None or not (card.ongoing or line.at <= election.origin + seconds_of(election) + _LATE_S):
                return False
            lost = (election.old_leader, election.fault.node if election.fault is not None else None)
            return not line.step_of or line.step_of in lost

        return [line for line in self.lines if not on_a_card(line)]


_STEPS = frozenset(
    {
        *(FactKind.LEADER_LOST, FactKind.TERM_ADVANCED, FactKind.ELECTED, FactKind.LEADER_SERVING, FactKind.ALL_AGREE),
        FactKind.FOLLOWS_DEAD_LEADER,
    }
)
"""Facts that an election's card shows, whichever node they are about."""
_SLACK_S, _LATE_S = 0.1, 1.0
"""How long before its origin and after its last known step a line can stand that belongs to an election."""


def _step_of(event: Event) -> str | None:
    match event:
        case FactObserved(fact) if fact.kind in _STEPS:
            return ""
        case FactObserved(fact) if fact.kind in (FactKind.NODE_DOWN, FactKind.NOT_ANSWERING):
            return fact.node
        case FaultCaused(fault) if fault.kind in HURTING:
            return fault.node
        case WindowClosed():
            return ""
        case _:
            return None


def next_topic(topic: Topic | None) -> Topic | None:
    """What the log is narrowed to after ``topic``; None: all lines."""
    topics: list[Topic | None] = [None, *Topic]
    return topics[(topics.index(topic) + 1) % len(topics)]


def election_line(election: Election, names: Mapping[str, str], *, ongoing: bool = False) -> LogLine:
    """An election's card as a line of the log."""
    at = election.origin + seconds_of(election)
    level = Level.WARNING if election.new_leader is None else Level.INFO
    words = election_text(election, names, ongoing=ongoing)
    return LogLine(at, "◔", words, Topic.CLUSTER, level, election, ongoing)


def describe(event: Event, names: Mapping[str, str], known: Collection[float], now: float) -> LogLine | None:
    """The line that ``event`` gets, if any; see `confman_tui.session.event_text.line_of`.

    ``known`` holds the origins of elections that have a line; ``now`` stands in where an event has no time of its own.
    """
    if isinstance(event, ElectionMeasured):
        return election_line(event.election, names)
    line = event_text.line_of(event, lambda node: name_of(node, names), known, now)
    if line is None:
        return None
    way_out = "; 'remove leftovers' takes them away" if isinstance(event, LeftoversFound) else ""
    return LogLine(line.at, line.glyph, clean(line.text) + way_out, line.topic, line.level, step_of=_step_of(event))


def deferred_words(event: RunDeferred | DeferredRunDropped, stop_key: str = "") -> str:
    """``write-10u starts when the data is there``, and which key forgets it; or that it won't start."""
    text = clean(event_text.deferred_words(event))
    if not stop_key or isinstance(event, DeferredRunDropped):
        return text
    return f"{text}; {stop_key} forgets {'it' if len(event.names) == 1 else 'them'}"


def fault_words(fault: Fault, names: Mapping[str, str]) -> str:
    """``kill :6100 (you)``."""
    return clean(event_text.fault_words(fault, lambda node: name_of(node, names)))
