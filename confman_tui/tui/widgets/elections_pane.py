"""The steps of the last elections, newest first, a line each: for screens that have room beside the log."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from confman_tui.tui.colours import Look
from confman_tui.tui.election_card import one_line
from confman_tui.tui.frame import Frame
from confman_tui.tui.keys.table import shown_key
from confman_tui.tui.widgets.lines import Lines


class ElectionsPane(Lines):
    """The one that goes on, then those that were measured."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "last elections · seconds from the fault, or from the leader's last good answer"
        self._frame: Frame | None = None
        self._stamp: object = None

    def show(self, frame: Frame) -> None:
        """Show this frame, when it changes what stands here."""
        self._frame = frame
        state = frame.state
        stamp = (state.election_now, state.elections[-1] if state.elections else None, len(state.elections))
        if state.election_now is not None or stamp != self._stamp:
            self._stamp = stamp
            self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        state = frame.state
        lines = []
        if state.election_now is not None:
            lines.append(one_line(state.election_now, state.names, width, look, now=frame.now))
        done = sorted(state.elections, key=lambda election: election.origin, reverse=True)
        lines += [one_line(election, state.names, width, look) for election in done[:height]]
        if not lines:
            kill, drill = (shown_key(action, state.keys) for action in ("kill", "drill"))
            words = f"none yet: {kill} kills the leader, {drill} measures several in a row"
            lines.append(Content.assemble((words, look.dim)))
        return lines[:height]
