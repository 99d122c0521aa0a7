"""Pictures of the screen at four sizes, and of its dialogs; `pytest --snapshot-update` takes new ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from confman_tui.cluster.states import NodeState
from confman_tui.session.events import ClusterChanged, Event, Phase, PhaseChanged, SeriesEnded
from confman_tui.tui.app import ConfmanApp
from tests.support import result_samples, screen_story
from tests.support.fake_session import FakeSession
from tests.support.screen import ScreenUnderTest, TestClock, make_app

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def staged(
    folder: Path, *keys: str, events: list[tuple[float, Event]] | None = None, toasts: bool = True
) -> tuple[ConfmanApp, object]:
    """An app, and what brings it to the moment of the picture."""
    session, clock = FakeSession(), TestClock()
    app = make_app(folder, session, clock)

    async def before(pilot: Pilot[int]) -> None:
        board = ScreenUnderTest(app, session, clock, pilot)
        await board.play(list(screen_story.election_run(screen_story.START)) if events is None else events)
        clock.now += 0.3
        await board.drawn()
        for key in keys:
            await board.press(key)
        if not toasts:
            app.clear_notifications()
        await board.drawn()

    return app, before


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_election_during_a_run(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    app, before = staged(tmp_path)
    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_run_with_a_rate_during_a_stall(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    events: list[tuple[float, Event]] = [(screen_story.START, event) for event in screen_story.found()]
    events += screen_story.stall(screen_story.START + 3)
    app, before = staged(tmp_path, events=events)
    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_saturated_generator(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    app, before = staged(tmp_path, events=list(screen_story.saturated_run(screen_story.START)), toasts=False)
    assert snap_compare(app, terminal_size=size, run_before=before)


def test_no_cluster(tmp_path: Path, snap_compare: Compare) -> None:
    states = dict.fromkeys(range(3), NodeState.REFUSED)
    view = screen_story.view(screen_story.START + 2, leader=None, states=states, detail="connection refused")
    events: list[tuple[float, Event]] = [
        (screen_story.START, screen_story.configuration(demo=False)),
        (screen_story.START + 2, ClusterChanged(view, 0.0)),
        (screen_story.START + 2, PhaseChanged(Phase.OFFLINE, screen_story.START + 2, "Nothing answers on any node.")),
    ]
    app, before = staged(tmp_path, events=events)
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_the_details_of_a_scenario(tmp_path: Path, snap_compare: Compare) -> None:
    app, before = staged(tmp_path, "tab", "tab", "enter")
    assert snap_compare(app, terminal_size=(120, 40), run_before=before)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_drill(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    events = [
        (screen_story.START, event)
        for event in [*screen_story.found(), *screen_story.drill(screen_story.START, rounds=4)]
    ]
    app, before = staged(tmp_path, events=events)
    assert snap_compare(app, terminal_size=size, run_before=before)


SIZES = pytest.mark.parametrize(
    "size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}"
)


@SIZES
def test_a_series_of_users(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    series = result_samples.user_series(
        {1: 1500, 10: 3000, 50: 3100, 100: 3050}, files=("results/small-read-10u_users.csv",)
    )
    events = [(screen_story.START, event) for event in [*screen_story.found(), SeriesEnded(series)]]
    app, before = staged(tmp_path, events=events)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_a_sweep(tmp_path: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
    events = [(screen_story.START, event) for event in [*screen_story.found(), SeriesEnded(result_samples.sweep())]]
    app, before = staged(tmp_path, events=events)
    assert snap_compare(app, terminal_size=size, run_before=before)
