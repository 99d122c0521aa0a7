"""The drill: its rounds as a table and a strip of small graphs, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from confman_tui.cluster.elections_model import Election
from confman_tui.events import DrillRound
from confman_tui.tui import numbers
from confman_tui.tui.charts.client import ChartRenderer
from confman_tui.tui.dialogs.base import Dialog
from confman_tui.tui.log import fault_words
from confman_tui.tui.state import UiState
from confman_tui.tui.text import clean
from confman_tui.tui.widgets.graph import DrillStrip

STEPS = (
    ("detected", "lost_s"),
    ("elected", "serving_s"),
    ("agree", "agree_s"),
    ("no writes", "without_writes_s"),
    ("90 % after", "recover90_s"),
)
MOST_STRIPS = 10
"""Small graphs of the latest rounds; more would be too small to read."""


class RoundsDialog(Dialog[None]):
    """Follows the drill while it runs."""

    DEFAULT_CSS = """
    RoundsDialog #strips { height: auto; layout: vertical; }
    RoundsDialog .strip { height: 6; }
    RoundsDialog .strip DrillStrip { width: 1fr; height: 6; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,v,enter", "dismiss_dialog", "Close", show=False)]

    def __init__(self, state: UiState, renderer: ChartRenderer) -> None:
        super().__init__()
        self._state = state
        self._renderer = renderer
        self._stamp: tuple[int, object] = (-1, None)

    def compose(self) -> ComposeResult:
        box = Container(classes="box wide")
        box.border_title = Content("election drill")
        box.border_subtitle = Content("esc close")
        with box, VerticalScroll(classes="text", id="rounds-text"):
            yield Static(id="verdict", markup=False)
            yield Static(id="rounds", markup=False)
            yield Vertical(id="strips")

    def on_mount(self) -> None:
        self.query_one("#rounds-text").focus()
        self._show()
        self.set_interval(0.5, self._show)

    def _show(self) -> None:
        drill = self._state.drill
        stamp = (len(drill.rounds), drill.ended)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.query_one("#verdict", Static).update(self._verdict())
        self.query_one("#rounds", Static).update(Content("\n").join(self._table(drill.rounds)))
        strips = self.query_one("#strips", Vertical)
        strips.remove_children()
        shown = [ended for ended in drill.rounds if ended.ok_per_tenth][-MOST_STRIPS:]
        for start in range(0, len(shown), 2):
            pair = shown[start : start + 2]
            graphs = [DrillStrip(self._renderer) for _ in pair]
            strips.mount(Horizontal(*graphs, classes="strip"))
            for graph, ended in zip(graphs, pair, strict=True):
                graph.border_title = Content(f"round {ended.number}")
                graph.show(ended.ok_per_tenth)

    def _verdict(self) -> Content:
        drill, look = self._state.drill, self.look
        if drill.ended is None:
            done = len(drill.rounds)
            total = drill.rounds[-1].total if drill.rounds else 0
            return Content.assemble((f"{done} of {total} rounds are over", f"bold {look.accent}"))
        ended = drill.ended
        good = ended.exit_code == 0
        head = f"{'✓' if good else '✗'} {clean(ended.verdict)}"
        lines = [Content.assemble((head, f"bold {look.good if good else look.alarm}"))]
        if (verified := ended.verification) is not None:
            words = (
                f"{numbers.count(verified.acknowledged)} writes acknowledged, "
                f"{numbers.count(verified.checked)} checked: "
                f"{numbers.count(verified.lost)} lost, {numbers.count(verified.phantom)} phantom, "
                f"{numbers.count(verified.unknown)} unknown ({numbers.count(verified.recovered)} of them there)"
            )
            lines.append(Content.assemble((words, look.text if verified.passed else look.alarm)))
        return Content("\n").join(lines)

    def _table(self, rounds: Sequence[DrillRound]) -> list[Content]:
        look = self.look
        lines = [Content("")]
        head = "".join(f"{name:>11}" for name, _ in STEPS)
        lines.append(Content.assemble((f"{'round':<8}{'fault':<22}{head}", look.dim)))
        for ended in rounds:
            fault = fault_words(ended.fault, self._state.names) if ended.fault else "—"
            start = f"{ended.number:<8}{fault:<22}"
            if not ended.judged:
                reason = f" not judged: {clean(ended.reason, 80)}"
                lines.append(Content.assemble((start, look.dim), (reason, look.warn)))
                continue
            cells = "".join(f"{_step(ended.election, field):>11}" for _, field in STEPS)
            lines.append(Content.assemble((start, look.text), (cells, look.strong)))
        judged = [ended.election for ended in rounds if ended.judged and ended.election is not None]
        if len(judged) > 1:
            for name, take in (("least", min), ("median", median), ("p95", _p95), ("most", max)):
                cells = ""
                for _, field in STEPS:
                    values = [value for election in judged if (value := getattr(election, field)) is not None]
                    cells += f"{numbers.short_seconds(take(values)) if values else '—':>11}"
                lines.append(Content.assemble((f"{'':<8}{name:<22}", look.dim), (cells, look.text)))
        lines.append(Content(""))
        return lines


def _step(election: Election | None, field: str) -> str:
    value = getattr(election, field) if election is not None else None
    return "—" if value is None else numbers.short_seconds(value)


def _p95(values: Sequence[float]) -> float:
    """The nearest-rank 95th percentile."""
    ordered = sorted(values)
    return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]
