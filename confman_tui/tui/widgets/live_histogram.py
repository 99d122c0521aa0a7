"""The latency histogram on the dashboard: of the last seconds of a run, then of the whole run."""

from __future__ import annotations

from functools import partial
from typing import Any

from confman_tui.tui.charts.histogram import classes_spec, histogram_spec
from confman_tui.tui.charts.latency_classes import together
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.rows import LATEST_S
from confman_tui.tui.state import UiState
from confman_tui.tui.widgets.graph import Build, Graph


class LiveHistogram(Graph):
    """How often each latency occurred."""

    def __init__(self, renderer: ChartRenderer, **options: Any) -> None:
        super().__init__(renderer, **options)
        self._of = "latency histogram"
        self._stamp: object = None

    @property
    def title(self) -> str:
        return self._of

    def show_of(self, state: UiState) -> None:
        """Show what runs, or the run that ended last; drawn again only when a second or a run ended."""
        row = state.running_row
        if row is not None and row.sample is not None:
            stamp: object = (row.scenario.name, row.sample.end)
            title, build = f"latency · requests per class, last {LATEST_S} s", self._of_seconds(state)
        else:
            done = [row for row in state.rows.values() if row.result is not None and row.result.outcome.histogram]
            row = max(done, key=lambda row: row.result.outcome.ended if row.result else 0.0, default=None)
            if row is None or row.result is None:
                stamp, title, build = None, "latency histogram", None
            else:
                outcome = row.result.outcome
                stamp, title = outcome.ended, f"latency · requests per class, {row.scenario.name}"
                build = partial(histogram_spec, outcome.histogram)
        if self.seen and (stamp != self._stamp or title != self._of):
            self._stamp, self._of = stamp, title
            self.show(build)

    @staticmethod
    def _of_seconds(state: UiState) -> Build | None:
        row = state.running_row
        if row is None:
            return None
        seconds = tuple(row.latest)
        return lambda width, height: classes_spec(together(seconds), width, height)
