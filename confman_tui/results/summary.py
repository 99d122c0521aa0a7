"""A scenario's result as JSON: ``_summary.json``, the ``--json`` document, and the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from confman_tui import __version__
from confman_tui.load.run_model import Cause, RunOutcome
from confman_tui.results.elections import (
    election_document,
    election_from,
    verification_document,
    verification_from,
    write_elections,
    write_lost,
)
from confman_tui.results.files import ResultsError, path_of, told, write_text
from confman_tui.results.machine import machine, versions
from confman_tui.results.model import ScenarioResult
from confman_tui.results.nodes import by_node_from, nodes_document, reads_from
from confman_tui.results.open_loop import (
    open_loop_document,
    rate_changes_from,
    rate_from,
    uncorrected_from,
    uncorrected_histogram,
)
from confman_tui.results.plain import count, finite, from_iso, iso, rounded
from confman_tui.results.saturation import bound_document, bound_from, use_document, use_from
from confman_tui.results.statistics.opening import opening_document, opening_from
from confman_tui.results.statistics.repeats import repeats_document, repeats_from
from confman_tui.results.watch import watch_document, watch_from
from confman_tui.settings import Settings

_LARGEST = 32 * 1024 * 1024
_HIDDEN = "(hidden)"


def scenario_document(result: ScenarioResult) -> dict[str, Any]:
    """A scenario as it stands in ``--json`` and at the top of ``_summary.json``.

    Latencies are of successful requests, in µs; ``rps`` counts successful requests. None: not known (results of
    stock Locust).

    In an open loop latencies count from when each request was due; ``uncorrected`` holds those from its actual start,
    ``not_started`` how many were due and never began. In a closed loop ``rate``, ``uncorrected``, ``not_started`` and
    ``schedule_lag_s`` are None.
    """
    outcome = result.outcome
    seconds = outcome.ended - outcome.started
    return {
        "name": result.name,
        "users": result.users or None,
        "duration_s": rounded(result.duration_s, 3),
        "entries_before": result.entries_before if result.entries_before >= 0 else None,
        "requests": outcome.requests,
        "failures": outcome.failures,
        "failures_by_cause": {str(cause): outcome.failures_by_cause.get(cause, 0) for cause in Cause},
        "rps": rounded(outcome.rps, 3),
        "p50_us": outcome.p50_us,
        "p95_us": outcome.p95_us,
        "p99_us": outcome.p99_us,
        "p999_us": outcome.p999_us,
        "max_us": outcome.max_us,
        "elections": [election_document(election) for election in result.elections],
        "verification": verification_document(result.verification),
        "files": list(result.files),
        "tier": result.tier,
        "payload_bytes": result.payload_bytes or None,
        "reads_ok": outcome.reads_ok,
        "writes_ok": outcome.writes_ok,
        "read_rps": rounded(outcome.reads_ok / seconds, 3) if seconds > 0 else 0.0,
        "write_rps": rounded(outcome.writes_ok / seconds, 3) if seconds > 0 else 0.0,
        "p90_us": outcome.p90_us,
        "p9999_us": outcome.p9999_us,
        "per_node": dict(outcome.per_node),
        **nodes_document(result),
        "redirected": outcome.redirected,
        "redirect_p50_us": outcome.redirect_p50_us,
        "redirect_max_us": outcome.redirect_max_us,
        **open_loop_document(result),
        "error_texts": dict(outcome.error_texts),
        "start": iso(outcome.started, "microseconds"),
        "end": iso(outcome.ended, "microseconds"),
        "stopped_early": outcome.stopped_early,
        "invalid": outcome.invalid or None,
        "note": result.note,
        "opening": opening_document(result),
        **repeats_document(result),
        "generator_bound": bound_document(result.generator_bound),
        "generator": use_document(result.generator),
        "watch": watch_document(result.watch),
    }


def json_document(
    cluster: Mapping[str, Any],
    tier: str | None,
    results: Sequence[ScenarioResult],
    problems: Sequence[str] = (),
    series: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The whole of ``--json``.

    Args:
        cluster: ``nodes``, ``leader`` and ``term``, as at the end.
        tier: None when the results are of several tiers; each scenario names its own too.
        results: In the order to show.
        problems: What could not be read, a sentence each; the key is left out when there is none.
        series: Documents of series (`confman_tui.results.series`); the key is left out when there is none.
    """
    document: dict[str, Any] = {
        "version": __version__,
        "cluster": {name: cluster.get(name) for name in ("nodes", "leader", "term")},
        "tier": tier,
        "scenarios": [scenario_document(result) for result in results],
    }
    if series:
        document["series"] = list(series)
    if problems:
        document["problems"] = list(problems)
    return document


