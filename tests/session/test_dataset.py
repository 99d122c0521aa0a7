"""Whose data is on the cluster, and that it goes away: the session on a real cluster of one node."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.cli import make_demo
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.lease import Lease, LeaseHeldError
from confman_tui.core.errors import EXIT_UNWRITTEN, ClusterError
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.session import changes
from confman_tui.session.events import (
    ClusterChanged,
    Event,
    LeftoversFound,
    Phase,
    PhaseChanged,
    ProgressMade,
)
from confman_tui.session.series import run_series
from confman_tui.session.session import Session
from tests.support.keys import ADMIN
from tests.support.ready_cluster import ready_cluster
from tests.support.session_events import RecordedEvents, settings_for
from tests.support.waiting import DEADLINE_S


@pytest.fixture(scope="module")
def cluster() -> Iterator[DemoCluster]:
    """One for all tests here: each leaves it running and without data."""
    with ready_cluster(1) as cluster:
        yield cluster


@asynccontextmanager
async def benchmark(cluster: DemoCluster, home: Path) -> AsyncIterator[tuple[Session, RecordedEvents]]:
    recorded = RecordedEvents()
    session = Session(settings_for(cluster.urls[0], home), recorded, make_demo, interactive=True)
    try:
        yield session, recorded
    finally:
        await session.close()


async def namespaces(cluster: DemoCluster) -> set[str]:
    client = ConfmanClient(ADMIN, nodes=cluster.urls)
    try:
        return {namespace.path for namespace in await client.list_namespaces(cluster.urls[0])}
    finally:
        await client.aclose()


def cleaning(event: Event) -> bool:
    return isinstance(event, ProgressMade) and event.activity is Phase.CLEANING


async def test_fresh_gives_each_scenario_the_same_entries(cluster: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(cluster, tmp_path) as (session, _):
        session.settings = replace(session.settings, fresh=True, duration_s=0.4)
        await session.open()
        results = await run_series(session, ["write-10u", "read-1u", "write-1u"])
        assert {result.entries_before for result in results} <= {100, 101}, "seeded, and the probe's own key"
        assert results[0].outcome.requests > 0
    assert await namespaces(cluster) == set()


async def test_a_leader_that_dies_before_the_entries_are_counted_ends_no_run(
    cluster: DemoCluster, tmp_path: Path
) -> None:
    async with benchmark(cluster, tmp_path) as (session, _):
        session.settings = replace(session.settings, duration_s=0.4)
        await session.open()
        await asyncio.to_thread(cluster.kill, cluster.urls[0])
        counting = asyncio.create_task(run_series(session, ["read-1u"]))
        await asyncio.to_thread(cluster.restart, cluster.urls[0])
        (result,) = await counting
        assert result.entries_before in (100, 101)
    assert await namespaces(cluster) == set()


async def test_a_tier_in_use_leaves_the_present_one_as_it_is(
    cluster: DemoCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with benchmark(cluster, tmp_path) as (session, _):
        await session.open()
        seeded = await namespaces(cluster)

        async def held(*arguments: object) -> Lease:
            raise LeaseHeldError("tier large of this cluster is in use")

        monkeypatch.setattr(Lease, "acquire", held)
        with pytest.raises(LeaseHeldError):
            await changes.choose_tier(session, "large")
        monkeypatch.undo()
        assert session.settings.tier == "small"
        assert await namespaces(cluster) == seeded
        session.settings = replace(session.settings, duration_s=0.4)
        (result,) = await run_series(session, ["read-1u"])
        assert result.tier == "small"
        assert result.outcome.failures == 0
    assert await namespaces(cluster) == set()


async def test_another_tier_takes_the_place_of_the_first(cluster: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(cluster, tmp_path) as (session, _):
        await session.open()
        await changes.choose_tier(session, "large")
        held = await namespaces(cluster)
        assert not {name for name in held if name.startswith("bench-small")}
        assert {"bench-large-000", "bench-large-019", "bench-large-owner"} <= held
    assert await namespaces(cluster) == set()


async def test_a_change_of_tier_that_is_stopped_keeps_what_is_there_ours(cluster: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(cluster, tmp_path) as (session, recorded):
        await session.open()
        recorded.when(cleaning, session.stop)
        await changes.choose_tier(session, "large")
        assert session.settings.tier == "small"
        assert "bench-large-owner" not in await namespaces(cluster)
        session.settings = replace(session.settings, duration_s=0.4)
        (result,) = await run_series(session, ["read-1u"])
        assert result.outcome.failures == 0, "seeded anew"
    assert await namespaces(cluster) == set()


async def test_removing_leftovers_that_is_stopped_claims_nothing(cluster: DemoCluster, tmp_path: Path) -> None:
    client = ConfmanClient(ADMIN, nodes=cluster.urls)
    for number in range(20):
        await client.put_namespace(cluster.urls[0], f"bench-large-{number:03d}", "left")
    await client.aclose()
    async with benchmark(cluster, tmp_path) as (session, recorded):
        await session.open()
        recorded.when(cleaning, session.stop)
        await changes.remove_leftovers(session)
        assert "removed" not in recorded.texts()
        assert "still there" in recorded.texts()
        await changes.remove_leftovers(session)
        assert "20 namespaces of earlier runs removed" in recorded.texts()
        assert LeftoversFound(()) in recorded.events, "so that its key goes away"
    assert await namespaces(cluster) == set()


async def test_a_search_that_is_stopped_opens_nothing(cluster: DemoCluster, tmp_path: Path) -> None:
    """Neither was the key tried nor the tier claimed: a run on it could disturb another program's data."""
    async with benchmark(cluster, tmp_path) as (session, recorded):
        recorded.when(lambda event: isinstance(event, PhaseChanged) and event.phase is Phase.FINDING, session.stop)
        with pytest.raises(ClusterError, match="stopped"):
            await session.open()
        assert not session.is_open
        await session.open()
        assert session.is_open
    assert await namespaces(cluster) == set()


