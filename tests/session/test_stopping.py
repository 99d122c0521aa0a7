"""A stop for good, as the first signal and ``q`` bring it, ends every wait for a node that never answers.

No test here measures time: without the stop nothing would end, since the cluster keeps silent (or drips) for ever, and
each limit of the program's own is an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from confman_tui.cli import make_demo
from confman_tui.session import changes
from confman_tui.session.drill import run_drill
from confman_tui.session.events import DrillEnded, FaultCaused, Phase, PhaseChanged
from confman_tui.session.series import run_series, run_sweep
from confman_tui.session.session import Session
from tests.support.ready_cluster import ready_cluster
from tests.support.session_events import RecordedEvents, settings_for
from tests.support.stalling_cluster import (
    StallingCluster,
    Stalls,
    all_but_health,
    counting,
    entries,
    everything,
    listing,
    removal,
)
from tests.support.waiting import DEADLINE_S, until

HOUR_S = 3600.0

Work = Callable[[Session], Awaitable[object]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to see how long a cleaning without an answer is waited for."""
    monkeypatch.setattr("confman_tui.session.patience.STALLED_S", 0.3)


@pytest.fixture
def cluster() -> Iterator[StallingCluster]:
    with StallingCluster() as cluster:
        yield cluster


def session_on(cluster: StallingCluster, home: Path, **changed: Any) -> tuple[Session, RecordedEvents]:
    recorded = RecordedEvents()
    settings = replace(
        settings_for(cluster.nodes, home),
        wait_s=HOUR_S,
        request_timeout_s=HOUR_S,
        duration_s=HOUR_S,
        **changed,
    )
    return Session(settings, recorded, make_demo), recorded


async def interrupted_in(session: Session, work: Awaitable[object], there: Callable[[], object]) -> None:
    """Begin the work, stop for good when it is there, and see it end."""
    task = asyncio.ensure_future(work)
    try:
        await until(lambda: there() or task.done(), "the phase")
        assert not task.done(), task.exception()
        session.interrupt()
        async with asyncio.timeout(DEADLINE_S):
            await task
    finally:
        task.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await session.close()


def in_phase(recorded: RecordedEvents, phase: Phase) -> bool:
    return any(one.phase is phase for one in recorded.of(PhaseChanged))


OPENING: dict[str, tuple[Stalls, dict[str, Any]]] = {
    "connecting": (everything, {}),
    "the key": (lambda method, path: path == "/api/v1/namespaces", {}),
    "the claim": (lambda method, path: "-owner" in path and method == "PUT", {}),
    "leftovers": (lambda method, path: path.endswith("bench-probe/config"), {}),
    "seeding": (lambda method, path: method == "PUT" and "/config/key-" in path, {}),
    "all but health": (all_but_health, {}),
}


QUICK = {("connecting", False), ("the claim", True), ("seeding", True)}
"""What the suite tries."""
WAYS = [
    pytest.param(phase, drips, marks=[] if (phase, drips) in QUICK else [pytest.mark.slow])
    for phase in OPENING
    for drips in (False, True)
]


@pytest.mark.parametrize(("phase", "drips"), WAYS)
async def test_while_it_opens(phase: str, drips: bool, cluster: StallingCluster, tmp_path: Path) -> None:
    stalls, changed = OPENING[phase]
    session, _ = session_on(cluster, tmp_path, **changed)
    cluster.stall(stalls, drips=drips)
    await interrupted_in(session, session.open(), lambda: cluster.stalled)
    assert not session.results


async def test_while_it_waits_for_workers(cluster: StallingCluster, tmp_path: Path) -> None:
    session, recorded = session_on(cluster, tmp_path, expect_workers=1)
    await interrupted_in(session, session.open(), lambda: in_phase(recorded, Phase.GATHERING))


