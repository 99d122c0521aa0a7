"""A scenario's result as a JSON document, and the way back.

Most keys are the names of the fields of the model and of what it holds. The functions here write what differs: moments
as texts with their zone, figures that readers want and the model computes, and the run's outcome without a level of its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from confman_tui.cluster.watch_mode import WatchUse
from confman_tui.load.generator_use import GAUGES, GeneratorUse
from confman_tui.load.run_model import Cause
from confman_tui.results.files.election_files import (
    election_document,
    election_fields,
    verification_document,
    verification_fields,
)
from confman_tui.results.files.formats import from_json, to_json
from confman_tui.results.formatting import from_iso, iso, rounded
from confman_tui.results.model import ScenarioResult
from confman_tui.results.statistics.opening import opening_matters
from confman_tui.results.statistics.repeats import spreads

_ABSENT_ONCE = {"error_texts": {}, "per_node": {}, "redirected": 0, "stopped_early": False}
"""Of the fields without a default, those that early versions did not write."""


def scenario_document(result: ScenarioResult) -> dict[str, Any]:
    """A scenario as it stands in ``--json`` and at the top of ``_summary.json``.

    Latencies are of successful requests, in µs; ``rps`` counts successful requests. None: not known (results of
    stock Locust). ``reads`` is where the reads went (``--reads``), None for a scenario that only writes.
    """
    outcome = result.outcome
    return {
        "name": result.name,
        "scenario": result.of_scenario,
        "users": result.users or None,
        "duration_s": rounded(result.duration_s, 3),
        "entries_before": result.entries_before if result.entries_before >= 0 else None,
        "requests": outcome.requests,
        "failures": outcome.failures,
        "request_timeout_s": result.request_timeout_s,
        "fsync": result.fsync,
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
        "read_rps": _per_second(outcome.reads_ok, result),
        "write_rps": _per_second(outcome.writes_ok, result),
        "p90_us": outcome.p90_us,
        "p9999_us": outcome.p9999_us,
        "per_node": dict(outcome.per_node),
        "reads": to_json(result.reads),
        "by_node": _by_node(result),
        "redirected": outcome.redirected,
        "redirect_p50_us": outcome.redirect_p50_us,
        "redirect_max_us": outcome.redirect_max_us,
        **_open_loop(result),
        "error_texts": dict(outcome.error_texts),
        "start": iso(outcome.started, "microseconds"),
        "end": iso(outcome.ended, "microseconds"),
        "stopped_early": outcome.stopped_early,
        "invalid": outcome.invalid or None,
        "note": result.note,
        "opening": _opening(result),
        **_repeats(result),
        "generator_bound": to_json(result.generator_bound),
        "generator": _generator(result.generator),
        "watch": _watch(result.watch),
    }


def _per_second(count: int, result: ScenarioResult) -> float | None:
    seconds = result.outcome.ended - result.outcome.started
    return rounded(count / seconds, 3) if seconds > 0 else 0.0


def _by_node(result: ScenarioResult) -> list[dict[str, Any]]:
    """An entry for each node that was sent something.

    ``requests`` (of which ``reads`` and ``writes``) and ``failed`` count as those of the scenario do, and a redirected
    one for the node it was sent to first. ``rps`` counts successful requests per second of the whole run; so the nodes'
    add up to the scenario's.
    """
    return [
        {
            "node": node.node,
            "requests": node.requests,
            "failed": node.failed,
            "reads": node.reads,
            "writes": node.writes,
            "reads_failed": node.reads_failed,
            "writes_failed": node.writes_failed,
            "rps": _per_second(node.ok, result),
            "p50_us": node.p50_us,
            "p99_us": node.p99_us,
        }
        for node in result.outcome.by_node
    ]


def _node_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    reads_ok = document["reads"] - document["reads_failed"]
    writes_ok = document["writes"] - document["writes_failed"]
    if reads_ok < 0 or writes_ok < 0:
        raise ValueError("more failures than requests")
    return {**document, "reads_ok": reads_ok, "writes_ok": writes_ok}


def _open_loop(result: ScenarioResult) -> dict[str, Any]:
    """What there is of an open loop; all None and no changes in a closed one.

    ``uncorrected`` holds the latencies from each request's actual start (the others count from when it was due),
    ``not_started`` how many were due and never began.
    """
    outcome = result.outcome
    uncorrected = to_json(outcome.uncorrected)
    if uncorrected is not None:
        # it stands among the histograms
        del uncorrected["histogram"]
    is_open = result.rate is not None or uncorrected is not None
    return {
        "rate": result.rate,
        "rate_changes": [{"after_s": rounded(one.after_s, 3), "rate": one.rate} for one in result.rate_changes],
        "uncorrected": uncorrected,
        "not_started": outcome.not_started if is_open else None,
        "schedule_lag_s": rounded(outcome.schedule_lag_s) if is_open else None,
    }


def _opening(result: ScenarioResult) -> dict[str, Any] | None:
    """The first seconds apart from the rest; None where the run was too short for that.

    ``left_out``: it was a warm-up and counts for none of the other figures. ``matters``: see `opening_matters`.
    """
    first = result.outcome.opening
    if first is None:
        return None
    document = to_json(first, 3)
    requests = document.pop("ok") + first.failures
    figures = {"requests": requests, "rps": rounded(first.rps, 3), "matters": opening_matters(result)}
    return {**document, "seconds": rounded(first.seconds), **figures}


def _opening_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "ok": max(0, document["requests"] - document["failures"])}


def _repeats(result: ScenarioResult) -> dict[str, Any]:
    """``repeats`` (a list, the figures of each run) and ``repeated`` (the spread of each figure), both empty for a
    scenario that ran once; ``comparison`` with the kept run, or None.

    Latencies are in µs; ``stdev`` and ``ci95_…`` are None with one whole run. Runs that were stopped early stand in
    ``repeats`` but count for no spread.
    """
    comparison = None
    if result.comparison is not None:
        comparison = to_json(result.comparison)
        comparison["kept_at"] = iso(result.comparison.kept_at, "microseconds")
        comparison["changes"] = [
            {
                **to_json(change),
                "before": rounded(change.before, 3),
                "after": rounded(change.after, 3),
                "within_noise": change.within_noise,
            }
            for change in result.comparison.changes
        ]
    return {
        "warmup_s": rounded(result.warmup_s, 3),
        "repeats": [{**to_json(run, 3), "started": iso(run.started, "microseconds")} for run in result.repeats],
        "repeated": to_json(spreads(result), 3),
        "comparison": comparison,
    }


def _comparison_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "kept_at": from_iso(document["kept_at"])}


def _generator(use: GeneratorUse | None) -> dict[str, Any] | None:
    """Each gauge's mean and maximum over the run, None for a gauge that was not known; CPU in cores but ``machine_cpu``
    as a share of all; lags in ms. ``worker_cpu`` by worker, ``node_cpu`` by node."""
    if use is None:
        return None
    document = to_json(use, 4)
    return {**dict.fromkeys(GAUGES), **document.pop("gauges"), **document}


def _generator_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "gauges": {name: document[name] for name in GAUGES if document.get(name) is not None}}


def _watch(use: WatchUse | None) -> dict[str, Any] | None:
    """The intervals in force in ms, how many health polls and probe writes the run added, and for how many seconds of
    it the watch was alert; None where nobody watched."""
    if use is None:
        return None
    probe_s = use.pace.probe_s
    return {
        "poll_ms": rounded(use.pace.poll_s * 1000, 3),
        "poll_alert_ms": rounded(use.pace.poll_alert_s * 1000, 3),
        "probe": "auto" if probe_s is None else rounded(probe_s * 1000, 3) or "off",
        "polls": use.polls,
        "probe_writes": use.probe_writes,
        "alert_s": rounded(use.alert_s, 3),
    }


def _watch_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    probe = document["probe"]
    pace = {
        "poll_s": document["poll_ms"] / 1000,
        "poll_alert_s": document["poll_alert_ms"] / 1000,
        "probe_s": None if probe == "auto" else 0.0 if probe == "off" else probe / 1000,
    }
    return {**document, "pace": pace}


def result_from(document: Mapping[str, Any]) -> ScenarioResult:
    """What `scenario_document` wrote, with the histograms of ``_summary.json`` where there are any; raises one of
    `formats.DAMAGE` for anything else."""
    return from_json(result_fields(document), ScenarioResult)


def result_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of that result, their types not yet checked; raises one of `formats.DAMAGE` too."""
    if document["failures"] > document["requests"]:
        raise ValueError("more failures than requests")
    histograms = document.get("histograms", {})
    uncorrected = document.get("uncorrected")
    if uncorrected is not None:
        uncorrected = {**uncorrected, "histogram": histograms.get("uncorrected", "")}
    outcome = {
        **_ABSENT_ONCE,
        **document,
        "started": from_iso(document["start"]),
        "ended": from_iso(document["end"]),
        "failures_by_cause": {cause: count for cause, count in document["failures_by_cause"].items() if count},
        "histogram": histograms.get("all", ""),
        "read_histogram": histograms.get("reads", ""),
        "write_histogram": histograms.get("writes", ""),
        "by_node": [_node_fields(node) for node in document.get("by_node", ())],
        "uncorrected": uncorrected,
        "not_started": document.get("not_started") or 0,
        "schedule_lag_s": document.get("schedule_lag_s") or 0.0,
        "opening": _fields(document, "opening", _opening_fields),
        "invalid": document.get("invalid") or "",
        "files": (),
    }
    scenario = document.get("scenario", "")
    return {
        **document,
        "scenario": "" if scenario == document["name"] else scenario,
        "outcome": outcome,
        "elections": [election_fields(election) for election in document["elections"]],
        "verification": _fields(document, "verification", verification_fields),
        "repeats": [{**run, "started": from_iso(run["started"])} for run in document.get("repeats", ())],
        "comparison": _fields(document, "comparison", _comparison_fields),
        "generator": _fields(document, "generator", _generator_fields),
        "watch": _fields(document, "watch", _watch_fields),
    }


def _fields(
    document: Mapping[str, Any], name: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any] | None:
    """The fields of a part of the document; None where there is no such part."""
    part = document.get(name)
    return None if part is None else change(part)
