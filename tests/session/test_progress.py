"""The rate of a progress, and the time that is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from confman_tui.session import dataset
from confman_tui.session.dataset import Progress
from confman_tui.session.events import Event, Phase, ProgressMade


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr(dataset, "time", SimpleNamespace(monotonic=lambda: at[0]))
    return at


def test_the_time_left_is_given_once_the_rate_says_something(clock: list[float]) -> None:
    events: list[Event] = []
    progress = Progress(Phase.SEEDING, events.append)
    progress(0, 100)
    clock[0] += 0.15
    progress(1, 100)
    clock[0] += 0.85
    progress(50, 100)
    first, second = (event for event in events if isinstance(event, ProgressMade))
    assert (first.done, first.left_s) == (1, None)
    assert [second.done, second.rate, second.left_s] == pytest.approx([50, 50.0, 1.0])
