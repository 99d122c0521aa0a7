"""What the throughput and the latency graph show of the history on a time axis: pure, no screen, no plotext."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

from confman_tui.load.run_model import CAUSE_WORDS
from confman_tui.tui.charts.axis import TimeAxis, clock_words
from confman_tui.tui.charts.marks import keep_apart, mark_outages
from confman_tui.tui.charts.palette import CAUSE_GLYPHS, CAUSE_ROLES, term_role
from confman_tui.tui.charts.spec import GraphSpec, Layer, LayerKind, Mark, label_start
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
MOST_APART_S = 0.5
"""Samples further apart than this have time between them of which nothing is known."""
LEFT = 5
"""Columns of the value labels and the axis: always the same, so that the picture does not shift sideways."""
_LABELS_FROM = 46
"""Narrowest graph whose right edge names the series."""

LegendItem = tuple[str, str, str]
"""(glyph, word, role)."""


def has_half_blocks() -> bool:
    """Whether the terminal shows half blocks and quadrants; the consoles of Linux and the oldest ones have neither."""
    return os.environ.get("TERM", "") not in ("linux", "vt100", "vt102", "vt220")


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
        self._view: object = None

    def _seen_anew(self, axis: TimeAxis) -> bool:
        """Whether a person zoomed or scrolled since the last time: the scale then follows what is to be seen now."""
        anew, self._view = axis.view != self._view, axis.view
        return anew

    def _frame(self, axis: TimeAxis, history: History, width: int, height: int, right: int) -> GraphSpec:
        columns = max(width - LEFT - right, 4)
        spec = GraphSpec(width, height, axis.span, 0.0, 1.0)
        spec.x_ticks = time_ticks(axis, columns)
        spec.solid = has_half_blocks()
        spec.left_out = [
            (round(max(begin - axis.start, 0.0), 3), round(min(end, axis.end) - axis.start, 3))
            for begin, end in history.warmups(axis.start, axis.end, axis.now)
        ]
        spec.marks += [
            Mark(
                round(change.at - axis.start, 3),
                "" if change.term is None else f"T{change.term}",
                term_role(change.term),
            )
            for change in history.changes(axis.start, axis.end)
        ]
        mark_outages(spec, axis, history, columns)
        keep_apart(spec.marks, columns, axis.span)
        self._name_scenarios(spec, axis, history, columns)
        return spec

    def _name_scenarios(self, spec: GraphSpec, axis: TimeAxis, history: History, columns: int) -> None:
        """Each scenario's name where it starts, where there is room beside other labels and before the next mark."""
        spans = history.scenarios(axis.start, axis.end)
        starts = [(label_start(mark, axis.span, columns), len(mark.label)) for mark in spec.marks if mark.label]
        taken = sorted([mark.x for mark in spec.marks] + [span.start - axis.start for span in spans])
        for span in spans:
            x = max(span.start - axis.start, 0.0)
            following = next((other for other in taken if other > x + 1e-6), axis.span)
            name = Mark(round(x, 3), span.name, "dim", line=False)
            first = label_start(name, axis.span, columns)
            free = all(first > start + length or first + len(span.name) < start for start, length in starts)
            if free and (following - x) * columns / axis.span >= len(span.name) + 1:
                spec.marks.append(name)

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
        """(xs, ys) of each stretch without a gap; with ``edges`` a stretch fills its first and last second.

        Nothing is drawn over time of which there is no figure: a stretch ends where seconds are missing, or had no
        success to show; a sample that holds a stall is level from its start to its end, a stretch of its own; and
        throughput falls to zero, and rises from it, at the second's edge.
        """
        runs: list[tuple[list[float], list[float]]] = []
        last: SecondsBucket | None = None
        for bucket in buckets:
            y = value(bucket)
            if y is None:
                last = None
                continue
            start, end = round(bucket.start - axis.start, 3), round(bucket.end - axis.start, 3)
            if last is None or not _together(last, bucket):
                runs.append(([start], [y]) if edges or bucket.stood_still else ([], []))
            elif edges and (runs[-1][1][-1] == 0) is not (y == 0):
                runs.append(([start], [y]))
            elif edges:
                # drawn up to here before the next one was known
                _cut_back(runs[-1])
            runs[-1][0].append(round((start + end) / 2, 3))
            runs[-1][1].append(round(y, 3))
            if edges or bucket.stood_still:
                _level_to(runs[-1], end)
            last = bucket
        return runs