async def test_waiting_for_a_leader_before_a_run_is_shown_and_can_be_stopped(
    cluster: DemoCluster, tmp_path: Path
) -> None:
    async with benchmark(cluster, tmp_path) as (session, recorded):
        await session.open()
        session.settings = replace(session.settings, duration_s=0.4)
        lost = asyncio.Event()
        recorded.when(lambda event: isinstance(event, ClusterChanged) and event.view.leader is None, lost.set)
        cluster.kill(cluster.urls[0])
        async with asyncio.timeout(DEADLINE_S):
            await lost.wait()
        recorded.when(lambda event: isinstance(event, ProgressMade) and event.activity is Phase.WAITING, session.stop)
        assert await run_series(session, ["write-1u"]) == ()
        phases = [event.phase for event in recorded.events if isinstance(event, PhaseChanged)]
        assert phases[-2:] == [Phase.WAITING, Phase.IDLE]
        cluster.restart(cluster.urls[0])
        results = await run_series(session, ["write-1u"])
        assert results[0].outcome.writes_ok > 0
    assert await namespaces(cluster) == set()


async def test_a_run_that_can_not_begin_leaves_the_probe_as_it_was(
    cluster: DemoCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each of its writes would go on making a new entry, ten a second, for hours."""

    def broken(*_: object, **__: object) -> None:
        raise ClusterError("it can't begin")

    async with benchmark(cluster, tmp_path) as (session, _):
        await session.open()
        monkeypatch.setattr(session.engine, "run", broken)
        with pytest.raises(ClusterError, match="can't begin"):
            await run_series(session, ["read-1u"])
        monkeypatch.undo()
        assert not session.cluster.monitor.booking
    assert await namespaces(cluster) == set()


async def test_a_run_without_a_folder_for_its_files_has_figures_all_the_same(
    cluster: DemoCluster, tmp_path: Path
) -> None:
    async with benchmark(cluster, tmp_path) as (session, _):
        await session.open()
        shutil.rmtree(tmp_path / "results")
        (tmp_path / "results").touch()
        session.settings = replace(session.settings, duration_s=0.5)
        (result,) = await run_series(session, ["read-1u"])
        assert result.outcome.reads_ok > 0
        assert session.exit_reasons.code == EXIT_UNWRITTEN
        assert not session.cluster.monitor.booking


async def test_a_cluster_that_was_lost_while_seeding_can_be_tried_again(
    cluster: DemoCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own claim of the first try stands on the cluster; that must not refuse the second."""

    async def lost(*arguments: object) -> None:
        raise ClusterError("the cluster took nothing for 30 s")

    async with benchmark(cluster, tmp_path) as (session, _):
        monkeypatch.setattr("confman_tui.cluster.seeding.seed", lost)
        with pytest.raises(ClusterError, match="took nothing"):
            await session.open()
        monkeypatch.undo()
        await session.open()
        assert session.is_open
    assert await namespaces(cluster) == set()


async def test_seeding_that_is_stopped_goes_on_with_the_next_run(cluster: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(cluster, tmp_path) as (session, recorded):
        recorded.when(lambda event: isinstance(event, ProgressMade) and event.activity is Phase.SEEDING, session.stop)
        await session.open()
        assert session.is_open
        session.settings = replace(session.settings, duration_s=0.4)
        (result,) = await run_series(session, ["read-1u"])
        assert result.entries_before >= 100
        assert result.outcome.failures == 0
    assert await namespaces(cluster) == set()
