"""The line above the graphs that says what came of the last run."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from confman_tui.tui import verdict
from confman_tui.tui.charts.axis import clock_words
from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.text import Part, line
from confman_tui.tui.widgets.lines import Lines


class LastRun(Lines):
    """One line, from a run's end until something new runs."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Show this frame."""
        self._frame = frame
        self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        state = self._frame.state if self._frame is not None else None
        if state is None or state.last is None:
            return ()
        pieces = verdict.sentence(state.last, state.last_drill)
        said = verdict.parts(pieces, f"bold {look.accent}", f"bold {look.alarm}")
        span = state.last_span
        when = [Part(f"{clock_words(span[0])} to {clock_words(span[1])}", look.dim, 9)] if span is not None else []
        return (line(width, said, when, gap=" "),)
