"""A series in words and as a table with a small graph: its steps, its knee or slopes, what is noise."""

from __future__ import annotations

from itertools import pairwise

from confman_tui.results.formatting import milliseconds, sensible, wrapped
from confman_tui.results.model import ScenarioResult, Series, SeriesKind
from confman_tui.results.statistics.curve import LEAST_POINTS, Line
from confman_tui.results.statistics.noise import difference
from confman_tui.results.statistics.repeats import runs_of, spreads, typical, values_of
from confman_tui.results.statistics.series_shape import knee_of, slope_of, typical_rps, whole_points
from confman_tui.results.tables.columns import aligned
from confman_tui.results.tables.sentences import verdict_lines

_BAR = 14
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_UNITS = (("MB", 1024 * 1024), ("KB", 1024))


def value_words(kind: SeriesKind, value: int) -> str:
    """A step's value with what it counts: ``50 users``, ``100 KB``, ``5,000 entries``."""
    if kind is SeriesKind.PAYLOAD:
        for unit, factor in _UNITS:
            if value >= factor:
                return f"{value / factor:.1f}".removesuffix(".0") + f" {unit}"
        return f"{value} B"
    one, many = ("user", "users") if kind is SeriesKind.USERS else ("entry", "entries")
    return f"{value:,} {one if value == 1 else many}"


def verdict_of(series: Series) -> list[str]:
    """What the series shows, in sentences: its knee, or the slope of each scenario."""
    if series.kind is SeriesKind.ENTRIES:
        return [line for name in series.scenarios if (line := _slope_line(series, name))]
    points, knee = whole_points(series), knee_of(series)
    if len(points) < LEAST_POINTS:
        whole = "no step was whole" if not points else f"{len(points)} whole step{'s' if len(points) > 1 else ''}"
        return [f"no knee: {whole}, and a bend shows with {LEAST_POINTS} or more"]
    if knee is None:
        if series.kind is SeriesKind.USERS:
            return ["no knee: throughput grows on with the users"]
        rates = [typical_rps(point) for point in points]
        share = f"{rates[-1] / max(rates) * 100:.0f} % of the best throughput"
        return [f"no knee: {value_words(series.kind, points[-1].value)} gets {share}"]
    rps, p99 = (typical(knee.results[0], measure) for measure in ("rps", "p99_us"))
    line = f"knee at {value_words(series.kind, knee.value)}: {sensible(rps)} req/s, p99 {milliseconds(p99)} ms"
    beyond = [(typical_rps(point), point) for point in points if point.value > knee.value]
    if beyond and rps:
        best, at = max(beyond, key=lambda pair: pair[0])
        if series.kind is SeriesKind.PAYLOAD:
            line += f"; beyond it throughput falls to {sensible(min(rate for rate, _ in beyond))} req/s"
        elif best > 1.005 * rps:
            line += f"; {value_words(series.kind, at.value)} bring {(best / rps - 1) * 100:.0f} % more"
        else:
            line += "; more users bring nothing more"
    return [line]


def stop_words(series: Series) -> str:
    """How far a series came that was stopped: ``stopped early, in step 3 of 4``."""
    done = len(series.points)
    cut = any(result.outcome.stopped_early for result in series.points[-1].results) if done else False
    return f"stopped early, {'in' if cut else 'after'} step {done} of {len(series.wanted)}"


def _slope_line(series: Series, scenario: str) -> str:
    slopes = []
    for measure in ("p50_us", "p99_us"):
        line = slope_of(series, scenario, measure)
        if line is not None:
            slopes.append(f"{measure.removesuffix('_us')} {slope_words(line)}")
    return f"{scenario}, ms per 1,000 entries: {', '.join(slopes)}" if slopes else ""


def slope_words(line: Line) -> str:
    """``+0.71 ± 0.05``; with what it is worth where the measurements do not carry it."""
    if line.within is None:
        return f"{line.slope:+.3f}"
    noise = " (within the noise)" if abs(line.slope) <= line.within else ""
    return f"{line.slope:+.3f} ± {line.within:.3f}{noise}"