RUNNING: dict[str, tuple[Stalls, Work]] = {
    "counting": (counting, lambda session: run_series(session, ["write-1u"])),
    "requests in flight": (entries, lambda session: run_series(session, ["write-1u"])),
    "putting back": (listing, changes.put_back),
    "removing": (removal, lambda session: changes.choose_tier(session, "large")),
    "claiming another tier": (all_but_health, lambda session: changes.choose_tier(session, "large")),
    "a sweep": (listing, run_sweep),
}


SLOW = {"putting back", "removing", "claiming another tier", "a sweep"}
"""They take one way through the program with the others."""


@pytest.mark.parametrize("phase", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in RUNNING])
async def test_while_something_runs(phase: str, cluster: StallingCluster, tmp_path: Path) -> None:
    stalls, work = RUNNING[phase]
    session, recorded = session_on(cluster, tmp_path)
    await session.open()
    await session.cluster.monitor.stop_probe()
    cluster.stall(stalls, drips=True)
    await interrupted_in(session, work(session), lambda: cluster.stalled)
    if phase == "requests in flight":
        assert session.results, "the figures so far"
    if phase in ("removing", "claiming another tier", "requests in flight"):
        assert "cleaning failed (no answer for " in recorded.texts()
        assert "stay on the cluster; `confman-tui clean` removes them" in recorded.texts()


async def test_while_it_verifies(cluster: StallingCluster, tmp_path: Path) -> None:
    session, _ = session_on(cluster, tmp_path)
    session.settings = replace(session.settings, duration_s=0.3)
    await session.open()
    cluster.stall(lambda method, path: method == "GET" and "/config" in path and "configs" not in path, drips=True)
    await interrupted_in(session, run_series(session, ["write-1u"]), lambda: cluster.stalled)
    (result,) = session.results
    assert result.verification is not None
    assert result.verification.missed or result.verification.unread


async def test_while_no_node_leads(cluster: StallingCluster, tmp_path: Path) -> None:
    session, recorded = session_on(cluster, tmp_path)
    await session.open()
    cluster.stalling.leader = None
    cluster.stalling.not_ready = {0, 1, 2}
    await until(lambda: session.cluster.monitor.view.leader is None)
    await interrupted_in(session, run_series(session, ["write-1u"]), lambda: in_phase(recorded, Phase.WAITING))


@pytest.mark.slow
async def test_while_a_drill_waits_for_recovery(tmp_path: Path) -> None:
    """Real nodes, which elect no other leader for a minute."""
    with ready_cluster(3, (50_000, 60_000)) as nodes:
        recorded = RecordedEvents()
        given = settings_for(",".join(nodes.urls), tmp_path)
        settings = replace(given, wait_s=HOUR_S, allow_faults=True, fault="pause")
        session = Session(settings, recorded, make_demo)
        await session.open()
        await interrupted_in(session, run_drill(session), lambda: recorded.of(FaultCaused))
        (ended,) = recorded.of(DrillEnded)
        assert "stopped" in ended.verdict.lower()
        assert {process.status() for process in map(psutil.Process, nodes.pids.values())} & {"stopped"} == set()


async def test_while_it_cleans(cluster: StallingCluster, tmp_path: Path) -> None:
    """The first signal in the cleaning at the program's end, which nobody asked to hurry before."""
    session, recorded = session_on(cluster, tmp_path)
    await session.open()
    cluster.stall(removal)
    task = asyncio.ensure_future(session.close(within_s=HOUR_S))
    await until(lambda: cluster.stalled)
    session.interrupt()
    async with asyncio.timeout(DEADLINE_S):
        await task
    assert "cleaning failed (stopped): " in recorded.texts()


async def test_a_cleaning_that_gets_on_is_not_cut_short(
    cluster: StallingCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confman_tui.session.patience.STALLED_S", DEADLINE_S)
    session, recorded = session_on(cluster, tmp_path)
    await session.open()
    assert cluster.stalling.namespaces
    session.interrupt()
    await session.close()
    assert "cleaning failed" not in recorded.texts()
    assert not cluster.stalling.namespaces
