"""The line of keys: only those that do something now, each clickable, with a tooltip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click, Leave, MouseMove
from textual.message import Message

from confman_tui.tui.colours import Look
from confman_tui.tui.keys.hints import KeyHint
from confman_tui.tui.widgets.lines import Lines

_GAP = 2


class KeyBar(Lines):
    """One or two lines of keys. Places that don't fit are left out whole, the least needed first.

    Our own, not `Footer`: that makes a widget of each key, mounts all anew when one changes, and cuts off at the edge.
    """

    @dataclass
    class Pressed(Message):
        """A place was clicked."""

        action: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints: tuple[KeyHint, ...] = ()
        self._spots: list[tuple[int, int, int, KeyHint]] = []
        """(row, first cell, cell after the last, place)."""

    def show(self, hints: tuple[KeyHint, ...]) -> None:
        """Offer these keys."""
        if hints != self._hints:
            self._hints = hints
            self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        rows = packed(self._hints, width, height)
        self._spots = []
        lines = []
        for number, row in enumerate(rows):
            spans: list[str | tuple[str, str]] = []
            at = 0
            for hint in row:
                if spans:
                    spans.append(" " * _GAP)
                    at += _GAP
                end = at + _length(hint)
                self._spots.append((number, at, end, hint))
                spans += [(hint.key, f"bold {look.accent}"), (f" {hint.label}", look.text)]
                at = end
            lines.append(Content.assemble(*spans))
        return lines

    def _at(self, x: int, y: int) -> KeyHint | None:
        return next((hint for row, start, end, hint in self._spots if row == y and start <= x < end), None)

    def on_click(self, event: Click) -> None:
        spot = event.get_content_offset(self)
        hint = self._at(spot.x, spot.y) if spot is not None else None
        if hint is not None:
            self.post_message(self.Pressed(hint.action))

    def on_mouse_move(self, event: MouseMove) -> None:
        spot = event.get_content_offset(self)
        hint = self._at(spot.x, spot.y) if spot is not None else None
        tooltip = Content(f"{hint.tooltip} ({hint.key})") if hint is not None else None
        if str(tooltip) != str(self.tooltip):
            self.tooltip = tooltip

    def on_leave(self, event: Leave) -> None:
        self.tooltip = None


def _length(hint: KeyHint) -> int:
    return cell_len(hint.key) + 1 + cell_len(hint.label)


def packed(hints: Sequence[KeyHint], width: int, height: int) -> list[list[KeyHint]]:
    """The places in ``height`` rows of ``width`` cells, in order; the highest ranks are left out until all fit."""
    chosen = list(hints)
    while chosen:
        rows: list[list[KeyHint]] = [[]]
        used = 0
        for hint in chosen:
            needed = _length(hint) + (_GAP if rows[-1] else 0)
            if rows[-1] and used + needed > width:
                rows.append([])
                used, needed = 0, _length(hint)
            rows[-1].append(hint)
            used += needed
        if len(rows) <= height and all(sum(map(_length, row)) <= width for row in rows):
            return rows
        chosen.remove(max(chosen, key=lambda hint: hint.rank))
    return []
