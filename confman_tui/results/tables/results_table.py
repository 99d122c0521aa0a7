"""The results as a plain text table for a terminal or a log, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from confman_tui.load.run_model import CAUSE_WORDS, Cause
from confman_tui.results.formatting import milliseconds, one_line, per_cent, sensible, wrapped
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.repeats import spreads
from confman_tui.results.tables.columns import WIDTH, aligned
from confman_tui.results.tables.peaks import peak_lines
from confman_tui.results.tables.sentences import (
    MEASURE_WORDS,
    away_note,
    bound_line,
    comparison_line,
    election_lines,
    nodes_notes,
    open_loop_notes,
    opening_line,
    redirect_notes,
    store_lines,
    timeout_note,
    users_note,
    verdict_lines,
    watch_line,
)

_HEADING = ("scenario", "requests", "failed", "req/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "entries")
_LEGEND = "req/s and times: successful requests only; entries: what the cluster held before the scenario"
_OPEN_LOOP_LEGEND = "with a rate, times run from when each request was due; uncorrected: from when it was sent"


def results_table(results: Sequence[ScenarioResult]) -> str:
    """The table: a row per scenario and per cause of failure, the peaks, the verdict on the writes, the elections."""
    blocks = []
    for tier, group in groupby(results, key=lambda result: result.tier):
        of_tier = list(group)
        lines = [
            *_notes(of_tier),
            *store_lines(of_tier),
            *peak_lines(of_tier),
            *verdict_lines(of_tier),
            *election_lines(of_tier),
        ]
        table = "\n".join([aligned([_HEADING, *_rows(of_tier)]), *_spread_tables(of_tier)])
        blocks.append("\n".join([f"tier {one_line(tier, 20)}", table, *(wrapped(line, WIDTH) for line in lines)]))
    legends = [_LEGEND]
    if any(result.outcome.uncorrected is not None for result in results):
        legends.append(_OPEN_LOOP_LEGEND)
    return "\n\n".join([*blocks, "\n".join(legends)])


def _rows(results: Sequence[ScenarioResult]) -> list[tuple[str, ...]]:
    rows = []
    for result in results:
        outcome = result.outcome
        rows.append(
            (
                one_line(result.name, 40),
                f"{outcome.requests:,}",
                _failed(outcome.failures, outcome.requests),
                sensible(outcome.rps),
                *(milliseconds(us) for us in (outcome.p50_us, outcome.p95_us, outcome.p99_us, outcome.max_us)),
                "-" if result.entries_before < 0 else f"{result.entries_before:,}",
            )
        )
        if outcome.uncorrected is not None:
            actual = outcome.uncorrected
            latencies = (actual.p50_us, actual.p95_us, actual.p99_us, actual.max_us)
            rows.append(("  uncorrected", "", "", "", *(milliseconds(us) for us in latencies), ""))
        for cause in Cause:
            count = outcome.failures_by_cause.get(cause, 0)
            if count:
                rows.append((f"  {CAUSE_WORDS[cause]}", "", _failed(count, outcome.requests), *[""] * 6))
        if result.generator_bound is not None:
            rows.append(("  generator-bound", *[""] * 8))
    return rows


def _failed(count: int, requests: int) -> str:
    return f"{count:,} ({per_cent(count, requests)})" if count else "0"


def _notes(results: Sequence[ScenarioResult]) -> list[str]:
    notes = [f"{result.name}: {result.note}" for result in results if result.note]
    for result in results:
        words = [
            users_note(result),
            timeout_note(result),
            away_note(result),
            *nodes_notes(result),
            *open_loop_notes(result),
            *redirect_notes(result),
        ]
        notes += [f"{one_line(result.name, 40)}: {word}" for word in words if word]
    notes += [bound_line(result.name, result.generator_bound) for result in results if result.generator_bound]
    lines = [line(result) for result in results for line in (opening_line, comparison_line, watch_line)]
    return notes + [line for line in lines if line]


def _spread_tables(results: Sequence[ScenarioResult]) -> list[str]:
    """For each scenario that was repeated, how far its figures spread. The rows above are of its last run."""
    tables = [aligned(rows) for result in results if (rows := _spread_rows(result))]
    about = "95 % confidence: of the mean, by Student's t over the runs; the rows above are of the last run"
    return ["", *tables, about] if tables else []


def _spread_rows(result: ScenarioResult) -> list[tuple[str, ...]]:
    """Heading and a row per figure for the table; empty when the scenario ran once."""
    figures = spreads(result)
    if not figures:
        return []
    runs = next(iter(figures.values())).runs
    rows: list[tuple[str, ...]] = [
        (f"{result.name}, {runs} runs", "median", "min", "max", "mad", "mean", "95 % confidence", "±")
    ]
    for measure, item in figures.items():
        by = 1 if measure == "rps" else 1000
        cells = [sensible(value / by) for value in (item.median, item.min, item.max, item.mad, item.mean)]
        if item.ci95_low is None or item.ci95_high is None:
            rows.append((f"  {MEASURE_WORDS[measure]}", *cells, "-", "-"))
            continue
        within = f"{sensible(item.ci95_low / by)} … {sensible(item.ci95_high / by)}"
        half = (item.ci95_high - item.ci95_low) / 2
        share = f"{half / item.mean * 100:.1f} %" if item.mean else "-"
        rows.append((f"  {MEASURE_WORDS[measure]}", *cells, within, share))
    return rows
