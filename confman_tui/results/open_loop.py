"""An open loop's own figures, and the cost of redirects: in JSON, the way back, and as sentences for the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confman_tui.load.run_model import Uncorrected
from confman_tui.results.model import RateChange, ScenarioResult
from confman_tui.results.plain import count, finite, milliseconds, rounded, seconds, sensible

_PERCENTILES = ("p50_us", "p90_us", "p95_us", "p99_us", "p999_us", "p9999_us", "max_us")


def open_loop_document(result: ScenarioResult) -> dict[str, Any]:
    """What a scenario's document holds of its schedule; all None and no changes in a closed loop."""
    outcome = result.outcome
    actual = outcome.uncorrected
    is_open = result.rate is not None or actual is not None
    return {
        "rate": result.rate,
        "rate_changes": [{"after_s": rounded(held.after_s, 3), "rate": held.rate} for held in result.rate_changes],
        "uncorrected": {name: getattr(actual, name) for name in _PERCENTILES} if actual is not None else None,
        "not_started": outcome.not_started if is_open else None,
        "schedule_lag_s": rounded(outcome.schedule_lag_s, 6) if is_open else None,
    }


def uncorrected_histogram(result: ScenarioResult) -> dict[str, str]:
    """The histogram of the latencies from the actual start, by its name among the histograms."""
    actual = result.outcome.uncorrected
    return {"uncorrected": actual.histogram} if actual is not None else {}


def uncorrected_from(document: Mapping[str, Any]) -> Uncorrected | None:
    """What `open_loop_document` wrote; None where it wrote none. Raises as the readers of single values do."""
    held = document.get("uncorrected")
    if held is None:
        return None
    values = {name: None if held[name] is None else count(held[name]) for name in _PERCENTILES}
    return Uncorrected(**values, histogram=str(document.get("histograms", {}).get("uncorrected", "")))


def rate_from(document: Mapping[str, Any]) -> float | None:
    """The rate that was asked for; None for a closed loop, and for what was written before there were rates."""
    held = document.get("rate")
    return None if held is None else finite(held)


def rate_changes_from(document: Mapping[str, Any]) -> tuple[RateChange, ...]:
    """How the rate changed during the run."""
    changes = document.get("rate_changes", ())
    return tuple(RateChange(finite(change["after_s"]), finite(change["rate"])) for change in changes)


def open_loop_notes(result: ScenarioResult) -> list[str]:
    """What a reader must know of the schedule, in sentences: how it went, who was left out, and what to do."""
    outcome = result.outcome
    if result.rate is None:
        return []
    notes = []
    changes = result.rate_changes
    told = f"{result.rate:g} requests/s asked for"
    if changes:
        times = "once" if len(changes) == 1 else f"{len(changes)} times"
        told += f", changed {times}, to {sensible(changes[-1].rate)} at the end"
    notes.append(f"{told}; the longest that one began late: {milliseconds(round(outcome.schedule_lag_s * 1e6))} ms")
    if outcome.not_started:
        due = outcome.requests + outcome.not_started
        notes.append(
            f"{outcome.not_started:,} of {due:,} requests were due and never began, the oldest waited up to "
            f"{seconds(outcome.schedule_lag_s)}: the figures don't hold them. Their latency would have been worse; "
            "a lower --rate or more --users would keep the schedule"
        )
    return notes


def redirect_notes(result: ScenarioResult) -> list[str]:
    """How many requests were redirected, and what that cost them."""
    outcome = result.outcome
    if not outcome.redirected:
        return []
    some = "1 request" if outcome.redirected == 1 else f"{outcome.redirected:,} requests"
    if outcome.redirect_p50_us is None:
        return [f"after a redirect: {some}"]
    cost = f"{milliseconds(outcome.redirect_p50_us)} ms (median), at most {milliseconds(outcome.redirect_max_us)} ms"
    return [f"served after a redirect: {some}; of their times, the redirects took {cost}"]
