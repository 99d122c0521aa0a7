"""The event log's pane, newest line first, and the one-line form for small screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from confman_tui.tui import numbers
from confman_tui.tui.colours import Look
from confman_tui.tui.election_card import card
from confman_tui.tui.frame import Frame
from confman_tui.tui.log import LogLine, Topic, next_topic
from confman_tui.tui.text import MAX_CHARACTERS, fit, wrap
from confman_tui.tui.widgets.lines import Lines

_MOST_ROWS = 3
"""Screen lines that one entry may take, unless the cursor is on it: then it is shown whole."""
_WHOLE = MAX_CHARACTERS
"""More rows than any text has."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One line of the pane: which entry it belongs to."""

    entry: int
    content: Content


class EventLogPane(Lines, can_focus=True):
    """All events, each once. A cursor picks the line that ``c`` copies; new lines do not move it off its line.

    Our own, not `RichLog`: that only appends, while here lines that come late take their place by time, can be narrowed
    to a topic and chosen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Newer line", show=False),
        Binding("down", "move(1)", "Older line", show=False),
        Binding("pageup", "move(-10)", "Newer lines", show=False),
        Binding("pagedown", "move(10)", "Older lines", show=False),
        Binding("home", "newest", "Newest line", show=False),
        Binding("end", "oldest", "Oldest line", show=False),
        Binding("escape", "leave", "Follow the newest line", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.topic: Topic | None = None
        self.cursor = 0
        """Index from the newest line."""
        self._entries: tuple[LogLine, ...] = ()
        self._stamp: tuple[int, Topic | None] = (-1, None)
        self._top = 0
        """First entry in the pane."""
        self._read = 0
        """Rows of the chosen entry above the pane, where it has more rows than that."""
        self._unread = 0
        """Its rows below the pane."""
        self._rows: list[int] = []
        """The entry of each row of the pane."""
        self._title = ""
        self._names: dict[str, str] = {}
        self._now = 0.0

    def show(self, frame: Frame) -> None:
        """Show the log as of this frame."""
        log = frame.state.log
        stamp = (log.total, self.topic)
        self._names, self._now = frame.state.names, frame.now
        if stamp == self._stamp and frame.state.election_now is not None:
            self.redraw()  # its card grows
        if stamp == self._stamp:
            return
        same_topic = stamp[1] is self._stamp[1]
        before = self._entries
        self._stamp = stamp
        self._entries = log.newest_first(self.topic)
        if not same_topic:
            self.cursor = self._top = self._read = 0
        elif before and (self.cursor > 0 or self._top > 0 or self._read > 0):
            top = self._place_of(before[self._top], self._top)
            self.cursor = self._place_of(before[self.cursor], self.cursor)
            self._top = top
        self._move_into_range()
        self.redraw()

    def redraw(self) -> None:
        super().redraw()
        self._retitle()

    def _place_of(self, line: LogLine, otherwise: int) -> int:
        return next((at for at, entry in enumerate(self._entries) if entry is line), otherwise)

    def next_topic(self) -> Topic | None:
        """Narrow the log to the next topic, after the last one to none."""
        self.topic = next_topic(self.topic)
        return self.topic

    @property
    def chosen(self) -> LogLine | None:
        """The line under the cursor."""
        return self._entries[self.cursor] if self.cursor < len(self._entries) else None

    def action_move(self, by: int) -> None:
        """Move the cursor, towards older lines when positive; within an entry that is longer than the pane, read on."""
        if by > 0 and self._unread:
            self._read += min(by, self._unread)
        elif by < 0 and self._read:
            self._read = max(0, self._read + by)
        else:
            self._choose(self.cursor + by)
            return
        self.redraw()

    def _choose(self, entry: int) -> None:
        """Put the cursor on this entry, at its first row."""
        self.cursor, self._read = entry, 0
        self._move_into_range()
        self.redraw()

    def action_newest(self) -> None:
        """To the newest line, where new ones appear."""
        self._choose(0)

    def action_oldest(self) -> None:
        """To the oldest line kept."""
        self._choose(len(self._entries) - 1)

    def action_leave(self) -> None:
        """Give the focus away, so that the newest lines are seen again."""
        self.screen.set_focus(None)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_move(-3)

    def on_click(self, event: Click) -> None:
        spot = event.get_content_offset(self)
        if spot is not None and 0 <= spot.y < len(self._rows) and self._rows[spot.y] != self.cursor:
            self._choose(self._rows[spot.y])

    def watch_has_focus(self, focused: bool) -> None:
        """Show the cursor, or take it away. (Our handler of the focus event would run before ``has_focus`` is set.)"""
        super().watch_has_focus(focused)
        if not focused:
            # nobody reads on: the newest lines are to be seen again
            self.cursor = self._top = self._read = 0
        self.redraw()

    def _move_into_range(self) -> None:
        self.cursor = max(0, min(len(self._entries) - 1, self.cursor))
        self._top = max(0, min(self._top, self.cursor))

    def _retitle(self) -> None:
        title = "events" if self.topic is None else f"events · {self.topic.value} only"
        # The chosen line stays where it is while new ones come: say so, or the log seems to have stopped.
        place = f"{self.cursor + 1} of {len(self._entries)} · home newest" if self.cursor else ""
        if self._unread:
            place = f"↓ {self._unread} more row{'s' if self._unread > 1 else ''}"
        if (wanted := f"{title}|{place}") != self._title:
            self._title = wanted
            self.border_title = title
            self.border_subtitle = place

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        if not self._entries:
            self._rows = []
            text = "nothing yet" if self.topic is None else f"nothing about {self.topic.value}; l shows other lines"
            return (Content.assemble((fit(text, width), look.dim)),)
        shown = self._page(self._top, width, height, look)
        while shown and shown[-1].entry < self.cursor:
            self._top += 1
            shown = self._page(self._top, width, height, look)
        self._rows = [row.entry for row in shown]
        return [row.content for row in shown]

    def _page(self, top: int, width: int, height: int, look: Look) -> list[_Shown]:
        rows: list[_Shown] = []
        self._unread = 0
        for index in range(top, len(self._entries)):
            chosen = self.has_focus and index == self.cursor
            lines = self._lines_of(self._entries[index], width, height if chosen else 0, look)
            left = height - len(rows)
            if rows and len(lines) > left:
                if chosen or not left:
                    break
                # what is older is cut at the pane's edge: no row stays empty while there is something to read
                lines = self._lines_of(self._entries[index], width, 0, look, min(left, _MOST_ROWS))[:left]
            if chosen:
                self._read = min(self._read, max(0, len(lines) - height))
                lines = lines[self._read :]
                self._unread = max(0, len(lines) - height)
                lines = [content.pad_right(max(0, width - content.cell_length)).stylize("reverse") for content in lines]
            rows.extend(_Shown(index, content) for content in lines)
        return rows[:height]

    def _lines_of(self, entry: LogLine, width: int, room: int, look: Look, most: int = _MOST_ROWS) -> list[Content]:
        """An election's card, or the entry's text; ``room`` and ``most``: see `entry_lines`."""
        return lines_of(entry, width, look, self._names, room=room, now=self._now, most=most)


def lines_of(
    entry: LogLine,
    width: int,
    look: Look,
    names: Mapping[str, str],
    *,
    room: int,
    now: float,
    most: int = _MOST_ROWS,
) -> list[Content]:
    """An election's card, which grows until ``now`` while it goes on, or else the entry's text."""
    if entry.election is None:
        return entry_lines(entry, width, look, room, most)
    clock = numbers.time_of_day(entry.election.origin, 0)
    head = Content.assemble((clock, look.dim), (f" {entry.glyph} ", f"bold {look.level(entry.level)}"))
    return card(entry.election, names, width, look, head=head, now=now if entry.ongoing else None)


def entry_lines(entry: LogLine, width: int, look: Look, room: int = 0, most: int = _MOST_ROWS) -> list[Content]:
    """One entry in up to ``most`` rows, continued under its text; with ``room``, whole, in rows that begin further
    left where it needs more of them than that."""
    clock = numbers.time_of_day(entry.at, 2 if width >= 34 else 0)
    indent = len(clock) + 3
    texts = wrap(entry.text, width - indent, _WHOLE if room else most) or [""]
    if room and len(texts) > room:
        indent, texts = 2, [texts[0], *wrap(entry.text[len(texts[0]) :].strip(), width - 2, _WHOLE)]
    color = look.level(entry.level)
    rows = [Content.assemble((clock, look.dim), (f" {entry.glyph} ", f"bold {color}"), (texts[0], color))]
    rows.extend(Content.assemble(" " * indent, (text, color)) for text in texts[1:])
    return rows


class LastEvent(Lines):
    """The newest line of the log; a click opens all of them."""

    class Opened(Message):
        """It was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._line: LogLine | None = None

    def show(self, frame: Frame) -> None:
        """Show the newest line."""
        lines = frame.state.log.lines
        newest = lines[-1] if lines else None
        if newest is not self._line:
            self._line = newest
            # for the mouse: the whole of it, where the row has no room
            self.tooltip = None if newest is None else Content(newest.plain)
        self.redraw()

    def on_click(self) -> None:
        self.post_message(self.Opened())

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        entry = self._line
        if entry is None:
            return (Content.assemble(("no event yet", look.dim)),)
        clock = numbers.time_of_day(entry.at, 0)
        color = look.level(entry.level)
        text = fit(entry.text, width - len(clock) - 3)
        return (Content.assemble((clock, look.dim), (f" {entry.glyph} ", f"bold {color}"), (text, color)),)
