"""Ticks of a time axis, for a stretch of any length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from confman_tui.tui.charts.axis import run_axis
from confman_tui.tui.charts.graphs import time_ticks


@given(st.floats(0.01, 100_000), st.integers(1, 300))
def test_a_run_of_any_length_has_ticks_within_it(seconds: float, columns: int) -> None:
    """A run that was stopped after a second once ended the screen."""
    axis = run_axis(1_000.0, 1_000.0 + seconds, 2_000.0)
    assert all(0 <= at <= axis.span for at, _ in time_ticks(axis, columns))
