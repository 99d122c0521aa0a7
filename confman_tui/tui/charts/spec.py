"""What a graph is made of, and the messages between the screen and the renderer."""

from __future__ import annotations

from typing import Literal

import msgspec

LayerKind = Literal["area", "line", "points", "columns"]


class Layer(msgspec.Struct, array_like=True):
    """One set of points, drawn in one manner."""

    kind: LayerKind
    """``area``: filled down to the bottom; ``line``: connected; ``points``: a glyph each; ``columns``: pairs of points,
    each pair a vertical bar of glyphs."""
    role: str
    """Names its colour (`palette.role_colors`)."""
    runs: list[tuple[list[float], list[float]]]
    """(xs, ys) of each stretch without a gap; x in seconds from the axis' start, y in the axis' unit."""
    glyph: str = ""
    """One cell; empty: dots of Braille."""


class Mark(msgspec.Struct, array_like=True):
    """A vertical line with a short text at its top, or, without a line, the text alone."""

    x: float
    label: str
    role: str
    line: bool = True


class GraphSpec(msgspec.Struct):
    """One graph. Colours are left to the widget that shows it: the answer names roles only."""

    width: int
    height: int
    """Cells, axes and labels included."""
    x_end: float
    """The x axis runs from 0 to this."""
    y_low: float
    y_high: float
    log: bool = False
    """Whether y is logarithmic; ``y_low`` is then above zero."""
    x_ticks: list[tuple[float, str]] = []
    y_ticks: list[tuple[float, str]] = []
    right: list[tuple[float, str, str]] = []
    """(y, text, role) of labels at the right edge."""
    bands: list[tuple[float, float]] = []
    """(x from, x to) to be shaded: nobody leads, or no write goes through."""
    left_out: list[tuple[float, float]] = []
    """(x from, x to) to be dotted: figures that do not count."""
    layers: list[Layer] = []
    marks: list[Mark] = []

    def roles(self) -> list[str]:
        """Every role in it, in a fixed order: the answer's style numbers count along it."""
        names = ["axis", "text", "band", "dim"]
        names += [layer.role for layer in self.layers]
        names += [role for _, _, role in self.right]
        names += [mark.role for mark in self.marks]
        return list(dict.fromkeys(names))


Rows = list[list[str | int]]
"""For each line of cells: text and style number, in turn."""


class DrawGraph(msgspec.Struct, frozen=True):
    """To the renderer."""

    id: int
    graph: msgspec.Raw
    """A `GraphSpec`, encoded apart, so that one that can't be read is answered like one that can't be drawn."""


class GraphDrawn(msgspec.Struct, frozen=True, tag=True):
    """The renderer's answer."""

    id: int
    rows: Rows


class GraphNotDrawn(msgspec.Struct, frozen=True, tag=True):
    """The renderer's answer, too."""

    id: int
    error: str
