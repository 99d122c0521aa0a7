"""One graph with plotext, from its spec to rows of (text, style number). Runs in the renderer's process only.

plotext is used by its object interface. Points are counted sparingly, because their number is what a graph costs.
"""

from __future__ import annotations

import math
import re
from typing import Any

import plotext

from confman_tui.tui.charts.spec import BAND_LABEL, Band, GraphSpec, Layer, Mark, Rows, band_cells, label_start
from confman_tui.tui.yield_cpu import yield_cpu

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_FILLED = "▒"
"""What a band is filled with: not the block of an area, so that it differs without colour too."""
_BASE = 16
"""Style numbers travel through plotext as entries of the 256-colour palette from here on; below are theme colours."""


def draw(spec: GraphSpec) -> Rows:
    """Draw one graph. The rows' style numbers count along `GraphSpec.roles`."""
    styles = {role: number for number, role in enumerate(spec.roles())}
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.data()
    figure.clear.settings()
    figure.plot_size(spec.width, spec.height)
    figure.canvas("default")
    yield_cpu()
    _frame(figure, spec, styles)
    yield_cpu()
    low, high = _y_limits(spec)
    columns, rows = _canvas(spec)
    bands = [(band.start, band.end) for band in spec.bands]
    for stretches, role, glyph in ((bands, "band", _FILLED if spec.solid else "░"), (spec.left_out, "dim", "·")):
        marker = plotext.marker(glyph, _pixel(styles[role]))
        for start, end in stretches:
            _band(figure, spec, band_cells(start, end, spec.x_end, columns), marker, (low, high), columns)
    # A mark lies on a filled area, where it would vanish, but under lines and points, which it must not hide.
    _layers(figure, spec, styles, columns, areas=True)
    for mark in spec.marks:
        if mark.line:
            _mark_line(figure, spec, mark.x, styles[mark.role], (low, high), columns)
    _layers(figure, spec, styles, columns, areas=False)
    for band in spec.bands:
        if band.label:
            _band_label(figure, spec, band, styles[BAND_LABEL], (low, high), columns)
    for mark in spec.marks:
        if mark.label:
            _mark_label(figure, spec, mark, styles[mark.role], (low, high), columns, rows)
    return to_rows(figure.build().string(), spec.width)


def _pixel(style: int) -> Any:
    return plotext.pixel(foreground=_BASE + style)


def _y(spec: GraphSpec, value: float) -> float:
    """A value's place on the axis: logarithmic axes are linear in the logarithm for plotext."""
    if not spec.log:
        return value
    return math.log10(max(value, spec.y_low / 10))


def _y_limits(spec: GraphSpec) -> tuple[float, float]:
    return _y(spec, spec.y_low), _y(spec, spec.y_high)


def _canvas(spec: GraphSpec) -> tuple[int, int]:
    """Columns and rows inside the axes."""
    left = max((len(text) for _, text in spec.y_ticks), default=0)
    right = max((len(text) for _, text, _ in spec.right), default=0)
    return max(spec.width - left - 1 - right, 1), max(spec.height - 1 - bool(spec.x_ticks), 1)


def _frame(figure: Any, spec: GraphSpec, styles: dict[str, int]) -> None:
    axis, text = _pixel(0), _pixel(1)
    figure.axes(True, pixel=axis)
    figure.axes(False, axis=0, side=1)
    figure.axes(False, axis=1, side=1)
    low, high = _y_limits(spec)
    across = figure.ruler(0, 0)
    across.lim(0, spec.x_end).alignment(lim="edge")
    across.ticks([x for x, _ in spec.x_ticks], [label for _, label in spec.x_ticks]).pixel(text)
    left = [(y, label, "text") for y, label in spec.y_ticks]
    for side, ticks in ((0, left), (1, spec.right)):
        upward = figure.ruler(1, side)
        upward.lim(low, high).alignment(lim="edge")
        labels = [plotext.colorize(label).fill(_pixel(styles[role])) for _, label, role in ticks]
        upward.ticks([_y(spec, y) for y, _, _ in ticks], labels).pixel(text)