def summary_document(result: ScenarioResult, settings: Settings, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The whole of ``_summary.json``: the scenario, and under what circumstances it was measured.

    The API key is in none of it: the settings leave it out, and wherever else a text holds it, it is replaced.
    """
    document = {
        **scenario_document(result),
        "version": __version__,
        "cluster": {name: cluster.get(name) for name in ("nodes", "leader", "term")},
        "histograms": {
            "all": result.outcome.histogram,
            "reads": result.outcome.read_histogram,
            "writes": result.outcome.write_histogram,
            **uncorrected_histogram(result),
        },
        "settings": settings.public(),
        "versions": versions(),
        "machine": machine(),
    }
    return dict(_without(settings.api_key, document))


def _without(secret: str, value: Any) -> Any:
    """The same value with the secret replaced in every text of it, keys of objects included."""
    if isinstance(value, str):
        return value.replace(secret, _HIDDEN)
    if isinstance(value, Mapping):
        return {_without(secret, key): _without(secret, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(secret, item) for item in value]
    return value


def save_result(result: ScenarioResult, settings: Settings, cluster: Mapping[str, Any]) -> ScenarioResult:
    """Write ``_elections.csv``, ``_lost.csv`` (if a write was lost) and ``_summary.json`` of a finished scenario.

    Returns:
        The result with these files added to its own.

    Raises:
        ResultsError: one can't be written. Earlier results stay whole.
    """
    directory = settings.output_dir
    written = [write_elections(directory, result.tier, result.name, result.elections)]
    lost = write_lost(directory, result.tier, result.name, result.verification)
    if lost is not None:
        written.append(lost)
    summary = path_of(directory, result.tier, result.name, "summary.json")
    files = dict.fromkeys((*result.files, *map(str, written), str(summary)))
    result = replace(result, files=tuple(files))
    document = summary_document(result, settings, cluster)
    write_text(summary, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return result


def read_summary(path: Path) -> ScenarioResult:
    """A result as `save_result` wrote it.

    Raises:
        ResultsError: the file can't be read or is not such a summary; names the file.
    """
    return read_document(path)[0]


def read_document(path: Path) -> tuple[ScenarioResult, dict[str, Any]]:
    """A result, and the whole document that it was in. Raises as `read_summary` does."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ResultsError(f"{path} is larger than any summary of confman-tui")
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise TypeError("no object")
        return result_from(document), document
    except OSError as error:
        raise ResultsError(f"{path} can't be read: {told(error)}") from error
    except (ValueError, RecursionError) as error:
        why = "is broken" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else "holds wrong values"
        raise ResultsError(f"{path} {why}, so it is left out") from error
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ResultsError(f"{path} is not a summary of confman-tui, so it is left out") from error


def result_from(document: Mapping[str, Any]) -> ScenarioResult:
    """What `scenario_document` or `summary_document` wrote; KeyError, ValueError, TypeError or AttributeError for
    anything else."""
    histograms = document.get("histograms", {})
    requests, failures = count(document["requests"]), count(document["failures"])
    if failures > requests:
        raise ValueError("more failures than requests")
    outcome = RunOutcome(
        started=from_iso(document["start"]),
        ended=from_iso(document["end"]),
        requests=requests,
        failures=failures,
        failures_by_cause={Cause(name): count(times) for name, times in document["failures_by_cause"].items() if times},
        error_texts={str(text): count(times) for text, times in document.get("error_texts", {}).items()},
        reads_ok=count(document["reads_ok"]),
        writes_ok=count(document["writes_ok"]),
        p50_us=_latency(document["p50_us"]),
        p90_us=_latency(document["p90_us"]),
        p95_us=_latency(document["p95_us"]),
        p99_us=_latency(document["p99_us"]),
        p999_us=_latency(document["p999_us"]),
        p9999_us=_latency(document["p9999_us"]),
        max_us=_latency(document["max_us"]),
        histogram=str(histograms.get("all", "")),
        read_histogram=str(histograms.get("reads", "")),
        write_histogram=str(histograms.get("writes", "")),
        per_node={str(node): count(times) for node, times in document.get("per_node", {}).items()},
        by_node=by_node_from(document),
        redirected=count(document.get("redirected", 0)),
        redirect_p50_us=_latency(document.get("redirect_p50_us")),
        redirect_max_us=_latency(document.get("redirect_max_us")),
        uncorrected=uncorrected_from(document),
        not_started=count(document.get("not_started") or 0),
        schedule_lag_s=finite(document.get("schedule_lag_s") or 0.0),
        files=(),
        stopped_early=bool(document.get("stopped_early", False)),
        opening=opening_from(document.get("opening")),
        invalid=_text(document.get("invalid") or ""),
    )
    return ScenarioResult(
        name=_text(document["name"]),
        tier=_text(document["tier"]),
        users=count(document["users"]),
        duration_s=finite(document["duration_s"]),
        payload_bytes=count(document["payload_bytes"]),
        entries_before=count(document["entries_before"]),
        outcome=outcome,
        elections=tuple(election_from(election) for election in document["elections"]),
        verification=verification_from(document.get("verification")),
        files=tuple(str(file) for file in document["files"]),
        note=str(document.get("note", "")),
        rate=rate_from(document),
        reads=reads_from(document),
        rate_changes=rate_changes_from(document),
        **repeats_from(document),
        generator=use_from(document.get("generator")),
        generator_bound=bound_from(document.get("generator_bound")),
        watch=watch_from(document.get("watch")),
    )


def _latency(value: Any) -> int | None:
    return None if value is None else count(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
