"""A series' results: the JSON document, the CSV of its steps, the table with its small graph, knee and slope."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from confman_tui import __version__
from confman_tui.results.files import ResultsError, replacing, told, write_text
from confman_tui.results.machine import machine, versions
from confman_tui.results.model import ScenarioResult, Series, SeriesKind, SeriesPoint
from confman_tui.results.plain import count, finite, iso, rounded, sensible, wrapped
from confman_tui.results.statistics.curve import Line, knee_of_decline, knee_of_growth, line_through
from confman_tui.results.statistics.noise import difference
from confman_tui.results.statistics.repeats import runs_of, spreads, typical, values_of
from confman_tui.results.summary import result_from, scenario_document
from confman_tui.results.tables import aligned, verdict_lines
from confman_tui.settings import Settings

_COLUMNS = (
    *("series", "value", "scenario", "start", "users", "payload_bytes", "entries_before", "runs", "seconds"),
    *("requests", "failures", "rps", "rps_ci95_low", "rps_ci95_high", "p50_us", "p95_us", "p99_us"),
    *("p99_ci95_low_us", "p99_ci95_high_us", "max_us", "knee", "stopped_early", "reads"),
)
_LARGEST = 32 * 1024 * 1024
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


def whole_points(series: Series) -> tuple[SeriesPoint, ...]:
    """The steps whose runs lasted their time and had a success: those that curves are drawn through."""
    return tuple(
        point
        for point in series.points
        if len(point.results) == len(series.scenarios)
        and all(not result.outcome.stopped_early and result.outcome.rps > 0 for result in point.results)
    )


def knee_of(series: Series) -> SeriesPoint | None:
    """The step at the knee of throughput: of users, from which on more of them bring little
    (`curve.knee_of_growth`); of payloads, up to which size costs little (`curve.knee_of_decline`). None without one,
    and for entries, whose cost is told as a slope."""
    points = whole_points(series)
    if series.kind is SeriesKind.ENTRIES or not points:
        return None
    values = [float(point.value) for point in points]
    rates = [typical(point.results[0], "rps") or 0.0 for point in points]
    rule = knee_of_growth if series.kind is SeriesKind.USERS else knee_of_decline
    found = rule(values, rates)
    return None if found is None else points[found]


def slope_of(series: Series, scenario: str, measure: str = "p50_us") -> Line | None:
    """The straight line of least squares through a latency in ms against the entries there were, in thousands: its
    slope is ms per 1,000 entries. None with fewer than two sizes."""
    pairs = [
        (result.entries_before / 1000, value / 1000)
        for point in whole_points(series)
        for result in point.results
        if result.name == scenario and (value := typical(result, measure)) is not None
    ]
    return line_through([x for x, _ in pairs], [y for _, y in pairs]) if len(pairs) > 1 else None


# -- in words


def verdict_of(series: Series) -> list[str]:
    """What the series says: its knee, or the slope of each scenario."""
    if series.kind is SeriesKind.ENTRIES:
        return [line for name in series.scenarios if (line := _slope_line(series, name))]
    points, knee = whole_points(series), knee_of(series)
    if len(points) < 2:
        return ["no knee: fewer than two whole steps"]
    if knee is None:
        if series.kind is SeriesKind.USERS:
            return ["no knee: throughput grows on with the users"]
        rates = [typical(point.results[0], "rps") or 0.0 for point in points]
        share = f"{rates[-1] / max(rates) * 100:.0f} % of the best throughput"
        return [f"no knee: {value_words(series.kind, points[-1].value)} gets {share}"]
    rps, p99 = (typical(knee.results[0], measure) for measure in ("rps", "p99_us"))
    line = f"knee at {value_words(series.kind, knee.value)}: {sensible(rps)} req/s, p99 {_ms(p99)} ms"
    beyond = [(typical(point.results[0], "rps") or 0.0, point) for point in points if point.value > knee.value]
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
    told = []
    for measure in ("p50_us", "p99_us"):
        line = slope_of(series, scenario, measure)
        if line is not None:
            told.append(f"{measure.removesuffix('_us')} {slope_words(line)}")
    return f"{scenario}, ms per 1,000 entries: {', '.join(told)}" if told else ""


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


def _ms(us: float | None) -> str:
    return "-" if us is None else sensible(us / 1000)


def text_bar(share: float, width: int = _BAR) -> str:
    """A bar of block characters, an eighth of a cell exact, padded to ``width``."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def series_table(series: Series) -> str:
    """The series as text of at most 100 columns: a row per step with a bar, what it says, the verdict on the writes."""
    what = {"users": "users", "payload": "payload", "entries": "entries"}[series.kind]
    blocks = [f"{', '.join(series.scenarios)} against {what} · {series.step_s:g} s each · tier {series.tier}"]
    for name in series.scenarios:
        rows = _table_rows(series, name)
        if len(series.scenarios) > 1:
            blocks.append(name)
        blocks.append(aligned(rows) if len(rows) > 1 else "nothing was measured")
    results = [result for point in series.points for result in point.results]
    lines = [*verdict_of(series), *noise_lines(series), *verdict_lines(results)]
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
                *(_ms(typical(result, measure)) for measure in ("p50_us", "p95_us", "p99_us", "max_us")),
                f"{failures:,}",
            )
        )
    return rows


