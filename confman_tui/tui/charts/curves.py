"""A series' graphs as specs for the renderer: throughput or latency against users, bytes or entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confman_tui.results.model import ScenarioResult, Series, SeriesKind
from confman_tui.results.statistics.repeats import spreads, typical
from confman_tui.results.statistics.series_shape import knee_of, slope_of
from confman_tui.results.tables.series_table import slope_words
from confman_tui.tui.charts.graphs import LEFT, LegendItem
from confman_tui.tui.charts.spec import GraphSpec, Layer, Mark
from confman_tui.tui.charts.ticks import (
    headroom,
    log_ceil,
    log_floor,
    log_ticks,
    milliseconds_label,
    nice_step,
    rate_label,
)

Curve = tuple[GraphSpec | None, tuple[LegendItem, ...]]
"""A graph, None when there is nothing to draw, and its legend."""

_EDGE, _MOST_EDGE = 0.03, 0.2
"""Least and greatest share of the axis left free on either side, so that the outer points and labels are whole."""
_LABELS_FROM = 34
"""Narrowest graph whose right edge names its lines."""


@dataclass(frozen=True, slots=True)
class _Point:
    """One value of a line, with the ends of its confidence interval where it was repeated."""

    y: float
    low: float | None
    high: float | None


class _Across:
    """The x axis: linear, or logarithmic for sizes."""

    def __init__(self, values: Sequence[float], log: bool, edge: float) -> None:
        """``edge``: the share of the axis left free on either side."""
        self._log = log
        places = [self._place(value) for value in values]
        low, high = (min(places), max(places)) if log else (0.0, max(places))
        if low == high:
            low, high = low - 0.5, high + 0.5
        margin = (high - low) * edge / (1 - 2 * edge)
        self._low = low - margin
        self.end = high - low + 2 * margin

    def _place(self, value: float) -> float:
        return math.log10(max(value, 1.0)) if self._log else value

    def x(self, value: float) -> float:
        """The place of a value, from the axis' left end."""
        return round(self._place(value) - self._low, 6)


def value_label(kind: SeriesKind, value: int) -> str:
    """A step's value on an axis: ``50``, ``10k``, ``100KB``."""
    if kind is SeriesKind.PAYLOAD:
        for unit, factor in (("MB", 1024 * 1024), ("KB", 1024)):
            if value >= factor:
                return f"{value / factor:.1f}".removesuffix(".0") + unit
        return f"{value}B"
    return f"{value / 1000:.1f}".removesuffix(".0") + "k" if value >= 1000 else str(value)


def throughput_curve(series: Series, width: int, height: int) -> Curve:
    """Successful requests per second at each step of users or payloads, with the knee; and its legend."""
    name = series.scenarios[0]
    points = _points(series, name, "rps", 1.0)
    if not points:
        return None, ()
    spec, across = _frame(series, name, width, height, 0)
    rows = max(height - 2, 1)
    _linear(spec, _highest(points), rows, rate_label)
    _draw(spec, across, points, "ok", rows)
    _mark_knee(spec, series, across)
    return spec, (("●", "req/s", "ok"),)


_LINES = (("max", "max_us"), ("p99", "p99_us"), ("p50", "p50_us"))


