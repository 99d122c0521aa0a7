"""One scenario in full: percentiles, causes of failure, nodes, histogram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.load.run_model import CAUSE_WORDS
from confman_tui.load.saturation import Used, gauges_of
from confman_tui.results.statistics.opening import opening_matters
from confman_tui.results.statistics.repeats import spreads
from confman_tui.results.tables.sentences import READS_WORDS
from confman_tui.tui import numbers
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.colours import Look
from confman_tui.tui.node_names import name_of
from confman_tui.tui.numbers import NOTHING
from confman_tui.tui.rows import Row
from confman_tui.tui.screens.dialog import Dialog
from confman_tui.tui.text import clean, wrap
from confman_tui.tui.widgets.graph import HistogramGraph

MOST_TEXTS = 8

BESIDE_WIDTH = 104
"""From this width of the screen on, the histogram stands beside the figures."""


class DetailsDialog(Dialog[None]):
    """A scenario's figures: of the run so far, or of the run that ended."""

    DEFAULT_CSS = """
    DetailsDialog #columns { height: auto; layout: vertical; }
    DetailsDialog #columns.beside { layout: horizontal; }
    DetailsDialog #columns.beside > #figures { width: 46; }
    DetailsDialog #columns.beside > #right { width: 1fr; }
    DetailsDialog #right { height: auto; }
    DetailsDialog Static { height: auto; }
    DetailsDialog HistogramGraph { height: 13; width: 1fr; margin: 1 0; border: round $foreground 35%; }
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
        with box, VerticalScroll(classes="text", id="details-text"), Container(id="columns"):
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
            self.query_one(HistogramGraph).show(result.outcome.histogram)

    def on_resize(self, event: Resize) -> None:
        self.query_one("#columns").set_class(event.size.width >= BESIDE_WIDTH, "beside")

    def _show(self) -> None:
        stamp = (self._row.requests, self._row.result)
        if stamp != self._shown:
            self._shown = stamp
            self.query_one("#figures", Static).update(Content("\n").join(self._run_lines()))
            self.query_one("#rest", Static).update(Content("\n").join(self._rest_lines()))

    def _run_lines(self) -> list[Content]:
        row, result = self._row, self._row.result
        sheet = _Sheet(self.look)
        if result is None:
            sheet.heading("So far")
            sheet.entry("requests", numbers.count(row.requests))
            sheet.entry("failed", numbers.count(row.failures))
            self._live_open_loop(sheet)

            self._bound_lines(sheet)
            self._live_lines(sheet)
            return sheet.lines
        outcome = result.outcome
        sheet.heading("Run")
        sheet.entry("users", str(result.users))
        sheet.entry("seconds", f"{result.duration_s:.1f}")
        if result.reads is not None:
            sheet.entry("reads from", READS_WORDS[result.reads])
        sheet.entry("entries before", numbers.count(result.entries_before))
        sheet.entry("payload", numbers.size(result.payload_bytes))
        sheet.entry("requests", numbers.count(outcome.requests))
        sheet.entry("reads, writes ok", f"{numbers.count(outcome.reads_ok)}, {numbers.count(outcome.writes_ok)}")
        sheet.entry("throughput", f"{numbers.rate(outcome.rps)} req/s")
        sheet.entry("redirected", numbers.count(outcome.redirected))
        if outcome.redirect_p50_us is not None:
            cost = f"{numbers.milliseconds(outcome.redirect_p50_us)} ms median"
            sheet.entry("redirects took", f"{cost}, max {numbers.milliseconds(outcome.redirect_max_us)}")
        self._open_loop(sheet)
        if result.note:
            sheet.entry("note", clean(result.note), f"bold {sheet.look.warn}")
        sheet.heading("Latency, ms")
        actual = outcome.uncorrected
        if actual is not None:
            sheet.entry("from when it was", f"{'due':>8}  {'sent':>8}", sheet.look.dim)
        for name, field in (
            ("p50", "p50_us"),
            ("p90", "p90_us"),
            ("p95", "p95_us"),
            ("p99", "p99_us"),
            ("p99.9", "p999_us"),
            ("p99.99", "p9999_us"),
            ("max", "max_us"),
        ):
            sent = f"  {numbers.milliseconds(getattr(actual, field)):>8}" if actual is not None else ""
            sheet.entry(name, f"{numbers.milliseconds(getattr(outcome, field)):>8}{sent}")
        self._opening_lines(sheet)
        self._repeated_lines(sheet)
        self._checked_lines(sheet)
        return sheet.lines

    def _live_open_loop(self, sheet: _Sheet) -> None:
        """The schedule of the run that goes on, and the last second's p99 both ways."""
        row, sample = self._row, self._row.sample
        if row.rate is None:
            return
        sheet.heading("Schedule")
        sheet.entry("rate", numbers.asked(row.rate))
        if sample is None:
            return
        sheet.entry("due, waiting", numbers.count(sample.not_started))
        sheet.entry("late by at most", f"{sample.schedule_lag_s * 1000:.1f} ms")
        sheet.entry("p99 from due", f"{numbers.milliseconds(sample.p99_us)} ms (corrected)")
        sheet.entry("p99 from sent", f"{numbers.milliseconds(sample.uncorrected_p99_us)} ms (uncorrected)")

    def _open_loop(self, sheet: _Sheet) -> None:
        """The schedule of the run that ended."""
        result = self._row.result
        if result is None or result.rate is None:
            return
        rate = numbers.asked(result.rate)
        if result.rate_changes:
            rate += f", {numbers.asked(result.rate_changes[-1].rate)} at the end"
        sheet.entry("rate", rate)
        outcome = result.outcome
        missed = f"bold {sheet.look.warn}" if outcome.not_started else ""
        sheet.entry("never began", numbers.count(outcome.not_started), missed)
        sheet.entry("late by at most", f"{outcome.schedule_lag_s * 1000:.1f} ms")

    def _opening_lines(self, sheet: _Sheet) -> None:
        first = self._row.result.outcome.opening if self._row.result is not None else None
        if self._row.result is None or first is None:
            return
        sheet.heading("Warm-up, left out" if first.left_out else f"First {first.seconds:.1f} s, and then")
        style = sheet.look.warn if opening_matters(self._row.result) and not first.left_out else ""
        sheet.entry("req/s", f"{numbers.rate(first.rps):>8} {numbers.rate(first.rest_rps):>8}", style)
        for name, one, then in (("p50", first.p50_us, first.rest_p50_us), ("p99", first.p99_us, first.rest_p99_us)):
            sheet.entry(f"{name} ms", f"{numbers.milliseconds(one):>8} {numbers.milliseconds(then):>8}", style)

    def _repeated_lines(self, sheet: _Sheet) -> None:
        result = self._row.result
        told = spreads(result) if result is not None else {}
        if result is not None and told:
            runs = next(iter(told.values())).runs
            sheet.heading(f"{runs} runs: median, 95 % confidence")
            for measure, item in told.items():
                show = numbers.rate if measure == "rps" else numbers.milliseconds
                within = NOTHING if item.ci95_low is None else f"{show(item.ci95_low)} … {show(item.ci95_high)}"
                name = measure.replace("rps", "req/s").replace("_us", " ms")
                sheet.entry(name, f"{show(item.median):>8}  {within}")
        if result is not None and result.comparison is not None:
            sheet.heading("Against the kept run")
            for change in result.comparison.changes:
                noise = "noise not known" if change.noise is None else f"noise ± {change.noise * 100:.1f} %"
                beyond = change.noise is not None and abs(change.change) > change.noise
                name = change.measure.replace("rps", "req/s").replace("_us", "")
                style = sheet.look.strong if beyond else sheet.look.dim
                sheet.entry(name, f"{change.change * 100:+8.1f} %  {noise}", style)

    def _bound_lines(self, sheet: _Sheet) -> None:
        bound = self._row.limit
        if bound is None:
            return
        warn = f"bold {sheet.look.warn}"
        sheet.heading("Generator-bound: not the cluster's limit")
        sheet.entry("seconds", str(bound.seconds), warn)
        sheet.paragraph("why", clean(bound.reason), warn)
        if bound.advice:
            sheet.paragraph("try", clean(bound.advice), warn)

    def _live_lines(self, sheet: _Sheet) -> None:
        """What this program and its machine use now."""
        sample, watched = self._row.sample, self._row.generator
        if sample is None:
            return
        sheet.heading("Generator, last second")
        gauges = gauges_of(sample, watched)
        for name, words, unit in _GAUGE_WORDS:
            if (value := gauges[name]) is not None:
                sheet.entry(words, f"{_figure(value, unit)} {unit}".rstrip())
        for worker, cpu in sorted(sample.worker_cpu.items()):
            sheet.entry(f"cpu {clean(worker, 14)}", f"{_figure(cpu, _CPU)} {_CPU}")
        for node, cpu in sorted(watched.node_cpu.items() if watched is not None else ()):
            sheet.entry(f"cpu {name_of(node, self._names)}", f"{_figure(cpu, _CPU)} {_CPU}")

    def _generator_lines(self, sheet: _Sheet) -> None:
        """What this program and its machine used, mean and maximum over the run."""
        result = self._row.result
        use = result.generator if result is not None else None
        if use is None:
            return
        sheet.heading("Generator, mean and max")
        for name, words, unit in _GAUGE_WORDS:
            if (used := use.gauges.get(name)) is not None:
                sheet.entry(words, _figures(used, unit))
        for names, measured in ((None, use.worker_cpu), (self._names, use.node_cpu)):
            for one, used in sorted(measured.items()):
                known = clean(one, 14) if names is None else name_of(one, names)
                sheet.entry(f"cpu {known}", _figures(used, _CPU))

    def _checked_lines(self, sheet: _Sheet) -> None:
        result, look = self._row.result, sheet.look
        if result is None or result.verification is None:
            return
        verified = result.verification
        sheet.heading("Writes, read back")
        style = look.good if verified.passed else look.alarm if verified.judged else look.dim
        judged = f"{numbers.count(verified.checked)} read back, {numbers.count(verified.lost)} lost"
        sheet.entry("verdict", judged if verified.judged else clean(verified.note) or "nothing to judge", style)
        for name in ("acknowledged", "refused", "unknown", "recovered", "stale", "phantom"):
            sheet.entry(name, numbers.count(getattr(verified, name)))
        for one in verified.without:
            sheet.paragraph("judged without", f"{name_of(one.node, self._names)} ({clean(one.why)})", look.warn)
        for key in verified.lost_keys[:MOST_TEXTS]:
            sheet.entry("", clean(key, 160), look.alarm)

    def _rest_lines(self) -> list[Content]:
        row, result = self._row, self._row.result
        sheet = _Sheet(self.look)
        causes = dict(result.outcome.failures_by_cause if result else row.failed)
        whole = result.outcome.requests if result else row.requests
        sheet.heading("Failures by cause")
        if not any(causes.values()):
            sheet.entry("none", "")
        for cause, number in causes.items():
            if number:
                share = numbers.share(number, whole)
                sheet.entry(CAUSE_WORDS[cause], f"{numbers.count(number):>8}  {share}", sheet.look.alarm)
        texts = result.outcome.error_texts if result else {}
        for text, number in sorted(texts.items(), key=lambda item: -item[1])[:MOST_TEXTS]:
            sheet.entry(numbers.count(number), clean(text, 160), sheet.look.dim)
        self._node_lines(sheet)
        if result is not None:
            self._bound_lines(sheet)
            self._generator_lines(sheet)
        if result is not None and result.elections:
            sheet.heading("Elections")
            for election in result.elections:
                gap = election.without_writes_s
                words = f"{numbers.short_seconds(gap)} without writes" if gap is not None else "no gap in writes"
                sheet.entry(name_of(election.new_leader, self._names), f"term {election.term_after}, {words}")
        if result is not None and result.files:
            sheet.heading("Files")
            for file in result.files:
                sheet.entry("", clean(file, 200))
        return sheet.lines

    def _node_lines(self, sheet: _Sheet) -> None:
        """What each node was sent and, of a run that ended, how it did."""
        row, result = self._row, self._row.result
        sheet.heading("Requests per node")
        per_node = dict(result.outcome.per_node if result else row.per_node)
        figures = {held.node: held for held in result.outcome.by_node} if result else {}
        sent = sum(per_node.values())
        for node, number in sorted(per_node.items()):
            bar = numbers.bar(number / sent if sent else 0.0, 16)
            share = numbers.share(number, sent)
            sheet.entry(name_of(node, self._names), f"{bar} {numbers.count(number):>8}  {share}")
            held = figures.get(node)
            if held is None or result is None:
                continue
            seconds = result.outcome.ended - result.outcome.started
            speed = f"{numbers.rate(held.ok / seconds) if seconds > 0 else NOTHING} req/s"
            p50, p99 = (numbers.milliseconds(value) for value in (held.p50_us, held.p99_us))
            sheet.entry(" ", f"{speed}, p50 {p50}, p99 {p99} ms", sheet.look.dim)
            if held.failed:
                sheet.entry(" ", f"{numbers.count(held.failed)} failed", sheet.look.alarm)


