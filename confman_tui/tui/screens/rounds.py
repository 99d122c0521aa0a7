"""The drill: its rounds as a table and a strip of small graphs, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.core.errors import EXIT_OK, EXIT_UNJUDGED
from confman_tui.results.statistics.drill_rounds import distribution, spread_rows
from confman_tui.results.tables.sentences import nodes_words
from confman_tui.session.events import DrillRound
from confman_tui.tui import numbers
from confman_tui.tui.charts.histogram import drill_spec
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.election_card import STEPS as ELECTION_STEPS
from confman_tui.tui.election_card import bar, common_scale, seconds_of
from confman_tui.tui.log import fault_words
from confman_tui.tui.node_names import name_of
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.state import UiState
from confman_tui.tui.text import clean, fit, wrap
from confman_tui.tui.widgets.graph import DrillStrip

RETURN = "return_s"
STEPS = (
    ("detected", "detected_s"),
    ("elected", "serving_s"),
    ("agree", "agree_s"),
    ("write", "first_write_s"),
    ("90 %", "recover90_s"),
    ("no writes", "without_writes_s"),
    ("return", RETURN),
)
"""Moments, in seconds from the fault, and then two lengths: for how long no write was possible, and how long the node
took to catch up once the fault had ended."""
_SHORT = {"no writes": "unserved"}
_SPARE = ("agree_s", "detected_s", "recover90_s", "first_write_s")
"""Steps that a narrow table leaves out, in this order."""
_ROUND, _FAULT = 8, 15
"""Columns of a round's number and of its fault: ``isolate :12345`` and a gap."""
MOST_STRIPS = 10
"""Small graphs of the latest rounds; more would be too small to read."""


BESIDE_WIDTH = 100
"""From this width of the screen on, two small graphs stand side by side."""


def aligned(rounds: Sequence[DrillRound]) -> list[tuple[tuple[float, int], ...]]:
    """Each round's points over the stretch around the fault that all rounds cover, so that their time axes agree."""
    if not rounds:
        return []
    start = max(ended.ok_per_tenth[0][0] for ended in rounds)
    end = min(ended.ok_per_tenth[-1][0] for ended in rounds)
    if end <= max(start, 0.0):
        return [ended.ok_per_tenth for ended in rounds]
    return [tuple(point for point in ended.ok_per_tenth if start <= point[0] <= end) for ended in rounds]


