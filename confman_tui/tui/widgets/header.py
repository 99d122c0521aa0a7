"""The two lines at the top: what this is and works on; whether writes go through, who leads, what goes on."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from confman_tui.tui import status
from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.keys.table import shown_key
from confman_tui.tui.text import Part, line
from confman_tui.tui.widgets.lines import Lines


class Header(Lines):
    """The header; the most important fact stands first on its second line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Show this frame."""
        self._frame = frame
        self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        state = frame.state
        name = Part("confman-tui", f"bold {look.accent}", 1)
        first = line(
            width, [name, *status.cluster(state, look), *status.watch(state, look)], status.generator(frame, look)
        )
        right = status.activity(frame, look, width)
        if frame.held is not None:
            behind = "1 event" if frame.held == 1 else f"{frame.held} events"
            held = f" ‖ view held · {behind} behind · {shown_key('hold', frame.state.keys)} goes on "
            right = [Part(held, look.pill(look.warn), 1, f" ‖ held · {behind} behind ")]
        second = line(width, [status.writes(frame, look), status.leadership(state, look)], right)
        return (first, second) if height > 1 else (second,)
