"""One scenario in full: percentiles, causes of failure, nodes, histogram."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.tui.charts.histogram import histogram_spec
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.rows import Row
from confman_tui.tui.screens.details_figures import figures
from confman_tui.tui.screens.details_outcome import outcome
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.widgets.graph import HistogramGraph

BESIDE_WIDTH = 104
"""From this width of the screen on, the histogram stands beside the figures."""


class DetailsDialog(Dialog[None]):
    """A scenario's figures: of the run so far, or of the run that ended."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "dismiss_dialog", "Close", show=False)]

    def __init__(self, row: Row, names: Mapping[str, str], renderer: ChartRenderer) -> None:
        super().__init__()
        self._row = row
        self._names = names
        self._renderer = renderer
        self._shown: object = None

    def compose(self) -> ComposeResult:
        with Box(self._row.scenario.name, self.reading_keys, wide=True, id="details-text"), Container(id="columns"):
            yield Static(id="figures", markup=False)
            with Container(id="right"):
                if self._row.result is not None and self._row.result.outcome.histogram:
                    yield HistogramGraph(self._renderer, id="histogram")
                yield Static(id="rest", markup=False)

    def on_mount(self) -> None:
        self.query_one("#details-text").focus()
        self._show()
        self.set_interval(1.0, self._show)
        result = self._row.result
        if result is not None and result.outcome.histogram:
            self.query_one(HistogramGraph).show(partial(histogram_spec, result.outcome.histogram))

    def on_resize(self, event: Resize) -> None:
        self.query_one("#columns").set_class(event.size.width >= BESIDE_WIDTH, "beside")

    def _show(self) -> None:
        stamp = (self._row.requests, self._row.result)
        if stamp != self._shown:
            self._shown = stamp
            for name, build in (("figures", figures), ("rest", outcome)):
                lines = build(self._row, self._names, self.look)
                self.query_one(f"#{name}", Static).update(Content("\n").join(lines))
