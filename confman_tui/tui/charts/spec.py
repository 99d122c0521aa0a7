"""What a graph is made of, and the messages between the screen and the renderer."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

BAND_LABEL = "band bold reverse"
"""The role of a band's length inside it."""

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
    """One cell; empty: dots of Braille, or, of an area and of a heavy line, half blocks (`GraphSpec.solid`)."""
    heavy: bool = False
    """A line in half blocks, so that it stands out."""


class Mark(msgspec.Struct, array_like=True):
    """A vertical line with a short text at its top, or, without a line, the text alone."""

    x: float
    label: str
    role: str
    line: bool = True


class Band(msgspec.Struct, array_like=True):
    """A stretch in which nobody leads or no write goes through, filled."""

    start: float
    """x; may lie before the axis."""
    end: float
    label: str = ""
    """Stands in the middle where it fits; must hold no blank."""


def band_cells(start: float, end: float, x_end: float, columns: int) -> tuple[int, int]:
    """(first, after the last) column of a band on a picture of that many columns. How many there are depends on its
    length alone, and not on where it lies between two columns: it does not flicker while time scrolls."""
    per_cell = x_end / columns
    first = math.floor(start / per_cell + 1e-6)
    after = first + max(round((end - start) / per_cell), 1)
    return max(first, 0), min(after, columns)


def label_start(mark: Mark, x_end: float, columns: int) -> int:
    """The column in which a mark's label begins: beside its line, or so that it ends before that where there is no room
    to its right."""
    start = math.floor((mark.x + (x_end / columns if mark.line else 0)) * columns / x_end + 1e-6)
    return start if start + len(mark.label) <= columns else max(start - 1 - len(mark.label), 0)


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
    bands: list[Band] = []
    left_out: list[tuple[float, float]] = []
    """(x from, x to) to be dotted: figures that do not count."""
    layers: list[Layer] = []
    marks: list[Mark] = []
    solid: bool = True
    """Whether the terminal has half blocks and quadrants; without them areas and lines are dots of Braille."""

    def roles(self) -> list[str]:
        """Every role in it, in a fixed order: the answer's style numbers count along it."""
        names = ["axis", "text", "band", BAND_LABEL, "dim"]
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
