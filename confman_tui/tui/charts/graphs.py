"""What the throughput and the latency graph show of the history on a time axis: pure, no screen, no plotext."""

from __future__ import annotations

import math
from collections.abc import Callable

from confman_tui.load.run_model import CAUSE_WORDS
from confman_tui.tui.charts.axis import TimeAxis, clock_words
from confman_tui.tui.charts.palette import CAUSE_GLYPHS, term_role
from confman_tui.tui.charts.spec import GraphSpec, Layer, Mark
from confman_tui.tui.charts.ticks import (
    LinearScale,
    LogScale,
    headroom,
    linear_ticks,
    log_ticks,
    milliseconds_label,
    rate_label,
    time_step,
)
from confman_tui.tui.history.history import History
from confman_tui.tui.history.moments import WARMUP
from confman_tui.tui.history.samples import CAUSES, SecondsBucket

MOST_POINTS = 120
"""Points per series; more cost time and show nothing."""
_BUCKETS = (1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
LEFT = 5
"""Columns of the value labels and the axis: always the same, so that the picture does not shift sideways."""
_LABELS_FROM = 46
"""Narrowest graph whose right edge names the series."""

LegendItem = tuple[str, str, str]
"""(glyph, word, role)."""


def bucket_seconds(span: float) -> float:
    """Seconds that one point stands for on an axis of that length."""
    for seconds in _BUCKETS:
        if span / seconds <= MOST_POINTS:
            return seconds
    return _BUCKETS[-1]


def time_ticks(axis: TimeAxis, columns: int) -> list[tuple[float, str]]:
    """(seconds from the axis' start, label): relative to now while live, else times of day."""
    if axis.live:
        step = time_step(axis.span, columns)
        count = math.floor(axis.span / step)
        ticks = [(axis.span - step * i, _ago(step * i, step % 60 == 0)) for i in range(count, -1, -1)]
        return [tick for tick in ticks if tick[0] > 0]
    step = time_step(axis.span, columns, room=12)
    first = math.ceil(axis.start / step) * step
    moments = [first + step * i for i in range(math.floor((axis.end - first) / step) + 1)]
    return [(at - axis.start, clock_words(at)) for at in moments]


def _ago(seconds: float, minutes: bool) -> str:
    if seconds == 0:
        return "now"
    return f"-{seconds / 60:.0f}m" if minutes else f"-{seconds:.0f}s"


class _TimeGraph:
    """What both graphs over time have in common."""

    def __init__(self) -> None:
        self.legend: tuple[LegendItem, ...] = ()
        """What the last spec shows, for a legend outside the picture."""
        self.seconds = 1.0
        """Seconds that each point of the last spec stands for."""

    def _frame(self, axis: TimeAxis, history: History, width: int, height: int, right: int) -> GraphSpec:
        columns = max(width - LEFT - right, 4)
        spec = GraphSpec(width, height, axis.span, 0.0, 1.0)
        spec.x_ticks = time_ticks(axis, columns)
        spec.bands = [
            (round(begin - axis.start, 3), round(end - axis.start, 3))
            for begin, end in history.bands(axis.start, axis.end, axis.now)
        ]
        spec.left_out = [
            (round(max(begin - axis.start, 0.0), 3), round(min(end, axis.end) - axis.start, 3))
            for begin, end in history.warmups(axis.start, axis.end, axis.now)
        ]
        changes = history.changes(axis.start, axis.end)
        for index, change in enumerate(changes):
            x = change.at - axis.start
            following = changes[index + 1].at - axis.start if index + 1 < len(changes) else axis.span
            label = "" if change.term is None else f"T{change.term}"
            if (following - x) * columns / axis.span < len(label) + 1:
                label = ""
            spec.marks.append(Mark(round(x, 3), label, term_role(change.term)))
        self._name_scenarios(spec, axis, history, columns)
        return spec

    def _name_scenarios(self, spec: GraphSpec, axis: TimeAxis, history: History, columns: int) -> None:
        """Each scenario's name where it starts, as far as there is room before the next mark."""
        spans = history.scenarios(axis.start, axis.end)
        taken = sorted([mark.x for mark in spec.marks] + [span.start - axis.start for span in spans])
        for span in spans:
            x = max(span.start - axis.start, 0.0)
            following = next((other for other in taken if other > x + 1e-6), axis.span)
            if (following - x) * columns / axis.span >= len(span.name) + 1:
                spec.marks.append(Mark(round(x, 3), span.name, "dim", line=False))

    def _buckets(self, axis: TimeAxis, history: History) -> list[SecondsBucket]:
        self.seconds = bucket_seconds(axis.span)
        return history.samples(axis.start, axis.end, self.seconds)

    def _runs(
        self,
        axis: TimeAxis,
        buckets: list[SecondsBucket],
        value: Callable[[SecondsBucket], float | None],
        edges: bool = False,
    ) -> list[tuple[list[float], list[float]]]:
        """(xs, ys) of each stretch without a gap; with ``edges`` a stretch fills its first and last second."""
        runs: list[tuple[list[float], list[float]]] = []
        last: SecondsBucket | None = None
        for bucket in buckets:
            y = value(bucket)
            if y is None:
                last = None
                continue
            middle = round((bucket.start + bucket.end) / 2 - axis.start, 3)
            together = (
                last is not None and bucket.scenario == last.scenario and bucket.start - last.end < 1.6 * self.seconds
            )
            if not together:
                if edges and last is not None:
                    _close(runs[-1], last.end - axis.start)
                runs.append(([round(bucket.start - axis.start, 3)], [y]) if edges else ([], []))
            runs[-1][0].append(middle)
            runs[-1][1].append(round(y, 3))
            last = bucket
        if edges and runs and last is not None:
            _close(runs[-1], last.end - axis.start)
        return runs


def _ok(bucket: SecondsBucket) -> float:
    return bucket.ok_rate


def _close(run: tuple[list[float], list[float]], x: float) -> None:
    run[0].append(round(x, 3))
    run[1].append(run[1][-1])


class ThroughputPlot(_TimeGraph):
    """Requests per second: the successful as an area, the failed as columns of their cause's glyph."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = LinearScale()

    def spec(self, axis: TimeAxis, history: History, width: int, height: int) -> GraphSpec | None:
        """The graph to draw; None when no request falls into this stretch."""
        buckets = self._buckets(axis, history)
        if not buckets:
            self.legend = ()
            return None
        spec = self._frame(axis, history, width, height, right=0)
        rows = max(height - 2, 1)
        highest = max(max(bucket.ok_max, bucket.failed_max) for bucket in buckets)
        ticks = min(max(rows // 2, 2), 6)
        top = self._scale.fit(highest, ticks, axis.now)
        spec.y_ticks = [(value, rate_label(value).rjust(LEFT - 1)) for value in linear_ticks(top, ticks)]
        spec.y_high = top * headroom(rows)
        legend: list[LegendItem] = []
        for word, role, warmup in (("ok", "ok", False), ("warm-up", "dim", True)):
            runs = self._runs(axis, [bucket for bucket in buckets if (bucket.scenario == WARMUP) is warmup], _ok, True)
            if runs or not warmup:
                spec.layers.append(Layer("area", role, runs))
                legend.append(("⣿", word, role))
        if self.seconds > 1:
            best = self._runs(axis, buckets, lambda bucket: float(bucket.ok_max))
            spec.layers.append(Layer("points", "peak", best))
            legend.append(("⠂", f"best of {self.seconds:.0f} s", "peak"))
        legend += self._failures(spec, axis, buckets, width, rows)
        self.legend = tuple(legend)
        return spec

    def _failures(
        self, spec: GraphSpec, axis: TimeAxis, buckets: list[SecondsBucket], width: int, rows: int
    ) -> list[LegendItem]:
        """A column per cell that a bucket with failures covers, its causes one on the other, each at least a cell."""
        columns = max(width - LEFT, 1)
        per_cell, per_row = axis.span / columns, spec.y_high / rows
        points: dict[int, tuple[list[float], list[float]]] = {}
        counts: dict[int, int] = {}
        for bucket in buckets:
            total = sum(bucket.failed)
            if not total:
                continue
            share = bucket.failed_max / total
            first = math.floor((bucket.start - axis.start) / per_cell + 0.5)
            last = max(math.floor((bucket.end - axis.start) / per_cell + 0.5) - 1, first)
            base = 0
            for index, count in enumerate(bucket.failed):
                if not count:
                    continue
                counts[index] = counts.get(index, 0) + count
                cells = max(round(count * share / per_row), 1)
                low, high = (base + 0.5) * per_row, (min(base + cells, rows) - 0.5) * per_row
                if base >= rows:
                    break
                base += cells
                xs, ys = points.setdefault(index, ([], []))
                for column in range(max(first, 0), min(last, columns - 1) + 1):
                    x = round((column + 0.5) * per_cell, 3)
                    xs += [x, x]
                    ys += [low, high]
        for index, run in sorted(points.items()):
            cause = CAUSES[index]
            spec.layers.append(Layer("columns", cause.value, [run], CAUSE_GLYPHS[cause]))
        return [
            (CAUSE_GLYPHS[CAUSES[index]], f"{CAUSE_WORDS[CAUSES[index]]} {count:,}", CAUSES[index].value)
            for index, count in sorted(counts.items())
        ]


_PERCENTILES: tuple[tuple[str, Callable[[SecondsBucket], int | None]], ...] = (
    ("max", lambda bucket: bucket.max_us),
    ("p99", lambda bucket: bucket.p99_us),
    ("p95", lambda bucket: bucket.p95_us),
    ("p50", lambda bucket: bucket.p50_us),
)
_GLYPHS = {"max": "•", "p99": "", "p95": "", "p50": ""}


class LatencyPlot(_TimeGraph):
    """Latency of successful requests in milliseconds on a logarithmic axis; each point the worst of its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = LogScale()

    def spec(self, axis: TimeAxis, history: History, width: int, height: int) -> GraphSpec | None:
        """The graph to draw; None when no successful request falls into this stretch."""
        buckets = [bucket for bucket in self._buckets(axis, history) if bucket.max_us is not None]
        if not buckets:
            self.legend = ()
            return None
        named = width >= _LABELS_FROM
        spec = self._frame(axis, history, width, height, right=4 if named else 0)
        rows = max(height - 2, 1)
        lowest = min((bucket.p50_us or 1) for bucket in buckets) / 1000
        highest = max((bucket.max_us or 1) for bucket in buckets) / 1000
        spec.log = True
        low, high = self._scale.fit(max(lowest, 0.001), max(highest, 0.002), axis.now)
        ticks = log_ticks(low, high, max(rows // 2, 2))
        spec.y_ticks = [(value, milliseconds_label(value).rjust(LEFT - 1)) for value in ticks]
        spec.y_low, spec.y_high = low, low * (high / low) ** headroom(rows)
        lasts: list[tuple[float, str]] = []
        for name, get in _PERCENTILES:
            runs = self._runs(axis, buckets, _in_ms(get))
            # The greatest come last: a peak must not lie under a line.
            spec.layers.insert(0, Layer("points" if name == "max" else "line", name, runs, _GLYPHS[name]))
            if runs:
                lasts.append((runs[-1][1][-1], name))
        if named:
            spec.right = _spread_labels(lasts, spec.y_low, spec.y_high, rows)
        self.legend = tuple((("•" if name == "max" else "⠤"), name, name) for name, _ in reversed(_PERCENTILES))
        return spec


def _in_ms(get: Callable[[SecondsBucket], int | None]) -> Callable[[SecondsBucket], float | None]:
    def value(bucket: SecondsBucket) -> float | None:
        microseconds = get(bucket)
        return None if microseconds is None else max(microseconds, 1) / 1000

    return value


def _spread_labels(values: list[tuple[float, str]], low: float, high: float, rows: int) -> list[tuple[float, str, str]]:
    """(y, text, role) of a label beside each value, greatest first, each on a row of its own."""
    if rows < len(values):
        values = values[-rows:]
    span = math.log10(high / low)
    wanted = [min(max(int(math.log10(value / low) / span * rows), 0), rows - 1) for value, _ in values]
    for index in range(1, len(wanted)):
        wanted[index] = min(wanted[index], wanted[index - 1] - 1)
    floor = 0
    for index in range(len(wanted) - 1, -1, -1):
        wanted[index] = max(wanted[index], floor)
        floor = wanted[index] + 1
    return [
        (low * 10 ** ((row + 0.5) / rows * span), f" {name}", name)
        for row, (_, name) in zip(wanted, values, strict=True)
    ]
