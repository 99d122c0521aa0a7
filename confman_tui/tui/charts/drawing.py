"""One graph with plotext, from the wire's form to rows of (text, style number). Runs in the renderer's process only.

plotext is used by its object interface. Points are counted sparingly, because their number is what a graph costs.
"""

from __future__ import annotations

import math
import re
from typing import Any

import plotext

from confman_tui.tui.yield_cpu import yield_cpu

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_BASE = 16
"""Style numbers travel through plotext as entries of the 256-colour palette from here on; below are theme colours."""

Row = list[str | int]
"""Text and style number in turn."""


def draw(wire: dict[str, Any]) -> list[Row]:
    """Draw one graph, ``w`` by ``h`` cells."""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.data()
    figure.clear.settings()
    figure.plot_size(wire["w"], wire["h"])
    figure.canvas("default")
    yield_cpu()
    _frame(figure, wire)
    yield_cpu()
    low, high = _y_limits(wire)
    columns, rows = _canvas(wire)
    for begin, end, style, glyph in wire["b"]:
        _band(figure, wire, (begin, end), plotext.marker(glyph, _pixel(style)), (low, high), columns)
    # A mark lies on a filled area, where it would vanish, but under lines and points, which it must not hide.
    _layers(figure, wire, columns, areas=True)
    for x, _, style, line in wire["m"]:
        if line:
            _mark_line(figure, wire, x, style, (low, high), columns)
    _layers(figure, wire, columns, areas=False)
    for x, label, style, line in wire["m"]:
        if label:
            _mark_label(
                figure, wire, x + (wire["x"] / columns if line else 0), label, style, (low, high), columns, rows
            )
    return to_rows(figure.build().string(), wire["w"])


def _pixel(style: int) -> Any:
    return plotext.pixel(foreground=_BASE + style)


def _y(wire: dict[str, Any], value: float) -> float:
    """A value's place on the axis: logarithmic axes are linear in the logarithm for plotext."""
    if not wire["log"]:
        return value
    return math.log10(max(value, wire["y"][0] / 10))


def _y_limits(wire: dict[str, Any]) -> tuple[float, float]:
    low, high = wire["y"]
    return _y(wire, low), _y(wire, high)


def _canvas(wire: dict[str, Any]) -> tuple[int, int]:
    """Columns and rows inside the axes."""
    left = max((len(text) for _, text in wire["yt"]), default=0)
    right = max((len(text) for _, text, _ in wire["r"]), default=0)
    return max(wire["w"] - left - 1 - right, 1), max(wire["h"] - 1 - bool(wire["xt"]), 1)


def _frame(figure: Any, wire: dict[str, Any]) -> None:
    axis, text = _pixel(0), _pixel(1)
    figure.axes(True, pixel=axis)
    figure.axes(False, axis=0, side=1)
    figure.axes(False, axis=1, side=1)
    low, high = _y_limits(wire)
    across = figure.ruler(0, 0)
    across.lim(0, wire["x"]).alignment(lim="edge")
    across.ticks([x for x, _ in wire["xt"]], [label for _, label in wire["xt"]]).pixel(text)
    for side, ticks in ((0, wire["yt"]), (1, wire["r"])):
        upward = figure.ruler(1, side)
        upward.lim(low, high).alignment(lim="edge")
        labels = [plotext.colorize(tick[1]).fill(_pixel(tick[2] if side else 1)) for tick in ticks]
        upward.ticks([_y(wire, tick[0]) for tick in ticks], labels).pixel(text)


def _band(
    figure: Any,
    wire: dict[str, Any],
    stretch: tuple[float, float],
    marker: Any,
    ends: tuple[float, float],
    columns: int,
) -> None:
    """Shade whole cells: all that the stretch touches by half, and at least one."""
    low, high = ends
    per_cell = wire["x"] / columns
    first = round(stretch[0] / per_cell)
    last = max(round(stretch[1] / per_cell) - 1, first)
    first, last = max(first, 0), min(last, columns - 1)
    if first > last:
        return
    inner = (high - low) * 1e-6
    xs = [(cell + 0.5) * per_cell for cell in range(first, last + 1) for _ in (0, 1)]
    _columns(figure, xs, [low + inner, high - inner] * (last + 1 - first), marker)


def _columns(figure: Any, xs: list[float], ys: list[float], marker: Any) -> None:
    """Each pair of points as a vertical bar."""
    signal = figure.signal(xs, ys, marker=marker)
    for index in range(1, len(xs), 2):
        signal.line(index)
    figure.draw(signal.density("full", "line"))
    yield_cpu()