class RoundsDialog(Dialog[None]):
    """Follows the drill while it runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss_dialog", "Close", show=False),
        Binding("v", "dismiss_dialog", "Close", show=False, id="rounds"),
    ]

    def __init__(self, state: UiState, renderer: ChartRenderer) -> None:
        super().__init__()
        self._state = state
        self._renderer = renderer
        self._stamp: tuple[int, object] = (-1, None)

    def compose(self) -> ComposeResult:
        with Box("election drill", self.reading_keys, wide=True, id="rounds-text"):
            yield Static(id="verdict", markup=False)
            yield Static(id="rounds", markup=False)
            yield Grid(id="strips")

    def on_mount(self) -> None:
        self.query_one("#rounds-text").focus()
        self._show()
        self.set_interval(0.5, self._show)

    def _show(self) -> None:
        done = self._state.drill_rounds
        stamp = (len(done), self._state.drill_ended)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.query_one("#verdict", Static).update(self._verdict())
        rounds = self.query_one("#rounds", Static)
        width = rounds.content_size.width or 60
        rounds.update(Content("\n").join(self._table(done, width)))
        shown = [ended for ended in done if ended.ok_per_tenth][-MOST_STRIPS:]
        strips = self.query_one("#strips", Grid)
        strips.remove_children()
        graphs = [DrillStrip(self._renderer) for _ in shown]
        labels = [Static(Content(f"round {ended.number}"), markup=False) for ended in shown]
        strips.mount(*(Vertical(*pair, classes="round") for pair in zip(labels, graphs, strict=True)))
        for graph, points in zip(graphs, aligned(shown), strict=True):
            graph.show(partial(drill_spec, points, ()))

    def on_resize(self, event: Resize) -> None:
        self.query_one("#strips").set_class(event.size.width >= BESIDE_WIDTH, "beside")
        self._stamp = (-1, None)
        self.call_after_refresh(self._show)

    def _verdict(self) -> Content:
        done, ended, look = self._state.drill_rounds, self._state.drill_ended, self.look
        if ended is None:
            total = done[-1].total if done else 0
            return Content.assemble((f"{len(done)} of {total} rounds are over", f"bold {look.accent}"))
        good, open_ = ended.exit_code == EXIT_OK, ended.exit_code == EXIT_UNJUDGED
        head = f"{'✓' if good else '▲' if open_ else '✗'} {clean(ended.verdict)}"
        colour = look.good if good else look.warn if open_ else look.alarm
        lines = [Content.assemble((head, f"bold {colour}"))]
        if (verified := ended.verification) is not None:
            read = f"{numbers.count(verified.checked)} writes read back {nodes_words(verified)}".rstrip()
            diverged = f"{numbers.count(verified.diverged)} diverged, " if verified.diverged else ""
            words = (
                f"{read}, {numbers.count(verified.acknowledged)} acknowledged: "
                f"{numbers.count(verified.lost)} lost, {diverged}{numbers.count(verified.phantom)} phantom, "
                f"{numbers.count(verified.unknown)} unknown ({numbers.count(verified.recovered)} of them there)"
            )
            colour = look.alarm if verified.failed else look.warn if verified.missed else look.text
            lines.append(Content.assemble((words, colour)))
        return Content("\n").join(lines)

    def _table(self, rounds: Sequence[DrillRound], width: int) -> list[Content]:
        look = self.look
        shape = _shape(width)
        head = "".join(f"{name:>{shape.step}}" for name, _ in shape.steps)
        lines = [Content(""), Content.assemble((f"{'round':<8}{'fault':<{shape.fault}}{head}", look.dim))]
        for ended in rounds:
            words = fault_words(ended.fault, self._state.names) if ended.fault else numbers.NOTHING
            start = f"{ended.number:<8}" + fit(words.split(" (")[0], shape.fault - 1).ljust(shape.fault)
            if not ended.judged:
                reason = fit(f"not judged: {clean(ended.reason, 80)}", width - len(start))
                lines.append(Content.assemble((start, look.dim), (reason, look.warn)))
                continue
            cells = "".join(f"{_step(ended, field):>{shape.step}}" for _, field in shape.steps)
            lines.append(Content.assemble((start, look.text), (cells, look.strong)))
        for ended in rounds:
            if ended.no_return:
                node = name_of(ended.fault.node, self._state.names) if ended.fault else numbers.NOTHING
                words = f"round {ended.number}: {node} {clean(ended.no_return, 200)}"
                lines += [Content.assemble((part, look.alarm)) for part in wrap(words, width, 3)]
        judged = [ended for ended in rounds if ended.judged and ended.election is not None]
        if len(judged) > 1:
            columns = [distribution(_values(judged, field)) for _, field in shape.steps]
            for name, key in spread_rows(len(judged)):
                shown = [
                    numbers.NOTHING if (value := found[key]) is None else numbers.short_seconds(value)
                    for found in columns
                ]
                cells = "".join(f"{text:>{shape.step}}" for text in shown)
                lines.append(Content.assemble((f"{'':<8}{name:<{shape.fault}}", look.dim), (cells, look.text)))
        lines += self._bars(judged, width)
        lines.append(Content(""))
        return lines

    def _bars(self, judged: Sequence[DrillRound], width: int) -> list[Content]:
        """Each judged round's steps as a bar, all to one scale, and what fills them."""
        elections = [ended.election for ended in judged if ended.election is not None]
        whole, look = common_scale(elections), self.look
        if not elections or whole <= 0:
            return []
        room = max(width - _ROUND - 10, 10)
        lines = [Content("")]
        for ended, election in zip(judged, elections, strict=True):
            drawn = bar(election, room, look, whole_s=whole)
            seconds = numbers.short_seconds(seconds_of(election))
            lines.append(Content.assemble((f"{ended.number:<{_ROUND}}", look.text)) + drawn + Content(f" {seconds}"))
        keys = "  ".join(f"{glyph} {word}" for word, glyph, _ in ELECTION_STEPS)
        return [*lines, *(Content.assemble((" " * _ROUND + part, look.dim)) for part in wrap(keys, room + 10, 2))]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of the table fits: width of the fault's column and of a step's, and the steps shown."""

    fault: int
    step: int
    steps: tuple[tuple[str, str], ...]


def _shape(width: int) -> _Shape:
    if width >= _ROUND + 18 + 11 * len(STEPS):
        return _Shape(18, 11, STEPS)
    steps = tuple((_SHORT.get(name, name), field) for name, field in STEPS)
    for spare in _SPARE:
        if width < _ROUND + _FAULT + 9 * len(steps):
            steps = tuple(step for step in steps if step[1] != spare)
    return _Shape(max(12, min(18, width - _ROUND - 9 * len(steps))), 9, steps)


def _value(ended: DrillRound, field: str) -> float | None:
    value: float | None = ended.return_s if field == RETURN else getattr(ended.election, field, None)
    return value


def _step(ended: DrillRound, field: str) -> str:
    value = _value(ended, field)
    return "—" if value is None else numbers.short_seconds(value)


def _values(rounds: Sequence[DrillRound], field: str) -> list[float]:
    return [value for ended in rounds if (value := _value(ended, field)) is not None]