def _ok(bucket: SecondsBucket) -> float:
    return bucket.ok_rate


def _together(last: SecondsBucket, bucket: SecondsBucket) -> bool:
    """Whether a line may lead from one to the next: no time is missing between them, and neither holds any."""
    apart = bucket.start - last.end > MOST_APART_S or bucket.scenario != last.scenario
    return not apart and not last.stood_still and not bucket.stood_still


def _level_to(run: tuple[list[float], list[float]], x: float) -> None:
    run[0].append(x)
    run[1].append(run[1][-1])


def _cut_back(run: tuple[list[float], list[float]]) -> None:
    run[0].pop()
    run[1].pop()


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
        if self._seen_anew(axis):
            self._scale.forget()
        top = self._scale.fit(highest, ticks, axis.now)
        spec.y_ticks = [(value, rate_label(value).rjust(LEFT - 1)) for value in linear_ticks(top, ticks)]
        spec.y_high = top * headroom(rows)
        legend: list[LegendItem] = []
        for word, role, warmup in (("ok", "ok", False), ("warm-up", "dim", True)):
            runs = self._runs(axis, [bucket for bucket in buckets if (bucket.scenario == WARMUP) is warmup], _ok, True)
            if runs or not warmup:
                spec.layers.append(Layer("area", role, runs))
                legend.append(("█" if spec.solid else "⣿", word, role))
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
            spec.layers.append(Layer("columns", CAUSE_ROLES[cause], [run], CAUSE_GLYPHS[cause]))
        shown = [CAUSES[index] for index in sorted(points)]
        return [(CAUSE_GLYPHS[cause], CAUSE_WORDS[cause], CAUSE_ROLES[cause]) for cause in shown]


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
        buckets = self._buckets(axis, history)
        known = [bucket for bucket in buckets if bucket.max_us is not None]
        if not known:
            self.legend = ()
            return None
        named = width >= _LABELS_FROM
        spec = self._frame(axis, history, width, height, right=4 if named else 0)
        rows = max(height - 2, 1)
        lowest = min((bucket.p50_us or 1) for bucket in known) / 1000
        highest = max((bucket.max_us or 1) for bucket in known) / 1000
        spec.log = True
        if self._seen_anew(axis):
            self._scale.forget()
        low, high = self._scale.fit(max(lowest, 0.001), max(highest, 0.002), axis.now)
        ticks = log_ticks(low, high, max(rows // 2, 2))
        spec.y_ticks = [(value, milliseconds_label(value).rjust(LEFT - 1)) for value in ticks]
        spec.y_low, spec.y_high = low, low * (high / low) ** headroom(rows)
        lasts: list[tuple[float, str]] = []
        for name, get in _PERCENTILES:
            runs = self._runs(axis, buckets, _in_ms(get))
            # The greatest come last: a peak must not lie under a line.
            kind: LayerKind = "points" if name == "max" else "line"
            spec.layers.insert(0, Layer(kind, name, runs, _GLYPHS[name], heavy=name == "p99"))
            if runs:
                lasts.append((runs[-1][1][-1], name))
        if named:
            spec.right = spread_labels(lasts, spec.y_low, spec.y_high, rows)
        heavy = "▄" if spec.solid else "⠤"
        glyphs = {"max": "•", "p99": heavy}
        self.legend = tuple((glyphs.get(name, "⠤"), name, name) for name, _ in reversed(_PERCENTILES))
        return spec


def _in_ms(get: Callable[[SecondsBucket], int | None]) -> Callable[[SecondsBucket], float | None]:
    def value(bucket: SecondsBucket) -> float | None:
        microseconds = get(bucket)
        return None if microseconds is None else max(microseconds, 1) / 1000

    return value


def spread_labels(values: list[tuple[float, str]], low: float, high: float, rows: int) -> list[tuple[float, str, str]]:
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
