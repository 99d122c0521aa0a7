"""The scenario table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message

from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.keys.table import shown_key
from confman_tui.tui.rows import Row, RowStatus
from confman_tui.tui.widgets.lines import Lines
from confman_tui.tui.widgets.row_fields import row_fields

_WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Column:
    """One column; the highest rank goes first when the table is too narrow."""

    title: str
    width: int
    rank: int
    left: bool = False


COLUMNS = (
    Column("scenario", 18, 0, left=True),
    Column("users", 5, 7),
    Column("time", 11, 1, left=True),
    Column("entries", 7, 8),
    Column("req/s", 7, 0),
    Column("p50", 6, 4),
    Column("p95", 6, 6),
    Column("p99", 6, 2),
    Column("p99.9", 6, 10),
    Column("max", 6, 5),
    Column("requests", 8, 9),
    Column("failed", 7, 3),
    Column("lost", 4, 11),
)
OPEN_LOOP_COLUMNS = {"entries": Column("rate", 7, 2), "p99": Column("uncorr", 6, 3)}
"""What stands behind these columns once a run had a rate: the rate asked for, and the p99 from the actual start."""
_KEY_WIDTH = 3
CURSOR = "›"
"""Marks the row whose details `enter` opens; it has the whole line when the table has the focus."""


def columns_for(width: int, *, open_loop: bool = False) -> tuple[Column, ...]:
    """The columns that fit into ``width`` cells."""
    chosen = list(COLUMNS)
    if open_loop:
        for before, column in OPEN_LOOP_COLUMNS.items():
            chosen.insert(next(place for place, held in enumerate(chosen, 1) if held.title == before), column)
    while chosen and _KEY_WIDTH + sum(column.width + 1 for column in chosen) > width:
        chosen.remove(max(chosen, key=lambda column: column.rank))
    return tuple(chosen)


class ScenarioTable(Lines, can_focus=True):
    """A row per scenario: live figures of the last second for the running one, the run's figures afterwards.

    Our own, not `DataTable`: that repaints the whole table at each update, several times a second beside the
    load; it has no cell that starts a scenario, and does not drop its least needed columns.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Row up", show=False),
        Binding("down", "move(1)", "Row down", show=False),
    ]

    @dataclass
    class RowOpened(Message):
        """A person asked for the details of a scenario."""

        scenario: str

    @dataclass
    class RowStarted(Message):
        """A person clicked on the key of a scenario; None: of all those of the suite."""

        scenario: str | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "scenarios"
        self.cursor = 0
        self._followed: str | None = None
        """What ran when the cursor last followed it."""
        self._places: list[str | None] = []
        """What each line below the head is about: a row, or (None) all of the suite."""
        self._gap = " "
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Show this frame."""
        self._frame = frame
        running = frame.state.running
        # a person who chooses a row keeps it
        if running is not None and running != self._followed and running in self._names and not self.has_focus:
            self.cursor = self._names.index(running)
        self._followed = running
        rows, key = frame.state.rows.values(), shown_key("details", frame.state.keys)
        hint = f"▲ writes not judged: {key} tells more" if any(row.doubtful for row in rows) else ""
        hint = f"▲ generator-bound: {key} tells more" if any(row.limit for row in rows) else hint
        if hint != (self.border_subtitle or ""):
            self.border_subtitle = hint
        self.redraw()

    @property
    def _names(self) -> list[str]:
        return [row.scenario.name for row in self._frame.state.shown_rows] if self._frame else []

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        rows = self._frame.state.shown_rows if self._frame else ()
        return rows[self.cursor] if self.cursor < len(rows) else None

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(len(self._names) - 1, self.cursor + by))
        self.redraw()

    def watch_has_focus(self, focused: bool) -> None:
        """Show the cursor, or take it away. (Our handler of the focus event would run before ``has_focus`` is set.)"""
        super().watch_has_focus(focused)
        self.redraw()

    def on_click(self, event: Click) -> None:
        """The key cell starts the scenario, the rest of the row opens its details."""
        spot = event.get_content_offset(self)
        if spot is None or spot.y < 1:
            return
        at = spot.y - 1
        if at >= len(self._places):
            return
        name = self._places[at]
        if name is not None:
            self.cursor = self._names.index(name)
            self.post_message(self.RowStarted(name) if spot.x < _KEY_WIDTH else self.RowOpened(name))
            self.redraw()
        else:
            self.post_message(self.RowStarted(None))

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        columns = columns_for(width, open_loop=any(row.rate is not None for row in frame.state.rows.values()))
        self._gap = "  " if _KEY_WIDTH + sum(column.width + 2 for column in columns) <= width else " "
        lines = [_cells(("key", *(column.title for column in columns)), columns, look.dim, look.dim, self._gap)]
        self._places = []
        for index, row in enumerate(frame.state.shown_rows):
            lines.append(self._row(frame, row, columns, look, width, at_cursor=index == self.cursor))
            self._places.append(row.scenario.name)
        suite = [row for row in frame.state.rows.values() if row.scenario.in_suite]
        if suite and len(lines) < height:
            self._places.append(None)
            word = _WORDS[len(suite)] if len(suite) < len(_WORDS) else str(len(suite))
            queued = len(frame.state.queue)
            fields = {"scenario": f"  all {word}", "time": f"{queued} to go" if queued else ""}
            values = (f" {shown_key('suite', frame.state.keys)}", *(fields.get(column.title, "") for column in columns))
            lines.append(_cells(values, columns, f"bold {look.accent}", look.text, self._gap))
        return lines

    def _row(
        self, frame: Frame, row: Row, columns: Sequence[Column], look: Look, width: int, *, at_cursor: bool
    ) -> Content:
        fields = row_fields(frame, row)
        running = row.status is RowStatus.RUNNING
        name = f"{('▲ ' if row.limit else '▸ ') if running else '  '}{row.scenario.name}"
        fields["scenario"] = name
        values = (
            f"{CURSOR if at_cursor else ' '}{row.scenario.key}",
            *(fields.get(column.title, "") for column in columns),
        )
        base = f"bold {look.accent}" if running else (look.text if row.status is not RowStatus.NEVER else look.dim)
        styles = {"failed": f"bold {look.alarm}"} if row.failures else {}
        if row.broken or row.doubtful:
            styles["time"] = f"bold {look.alarm if row.broken else look.warn}"
        content = _cells(values, columns, f"bold {look.accent}", base, self._gap, styles)
        if at_cursor and self.has_focus:
            content = content.pad_right(max(0, width - content.cell_length)).stylize("reverse")
        return content


def _cells(
    values: Sequence[str],
    columns: Sequence[Column],
    key_style: str,
    style: str,
    gap: str,
    special: dict[str, str] | None = None,
) -> Content:
    spans: list[tuple[str, str]] = [(values[0].ljust(_KEY_WIDTH), key_style)]
    for column, value in zip(columns, values[1:], strict=True):
        pad = " " * max(0, column.width - cell_len(value))
        text = value + pad if column.left else pad + value
        spans.append((gap + text, (special or {}).get(column.title, style)))
    return Content.assemble(*spans)
