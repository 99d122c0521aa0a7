"""A series: its graphs, what they say, and its figures as a table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.results.model import ScenarioResult, Series, SeriesKind
from confman_tui.results.statistics.repeats import runs_of, spreads, typical
from confman_tui.results.statistics.series_shape import knee_of
from confman_tui.results.tables.series_table import noise_lines, stop_words, value_words, verdict_of
from confman_tui.tui import numbers
from confman_tui.tui.charts.curves import Curve, cost_curve, latency_curve, throughput_curve
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.state import UiState
from confman_tui.tui.text import clean, wrap
from confman_tui.tui.widgets.graph import CurveGraph

BESIDE_WIDTH = 104
"""From this width of the screen on, the two graphs stand side by side."""
LOW_HEIGHT = 32
"""Below this height of the screen the graphs are lower, so that figures stand beside them."""
_COLUMNS = (("req/s", "rps", 8), ("p50", "p50_us", 7), ("p95", "p95_us", 7), ("p99", "p99_us", 7), ("max", "max_us", 7))
_FIRST = 11


class SeriesDialog(Dialog[None]):
    """Follows the series while it runs, and shows the last one afterwards."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss_dialog", "Close", show=False),
        Binding("g", "dismiss_dialog", "Close", show=False, id="series"),
    ]

    def __init__(self, state: UiState, renderer: ChartRenderer) -> None:
        super().__init__()
        self._state = state
        self._renderer = renderer
        self._shown: object = None

    def compose(self) -> ComposeResult:
        with Box("", self.reading_keys, wide=True, id="series-text"):
            yield Static(id="series-verdict", markup=False)
            with Container(id="curves"):
                yield CurveGraph(self._renderer, id="first-curve")
                yield CurveGraph(self._renderer, id="second-curve")
            yield Static(id="series-table", markup=False)

    def on_mount(self) -> None:
        self.query_one("#series-text").focus()
        self._show()
        self.set_interval(1.0, self._show)

    def on_resize(self, event: Resize) -> None:
        curves = self.query_one("#curves")
        curves.set_class(event.size.width >= BESIDE_WIDTH, "beside")
        curves.set_class(event.size.height < LOW_HEIGHT, "low")
        self._shown = None
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        series = self._state.series
        if series is None or series is self._shown:
            return
        self._shown = series
        self.query_one(".box").border_title = Content(clean(f"{', '.join(series.scenarios)} against {series.kind}"))
        width = self.query_one("#series-verdict").content_size.width or 60
        self.query_one("#series-verdict", Static).update(Content("\n").join(self._verdict(series, width)))
        for name, (title, build) in zip(("first-curve", "second-curve"), _graphs(series), strict=True):
            self.query_one(f"#{name}", CurveGraph).show_curve(title, build)
        self.query_one("#series-table", Static).update(Content("\n").join(self._table(series, width)))

    def _verdict(self, series: Series, width: int) -> list[Content]:
        look = self.look
        lines = [(line, f"bold {look.accent}") for line in verdict_of(series)]
        done, wanted = len(series.points), len(series.wanted)
        if series.stopped_early:
            lines.append((stop_words(series), look.warn))
        elif done < wanted:
            lines.append((f"{done} of {wanted} steps are over", look.warn))
        return [Content.assemble((text, style)) for words, style in lines for text in wrap(clean(words, 300), width, 4)]

    def _table(self, series: Series, width: int) -> list[Content]:
        lines: list[Content] = []
        for scenario in series.scenarios:
            if len(series.scenarios) > 1:
                lines.append(Content.assemble((scenario, f"bold {self.look.accent}")))
            lines += self._rows(series, scenario, width)
            lines.append(Content(""))
        for words in noise_lines(series):
            lines += [Content.assemble((text, self.look.dim)) for text in wrap(clean(words, 300), width, 3)]
        lines += [Content.assemble((clean(file, 200), self.look.dim)) for file in series.files]
        return lines

    def _rows(self, series: Series, scenario: str, width: int) -> list[Content]:
        look = self.look
        pairs = [(point, result) for point in series.points for result in point.results if result.name == scenario]
        repeated = any(result.repeats for _, result in pairs)
        columns = [*_COLUMNS[:1], *([("± 95 %", "", 8)] if repeated else []), *_COLUMNS[1:], ("failed", "", 8)]
        while len(columns) > 3 and _FIRST + sum(size for _, _, size in columns) > width:
            columns.pop(-2)
        head = f"{series.kind:<{_FIRST}}" + "".join(f"{title:>{size}}" for title, _, size in columns)
        lines = [Content.assemble((head, look.dim))]
        knee = knee_of(series)
        for point, result in pairs:
            entries = series.kind is SeriesKind.ENTRIES
            value = numbers.count(result.entries_before) if entries else _value(series.kind, point.value)
            cells = "".join(f"{_cell(title, measure, result):>{size}}" for title, measure, size in columns)
            mark = "◀" if point is knee else "■" if result.outcome.stopped_early else " "
            style = f"bold {look.accent}" if point is knee else look.text
            lines.append(Content.assemble((f"{value + ' ' + mark:<{_FIRST}}", style), (cells, look.text)))
        return lines


def _value(kind: SeriesKind, value: int) -> str:
    return value_words(kind, value).removesuffix(" users").removesuffix(" user")


def _cell(title: str, measure: str, result: ScenarioResult) -> str:
    if title == "failed":
        return numbers.count(sum(run.failures for run in runs_of(result)))
    if title == "± 95 %":
        spread = spreads(result).get("rps")
        if spread is None or spread.ci95_high is None or not spread.mean:
            return numbers.NOTHING
        return f"{(spread.ci95_high - spread.mean) / spread.mean * 100:.1f} %"
    value = typical(result, measure)
    return numbers.rate(value) if measure == "rps" else numbers.milliseconds(value)


_Titled = tuple[str, Callable[[int, int], Curve]]


def _graphs(series: Series) -> tuple[_Titled, _Titled]:
    if series.kind is SeriesKind.ENTRIES:
        first, second = ((f"{name} · ms", partial(cost_curve, series, name)) for name in series.scenarios)
        return first, second
    return (
        (f"requests/s against {series.kind}", partial(throughput_curve, series)),
        ("latency · ms, log", partial(latency_curve, series)),
    )
