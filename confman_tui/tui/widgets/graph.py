"""The graphs as widgets: they ask the renderer when they can be seen, and keep the last picture until its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, ClassVar

from textual.geometry import Size

from confman_tui.tui.charts.axis import TimeAxis, span_words
from confman_tui.tui.charts.graphs import LatencyPlot, LegendItem, ThroughputPlot
from confman_tui.tui.charts.histogram import drill_spec, histogram_spec
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.charts.spec import GraphSpec, Rows
from confman_tui.tui.charts.strips import Row
from confman_tui.tui.history import History
from confman_tui.tui.widgets.graph_base import PictureWidget, TitlePart

_keys = count(1)


class Graph(PictureWidget):
    """One graph drawn by the renderer's process."""

    DEFAULT_CSS = """
    Graph { width: 1fr; height: 1fr; min-width: 20; min-height: 4; }
    """

    TITLE: ClassVar[str] = ""

    def __init__(
        self,
        renderer: ChartRenderer,
        *,
        legend_in_border: bool = True,
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """``empty_text``: what to say while there is nothing to draw (plain text, lines apart by line breaks)."""
        super().__init__(name=name, id=id, classes=classes)
        self._renderer = renderer
        self._legend_in_border = legend_in_border
        self._empty_text = empty_text
        self._key = f"graph-{next(_keys)}"
        self._build: Callable[[int, int], GraphSpec | None] | None = None
        self._asked: GraphSpec | None = None
        self.legend: tuple[LegendItem, ...] = ()
        """(glyph, word, role) of each series shown; `PictureWidget.color` gives the role's colour."""

    @property
    def empty_text(self) -> str:
        """What the graph says while there is nothing to draw."""
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        if text != self._empty_text:
            self._empty_text = text
            if self._asked is None:
                self._ask()

    def on_mount(self) -> None:
        """Draw what there is: the words for an empty graph, most often."""
        self._ask()

    def on_resize(self) -> None:
        """Ask anew for the new size."""
        self._ask()

    def on_show(self) -> None:
        """Ask for what was not drawn while nobody saw it."""
        self._ask()

    def on_unmount(self) -> None:
        """Want no more answers."""
        self._renderer.forget(self._key)

    def _ask(self) -> None:
        """Have the graph drawn, unless it can't be seen or nothing changed."""
        if not self.seen:
            return
        width, height = self.size
        spec = self._build(width, height) if self._build is not None else None
        self._set_legend()
        if spec is None:
            if self._asked is not None or not self._rows or len(self._rows) != height:
                self._renderer.forget(self._key)
            self._asked = None
            self._paint_words(width, height)
            return
        if spec == self._asked:
            return
        self._asked = spec
        self._renderer.request(self._key, spec, partial(self._answered, spec.roles(), self.size))

    def _answered(self, roles: list[str], size: Size, rows: Rows) -> None:
        """Show the rows, unless the widget's size is another one by now."""
        if size != self.size or self._asked is None:
            return
        numbers = [self.number(_styled(role)) for role in roles]
        for row in rows:
            row[1::2] = [numbers[int(style)] for style in row[1::2]]
        self.paint(list(rows))

    def _paint_words(self, width: int, height: int) -> None:
        lines = [line for line in self._empty_text.split("\n") if len(line) <= width][:height]
        above = (height - len(lines)) // 2
        style = self.number("dim")
        rows: list[Row] = [[" " * width, style] for _ in range(height)]
        for y, line in enumerate(lines, above):
            rows[y] = [line.center(width), style]
        self.paint(rows)

    def _title(self) -> str:
        return self.TITLE

    def _set_legend(self) -> None:
        if not self._legend_in_border:
            return
        room = self.outer_size.width - 6
        subtitle: list[TitlePart] = []
        for glyph, word, role in self.legend:
            text = f"{'  ' if subtitle else ''}{glyph} {word}"
            if len(text) > room:
                break
            room -= len(text)
            subtitle.append((text, role))
        self.set_borders([(self._title(), "")], subtitle)


def _styled(role: str) -> str:
    """The weight with which a role is drawn."""
    return f"{role} bold" if role.startswith("term") else role


class _TimeGraph(Graph):
    """A graph on the dashboard's time axis."""

    PLOT: ClassVar[type[ThroughputPlot] | type[LatencyPlot]]
    MERGED: ClassVar[str]
    """What a point is when it stands for several seconds."""

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self._plot = self.PLOT()

    def show(self, axis: TimeAxis, history: History) -> None:
        """Draw this stretch of the history. Call it when time or data move on; nothing is drawn in vain."""
        self._build = partial(self._spec, axis, history)
        self._ask()

    def _spec(self, axis: TimeAxis, history: History, width: int, height: int) -> GraphSpec | None:
        spec = self._plot.spec(axis, history, width, height)
        self.legend = self._plot.legend
        return spec

    def _title(self) -> str:
        seconds = self._plot.seconds
        return self.TITLE if seconds <= 1 else f"{self.TITLE}, {self.MERGED} of {span_words(seconds)}"


class ThroughputGraph(_TimeGraph):
    """Requests per second: successful ones as an area, failed ones as columns of their cause's glyph."""

    TITLE = "throughput · requests/s"
    PLOT = ThroughputPlot
    MERGED = "mean"


class LatencyGraph(_TimeGraph):
    """Latency percentiles of successful requests, in milliseconds on a logarithmic axis."""

    TITLE = "latency · ms, log"
    PLOT = LatencyPlot
    MERGED = "worst"


class HistogramGraph(Graph):
    """How often each latency occurred, from a run's HdrHistogram."""

    TITLE = "latency histogram · requests per bucket"

    def show(self, histogram_base64: str) -> None:
        """Draw this histogram (`RunOutcome.histogram`)."""
        self._build = partial(histogram_spec, histogram_base64) if histogram_base64 else None
        self._ask()


class DrillStrip(Graph):
    """Acknowledged writes around a fault: one round of a drill, small."""

    TITLE = "acknowledged writes per 0.1 s from the fault"

    def show(self, ok_per_tenth: Sequence[tuple[float, int]], marks: Sequence[tuple[float, str]] = ()) -> None:
        """Draw (seconds from the fault, acknowledged writes in that tenth), with marks at (seconds, text)."""
        tenths, moments = tuple(ok_per_tenth), tuple(marks)
        self._build = partial(drill_spec, tenths, moments) if tenths else None
        self._ask()


class CurveGraph(Graph):
    """Throughput, latency or cost of a series, against what changes in it."""

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self.words = ""
        """What stands in its border."""

    def show(self, build: Callable[[int, int], tuple[GraphSpec | None, tuple[LegendItem, ...]]]) -> None:
        """Draw what ``build`` gives for a width and a height."""

        def spec(width: int, height: int) -> GraphSpec | None:
            drawn, self.legend = build(width, height)
            return drawn

        self._build = spec
        self._ask()

    def _title(self) -> str:
        return self.words
