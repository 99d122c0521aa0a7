"""A drawing gives the core away before it has had it for long."""

from __future__ import annotations

import asyncio
import importlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from confman_tui.session.events import Phase, PhaseChanged, SampleRecorded, ScenarioStarted
from confman_tui.tui import breath
from confman_tui.tui.charts.drawing import draw
from confman_tui.tui.lag import LagMeter
from tests.support import screen_story
from tests.support.graph_spec import spec
from tests.support.screen import open_screen

SAMPLE = screen_story.sample(screen_story.START + 4, 100)


def test_a_pause_comes_with_each_burst_of_cpu_time_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    used, pauses = [10.0], list[float]()
    monkeypatch.setattr(breath, "_pace", breath.Pace(1.0, 0.25))
    monkeypatch.setattr(breath, "_paused_at", 10.0)
    monkeypatch.setattr(time, "thread_time", lambda: used[0])
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in range(100):
        used[0] += 0.25
        breath.breathe()
    assert pauses == [0.25] * 20


def test_the_installed_textual_is_as_expected() -> None:
    assert breath.breathe_in_textual()
    steps = [getattr(getattr(importlib.import_module(module), owner), name) for module, owner, name in breath.STEPS]
    assert breath.breathe_in_textual(), "twice is fine"
    assert steps == [getattr(getattr(importlib.import_module(module), o), name) for module, o, name in breath.STEPS]


def test_a_textual_of_another_kind_only_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breath, "STEPS", (("textual.strip", "Strip", "of_no_such_name"), ("textual.nothing", "A", "b")))
    assert not breath.breathe_in_textual()


async def test_the_screen_gives_way_while_its_own_process_makes_the_load(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        assert breath.pace() is breath.ALONE
        await board.tell(PhaseChanged(Phase.RUNNING, now), ScenarioStarted("read-10u", now, 10, 15.0, 100, 1024))
        assert breath.pace() is breath.BESIDE_LOAD
        await board.tell(SampleRecorded("read-10u", replace(SAMPLE, worker_cpu={"worker-1": 0.5}), None, None))
        assert breath.pace() is breath.ALONE, "workers make it"
        await board.tell(SampleRecorded("read-10u", SAMPLE, None, None))
        assert breath.pace() is breath.BESIDE_LOAD
        await board.tell(PhaseChanged(Phase.VERIFYING, now))
        assert breath.pace() is breath.ALONE


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
    monkeypatch.setattr(breath, "_pace", breath.Pace(0.0, 0.0001))
    monkeypatch.setattr(time, "sleep", pauses.append)
    rows = draw(spec())
    assert len(pauses) > len(rows)
