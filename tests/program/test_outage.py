"""The time without writes of many drill rounds against an independent observer's, on real processes.

    OUTAGE_ROUNDS=100 pytest -s -n0 -m slow tests/program/test_outage.py

A round takes some six seconds. The observer (`tests/support/observer.py`) shares nothing with the program but the
machine's clock: a process of its own, raw asyncio, a write every 10 ms at each node, no redirects followed. Its gap,
from its last acknowledgement to its next one, must lie within ``without_writes_s`` ± ``uncertainty_s``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.support.agreement import fault_seconds, gaps_around
from tests.support.observed_drill import observed_drill

ROUNDS = int(os.environ.get("OUTAGE_ROUNDS", "10"))
SHARE = 0.95
"""Of the rounds, in which the observer's gap lies within the program's interval."""
MOST_HALF_WIDTH_S = {"kill": 0.05, "isolate": 0.05, "pause": 0.1}
"""Median of the half-widths: an interval that holds because it holds anything says nothing."""


@dataclass(frozen=True)
class Round:
    """One round, in seconds."""

    ours: float
    half_width: float
    observed: float
    observed_uncertainty: float

    @property
    def inside(self) -> bool:
        """Whether the observer's gap lies within the program's interval; all figures have three decimals."""
        return abs(self.observed - self.ours) <= self.half_width + 0.001

    def __str__(self) -> str:
        verdict = "" if self.inside else "  OUTSIDE"
        theirs = f"{self.observed:.3f} (at most {self.observed_uncertainty:.3f} less)"
        return f"{self.ours:.3f} ± {self.half_width:.3f} | {theirs}{verdict}"


def compare(document: dict[str, Any], report: dict[str, Any], seconds: list[float]) -> list[Round]:
    """Each round beside the longest gap that the observer saw around it."""
    compared = []
    for row, gap in zip(document["rounds"], gaps_around(document["rounds"], report["gaps"], seconds), strict=True):
        assert row["judged"], row
        compared.append(Round(row["without_writes_s"], row["uncertainty_s"], gap["seconds"], gap["uncertainty"]))
    return compared


@pytest.mark.slow
@pytest.mark.timeout(ROUNDS * 30 + 180)
@pytest.mark.parametrize("fault", ["kill", "pause", "isolate"])
def test_the_observers_gap_lies_within_what_the_drill_reports(fault: str, tmp_path: Path) -> None:
    arguments = ["--rounds", str(ROUNDS), "--fault", fault, *os.environ.get("OUTAGE_ARGUMENTS", "").split()]
    document, report, code = observed_drill(arguments, tmp_path, ROUNDS * 30.0)
    assert code == 0, document["verdict"]
    rounds = compare(document, report, fault_seconds(tmp_path / "results" / "small-drill_timeline.csv", fault))
    inside = sum(one.inside for one in rounds)
    widths = sorted(one.half_width for one in rounds)
    print(f"\n{fault}, ours | the observer's:", *rounds, sep="\n")
    print(f"{fault}: inside in {inside} of {len(rounds)}; half-width {median(widths):.3f} s in the median")
    print(f"{fault}: half-widths {' '.join(f'{width:.3f}' for width in widths)}")
    assert len(rounds) == ROUNDS
    assert inside >= SHARE * len(rounds)
    # a busy machine makes both less sure
    assert median(widths) <= max(MOST_HALF_WIDTH_S[fault], median(one.observed_uncertainty for one in rounds))
