"""One scenario in full: percentiles, causes of failure, nodes, histogram."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from confman_tui.load.model import CAUSE_WORDS
from confman_tui.tui import numbers
from confman_tui.tui.charts.client import ChartRenderer
from confman_tui.tui.dialogs.base import Dialog
from confman_tui.tui.names import name_of
from confman_tui.tui.rows import Row
from confman_tui.tui.text import clean
from confman_tui.tui.widgets.graph import HistogramGraph

MOST_TEXTS = 8

Heading = Callable[[str], None]
Entry = Callable[..., None]


class DetailsDialog(Dialog[None]):
    """A scenario's figures: of the run so far, or of the run that ended."""

    DEFAULT_CSS = """
    DetailsDialog HistogramGraph { height: 12; width: 1fr; margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "dismiss_dialog", "Close", show=False)]

    def __init__(self, row: Row, names: Mapping[str, str], renderer: ChartRenderer) -> None:
        super().__init__()
        self._row = row
        self._names = names
        self._renderer = renderer
        self._shown: object = None

    def compose(self) -> ComposeResult:
        box = Container(classes="box wide")
        box.border_title = Content(self._row.scenario.name)
        box.border_subtitle = Content("esc close")
        with box, VerticalScroll(classes="text", id="details-text"):
            yield Static(id="figures", markup=False)
            if self._row.result is not None and self._row.result.outcome.histogram:
                yield HistogramGraph(self._renderer, id="histogram")

    def on_mount(self) -> None:
        self.query_one("#details-text").focus()
        self._show()
        self.set_interval(1.0, self._show)
        result = self._row.result
        if result is not None and result.outcome.histogram:
            self.query_one(HistogramGraph).show(result.outcome.histogram)

    def _show(self) -> None:
        stamp = (self._row.requests, self._row.result)
        if stamp != self._shown:
            self._shown = stamp
            self.query_one("#figures", Static).update(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        row, result, look = self._row, self._row.result, self.look
        lines: list[Content] = []

        def heading(text: str) -> None:
            if lines:
                lines.append(Content(""))
            lines.append(Content.assemble((text, f"bold {look.accent}")))

        def entry(left: str, right: str, style: str = look.text) -> None:
            pad = " " * max(1, 22 - cell_len(left))
            lines.append(Content.assemble("  ", (left, look.dim), pad, (right, style)))

        if result is None:
            heading("So far")
            entry("requests", numbers.count(row.requests))
            causes, per_node, texts = dict(row.failed), dict(row.per_node), {}
        else:
            outcome = result.outcome
            heading("Run")
            entry("users, seconds", f"{result.users}, {result.duration_s:.1f}")
            entry("entries before", numbers.count(result.entries_before))
            entry("payload", numbers.size(result.payload_bytes))
            reads, writes = numbers.count(outcome.reads_ok), numbers.count(outcome.writes_ok)
            entry("requests", f"{numbers.count(outcome.requests)} ({reads} reads and {writes} writes succeeded)")
            entry("throughput", f"{numbers.rate(outcome.rps)} req/s")
            entry("redirected", numbers.count(outcome.redirected))
            if result.note:
                entry("note", clean(result.note), f"bold {look.warn}")
            heading("Latency, ms")
            for name, value in (
                ("p50", outcome.p50_us),
                ("p90", outcome.p90_us),
                ("p95", outcome.p95_us),
                ("p99", outcome.p99_us),
                ("p99.9", outcome.p999_us),
                ("p99.99", outcome.p9999_us),
                ("max", outcome.max_us),
            ):
                entry(name, f"{numbers.milliseconds(value):>8}")
            causes, per_node = dict(outcome.failures_by_cause), dict(outcome.per_node)
            texts = dict(outcome.error_texts)
        heading("Failures by cause")
        if not any(causes.values()):
            entry("none", "")
        whole = result.outcome.requests if result is not None else row.requests
        for cause, number in causes.items():
            if number:
                entry(CAUSE_WORDS[cause], f"{numbers.count(number):>8}  {numbers.share(number, whole)}", look.alarm)
        for text, number in sorted(texts.items(), key=lambda item: -item[1])[:MOST_TEXTS]:
            lines.append(Content.assemble(f"    {numbers.count(number):>6}  ", (clean(text, 160), look.dim)))
        heading("Requests per node")
        sent = sum(per_node.values())
        for node, number in sorted(per_node.items()):
            part = number / sent if sent else 0.0
            bar = numbers.bar(part, 20)
            entry(name_of(node, self._names), f"{bar} {numbers.count(number):>8}  {numbers.share(number, sent)}")
        if result is not None:
            self._more(heading, entry)
        return lines

    def _more(self, heading: Heading, entry: Entry) -> None:
        result, look = self._row.result, self.look
        assert result is not None
        if result.elections:
            heading("Elections")
            for election in result.elections:
                gap = election.without_writes_s
                words = f"{numbers.short_seconds(gap)} without writes" if gap is not None else "no gap in writes"
                entry(name_of(election.new_leader, self._names), f"term {election.term_after}, {words}")
        if (verified := result.verification) is not None:
            heading("Acknowledged writes, read back")
            style = look.good if verified.passed else look.alarm if verified.judged else look.dim
            judged = f"{numbers.count(verified.checked)} checked, {numbers.count(verified.lost)} lost"
            entry("verdict", judged if verified.judged else clean(verified.note) or "nothing to judge", style)
            for name in ("acknowledged", "refused", "unknown", "recovered", "stale", "phantom"):
                entry(name, numbers.count(getattr(verified, name)))
            for key in verified.lost_keys[:MOST_TEXTS]:
                entry("", clean(key, 160), look.alarm)
        if result.files:
            heading("Files")
            for file in result.files:
                entry("", clean(file, 200))