def noise_lines(series: Series) -> list[str]:
    """Where the steps were repeated: those between which throughput (of a sweep the median latency) did not change by
    more than the noise."""
    lines = []
    measure, name = ("p50_us", "p50") if series.kind is SeriesKind.ENTRIES else ("rps", "req/s")
    for before, after in pairwise(whole_points(series)):
        for one, other in zip(before.results, after.results, strict=True):
            apart = difference(values_of(one, measure), values_of(other, measure))
            if apart is not None and apart.within_noise and apart.noise is not None:
                lines.append(
                    f"{one.name}, {value_words(series.kind, before.value)} to {value_words(series.kind, after.value)}: "
                    f"{name} {apart.change * 100:+.1f} %, within the noise (± {apart.noise * 100:.1f} %)"
                )
    return lines


def text_bar(share: float, width: int = _BAR) -> str:
    """A bar of block characters, an eighth of a cell exact, padded to ``width``."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def series_table(series: Series) -> str:
    """The series as text of at most 100 columns: a row and a bar per step, what it shows, the verdict on the writes."""
    blocks = [f"{', '.join(series.scenarios)} against {series.kind} · {series.step_s:g} s each · tier {series.tier}"]
    for name in series.scenarios:
        rows = _table_rows(series, name)
        if len(series.scenarios) > 1:
            blocks.append(name)
        blocks.append(aligned(rows) if len(rows) > 1 else "nothing was measured")
    results = [result for point in series.points for result in point.results]
    lines = [*verdict_of(series), *noise_lines(series), *verdict_lines(results)]
    for point in series.points:
        for result in point.results:
            # "stopped early" stands in the row and below
            if note := "; ".join(part for part in result.note.split("; ") if part and part != "stopped early"):
                lines.append(f"{result.name}, {value_words(series.kind, point.value)}: {note}")
    if series.kind is SeriesKind.ENTRIES:
        lines.append("slopes: least squares over the sizes, ± their 95 % confidence; writes pause between requests")
    if series.stopped_early:
        lines.append(stop_words(series))
    return "\n".join([*blocks, *(wrapped(line) for line in lines)])


def _table_rows(series: Series, name: str) -> list[tuple[str, ...]]:
    of_entries = series.kind is SeriesKind.ENTRIES
    drawn = "p50_us" if of_entries else "rps"
    pairs = [(point, result) for point in series.points for result in point.results if result.name == name]
    repeated = any(result.repeats for _, result in pairs)
    head = [str(series.kind), "req/s", *(["± 95 %"] if repeated else []), "p50".ljust(_BAR) if of_entries else ""]
    rows = [(*head, "p50 ms", "p95 ms", "p99 ms", "max ms", "failed")]
    most = max((typical(result, drawn) or 0.0 for _, result in pairs), default=0.0)
    knee = knee_of(series)
    for point, result in pairs:
        share = (typical(result, drawn) or 0.0) / most if most else 0.0
        value = f"{result.entries_before:,}" if of_entries else value_words(series.kind, point.value)
        mark = " ◀ knee" if point is knee else " (stopped)" if result.outcome.stopped_early else ""
        failures = sum(run.failures for run in runs_of(result))
        rows.append(
            (
                value.removesuffix(" users").removesuffix(" user") + mark,
                sensible(typical(result, "rps")),
                *([_half_width(result)] if repeated else []),
                text_bar(share),
                *(milliseconds(typical(result, measure)) for measure in ("p50_us", "p95_us", "p99_us", "max_us")),
                f"{failures:,}",
            )
        )
    return rows


def _half_width(result: ScenarioResult) -> str:
    spread = spreads(result).get("rps")
    if spread is None or spread.ci95_low is None or spread.ci95_high is None or not spread.mean:
        return "-"
    return f"{(spread.ci95_high - spread.ci95_low) / 2 / spread.mean * 100:.1f} %"
