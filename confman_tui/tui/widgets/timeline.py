"""The cluster's timeline: who led, who followed, when writes went through, in which term."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import STATE_WORDS
from confman_tui.tui.charts.axis import TimeAxis, TimeWindow, clock_words
from confman_tui.tui.charts.lanes import Grid, Lanes, label_width
from confman_tui.tui.charts.palette import FAULT_GLYPH, STATE_GLYPHS, term_role
from confman_tui.tui.history.history import History
from confman_tui.tui.history.moments import Moment
from confman_tui.tui.node_names import name_of
from confman_tui.tui.numbers import milliseconds, short_seconds
from confman_tui.tui.text import clean
from confman_tui.tui.widgets.graph_base import PictureWidget, TitlePart


class ClusterTimeline(PictureWidget, can_focus=True):
    """A lane per node, a lane of acknowledged writes and a line of terms, on the dashboard's time axis.

    Our own: Textual has no widget for lanes over time.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Cursor back", show=False),
        Binding("right", "move(1)", "Cursor on", show=False),
        Binding("shift+left", "move(-10)", "Cursor far back", show=False),
        Binding("shift+right", "move(10)", "Cursor far on", show=False),
        Binding("pageup", "scroll_time(-0.5)", "Back in time", show=False),
        Binding("pagedown", "scroll_time(0.5)", "On in time", show=False),
        Binding("plus,equals_sign", "zoom(True)", "Less time", show=False),
        Binding("minus", "zoom(False)", "More time", show=False),
        Binding("end,0", "live", "Follow the clock", show=False),
        Binding("escape", "drop_cursor", "Cursor off", show=False),
    ]

    class ViewChanged(Message):
        """The window was zoomed or scrolled here: everything on its axis must be shown anew."""

    class CursorMoved(Message):
        """The cursor stands on another moment."""

        def __init__(self, at: float | None) -> None:
            super().__init__()
            self.at = at
            """Seconds since the epoch; None when there is no cursor."""

    def __init__(self, window: TimeWindow, *, id: str | None = None) -> None:
        """``window`` is shared with the graphs of the dashboard."""
        super().__init__(id=id)
        self._window = window
        self._lanes = Lanes()
        self._view: tuple[TimeAxis, History] | None = None
        self._names: dict[str, str] = {}
        self._hover: int | None = None
        self._at: float | None = None

    def show(self, axis: TimeAxis, history: History) -> None:
        """Show this stretch of the history; twice a second is often enough."""
        self._view = (axis, history)
        if set(self._names) != set(history.nodes):
            self._names = {node: clean(name, 40) for node, name in short_names(history.nodes).items()}
            self.refresh(layout=True)
        self._draw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A row per node, writes and terms."""
        return max(len(self._names), 1) + 2

    def on_mount(self) -> None:
        """Draw the empty frame."""
        self._draw()

    def on_resize(self) -> None:
        """Draw at the new size."""
        self._draw()

    def on_show(self) -> None:
        """Draw what was not drawn while nobody saw it."""
        self._draw()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The mouse is a cursor."""
        offset = event.get_content_offset(self)
        column = None if offset is None else offset.x - self._label_width()
        if column is not None and column < 0:
            column = None
        if column != self._hover:
            self._hover = column
            self._cursor_changed()

    def on_leave(self) -> None:
        """No mouse, no cursor, unless keys put one."""
        if self._hover is not None:
            self._hover = None
            self._cursor_changed()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel goes back in time."""
        event.stop()
        self.action_scroll_time(-0.1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel goes on in time."""
        event.stop()
        self.action_scroll_time(0.1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to others while there is no cursor to take away."""
        return self._at is not None or self._hover is not None if action == "drop_cursor" else True

    def action_move(self, cells: int) -> None:
        """Move the cursor; the first move puts it on the newest moment."""
        grid = self._grid()
        if grid is None or self._view is None:
            return
        newest = min(grid.cell(self._view[0].now), grid.cells - 1)
        current = self._cursor(grid)
        target = newest if current is None else min(max(current + cells, 0), newest)
        self._hover = None
        self._at = grid.middle(target)
        self._cursor_changed()

    def action_drop_cursor(self) -> None:
        """Take the cursor away."""
        self._at = self._hover = None
        self._cursor_changed()

    def action_scroll_time(self, fraction: float) -> None:
        """Move the window by a fraction of its length."""
        if self._view is not None:
            axis, history = self._view
            self._window.scroll(fraction, axis.now, history.first)
            self.post_message(self.ViewChanged())

    def action_zoom(self, closer: bool) -> None:
        """Show less or more time."""
        changed: Callable[[], bool] = self._window.zoom_in if closer else self._window.zoom_out
        if changed():
            self.post_message(self.ViewChanged())

    def action_live(self) -> None:
        """Follow the clock again."""
        self._window.go_live()
        self.post_message(self.ViewChanged())

    def _label_width(self) -> int:
        return label_width(self._names, self.size.width)

    def _grid(self) -> Grid | None:
        if self._view is None or not self.size.width:
            return None
        return Grid.of(self._view[0], max(self.size.width - self._label_width(), 1))

    def _cursor(self, grid: Grid) -> int | None:
        if self._hover is not None:
            return self._hover if self._hover < grid.cells else None
        return None if self._at is None else min(max(grid.cell(self._at), 0), grid.cells - 1)

    def _cursor_changed(self) -> None:
        self._draw()
        grid = self._grid()
        cursor = None if grid is None else self._cursor(grid)
        self.post_message(self.CursorMoved(None if grid is None or cursor is None else grid.middle(cursor)))

    def _draw(self) -> None:
        if not self.seen:
            return
        grid = self._grid()
        if grid is None or self._view is None:
            self.set_borders([(f"cluster · {self._window.title}", "")], [])
            return
        axis, history = self._view
        cursor = self._cursor(grid)
        self.paint(self._lanes.rows(axis, history, self._names, self.size.width, self.number, cursor))
        room = self.outer_size.width - 6
        if cursor is None:
            subtitle = _fitting(self._summary(axis, history), room)
        else:
            subtitle = _fitting(self._moment(history.moment(grid.middle(cursor), axis.now)), room)
        self.set_borders([(f"cluster · {self._window.title}", "")], subtitle)

    def _summary(self, axis: TimeAxis, history: History) -> list[TitlePart]:
        changes = len(history.changes(axis.start, axis.end))
        parts: list[TitlePart] = []
        if changes:
            parts.append((f"{changes} leader change{'s' if changes > 1 else ''}", ""))
        longest = history.longest_without_writes(axis.start, axis.end, axis.now)
        if longest is not None:
            parts.append((f"longest without writes {short_seconds(longest)}", "alarm"))
        return parts

    def _moment(self, moment: Moment) -> list[TitlePart]:
        """What was at a moment, the most important first."""
        parts: list[TitlePart] = [(clock_words(moment.at, tenths=True), "text bold")]
        parts += [
            (f"{FAULT_GLYPH} {fault.kind.value} {name_of(fault.node, self._names)}", "warn") for fault in moment.faults
        ]
        if moment.states:
            leads = "no leader" if moment.leader is None else f"★ {name_of(moment.leader, self._names)} leads"
            term = "" if moment.term is None else f", term {moment.term}"
            parts.append((leads + term, "alarm" if moment.leader is None else term_role(moment.term)))
        if moment.without_writes_s is not None:
            parts.append((f"no write for {short_seconds(moment.without_writes_s)}", "alarm"))
        elif moment.acks_per_s >= 0.5:
            parts.append((f"{moment.acks_per_s:.0f} writes/s", "good"))
        if moment.bucket is not None and moment.bucket.p99_us is not None:
            parts.append((f"p99 {milliseconds(moment.bucket.p99_us)} ms", "p99"))
        for node, state in moment.states.items():
            if node != moment.leader:
                parts.append((f"{STATE_GLYPHS[state]} {name_of(node, self._names)} {STATE_WORDS[state]}", ""))
        return parts if len(parts) > 1 else [*parts, ("nothing known", "dim")]


def _fitting(parts: list[TitlePart], room: int) -> list[TitlePart]:
    """The parts that fit whole, with dots between them."""
    shown: list[TitlePart] = []
    for text, role in parts:
        joined = text if not shown else f" · {text}"
        if len(joined) > room:
            break
        room -= len(joined)
        shown += [(joined, role)] if not shown else [(" · ", ""), (text, role)]
    return shown
