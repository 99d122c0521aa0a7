"""The clock that never steps."""

from __future__ import annotations

import time

import pytest

from confman_tui.core.clock import steady_clock


def test_setting_the_wall_clock_does_not_move_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady_clock()
    assert clock() == pytest.approx(time.time(), abs=0.5)
    before = clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert before <= clock() < before + 60.0
