"""The figures of a drill's rounds and how they spread."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from confman_tui.core.percentiles import is_greatest, percentile
from confman_tui.results.formatting import rounded
from confman_tui.results.model import DrillRound

_OF_ELECTION = {
    "detect_s": "detected_s",
    "claim_s": "claim_s",
    "elect_s": "serving_s",
    "agree_s": "agree_s",
    "first_write_s": "first_write_s",
    "without_writes_s": "without_writes_s",
    "uncertainty_s": "write_uncertainty_s",
    "recover90_s": "recover90_s",
    "writes_missed": "writes_missed",
}
"""The figures of a round and the fields of its `Election` that hold them."""
P95 = 95.0
SINCE_FAULT = ("detect_s", "elect_s", "agree_s", "first_write_s", "recover90_s")
"""The figures that are moments, in seconds from the fault: one origin, so that they can be put in order …"""
LASTING = ("without_writes_s", "return_s")
"""… and those that are lengths of their own."""
ROUND_MEASURES = (*SINCE_FAULT, *LASTING)
"""The figures whose spread over the rounds is shown."""


def figures_of(round_: DrillRound) -> dict[str, float | None]:
    """The figures of a round, in seconds from the fault unless said otherwise; None: not seen.

    ``detect_s``: the loss of the leader could be known; ``elect_s``: a node said that it leads; ``agree_s``: all live
    nodes named it; ``first_write_s``: a write was acknowledged again; ``recover90_s``: throughput was back at 90 %,
    never before that. Not from the fault but lengths are ``without_writes_s`` ± ``uncertainty_s``, for how long writes
    were impossible: it may begin a moment before or after the fault, so that it can be longer or shorter than
    ``first_write_s``; and ``return_s``, from the fault's end until the node had caught up.
    """
    figures = {name: getattr(round_.election, field, None) for name, field in _OF_ELECTION.items()}
    return {name: rounded(value) for name, value in {**figures, "return_s": round_.return_s}.items()}


def distribution(values: Sequence[float]) -> dict[str, float | None]:
    """Minimum, median, 95th percentile (see `confman_tui.core.percentiles`) and maximum; and ``p95_is_max``: whether
    there are too few values, fewer than 20, for the 95th percentile to be any but the maximum."""
    if not values:
        return {"min": None, "median": None, "p95": None, "max": None, "p95_is_max": False}
    return {
        "min": min(values),
        "median": rounded(median(values)),
        "p95": percentile(values, P95),
        "max": max(values),
        "p95_is_max": is_greatest(P95, len(values)),
    }


def distributions(rounds: Sequence[DrillRound]) -> dict[str, dict[str, float | None]]:
    """How each of `ROUND_MEASURES` is distributed over the rounds that could be judged."""
    judged = [figures_of(round_) for round_ in rounds if round_.judged]
    return {
        name: distribution([value for row in judged if (value := row[name]) is not None]) for name in ROUND_MEASURES
    }


def spread_rows(rounds: int) -> tuple[tuple[str, str], ...]:
    """(name, key of `distribution`) of the rows below a table of ``rounds`` judged ones: of fewer than 20, the 95th
    percentile is the maximum, and both share a row that says so."""
    if is_greatest(P95, rounds):
        return (("min", "min"), ("median", "median"), ("max = p95", "max"))
    return (("min", "min"), ("median", "median"), ("p95", "p95"), ("max", "max"))
