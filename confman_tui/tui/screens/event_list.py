"""All events, newest first, each whole: the log of a screen that has no room for its pane."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.tui.log import Topic, next_topic
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.state import UiState
from confman_tui.tui.widgets.log_pane import lines_of

MOST_SHOWN = 300
"""Events shown; laying out more would hold up the screen."""
MOST_ROWS = 8
"""An event of more rows begins its further rows at the left."""


class EventsDialog(Dialog[None]):
    """Takes in what comes while it stands at its top, where new events appear; scrolled down, it stays as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss_dialog", "Close", show=False),
        Binding("l", "next_topic", "Filter", show=False, id="filter"),
    ]

    def __init__(self, state: UiState, clock: Callable[[], float], filter_key: str) -> None:
        super().__init__()
        self._state = state
        self._clock = clock
        self._filter_key = filter_key
        self._topic: Topic | None = None
        self._shown: tuple[int, Topic | None, int] | None = None

    def compose(self) -> ComposeResult:
        with Box("events", f"{self._filter_key} filter · {self.reading_keys}", wide=True, id="events-box"):
            yield Static(id="events", markup=False)

    def on_mount(self) -> None:
        self.query_one(Box).focus()
        self.call_after_refresh(self._show)
        self.set_interval(0.5, self._show)

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._show)

    def action_next_topic(self) -> None:
        """Show the events of the next topic, after the last one all."""
        self._topic = next_topic(self._topic)
        box = self.query_one(Box)
        box.border_title = "events" if self._topic is None else f"events · {self._topic.value} only"
        box.scroll_home(animate=False)
        self._show()

    def _show(self) -> None:
        box, text = self.query_one(Box), self.query_one("#events", Static)
        width = text.content_size.width
        stamp = (self._state.log.total, self._topic, width)
        reads_on = self._shown is not None and self._shown[1:] == stamp[1:] and box.scroll_y > 0
        if width < 1 or stamp == self._shown or reads_on:
            return
        self._shown = stamp
        entries = self._state.log.newest_first(self._topic)[:MOST_SHOWN]
        now, names = self._clock(), self._state.names
        lines = [line for one in entries for line in lines_of(one, width, self.look, names, room=MOST_ROWS, now=now)]
        text.update(Content("\n").join(lines) if lines else Content.assemble(("nothing yet", self.look.dim)))
