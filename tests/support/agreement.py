"""How far the program and the independent observer may differ about the same outage."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

OBSERVER_S = 0.1
"""What the observer's own uncertainty is at most while nothing disturbs it: three nodes in turn at 20 ms each, and an
answer."""


def tolerance(probe_s: float, ours_s: float, theirs_s: float) -> float:
    """The probe's interval and the observer's 20 ms; more only by what either was disturbed, as it says itself.

    Args:
        probe_s: interval of the program's probe.
        ours_s: the program's own uncertainty of its figure.
        theirs_s: the observer's.
    """
    return max(probe_s, ours_s) + 0.02 + max(0.0, theirs_s - OBSERVER_S)


def fault_seconds(timeline: Path, fault: str) -> list[float]:
    """The seconds of the run in which the drill hurt a node, in order, since the epoch."""
    with timeline.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        datetime.fromisoformat(row["time"]).timestamp()
        for row in rows
        for mark in row["marks"].split("; ")
        if mark.startswith(f"{fault} ") and mark.endswith("(drill)")
    ]


def gaps_around(
    rows: Sequence[dict[str, Any]], gaps: Sequence[dict[str, Any]], seconds: Sequence[float]
) -> list[dict[str, Any]]:
    """The longest gap that the observer saw around each round's fault, which came in the second of that number. Others
    are not the drill's: on a busy machine the cluster stops for a moment by itself."""
    assert len(seconds) == len(rows), (seconds, rows)
    found = []
    for row, second in zip(rows, seconds, strict=True):
        until = second + 1.0 + row["first_write_s"]
        around = [gap for gap in gaps if gap["end"] > second and gap["start"] < until]
        found.append(max(around, key=lambda one: float(one["seconds"])))
    return found
