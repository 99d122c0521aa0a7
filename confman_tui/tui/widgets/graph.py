"""The graphs as widgets: they ask the renderer when they can be seen, and keep the last picture until its answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, ClassVar

from confman_tui.tui.charts.axis import TimeAxis, span_words
from confman_tui.tui.charts.curves import Curve
from confman_tui.tui.charts.graphs import LatencyPlot, LegendItem, ThroughputPlot
from confman_tui.tui.charts.health import HealthPlot
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.charts.spec import GraphSpec
from confman_tui.tui.charts.strips import Row
from confman_tui.tui.history.history import History
from confman_tui.tui.widgets.graph_base import PictureWidget, TitlePart

Build = Callable[[int, int], GraphSpec | None]
"""Gives the graph for a width and a height; None when there is nothing to draw."""

_keys = count(1)


class Graph(PictureWidget):
    """One graph drawn by the renderer's process.

    Our own: Textual has no widget for plots, and a plot drawn in this process would hold up the load.
    """

    TITLE: ClassVar[str] = ""

    def __init__(
        self, renderer: ChartRenderer, *, empty_text: str = "", long_text: str = "", id: str | None = None
    ) -> None:
        """``empty_text``: what to say while there is nothing to draw (plain text, lines apart by line breaks);
        ``long_text``: what to say instead where there is room for all of it."""
        super().__init__(id=id)
        self._long_text = long_text
        self._renderer = renderer
        self._empty_text = empty_text
        self._key = f"graph-{next(_keys)}"
        self._build: Build | None = None
        self._asked: GraphSpec | None = None
        """What is drawn, or will be when the renderer answers."""

    @property
    def legend(self) -> tuple[LegendItem, ...]:
        """(glyph, word, role) of each series shown; `PictureWidget.color` gives the role's colour."""
        return ()

    @property
    def title(self) -> str:
        """What stands in the border."""
        return self.TITLE

    def on_mount(self) -> None:
        """Draw what there is: the words for an empty graph, most often."""
        self.show(self._build)

    def on_resize(self) -> None:
        """Ask anew for the new size."""
        self.show(self._build)

    def on_show(self) -> None:
        """Ask for what was not drawn while nobody saw it."""
        self.show(self._build)

    def on_unmount(self) -> None:
        """Want no more answers."""
        self._renderer.forget(self._key)

    def show(self, build: Build | None) -> None:
        """Have what ``build`` gives drawn, unless it can't be seen or nothing changed."""
        self._build = build
        if not self.seen:
            return
        width, height = self.size
        spec = build(width, height) if build is not None else None
        if spec is None or spec == self._asked or self._titles is None:
            self._set_legend()
        if spec is None:
            if self._asked is not None or not self._rows or len(self._rows) != height:
                self._renderer.forget(self._key)
            self._asked = None
            self._paint_words(width, height)
        elif spec != self._asked:
            self._asked = spec
            answer = partial(self.paint, roles=[_styled(role) for role in spec.roles()], size=self.size)
            self._renderer.request(self._key, spec, answer)

    def on_painted(self) -> None:
        """The legend changes with its picture: each change by itself would be a composition of its own."""
        self._set_legend()

    def _paint_words(self, width: int, height: int) -> None:
        lines = self._long_text.split("\n")
        if not self._long_text or len(lines) > height or max(map(len, lines)) > width:
            lines = [line for line in self._empty_text.split("\n") if len(line) <= width][:height]
        above = (height - len(lines)) // 2
        style = self.number("dim")
        rows: list[Row] = [[" " * width, style] for _ in range(height)]
        for y, line in enumerate(lines, above):
            rows[y] = [line.center(width), style]
        self.paint(rows)

    def _set_legend(self) -> None:
        room = self.outer_size.width - 6
        subtitle: list[TitlePart] = []
        for glyph, word, role in self.legend:
            text = f"{'  ' if subtitle else ''}{glyph} {word}"
            if len(text) > room:
                break
            room -= len(text)
            subtitle.append((text, role))
        self.set_borders([(self.title, "")], subtitle)


def _styled(role: str) -> str:
    """The weight with which a role is drawn."""
    return f"{role} bold" if role.startswith("term") or role == "p99" else role


class TimeGraph(Graph):
    """A graph on the dashboard's time axis: `show` it what its ``plot`` gives for an axis and a history."""

    PLOT: ClassVar[type[ThroughputPlot] | type[LatencyPlot]]
    MERGED: ClassVar[str]
    """What a point is when it stands for several seconds."""

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self.plot = self.PLOT()

    @property
    def legend(self) -> tuple[LegendItem, ...]:
        return self.plot.legend

    @property
    def title(self) -> str:
        seconds = self.plot.seconds
        return self.TITLE if seconds <= 1 else f"{self.TITLE}, {self.MERGED} of {span_words(seconds)}"


class ThroughputGraph(TimeGraph):
    """Requests per second: successful ones as an area, failed ones as columns of their cause's glyph."""

    TITLE = "throughput · requests/s"
    PLOT = ThroughputPlot
    MERGED = "mean"


class LatencyGraph(TimeGraph):
    """Latency percentiles of successful requests, in milliseconds on a logarithmic axis."""

    TITLE = "latency · ms, log"
    PLOT = LatencyPlot
    MERGED = "worst"

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self._health = HealthPlot()
        self._idle = False

    @property
    def legend(self) -> tuple[LegendItem, ...]:
        return self._health.legend if self._idle else self.plot.legend

    @property
    def title(self) -> str:
        return self._health.TITLE if self._idle else super().title

    def show_over(self, axis: TimeAxis, history: History, names: dict[str, str]) -> None:
        """Show the requests of this stretch or, where none was made, how fast the nodes answered the watch."""

        def spec(width: int, height: int) -> GraphSpec | None:
            drawn = self.plot.spec(axis, history, width, height)
            health = self._health.spec(axis, history, names, width, height) if drawn is None else None
            self._idle = health is not None
            return drawn if health is None else health

        self.show(spec)


class HistogramGraph(Graph):
    """How often each latency occurred, from a run's HdrHistogram."""

    TITLE = "latency histogram · requests per bucket"


class DrillStrip(Graph):
    """Acknowledged writes around a fault: one round of a drill, small."""

    TITLE = "acknowledged writes per 0.1 s from the fault"


class CurveGraph(Graph):
    """Throughput, latency or cost of a series, against what changes in it."""

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self._title = ""
        self._legend: tuple[LegendItem, ...] = ()

    @property
    def legend(self) -> tuple[LegendItem, ...]:
        return self._legend

    @property
    def title(self) -> str:
        return self._title

    def show_curve(self, title: str, build: Callable[[int, int], Curve]) -> None:
        """Draw what ``build`` gives for a width and a height, under this title."""

        def spec(width: int, height: int) -> GraphSpec | None:
            drawn, self._legend = build(width, height)
            return drawn

        self._title = title
        self.show(spec)
