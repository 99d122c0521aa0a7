"""The figures of a drill's rounds and how they spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

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
ROUND_MEASURES = ("detect_s", "elect_s", "agree_s", "without_writes_s", "recover90_s", "return_s")
"""The figures whose spread over the rounds is shown."""


def figures_of(round_: DrillRound) -> dict[str, float | None]:
    """The figures of a round, in seconds from the fault unless said otherwise; None: not seen.

    ``detect_s``: the loss of the leader could be known; ``elect_s``: a node said that it leads; ``agree_s``: all live
    nodes named it; ``without_writes_s`` ± ``uncertainty_s``: from the last acknowledgement before to the first after;
    ``recover90_s``: throughput was back at 90 %; ``return_s``: from the fault's end until the node had caught up.
    """
    figures = {name: getattr(round_.election, field, None) for name, field in _OF_ELECTION.items()}
    return {name: rounded(value) for name, value in {**figures, "return_s": round_.return_s}.items()}


def distribution(values: Sequence[float]) -> dict[str, float | None]:
    """Minimum, median, 95th percentile (nearest rank: the smallest value that at least 95 % do not exceed) and
    maximum."""
    if not values:
        return {"min": None, "median": None, "p95": None, "max": None}
    ordered = sorted(values)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return {"min": ordered[0], "median": rounded(median(ordered)), "p95": p95, "max": ordered[-1]}


def distributions(rounds: Sequence[DrillRound]) -> dict[str, dict[str, float | None]]:
    """How each of `ROUND_MEASURES` is distributed over the rounds that could be judged."""
    judged = [figures_of(round_) for round_ in rounds if round_.judged]
    return {
        name: distribution([value for row in judged if (value := row[name]) is not None]) for name in ROUND_MEASURES
    }