_CPU = "%"
_GAUGE_WORDS = (
    ("engine_cpu", "cpu load's thread", _CPU),
    ("engine_wait", "no core for it", _CPU),
    ("program_cpu", "cpu whole program", _CPU),
    ("machine_cpu", "cpu all cores", _CPU),
    ("hub_lag_ms", "lag load's loop", "ms"),
    ("conductor_lag_ms", "lag polling's loop", "ms"),
    ("screen_lag_ms", "lag screen's loop", "ms"),
    ("in_flight", "in flight", ""),
    ("oldest_in_flight_s", "oldest in flight", "s"),
)


def _figure(value: float, unit: str) -> str:
    if unit == _CPU:
        return f"{value * 100:>7.0f}"
    return f"{value:>7.1f}" if unit != "s" else f"{value:>7.2f}"


def _figures(used: Used, unit: str) -> str:
    return f"{_figure(used.mean, unit)} {_figure(used.max, unit)} {unit}".rstrip()


class _Sheet:
    """Headings, and entries in two columns."""

    LEFT = 19
    WRAP = 34
    """Cells of a text in several lines."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.lines: list[Content] = []

    def heading(self, text: str) -> None:
        if self.lines:
            self.lines.append(Content(""))
        self.lines.append(Content.assemble((text, f"bold {self.look.accent}")))

    def paragraph(self, left: str, text: str, style: str = "") -> None:
        """An entry whose text goes on in further lines."""
        for number, part in enumerate(wrap(text, self.WRAP, 6)):
            if number:
                self.lines.append(Content.assemble(" " * (self.LEFT + 2), (part, style or self.look.text)))
            else:
                self.entry(left, part, style)

    def entry(self, left: str, right: str, style: str = "") -> None:
        pad = " " * max(1, self.LEFT - cell_len(left)) if left else ""
        self.lines.append(Content.assemble("  ", (left, self.look.dim), pad, (right, style or self.look.text)))
