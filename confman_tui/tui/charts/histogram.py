"""A run's latency histogram and a drill round's small graph, as specs for the renderer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from confman_tui.core.percentiles import nearest_ranks
from confman_tui.load.histogram import slots_of
from confman_tui.tui.charts.graphs import LEFT, has_half_blocks
from confman_tui.tui.charts.spec import GraphSpec, Layer, Mark
from confman_tui.tui.charts.ticks import headroom, linear_ticks, linear_top, log_ticks, milliseconds_label, rate_label

_PERCENTILES = ((50.0, "p50"), (95.0, "p95"), (99.0, "p99"), (99.9, "p99.9"))


@lru_cache(maxsize=8)
def _counts(histogram_base64: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[str, int], ...]]:
    """((microseconds, count) of each bucket in use), and ((name, microseconds) of the percentiles)."""
    slots = slots_of(histogram_base64)
    if not slots:
        return (), ()
    # HdrHistogram's own method takes another rank, and its marks would stand beside the figures of the table
    ranked = nearest_ranks(slots, [share for share, _ in _PERCENTILES])
    return tuple(slots.items()), tuple((name, value) for (_, name), value in zip(_PERCENTILES, ranked, strict=True))


def percentiles_of(histogram_base64: str) -> tuple[tuple[str, int], ...]:
    """(name, microseconds) of the percentiles that are marked in it."""
    return _counts(histogram_base64)[1]


def histogram_spec(histogram_base64: str, width: int, height: int) -> GraphSpec | None:
    """A column per latency class; classes are equally wide on a logarithmic axis. None for an empty histogram.

    ``histogram_base64`` is an HdrHistogram's V2 encoding of microseconds.
    """
    return _classes_spec(*_counts(histogram_base64), width, height)


def classes_spec(classes: Sequence[tuple[int, int]], width: int, height: int) -> GraphSpec | None:
    """As `histogram_spec`, of (µs, requests) in order; its percentiles are to the width of a class."""
    ranks = nearest_ranks(dict(classes), [share for share, _ in _PERCENTILES]) if classes else []
    names = [name for _, name in _PERCENTILES]
    return _classes_spec(classes, tuple(zip(names, ranks, strict=False)), width, height)


def _classes_spec(
    values: Sequence[tuple[int, int]], percentiles: Sequence[tuple[str, int]], width: int, height: int
) -> GraphSpec | None:
    if not values:
        return None
    columns = max(width - LEFT, 4)
    low = math.log10(max(values[0][0], 1)) - 0.02
    high = max(math.log10(max(values[-1][0], 1)) + 0.02, low + 0.3)
    per_cell = (high - low) / columns
    classes = [0] * columns
    for value, times in values:
        classes[min(max(int((math.log10(max(value, 1)) - low) / per_cell), 0), columns - 1)] += times
    rows = max(height - 2, 1)
    spec = _counted(width, height, high - low, max(classes), rows)
    spec.x_ticks = [
        (math.log10(tick * 1000) - low, milliseconds_label(tick) + ("" if tick >= 1000 else "ms"))
        for tick in log_ticks(10**low / 1000, 10**high / 1000, max(columns // 8, 2))
    ]
    points = [(column, times) for column, times in enumerate(classes) if times]
    spec.layers.append(_columns("bar", points, per_cell, spec.y_high, rows))
    for name, value in percentiles:
        spec.marks.append(Mark(math.log10(max(value, 1)) - low, name, name))
    spec.marks = _apart(spec.marks, columns, high - low)
    return spec


def drill_spec(
    ok_per_tenth: Sequence[tuple[float, int]], marks: Sequence[tuple[float, str]], width: int, height: int
) -> GraphSpec | None:
    """Acknowledged writes per tenth of a second from a fault on; None without any tenth."""
    if not ok_per_tenth:
        return None
    start = min(ok_per_tenth[0][0], 0.0)
    end = max(ok_per_tenth[-1][0] + 0.1, start + 1.0)
    columns, rows = max(width - LEFT, 4), max(height - 2, 1)
    per_cell = (end - start) / columns
    cells = [0.0] * columns
    for at, count in ok_per_tenth:
        first, last = (at - start) / per_cell, (at + 0.1 - start) / per_cell
        for cell in range(max(int(first), 0), min(math.ceil(last), columns)):
            # Its share of the cell, so that a cell of one and a half tenths stands no higher than its neighbour.
            cells[cell] += count * max(min(last, cell + 1) - max(first, cell), 0.0)
    spec = _counted(width, height, end - start, max(cells), rows)
    seconds = range(math.ceil(start), math.floor(end) + 1)
    step = max(1, math.ceil(len(seconds) * 6 / columns))
    spec.x_ticks = [(second - start, f"{second}s") for second in seconds if second % step == 0]
    spec.layers.append(
        _columns("ok", [(i, value) for i, value in enumerate(cells) if value], per_cell, spec.y_high, rows)
    )
    spec.marks.append(Mark(-start, "fault", "warn"))
    spec.marks += [Mark(at - start, text, "good") for at, text in marks if start <= at <= end]
    spec.marks = _apart(spec.marks, columns, end - start)
    return spec


def _counted(width: int, height: int, x_end: float, highest: float, rows: int) -> GraphSpec:
    ticks = min(max(rows // 2, 2), 6)
    top, _ = linear_top(highest, ticks)
    spec = GraphSpec(width, height, x_end, 0.0, top * headroom(rows))
    spec.solid = has_half_blocks()
    spec.y_ticks = [(value, rate_label(value).rjust(LEFT - 1)) for value in linear_ticks(top, ticks)]
    return spec


def _columns(role: str, points: Sequence[tuple[int, float]], per_cell: float, top: float, rows: int) -> Layer:
    """A column of dots in each of these cells; the smallest count still shows as one dot."""
    xs: list[float] = []
    ys: list[float] = []
    dot = top / rows / 4
    for column, value in points:
        height = max(value, dot)
        for side in (0.25, 0.75):
            x = (column + side) * per_cell
            xs += [x, x]
            ys += [dot / 2, max(height - dot / 2, dot / 2)]
    return Layer("columns", role, [(xs, ys)], heavy=True)


def _apart(marks: list[Mark], columns: int, span: float) -> list[Mark]:
    """The marks in order, without the labels that would lie on the next mark."""
    marks = sorted(marks, key=lambda mark: mark.x)
    for mark, following in pairwise(marks):
        if (following.x - mark.x) * columns / span < len(mark.label) + 1:
            mark.label = ""
    return marks
