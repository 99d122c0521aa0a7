"""A drawing gives the CPU away before it has had it for long."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.session.events import Phase, PhaseChanged, SampleRecorded, ScenarioStarted
from confman_tui.tui import yield_cpu as pacing
from confman_tui.tui.charts.drawing import draw
from confman_tui.tui.lag import LagMeter
from tests.support import screen_story
from tests.support.graph_spec import spec
from tests.support.screen import open_screen

SAMPLE = screen_story.sample(screen_story.START + 4, 100)


def test_a_pause_comes_with_each_burst_of_cpu_time_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    used, pauses = [10.0], list[float]()
    monkeypatch.setattr(pacing, "_pace", pacing.Pace(1.0, 0.25))
    monkeypatch.setattr(pacing, "_paused_at", 10.0)
    monkeypatch.setattr(time, "thread_time", lambda: used[0])
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in range(100):
        used[0] += 0.25
        pacing.yield_cpu()
    assert pauses == [0.25] * 20


async def test_the_screen_gives_way_while_its_own_process_makes_the_load(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        assert pacing.pace() is pacing.ALONE
        await board.emit(PhaseChanged(Phase.RUNNING, now), ScenarioStarted("read-10u", now, 10, 15.0, 100, 1024))
        assert pacing.pace() is pacing.BESIDE_LOAD
        await board.emit(SampleRecorded("read-10u", replace(SAMPLE, worker_cpu={"worker-1": 0.5}), None, None))
        assert pacing.pace() is pacing.ALONE, "workers make it"
        await board.emit(SampleRecorded("read-10u", SAMPLE, None, None))
        assert pacing.pace() is pacing.BESIDE_LOAD
        await board.emit(PhaseChanged(Phase.VERIFYING, now))
        assert pacing.pace() is pacing.ALONE


async def test_pauses_are_no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = [0.0]
    monkeypatch.setattr("confman_tui.tui.lag.paused_s", lambda: pauses[0])
    meter = LagMeter()
    loop = asyncio.get_running_loop()
    pauses[0] = 3.0
    meter._fire(loop.time() - 3.0, 0.0)
    assert meter.worst() < 3.0
    meter._fire(loop.time() - 3.0, pauses[0])
    assert meter.worst() >= 3.0
    meter.stop()


def test_a_drawing_is_made_of_short_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr(pacing, "_pace", pacing.Pace(0.0, 0.0001))
    monkeypatch.setattr(time, "sleep", pauses.append)
    rows = draw(spec())
    assert len(pauses) > len(rows)
