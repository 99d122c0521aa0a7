"""The left column of the details: what a run was, its latency, its repeats, its writes."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from confman_tui.load.run_model import RunOutcome
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.opening import opening_matters
from confman_tui.results.statistics.repeats import spreads
from confman_tui.results.tables.sentences import READS_WORDS
from confman_tui.tui import numbers
from confman_tui.tui.colours import Look
from confman_tui.tui.node_names import name_of
from confman_tui.tui.numbers import NOTHING
from confman_tui.tui.rows import Row
from confman_tui.tui.screens.details_generator import bound_lines, live_lines
from confman_tui.tui.screens.sheet import Sheet
from confman_tui.tui.text import clean

MOST_LOST_KEYS = 8


def figures(row: Row, names: Mapping[str, str], look: Look) -> list[Content]:
    """Of the run that goes on, or of the one that ended."""
    sheet, result = Sheet(look), row.result
    if result is None:
        sheet.heading("So far")
        sheet.entry("requests", numbers.count(row.requests))
        sheet.entry("failed", numbers.count(row.failures))
        _live_schedule(sheet, row)
        bound_lines(sheet, row.limit)
        live_lines(sheet, row, names)
        return sheet.lines
    _run(sheet, result)
    _latency(sheet, result.outcome)
    _opening(sheet, result)
    _repeats(sheet, result)
    _comparison(sheet, result)
    _writes(sheet, result, names)
    return sheet.lines


def _live_schedule(sheet: Sheet, row: Row) -> None:
    """The schedule of an open loop that goes on, and the last second's p99 both ways."""
    sample = row.sample
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


def _run(sheet: Sheet, result: ScenarioResult) -> None:
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
    _schedule(sheet, result)
    if result.note:
        sheet.entry("note", clean(result.note), f"bold {sheet.look.warn}")


def _schedule(sheet: Sheet, result: ScenarioResult) -> None:
    """The schedule of an open loop that ended."""
    if result.rate is None:
        return
    rate = numbers.asked(result.rate)
    if result.rate_changes:
        rate += f", {numbers.asked(result.rate_changes[-1].rate)} at the end"
    sheet.entry("rate", rate)
    outcome = result.outcome
    missed = f"bold {sheet.look.warn}" if outcome.not_started else ""
    sheet.entry("never began", numbers.count(outcome.not_started), missed)
    sheet.entry("late by at most", f"{outcome.schedule_lag_s * 1000:.1f} ms")


def _latency(sheet: Sheet, outcome: RunOutcome) -> None:
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


def _opening(sheet: Sheet, result: ScenarioResult) -> None:
    first = result.outcome.opening
    if first is None:
        return
    sheet.heading("Warm-up, left out" if first.left_out else f"First {first.seconds:.1f} s, and then")
    style = sheet.look.warn if opening_matters(result) and not first.left_out else ""
    sheet.entry("req/s", f"{numbers.rate(first.rps):>8} {numbers.rate(first.rest_rps):>8}", style)
    for name, one, then in (("p50", first.p50_us, first.rest_p50_us), ("p99", first.p99_us, first.rest_p99_us)):
        sheet.entry(f"{name} ms", f"{numbers.milliseconds(one):>8} {numbers.milliseconds(then):>8}", style)


def _repeats(sheet: Sheet, result: ScenarioResult) -> None:
    measured = spreads(result)
    if not measured:
        return
    sheet.heading(f"{next(iter(measured.values())).runs} runs: median, 95 % confidence")
    for measure, item in measured.items():
        show = numbers.rate if measure == "rps" else numbers.milliseconds
        within = NOTHING if item.ci95_low is None else f"{show(item.ci95_low)} … {show(item.ci95_high)}"
        name = measure.replace("rps", "req/s").replace("_us", " ms")
        sheet.entry(name, f"{show(item.median):>8}  {within}")


def _comparison(sheet: Sheet, result: ScenarioResult) -> None:
    if result.comparison is None:
        return
    sheet.heading("Against the kept run")
    for change in result.comparison.changes:
        noise = "noise not known" if change.noise is None else f"noise ± {change.noise * 100:.1f} %"
        beyond = change.noise is not None and abs(change.change) > change.noise
        name = change.measure.replace("rps", "req/s").replace("_us", "")
        style = sheet.look.strong if beyond else sheet.look.dim
        sheet.entry(name, f"{change.change * 100:+8.1f} %  {noise}", style)


def _writes(sheet: Sheet, result: ScenarioResult, names: Mapping[str, str]) -> None:
    verified, look = result.verification, sheet.look
    if verified is None:
        return
    sheet.heading("Writes, read back")
    if verified.judged or verified.failed:
        words = f"{numbers.count(verified.checked)} read back, {numbers.count(verified.lost)} lost"
        words += f", {numbers.count(verified.diverged)} diverged" if verified.diverged else ""
        sheet.entry("verdict", words, look.alarm if verified.failed else look.good)
    if verified.missed:
        sheet.paragraph("not judged", clean(verified.note) or "nothing was read back", look.warn)
    elif not verified.judged:
        sheet.entry("verdict", clean(verified.note) or "nothing to judge", look.dim)
    if verified.nodes:
        look_of = look.text if verified.nodes_read == verified.nodes else look.warn
        sheet.entry("nodes read", f"{verified.nodes_read} of {verified.nodes}", look_of)
    by_probe = f" ({numbers.count(verified.by_probe)} of the probe)" if verified.by_probe else ""
    sheet.entry("acknowledged", f"{numbers.count(verified.acknowledged)}{by_probe}")
    # "refused" alone is a cause of failure, and another count: here a lack of a leader counts too
    sheet.entry("surely not done", numbers.count(verified.refused))
    for name in ("unknown", "recovered", "stale", "phantom"):
        late = f" ({numbers.count(verified.late)} late)" if name == "phantom" and verified.late else ""
        sheet.entry(name, numbers.count(getattr(verified, name)) + late)
    for name, count in (("on too few nodes", verified.unproven), ("not caught up", verified.not_caught_up)):
        if count:
            sheet.entry(name, numbers.count(count), look.warn)
    for one in verified.without:
        sheet.paragraph("judged without", f"{name_of(one.node, names)} ({clean(one.why)})", look.warn)
    for broken in verified.broken[:MOST_LOST_KEYS]:
        sheet.entry(str(broken.breach), clean(broken.key, 160), look.alarm)
        for node, holds in broken.holds.items():
            sheet.entry("", f"{name_of(node, names)}: {clean(holds)}", look.dim)
