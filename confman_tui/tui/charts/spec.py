"""What a graph is made of, as it travels to the renderer: plain values, JSON on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

LayerKind = Literal["area", "line", "points", "columns"]


@dataclass(slots=True)
class Layer:
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


@dataclass(slots=True)
class Mark:
    """A vertical line with a short text at its top, or, without a line, the text alone."""

    x: float
    label: str
    role: str
    line: bool = True


@dataclass(slots=True)
class GraphSpec:
    """One graph. Colours are left to whoever shows it: the answer names roles only."""

    width: int
    height: int
    """Cells, axes and labels included."""
    x_end: float
    """The x axis runs from 0 to this."""
    y_low: float
    y_high: float
    log: bool = False
    """Whether y is logarithmic; ``y_low`` is then above zero."""
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)
    right: list[tuple[float, str, str]] = field(default_factory=list)
    """(y, text, role) of labels at the right edge."""
    bands: list[tuple[float, float]] = field(default_factory=list)
    """(x from, x to) to be shaded: nobody leads, or no write goes through."""
    left_out: list[tuple[float, float]] = field(default_factory=list)
    """(x from, x to) to be dotted: figures that do not count."""
    layers: list[Layer] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def roles(self) -> list[str]:
        """Every role in it, in a fixed order: the answer's style numbers count along it."""
        names = ["axis", "text", "band", "dim"]
        names += [layer.role for layer in self.layers]
        names += [role for _, _, role in self.right]
        names += [mark.role for mark in self.marks]
        return list(dict.fromkeys(names))

    def to_wire(self) -> dict[str, Any]:
        """The form that the renderer takes."""
        number = {role: index for index, role in enumerate(self.roles())}
        return {
            "w": self.width,
            "h": self.height,
            "x": self.x_end,
            "y": [self.y_low, self.y_high],
            "log": self.log,
            "xt": self.x_ticks,
            "yt": self.y_ticks,
            "r": [(y, text, number[role]) for y, text, role in self.right],
            "b": [(begin, end, number["band"], "░") for begin, end in self.bands]
            + [(begin, end, number["dim"], "·") for begin, end in self.left_out],
            "l": [(layer.kind, number[layer.role], layer.glyph, layer.runs) for layer in self.layers],
            "m": [(mark.x, mark.label, number[mark.role], mark.line) for mark in self.marks],
        }


def encode(message: dict[str, Any]) -> bytes:
    """One message as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