def _band(
    figure: Any,
    spec: GraphSpec,
    cells: tuple[int, int],
    marker: Any,
    ends: tuple[float, float],
    columns: int,
) -> None:
    """Fill whole columns."""
    (low, high), (first, after) = ends, cells
    if first >= after:
        return
    per_cell = spec.x_end / columns
    inner = (high - low) * 1e-6
    xs = [(cell + 0.5) * per_cell for cell in range(first, after) for _ in (0, 1)]
    _columns(figure, xs, [low + inner, high - inner] * (after - first), marker)


def _band_label(figure: Any, spec: GraphSpec, band: Band, style: int, ends: tuple[float, float], columns: int) -> None:
    """A band's length in its middle, with a filled cell on either side."""
    first, after = band_cells(band.start, band.end, spec.x_end, columns)
    if after - first < len(band.label) + 2:
        return
    start = first + (after - first - len(band.label)) // 2
    text = plotext.colorize(band.label).fill(_pixel(style))
    figure.draw(figure.text((start + 0.5) * spec.x_end / columns, sum(ends) / 2, text, alignment="left"))


def _columns(figure: Any, xs: list[float], ys: list[float], marker: Any) -> None:
    """Each pair of points as a vertical bar."""
    signal = figure.signal(xs, ys, marker=marker)
    for index in range(1, len(xs), 2):
        signal.line(index)
    figure.draw(signal.density("full", "line"))
    yield_cpu()


def _layers(figure: Any, spec: GraphSpec, styles: dict[str, int], columns: int, areas: bool) -> None:
    for layer in spec.layers:
        if (layer.kind == "area") is areas:
            _layer(figure, spec, layer, styles[layer.role], columns)


def _layer(figure: Any, spec: GraphSpec, layer: Layer, style: int, columns: int) -> None:
    kind, runs = layer.kind, layer.runs
    if kind == "area":
        dots = columns * 2
        runs = [resample(xs, ys, spec.x_end / dots, dots) for xs, ys in runs]
    xs = [x for run in runs for x in run[0]]
    ys = [_y(spec, y) for run in runs for y in run[1]]
    if not xs:
        return
    blocks = spec.solid and (kind == "area" or layer.heavy)
    marker = plotext.marker(layer.glyph or ("hd" if blocks else "braille"), _pixel(style))
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


def _cell(spec: GraphSpec, x: float, columns: int) -> int:
    return min(max(math.floor(x * columns / spec.x_end + 1e-6), 0), columns - 1)


def _mark_line(figure: Any, spec: GraphSpec, x: float, style: int, ends: tuple[float, float], columns: int) -> None:
    # As a signal and not as the figure's own line, which lies below all signals.
    at = (_cell(spec, x, columns) + 0.5) * spec.x_end / columns
    inner = (ends[1] - ends[0]) * 1e-6
    _columns(figure, [at, at], [ends[0] + inner, ends[1] - inner], plotext.line("v", _pixel(style)))


def _mark_label(
    figure: Any, spec: GraphSpec, mark: Mark, style: int, ends: tuple[float, float], columns: int, rows: int
) -> None:
    """The text on the top row."""
    start, label = label_start(mark, spec.x_end, columns), mark.label
    top = ends[1] - (ends[1] - ends[0]) / rows / 2
    text = plotext.colorize(label).fill(_pixel(style))
    figure.draw(figure.text((start + 0.5) * spec.x_end / columns, top, text, alignment="left"))


def to_rows(ansi: str, width: int) -> Rows:
    """plotext's coloured text as rows of runs. Blanks join the run before them: each change of style costs the
    terminal some twenty bytes, and a blank looks the same in any."""
    rows: Rows = []
    for line in ansi.rstrip("\n").split("\n"):
        yield_cpu()
        row: list[str | int] = []
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
