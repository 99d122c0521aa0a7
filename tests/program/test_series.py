"""Series, sweeps, repeats and warm-up, through the whole program: on a real cluster of one node, and as a shell runs
them."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from confman_tui.cli import make_demo
from confman_tui.cluster.client import ConfmanClient
from confman_tui.core.errors import EXIT_INTERRUPTED, UsageError
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.session.events import (
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    SeriesEnded,
    SeriesStepEnded,
    SweepRefused,
)
from confman_tui.session.series import run_series, run_sweep
from confman_tui.session.session import Session
from tests.support.confman_server import Server
from tests.support.keys import ADMIN
from tests.support.program import StartedProgram, run
from tests.support.session_events import RecordedEvents, settings_for


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@asynccontextmanager
async def benchmark(node: DemoCluster, home: Path, **changes: Any) -> AsyncIterator[tuple[Session, RecordedEvents]]:
    recorded = RecordedEvents()
    session = Session(replace(settings_for(node.urls[0], home), **changes), recorded, make_demo, interactive=True)
    try:
        await session.open()
        yield session, recorded
    finally:
        await session.close()


async def count_entries(node: DemoCluster) -> int:
    client = ConfmanClient(ADMIN, nodes=node.urls)
    try:
        return await client.count_entries(node.urls[0])
    finally:
        await client.aclose()


def document(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


async def test_a_series_of_users_finds_the_same_data_at_each_step(node: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(node, tmp_path, user_steps=(1, 3), step_s=0.5) as (session, recorded):
        await run_series(session, ["write-stress-10u"])
        (series,) = session.series
        assert session.results == ()
        started = [event for event in recorded.events if isinstance(event, ScenarioStarted)]
        assert [(event.users, event.step) for event in started] == [(1, "step 1 of 2"), (3, "step 2 of 2")]
        assert {event.entries_before for event in started} <= {100, 101}, "seeded, and the probe's own key"
        assert len([event for event in recorded.events if isinstance(event, SeriesStepEnded)]) == 2
        assert [event.series for event in recorded.events if isinstance(event, SeriesEnded)] == [series]
        results = [result for point in series.points for result in point.results]
        assert [result.users for result in results] == [1, 3]
        assert all(result.verification is not None and result.verification.passed for result in results)
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names == {
        "small-key-registry.json",
        "small-write-stress-10u_users.csv",
        "small-write-stress-10u_users.json",
        "small-write-stress-10u-users-1_timeline.csv",
        "small-write-stress-10u-users-3_timeline.csv",
    }


@pytest.mark.slow
async def test_a_series_of_payloads_reads_values_of_that_size(node: DemoCluster, tmp_path: Path) -> None:
    sizes: list[int] = []
    async with benchmark(node, tmp_path, payload_bytes=10, payload_steps=(10, 3000), step_s=0.4) as (
        session,
        recorded,
    ):
        client = ConfmanClient(ADMIN, nodes=node.urls)
        try:
            waiting: list[asyncio.Task[None]] = []

            async def look() -> None:
                entries = await client.list_entries(node.urls[0], "bench-small-000")
                sizes.append(len(entries[0].value))

            def watch() -> None:
                recorded.when(lambda event: isinstance(event, SampleRecorded), looked)

            def looked() -> None:
                waiting.append(asyncio.create_task(look()))
                watch()

            watch()
            await run_series(session, ["read-1u"])
            await asyncio.gather(*waiting)
            assert (sizes[0], sizes[-1]) == (10, 3000)
            (series,) = session.series
            assert [point.value for point in series.points] == [10, 3000]
            assert [point.results[0].payload_bytes for point in series.points] == [10, 3000]
            entries = await client.list_entries(node.urls[0], "bench-small-000")
            assert {len(entry.value) for entry in entries} == {10}, "seeded again as it was"
            assert len(entries) == 20
        finally:
            await client.aclose()


async def test_a_sweep_measures_at_each_size_and_leaves_the_data_as_it_was(node: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(node, tmp_path, entries=(50, 100, 300), duration_s=0.5) as (session, recorded):
        await run_sweep(session)
        (series,) = session.series
        assert [point.value for point in series.points] == [100, 300]
        assert "50 entries are left out: the cluster holds" in recorded.texts()
        assert not series.stopped_early
        for point in series.points:
            assert [result.name for result in point.results] == ["read-1u", "write-1u"]
            assert [result.users for result in point.results] == [1, 1]
            assert all(point.value <= result.entries_before <= point.value + 1 for result in point.results)
            assert all(result.outcome.failures == 0 for result in point.results)
        assert await count_entries(node) <= 101
        session.settings = replace(session.settings, entries=(10,))
        await run_sweep(session)
        (refused,) = [event for event in recorded.events if isinstance(event, SweepRefused)]
        assert refused.held > 10 == refused.largest
        session.interactive = False
        with pytest.raises(UsageError, match="more than each size asked for"):
            await run_sweep(session)
        session.settings = replace(session.settings, entries=(100_000,), payload_bytes=1024**2)
        with pytest.raises(UsageError, match="more than 1 GB"):
            await run_sweep(session)
    written = document(tmp_path / "results" / "small-sweep.json")
    assert written["slopes"]["read-1u"]["p50"]["ms_per_1000_entries"] is not None
    assert await count_entries(node) == 0


async def test_a_sweep_on_a_cluster_with_leftovers_reads_and_writes_at_the_same_size(
    node: DemoCluster, tmp_path: Path
) -> None:
    """Its own cleaning before the writes took away what it had counted before the reads."""
    client = ConfmanClient(ADMIN, nodes=node.urls)
    try:
        for number in range(60):
            await client.put_entry(node.urls[0], "bench-small-000", f"left-{number}", "x")
    finally:
        await client.aclose()
    async with benchmark(node, tmp_path, entries=(200,), duration_s=0.4) as (session, _):
        await run_sweep(session)
        (series,) = session.series
        found = {result.name: result.entries_before for point in series.points for result in point.results}
        assert all(200 <= entries <= 201 for entries in found.values()), found
        assert not any(result.note for point in series.points for result in point.results)


async def test_a_sweep_that_is_stopped_keeps_its_figures_and_takes_its_entries_away(
    node: DemoCluster, tmp_path: Path
) -> None:
    async with benchmark(node, tmp_path, entries=(200, 400), duration_s=0.4) as (session, recorded):
        recorded.when(lambda event: isinstance(event, SeriesStepEnded), session.stop)
        await run_sweep(session)
        (series,) = session.series
        assert ([point.value for point in series.points], series.stopped_early) == ([200], True)
        assert await count_entries(node) <= 101
        assert (tmp_path / "results" / "small-sweep.csv").exists()
        session.settings = replace(session.settings, duration_s=0.3)
        (result,) = await run_series(session, ["read-1u"])
        assert result.outcome.failures == 0, "every seeded key is there"


async def test_repeats_start_from_the_same_data_and_are_compared_with_the_kept_run(
    node: DemoCluster, tmp_path: Path
) -> None:
    async with benchmark(node, tmp_path, repeat=2, duration_s=0.5, warmup_s=1.0) as (session, recorded):
        (first,) = await run_series(session, ["write-10u"])
        assert session.results == (first,)
        assert [run.entries_before for run in first.repeats] == pytest.approx([100, 100], abs=1)
        assert [event.run for event in recorded.events if isinstance(event, ScenarioStarted)] == [1, 2]
        ended = [event.result for event in recorded.events if isinstance(event, ScenarioEnded)]
        assert [len(result.repeats) for result in ended] == [0, 2]
        warm = [event.sample for event in recorded.events if isinstance(event, SampleRecorded) and event.sample.warmup]
        assert len(warm) == 2
        assert first.outcome.opening is not None
        assert first.outcome.opening.left_out
        counted = [event.sample for event in recorded.of(SampleRecorded) if not event.sample.warmup]
        assert 0.49 <= first.duration_s <= sum(sample.end - sample.start for sample in counted)
        assert first.verification is not None
        # what was written in the warm-up is verified too
        assert first.verification.acknowledged > sum(run.requests for run in first.repeats)
        assert first.comparison is None
        written = document(tmp_path / "results" / "small-write-10u_summary.json")
        assert len(written["repeats"]) == 2
        assert written["repeated"]["rps"]["ci95_low"] <= written["repeated"]["rps"]["ci95_high"]
        session.settings = replace(session.settings, repeat=1)
        (second,) = await run_series(session, ["write-10u"])
        assert second.comparison is not None
        assert (second.comparison.runs_before, second.comparison.runs_after) == (2, 1)
    written = document(tmp_path / "results" / "small-write-10u_summary.json")
    assert written["comparison"]["runs_before"] == 2
    with (tmp_path / "results" / "small-write-10u_timeline.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["warmup"] for row in csv.DictReader(stream)] == ["1", "0"]


async def test_a_stop_between_repeats_keeps_those_before(node: DemoCluster, tmp_path: Path) -> None:
    async with benchmark(node, tmp_path, repeat=5, duration_s=0.4) as (session, recorded):
        recorded.when(lambda event: isinstance(event, ScenarioEnded) and len(event.result.repeats) == 2, session.stop)
        (result,) = await run_series(session, ["read-1u"])
        assert len(result.repeats) == 2
        assert session.results == (result,)


def test_a_series_without_a_screen_prints_its_table_and_its_files(server: Server, tmp_path: Path) -> None:
    flags = ["--headless", "--nodes", server.url, "--scenario", "read-1u", "--users", "1,2,4", "--step", "500ms"]
    ended = run(flags, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "read-1u against users · 0.5 s each · tier small" in ended.stdout
    assert "█" in ended.stdout
    assert "knee" in ended.stdout
    assert "step 3 of 3" in ended.stderr
    assert server.control(values=True)["values"] == {}, "cleaned up"
    assert len((tmp_path / "results" / "small-read-1u_users.csv").read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.slow
def test_a_sweep_and_a_warm_up_as_json(server: Server, tmp_path: Path) -> None:
    flags = ["sweep", "--nodes", server.url, "--entries", "100", "--duration", "400ms", "--warmup", "1", "--json"]
    ended = run(flags, tmp_path)
    assert ended.returncode == 0, ended.stderr
    written = json.loads(ended.stdout)
    (series,) = written["series"]
    assert written["scenarios"] == []
    assert [point["value"] for point in series["points"]] == [100]
    assert [result["name"] for result in series["points"][0]["results"]] == ["read-1u", "write-1u"]
    opening = series["points"][0]["results"][0]["opening"]
    assert opening["left_out"]
    assert opening["requests"] > 0
    assert "warming up: 100%, 00:01/00:01" in ended.stderr
    assert server.control(values=True)["values"] == {}


def test_a_run_that_is_ended_in_its_warm_up_leaves_no_figures_and_no_data(server: Server, tmp_path: Path) -> None:
    flags = ["--headless", "--nodes", server.url, "--scenario", "mixed-10u", "--warmup", "60", "--json"]
    program = StartedProgram(flags, tmp_path)
    program.wait_said("warming up")
    program.process.send_signal(signal.SIGTERM)
    assert program.wait_end() == EXIT_INTERRUPTED, program.said()
    (scenario,) = json.loads(program.output.read_text())["scenarios"]
    assert (scenario["requests"], scenario["rps"], scenario["stopped_early"]) == (0, 0.0, True)
    assert scenario["warmup_s"] == 60
    assert server.control(values=True)["values"] == {}


def test_a_series_cut_short_by_a_signal_reports_what_it_has(server: Server, tmp_path: Path) -> None:
    flags = ["--headless", "--nodes", server.url, "--scenario", "read-1u", "--users", "1,2,4", "--step", "500ms"]
    program = StartedProgram(flags, tmp_path)
    program.wait_said("step 2 of 3")
    program.process.send_signal(signal.SIGINT)
    assert program.wait_end() == EXIT_INTERRUPTED, program.said()
    assert "stopped early" in program.output.read_text()
    assert document(tmp_path / "results" / "small-read-1u_users.json")["stopped_early"]
    assert server.control(values=True)["values"] == {}