def _half_width(result: ScenarioResult) -> str:
    told = spreads(result).get("rps")
    if told is None or told.ci95_low is None or told.ci95_high is None or not told.mean:
        return "-"
    return f"{(told.ci95_high - told.ci95_low) / 2 / told.mean * 100:.1f} %"


# -- as files


def series_document(series: Series) -> dict[str, Any]:
    """A series as it stands in ``--json`` and at the top of its file.

    ``points`` holds a scenario's document for each run scenario of each step; figures of repeated runs are in their
    ``repeats`` and ``repeated``. ``slopes`` is empty but for entries, ``knee`` None for them.
    """
    knee = knee_of(series)
    slopes: dict[str, Any] = {}
    if series.kind is SeriesKind.ENTRIES:
        for name in series.scenarios:
            lines = {measure: slope_of(series, name, measure) for measure in ("p50_us", "p99_us")}
            slopes[name] = {
                measure.removesuffix("_us"): None
                if line is None
                else {
                    "ms_per_1000_entries": rounded(line.slope),
                    "ms_at_none": rounded(line.start),
                    "ci95_half_width": rounded(line.within),
                    "r_squared": rounded(line.fit),
                }
                for measure, line in lines.items()
            }
    return {
        "series": str(series.kind),
        "scenarios": list(series.scenarios),
        "tier": series.tier,
        "step_s": rounded(series.step_s, 3),
        "wanted": list(series.wanted),
        "stopped_early": series.stopped_early,
        "knee": None
        if knee is None
        else {
            "value": knee.value,
            "rps": rounded(typical(knee.results[0], "rps"), 3),
            "p99_us": rounded(typical(knee.results[0], "p99_us"), 1),
        },
        "slopes": slopes,
        "verdict": "; ".join(verdict_of(series)),
        "points": [
            {"value": point.value, "results": [scenario_document(result) for result in point.results]}
            for point in series.points
        ],
        "files": list(series.files),
    }


def save_series(series: Series, settings: Settings, cluster: Mapping[str, Any]) -> Series:
    """Write ``{tier}-{scenario}_users.csv`` and ``.json`` (``_payload``; of a sweep ``{tier}-sweep.csv``, ``.json``).

    Returns:
        The series with these files added to its own.

    Raises:
        ResultsError: one can't be written. Earlier results stay whole.
    """
    stem = "sweep" if series.kind is SeriesKind.ENTRIES else f"{series.scenarios[0]}_{series.kind}"
    table, whole = (settings.output_dir / f"{series.tier}-{stem}.{kind}" for kind in ("csv", "json"))
    series = replace(series, files=tuple(dict.fromkeys((*series.files, str(table), str(whole)))))
    with replacing(table) as stream:
        writer = csv.DictWriter(stream, _COLUMNS)
        writer.writeheader()
        writer.writerows(_csv_rows(series))
    document = {
        **series_document(series),
        "version": __version__,
        "cluster": {name: cluster.get(name) for name in ("nodes", "leader", "term")},
        "histograms": [
            {"value": point.value, "scenario": result.name, "all": result.outcome.histogram}
            for point in series.points
            for result in point.results
        ],
        "settings": settings.public(),
        "versions": versions(),
        "machine": machine(),
    }
    write_text(whole, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return series


def read_series(path: Path) -> Series:
    """A series as `save_series` wrote it, without histograms.

    Raises:
        ResultsError: the file can't be read or is no such series; names the file.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ResultsError(f"{path} is larger than any series of confman-tui")
        document = json.loads(path.read_text(encoding="utf-8"))
        return Series(
            kind=SeriesKind(document["series"]),
            scenarios=tuple(str(name) for name in document["scenarios"]),
            tier=str(document["tier"]),
            step_s=finite(document["step_s"]),
            wanted=tuple(count(value) for value in document["wanted"]),
            points=tuple(
                SeriesPoint(count(point["value"]), tuple(result_from(result) for result in point["results"]))
                for point in document["points"]
            ),
            stopped_early=bool(document["stopped_early"]),
            files=tuple(str(file) for file in document["files"]),
        )
    except OSError as error:
        raise ResultsError(f"{path} can't be read: {told(error)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ResultsError(f"{path} is not a series of confman-tui, so it is left out") from error


def _csv_rows(series: Series) -> list[dict[str, Any]]:
    """A row per scenario and step; of repeated runs medians, and sums of requests and failures."""
    knee = knee_of(series)
    rows = []
    for point in series.points:
        for result in point.results:
            runs, told = runs_of(result), spreads(result)
            rps, p99 = told.get("rps"), told.get("p99_us")
            row = (
                *(series.kind, point.value, result.name, iso(runs[0].started), result.users, result.payload_bytes),
                *(result.entries_before, len(runs), rounded(sum(run.duration_s for run in runs), 3)),
                *(sum(run.requests for run in runs), sum(run.failures for run in runs)),
                rounded(typical(result, "rps"), 3),
                *((rounded(rps.ci95_low, 3), rounded(rps.ci95_high, 3)) if rps else (None, None)),
                *(rounded(typical(result, measure), 1) for measure in ("p50_us", "p95_us", "p99_us")),
                *((rounded(p99.ci95_low, 1), rounded(p99.ci95_high, 1)) if p99 else (None, None)),
                *(rounded(typical(result, "max_us"), 1), int(point is knee), int(result.outcome.stopped_early)),
                result.reads,
            )
            rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return rows
