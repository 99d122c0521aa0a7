"""Drills on the real demo cluster, beside an independent observer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from confman_tui.cluster.elections import FaultKind
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.session.drill_rounds import run_rounds
from confman_tui.session.drill_rules import DrillPlan
from confman_tui.session.events import DrillEnded
from tests.support.agreement import tolerance
from tests.support.drill_host import real_host
from tests.support.waiting import DEADLINE_S

OBSERVER = Path(__file__).parent.parent / "support" / "observer.py"
PROBE_S = 0.1


class Observed:
    """What the observer saw, once the block has ended."""

    report: dict[str, Any]


@contextmanager
def observer(nodes: tuple[str, ...]) -> Iterator[Observed]:
    seen = Observed()
    process = subprocess.Popen(
        [sys.executable, str(OBSERVER), "--nodes", ",".join(nodes), "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield seen
        out, _ = process.communicate(timeout=DEADLINE_S)
        seen.report = json.loads(out)
    finally:
        process.kill()
        process.wait(DEADLINE_S)


async def drilled(kind: FaultKind, rounds: int, timeouts: tuple[int, int]) -> tuple[DrillEnded, dict[str, Any]]:
    with DemoCluster(ports="auto", election_timeout_ms=timeouts) as cluster:
        assert await asyncio.to_thread(cluster.wait_ready, DEADLINE_S)
        with observer(cluster.urls) as seen:
            async with real_host(cluster, probe_s=PROBE_S) as host:
                ended = await run_rounds(host, DrillPlan(rounds, kind, steady_s=2.0))
        return ended, seen.report


def compare(ended: DrillEnded, report: dict[str, Any]) -> list[tuple[float, float, float]]:
    """(ours, the observer's, what the difference may be) of each round, in seconds."""
    rows = []
    for round_ in ended.rounds:
        assert round_.judged, round_.reason
        election = round_.election
        assert election is not None
        assert election.without_writes_s is not None
        middle = election.origin + (election.first_write_s or 0.0) / 2
        [gap] = [gap for gap in report["gaps"] if gap["start"] < middle < gap["end"]]
        uncertain = election.write_uncertainty_s
        # a busy machine makes both less sure
        assert uncertain <= max(2.5 * PROBE_S, gap["uncertainty"])
        # The probe's interval and the observer's. On a machine that is busy with other things both may start a write
        # late, and both say so themselves.
        rows.append((election.without_writes_s, gap["seconds"], tolerance(PROBE_S, uncertain, gap["uncertainty"])))
    return rows


def check(ended: DrillEnded, report: dict[str, Any]) -> None:
    rows = compare(ended, report)
    for ours, theirs, most in rows:
        assert abs(ours - theirs) <= most, rows
    assert ended.exit_code == 0, ended.verdict
    assert ended.verification is not None
    assert ended.verification.passed
    assert ended.verification.lost == 0
    assert report["acknowledged"] > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.PAUSE])
async def test_a_round_agrees_with_an_independent_observer(kind: FaultKind) -> None:
    check(*await drilled(kind, 1, (500, 1500)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE])
async def test_five_rounds_agree_with_an_independent_observer(kind: FaultKind) -> None:
    ended, report = await drilled(kind, 5, (1000, 3000))
    for ours, theirs, uncertain in compare(ended, report):
        print(f"{kind}: {ours:.3f} s, observer {theirs:.3f} s, ± {uncertain:.3f} s")
    check(ended, report)