def latency_curve(series: Series, width: int, height: int) -> Curve:
    """p50, p99 and the longest latency at each step of users or payloads, on a logarithmic axis; and its legend."""
    name = series.scenarios[0]
    lines = {role: points for role, measure in _LINES if (points := _points(series, name, measure, 1000.0))}
    if not lines:
        return None, ()
    named = width >= _LABELS_FROM
    spec, across = _frame(series, name, width, height, 4 if named else 0)
    rows = max(height - 2, 1)
    values = [point.y for points in lines.values() for _, point in points if point.y > 0] or [1.0]
    low, high = log_floor(min(values) * 0.98), log_ceil(max(values))
    high = log_ceil(low * 10) if high / low < 10 else high
    spec.log = True
    spec.y_low, spec.y_high = low, low * (high / low) ** headroom(rows)
    spec.y_ticks = [
        (value, milliseconds_label(value).rjust(LEFT - 1)) for value in log_ticks(low, high, max(rows // 2, 2))
    ]
    for role, points in lines.items():
        _draw(spec, across, points, role, rows)
    if named:
        spec.right = _labels({role: points[-1][1].y for role, points in lines.items()}, spec, rows)
    _mark_knee(spec, series, across)
    return spec, tuple(("●", role, role) for role in reversed(lines))


def cost_curve(series: Series, scenario: str, width: int, height: int) -> Curve:
    """p50 and p99 of one scenario of a sweep against the entries, linear, with the straight line of least squares
    through the p50; and its legend."""
    lines = {role: points for role, measure in _LINES[1:] if (points := _points(series, scenario, measure, 1000.0))}
    if not lines:
        return None, ()
    named = width >= _LABELS_FROM
    spec, across = _frame(series, scenario, width, height, 4 if named else 0)
    rows = max(height - 2, 1)
    _linear(spec, max(map(_highest, lines.values())), rows, milliseconds_label)
    legend: list[LegendItem] = [("●", role, role) for role in reversed(lines)]
    fitted = slope_of(series, scenario)
    if fitted is not None:
        entries = [result.entries_before for _, result in _results(series, scenario)]
        ends = [(value, fitted.start + fitted.slope * value / 1000) for value in (min(entries), max(entries))]
        inside = [(across.x(value), round(min(max(y, 0.0), spec.y_high), 4)) for value, y in ends]
        spec.layers.append(Layer("line", "dim", [([x for x, _ in inside], [y for _, y in inside])]))
        legend.append(("⠤", f"{slope_words(fitted)} ms per 1,000 entries", "dim"))
    for role, points in lines.items():
        _draw(spec, across, points, role, rows)
    if named:
        spec.right = _labels({role: points[-1][1].y for role, points in lines.items()}, spec, rows)
    return spec, tuple(legend)


def _results(series: Series, scenario: str) -> list[tuple[int, ScenarioResult]]:
    """(value on the axis, result) of each step; of a sweep, the entries that there really were."""
    return [
        (result.entries_before if series.kind is SeriesKind.ENTRIES else point.value, result)
        for point in series.points
        for result in point.results
        if result.name == scenario
    ]


def _points(series: Series, scenario: str, measure: str, unit: float) -> list[tuple[int, _Point]]:
    found = []
    for value, result in _results(series, scenario):
        y = typical(result, measure)
        if y is None:
            continue
        spread = spreads(result).get(measure)
        low, high = (spread.ci95_low, spread.ci95_high) if spread is not None else (None, None)
        ends = (None, None) if low is None or high is None else (low / unit, high / unit)
        found.append((value, _Point(round(y / unit, 4), *ends)))
    return found


def _frame(series: Series, scenario: str, width: int, height: int, right: int) -> tuple[GraphSpec, _Across]:
    values = [value for value, _ in _results(series, scenario)]
    columns = max(width - LEFT - right, 4)
    outer = (len(value_label(series.kind, values[-1])) / 2 + 1) / columns
    edge = min(max(_EDGE, outer), _MOST_EDGE)
    across = _Across([float(value) for value in values], series.kind is SeriesKind.PAYLOAD, edge)
    spec = GraphSpec(width, height, across.end, 0.0, 1.0)
    # The last label matters most: those before it stand where they leave each other room.
    free = columns + 1.0
    for value in reversed(values):
        label = value_label(series.kind, value)
        middle = across.x(value) * columns / across.end
        if middle + len(label) / 2 <= free:
            spec.x_ticks.insert(0, (across.x(value), label))
            free = middle - len(label) / 2 - 1
    return spec, across


def _linear(spec: GraphSpec, highest: float, rows: int, label: Callable[[float], str]) -> None:
    ticks = min(max(rows // 2, 2), 6)
    step = nice_step(highest or 1.0, ticks)
    top = math.ceil((highest or 1.0) / step - 1e-9) * step
    spec.y_high = top * headroom(rows)
    count = round(top / step)
    spec.y_ticks = [(step * i, label(round(step * i, 6)).rjust(LEFT - 1)) for i in range(count + 1)]


def _highest(points: list[tuple[int, _Point]]) -> float:
    """The top of what is to be seen: intervals of few runs may be many times as high, and are cut."""
    most = max(point.y for _, point in points)
    return max(most, min(max(point.high or 0.0 for _, point in points), 1.4 * most))


def _draw(spec: GraphSpec, across: _Across, points: list[tuple[int, _Point]], role: str, rows: int) -> None:
    """The line through the points, the confidence interval of each, and the points on top."""
    xs = [across.x(value) for value, _ in points]
    ys = [point.y for _, point in points]
    spec.layers.append(Layer("line", role, [(xs, ys)]))
    bars: tuple[list[float], list[float]] = ([], [])
    for x, (_, point) in zip(xs, points, strict=True):
        if point.low is not None and point.high is not None:
            bars[0].extend((x, x))
            bars[1].extend(min(max(end, spec.y_low), spec.y_high) for end in (point.low, point.high))
    if bars[0]:
        spec.layers.append(Layer("columns", role, [bars], "│"))
    spec.layers.append(Layer("points", role, [(xs, ys)], "●"))


def _labels(values: dict[str, float], spec: GraphSpec, rows: int) -> list[tuple[float, str, str]]:
    """A name beside the last point of each line, as far as each has a row of its own."""

    def row(y: float) -> int:
        low, high = spec.y_low, spec.y_high
        if spec.log:
            y, low, high = math.log10(max(y, low)), math.log10(low), math.log10(high)
        return round((y - low) / (high - low) * (rows - 1))

    taken: set[int] = set()
    labels = []
    for role, y in values.items():
        if row(y) not in taken:
            taken.add(row(y))
            labels.append((y, f" {role}", role))
    return labels


def _mark_knee(spec: GraphSpec, series: Series, across: _Across) -> None:
    knee = knee_of(series)
    if knee is not None:
        spec.marks.append(Mark(across.x(knee.value), f"knee {value_label(series.kind, knee.value)}", "text"))