def _layers(figure: Any, wire: dict[str, Any], columns: int, areas: bool) -> None:
    for kind, style, glyph, runs in wire["l"]:
        if (kind == "area") is areas:
            _layer(figure, wire, kind, style, glyph, runs, columns)


def _layer(figure: Any, wire: dict[str, Any], kind: str, style: int, glyph: str, runs: list[Any], columns: int) -> None:
    if kind == "area":
        dots = columns * 2
        runs = [resample(xs, ys, wire["x"] / dots, dots) for xs, ys in runs]
    xs = [x for run in runs for x in run[0]]
    ys = [_y(wire, y) for run in runs for y in run[1]]
    if not xs:
        return
    marker = plotext.marker(glyph or "braille", _pixel(style))
    if kind == "columns":
        _columns(figure, xs, ys, marker)
        return
    signal = figure.signal(xs, ys, marker=marker)
    if kind != "points":
        signal.lines(True)
        position = 0
        for run in runs:
            signal.line(position, False)
            position += len(run[0])
        if kind == "area":
            signal.fillx()
    figure.draw(signal)
    yield_cpu()


def resample(xs: list[float], ys: list[float], step: float, count: int) -> tuple[list[float], list[float]]:
    """The run as one point per column of dots, so that an area has no holes; between points by straight lines."""
    out_x: list[float] = []
    out_y: list[float] = []
    index = 0
    for dot in range(max(math.ceil(xs[0] / step - 0.5), 0), min(math.floor(xs[-1] / step - 0.5) + 1, count)):
        x = (dot + 0.5) * step
        while index + 2 < len(xs) and xs[index + 1] < x:
            index += 1
        left, right = xs[index], xs[min(index + 1, len(xs) - 1)]
        share = (x - left) / (right - left) if right > left else 0.0
        low, high = ys[index], ys[min(index + 1, len(ys) - 1)]
        out_x.append(x)
        out_y.append(low + (high - low) * min(max(share, 0.0), 1.0))
    return (out_x, out_y) if out_x else (xs[:1], ys[:1])


def _cell(wire: dict[str, Any], x: float, columns: int) -> int:
    end: float = wire["x"]
    return min(max(math.floor(x * columns / end + 1e-6), 0), columns - 1)


def _mark_line(
    figure: Any, wire: dict[str, Any], x: float, style: int, ends: tuple[float, float], columns: int
) -> None:
    # As a signal and not as the figure's own line, which lies below all signals.
    at = (_cell(wire, x, columns) + 0.5) * wire["x"] / columns
    inner = (ends[1] - ends[0]) * 1e-6
    _columns(figure, [at, at], [ends[0] + inner, ends[1] - inner], plotext.line("v", _pixel(style)))


def _mark_label(
    figure: Any,
    wire: dict[str, Any],
    x: float,
    label: str,
    style: int,
    ends: tuple[float, float],
    columns: int,
    rows: int,
) -> None:
    """The text on the top row, from that cell on, or up to the mark where there is no room to its right."""
    start = math.floor(x * columns / wire["x"] + 1e-6)
    if start + len(label) > columns:
        start = max(start - 1 - len(label), 0)
    top = ends[1] - (ends[1] - ends[0]) / rows / 2
    text = plotext.colorize(label).fill(_pixel(style))
    figure.draw(figure.text((start + 0.5) * wire["x"] / columns, top, text, alignment="left"))


def to_rows(ansi: str, width: int) -> list[Row]:
    """plotext's coloured text as rows of runs. Blanks join the run before them: each change of style costs the
    terminal some twenty bytes, and a blank looks the same in any."""
    rows: list[Row] = []
    for line in ansi.rstrip("\n").split("\n"):
        yield_cpu()
        row: Row = []
        style = 1
        parts = _SGR.split(line)
        length = 0
        for index, part in enumerate(parts):
            if index % 2:
                codes = part.split(";")
                if codes[:2] == ["38", "5"] and len(codes) == 3:
                    style = max(int(codes[2]) - _BASE, 0)
                continue
            if not part:
                continue
            part = part[: width - length]
            length += len(part)
            if row and (row[-1] == style or part.isspace()):
                row[-2] = str(row[-2]) + part
            else:
                row += [part, style]
        if length < width:
            blank = " " * (width - length)
            if row:
                row[-2] = str(row[-2]) + blank
            else:
                row = [blank, 1]
        rows.append(row)
    return rows
