"""A series as files: ``_users.json`` (``_payload``, ``-sweep``), the CSV of its steps, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from confman_tui.results.files.environment import circumstances
from confman_tui.results.files.formats import DAMAGE, from_json, read_json, write_json, write_rows
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.scenario_json import result_fields, scenario_document
from confman_tui.results.formatting import iso, rounded
from confman_tui.results.model import ScenarioResult, Series, SeriesKind
from confman_tui.results.statistics.repeats import runs_of, spreads, typical
from confman_tui.results.statistics.series_shape import knee_of, slope_of
from confman_tui.results.tables.series_table import verdict_of
from confman_tui.settings import Settings

_COLUMNS = (
    *("series", "value", "scenario", "start", "users", "payload_bytes", "entries_before", "runs", "seconds"),
    *("requests", "failures", "rps", "rps_ci95_low", "rps_ci95_high", "p50_us", "p95_us", "p99_us"),
    *("p99_ci95_low_us", "p99_ci95_high_us", "max_us", "knee", "stopped_early", "reads"),
    *("judged", "lost", "diverged", "phantom", "nodes_read", "nodes"),
)


def series_document(series: Series) -> dict[str, Any]:
    """A series as it stands in ``--json`` and at the top of its file.

    ``points`` holds a scenario's document for each run scenario of each step; figures of repeated runs are in their
    ``repeats`` and ``repeated``. ``slopes`` is empty but for entries, ``knee`` None for them.
    """
    return {
        "series": str(series.kind),
        "scenarios": list(series.scenarios),
        "tier": series.tier,
        "step_s": rounded(series.step_s, 3),
        "wanted": list(series.wanted),
        "stopped_early": series.stopped_early,
        "knee": _knee(series),
        "slopes": _slopes(series) if series.kind is SeriesKind.ENTRIES else {},
        "verdict": "; ".join(verdict_of(series)),
        "points": [
            {"value": point.value, "results": [scenario_document(result) for result in point.results]}
            for point in series.points
        ],
        "files": list(series.files),
    }


def _knee(series: Series) -> dict[str, Any] | None:
    knee = knee_of(series)
    if knee is None:
        return None
    rps, p99_us = (typical(knee.results[0], measure) for measure in ("rps", "p99_us"))
    return {"value": knee.value, "rps": rounded(rps, 3), "p99_us": rounded(p99_us, 1)}


def _slopes(series: Series) -> dict[str, Any]:
    slopes: dict[str, Any] = {}
    for name in series.scenarios:
        slopes[name] = {"p50": None, "p99": None}
        for percentile in slopes[name]:
            line = slope_of(series, name, f"{percentile}_us")
            if line is not None:
                slopes[name][percentile] = {
                    "ms_per_1000_entries": rounded(line.slope),
                    "ms_at_none": rounded(line.start),
                    "ci95_half_width": rounded(line.within),
                    "r_squared": rounded(line.fit),
                }
    return slopes


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
    write_rows(table, _COLUMNS, _csv_rows(series))
    histograms = [
        {"value": point.value, "scenario": result.name, "all": result.outcome.histogram}
        for point in series.points
        for result in point.results
    ]
    write_json(whole, {**series_document(series), "histograms": histograms, **circumstances(settings, cluster)})
    return series


def read_series(path: Path) -> Series:
    """A series as `save_series` wrote it, without histograms.

    Raises:
        ResultsError: the file can't be read or is no such series; names the file.
    """
    try:
        document = read_json(path, "series")
        points = [
            {"value": point["value"], "results": [result_fields(result) for result in point["results"]]}
            for point in document["points"]
        ]
        return from_json({**document, "kind": document["series"], "points": points}, Series)
    except DAMAGE as error:
        raise ResultsError(f"{path} is not a series of confman-tui, so it is left out") from error


def _csv_rows(series: Series) -> list[dict[str, Any]]:
    """A row per scenario and step; of repeated runs medians, and sums of requests and failures."""
    knee = knee_of(series)
    rows = []
    for point in series.points:
        for result in point.results:
            runs, spread = runs_of(result), spreads(result)
            rps, p99 = spread.get("rps"), spread.get("p99_us")
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
                *_verdict_cells(result),
            )
            rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return rows


def _verdict_cells(result: ScenarioResult) -> tuple[int | None, ...]:
    """What became of the acknowledged writes, and from how many nodes that is known; empty where nothing was read
    back."""
    v = result.verification
    if v is None:
        return (None,) * 6
    return int(v.judged), v.lost, v.diverged, v.phantom, v.nodes_read, v.nodes
