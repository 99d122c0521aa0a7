"""A drawing gives the core away before it has had it for long."""

from __future__ import annotations

import time

import pytest

from confman_tui.tui import breath
from confman_tui.tui.charts.drawing import draw
from tests.tui.charts.test_renderer import spec


def test_a_pause_comes_with_each_burst_of_cpu_time_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    used, pauses = [10.0], list[float]()
    monkeypatch.setattr(breath, "BURST_S", 1.0)
    monkeypatch.setattr(breath, "_paused_at", 10.0)
    monkeypatch.setattr(time, "thread_time", lambda: used[0])
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in range(100):
        used[0] += 0.25
        breath.breathe()
    assert pauses == [breath.PAUSE_S] * 20


def test_a_drawing_is_made_of_short_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr(breath, "BURST_S", 0.0)
    monkeypatch.setattr(time, "sleep", pauses.append)
    rows = draw(spec().to_wire())
    assert len(pauses) > len(rows)
