"""The results as a plain text table for a terminal or a log, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from confman_tui.cluster.elections import Election, Verification
from confman_tui.load.run_model import CAUSE_WORDS, Cause
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.model import ScenarioResult
from confman_tui.results.nodes import nodes_notes
from confman_tui.results.open_loop import open_loop_notes, redirect_notes
from confman_tui.results.plain import milliseconds, one_line, per_cent, seconds, sensible, short_node, wrapped
from confman_tui.results.statistics.opening import opening_line
from confman_tui.results.statistics.repeats import comparison_line, spread_rows
from confman_tui.results.watch import watch_line

WIDTH = 100
_HEADING = ("scenario", "requests", "failed", "req/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "entries")
_LEGEND = "req/s and times: successful requests only; entries: what the cluster held before the scenario"
_OPEN_LOOP_LEGEND = "with a rate, times run from when each request was due; uncorrected: from when it was sent"


def results_table(results: Sequence[ScenarioResult]) -> str:
    """The table: a row per scenario and per cause of failure, the peaks, the verdict on the writes, the elections."""
    blocks = []
    for tier, group in groupby(results, key=lambda result: result.tier):
        of_tier = list(group)
        lines = [*_notes(of_tier), *_peaks(of_tier), *verdict_lines(of_tier), *_election_lines(of_tier)]
        table = "\n".join([aligned([_HEADING, *_rows(of_tier)]), *_spread_tables(of_tier)])
        blocks.append("\n".join([f"tier {one_line(tier, 20)}", table, *(wrapped(line, WIDTH) for line in lines)]))
    legends = [_LEGEND]
    if any(result.outcome.uncorrected is not None for result in results):
        legends.append(_OPEN_LOOP_LEGEND)
    return "\n\n".join([*blocks, "\n".join(legends)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines: the first column to the left, the others to the right, two spaces between."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    free = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(8, min(widths[0], free))
    lines = []
    for row in rows:
        first = one_line(row[0], widths[0])
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)


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
        words = [*nodes_notes(result), *open_loop_notes(result), *redirect_notes(result)]
        notes += [f"{one_line(result.name, 40)}: {word}" for word in words]
    notes += [bound_line(result.name, result.generator_bound) for result in results if result.generator_bound]
    told = [line(result) for result in results for line in (opening_line, comparison_line, watch_line)]
    return notes + [line for line in told if line]


def _spread_tables(results: Sequence[ScenarioResult]) -> list[str]:
    """For each scenario that was repeated, how far its figures spread. The rows above are of its last run."""
    tables = [aligned(rows) for result in results if (rows := spread_rows(result))]
    about = "95 % confidence: of the mean, by Student's t over the runs; the rows above are of the last run"
    return ["", *tables, about] if tables else []


def bound_line(name: str, bound: GeneratorBound) -> str:
    """That a run's figures tell of the generator, why, and what to do."""
    line = f"{name}: generator-bound for {bound.seconds} s, not the cluster's limit: {bound.reason}"
    return f"{line}; try {bound.advice}" if bound.advice else line


def _peaks(results: Sequence[ScenarioResult]) -> list[str]:
    """The highest average throughput of successful reads and writes that any scenario reached."""

    def rates(result: ScenarioResult) -> tuple[float, float]:
        lasted = result.outcome.ended - result.outcome.started
        return (result.outcome.reads_ok / lasted, result.outcome.writes_ok / lasted) if lasted > 0 else (0.0, 0.0)

    lines = []
    peaks = []
    for kind, index in (("read", 0), ("write", 1)):
        best = max(results, key=lambda result: rates(result)[index])
        peak = rates(best)[index]
        peaks.append(peak)
        if peak > 0:
            lines.append(f"peak {kind} throughput: {sensible(peak)} req/s ({one_line(best.name, 40)})")
    if all(peak > 0 for peak in peaks):
        lines.append(f"peak read to peak write: {sensible(peaks[0] / peaks[1])}")
    return lines


def verdict_lines(results: Sequence[ScenarioResult]) -> list[str]:
    """What became of the acknowledged writes, over all scenarios."""
    verified = [result.verification for result in results if result.verification is not None]
    lines = []
    if verified:
        lines.append(verdict_line(_sum(verified)))
        lines += [f"writes: {note}" for note in dict.fromkeys(item.note for item in verified) if note]
    silent = [result.name for result in results if result.verification is None and result.outcome.writes_ok]
    if silent:
        lines.append(f"writes: not verified: {', '.join(silent)}")
    return lines


def verdict_line(verification: Verification) -> str:
    """One verdict in words."""
    v = verification
    if not v.judged:
        return f"writes: {v.acknowledged:,} acknowledged, {v.checked:,} read back: nothing to judge"
    word = "ok" if v.passed else "LOST WRITES" if v.lost else "PHANTOM WRITES"
    counts = f"{v.acknowledged:,} acknowledged, {v.checked:,} read back, {v.lost:,} lost, {v.stale:,} stale"
    return f"writes: {word}: {counts}, {v.phantom:,} phantom, {v.recovered:,} of {v.unknown:,} unknown present"


def _sum(verified: Sequence[Verification]) -> Verification:
    def total(name: str) -> int:
        return sum(int(getattr(item, name)) for item in verified)

    return Verification(
        acknowledged=total("acknowledged"),
        refused=total("refused"),
        unknown=total("unknown"),
        lost=total("lost"),
        stale=total("stale"),
        recovered=total("recovered"),
        phantom=total("phantom"),
        checked=total("checked"),
    )


def _election_lines(results: Sequence[ScenarioResult]) -> list[str]:
    lines = [f"  {result.name}: {election_line(election)}" for result in results for election in result.elections]
    if lines:
        return ["elections:", *lines]
    # Results of stock Locust (their entries are not known) tell nothing of elections.
    return ["elections: none"] if any(result.entries_before >= 0 for result in results) else []


def election_line(election: Election) -> str:
    """One election in words."""
    cause = f"{election.fault.kind}, " if election.fault is not None else ""
    line = f"{cause}term {election.term_before} to {election.term_after}"
    if election.new_leader is not None:
        line += f", {short_node(election.new_leader)}"
        line += f" led after {seconds(election.serving_s)}" if election.serving_s is not None else " named"
    if election.without_writes_s is not None:
        line += f", {election.without_writes_s:.2f} ± {election.write_uncertainty_s:.2f} s without writes"
        line += " (from the last good poll)" * election.writes_from_poll
    return line
