"""An hour of running with elections, fed in as fast as it goes: memory stays bounded, nothing is lost."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from confman_tui.cluster.elections import Fault, FaultKind, WriteWindow
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.session.events import (
    ClusterChanged,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    SampleRecorded,
    ScenarioStarted,
    WindowClosed,
    WritesAcknowledged,
)
from confman_tui.tui.mailbox import EventsArrived
from tests.support import screen_story
from tests.support.screen import open_screen

HOUR_S = 3600
ELECTION_EVERY_S = 60
DRAWN_EVERY_S = 20
LIMIT_BYTES = 20_000_000


def second(base: float, number: int) -> Iterator[Event]:
    """All events of one second: ten polls, five tellings of writes, a sample, now and then an election."""
    at = base + number
    term = 6 + number // ELECTION_EVERY_S
    leader = term % 3
    for tenth in range(10):
        view = screen_story.view(at + tenth / 10, leader=leader, term=term, since=at - 3)
        yield ClusterChanged(view, 0.0004, news=tenth == 0 and number % ELECTION_EVERY_S == 0)
    for fifth in range(5):
        moment = at + fifth / 5
        yield WritesAcknowledged(tuple((moment + slot * 0.05, 10) for slot in range(4)), moment + 0.2)
    yield SampleRecorded("write-10u", screen_story.sample(at, 200, failed=number % 3), screen_story.NODES[leader], term)
    if number % ELECTION_EVERY_S == 0:
        fault = Fault(FaultKind.KILL, screen_story.NODES[(leader + 2) % 3], at, "drill")
        yield FaultCaused(fault)
        for kind in (FactKind.LEADER_LOST, FactKind.TERM_ADVANCED, FactKind.ELECTED, FactKind.LEADER_SERVING):
            yield FactObserved(Fact(kind, at + 0.5, screen_story.NODES[leader], term))
        yield WindowClosed(WriteWindow(at, at + 1.5, 0.1))
        yield ElectionMeasured(replace(screen_story.election(fault, at - 50.3), origin=at))


def resident() -> int:
    """Resident memory of this process, in bytes."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


@pytest.mark.slow
async def test_an_hour_with_elections_grows_by_less_than_20_mb(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        base = board.clock.now
        board.session.emit(ScenarioStarted("write-10u", base, 10, None, 100, 1024))

        async def feed(start: int, end: int) -> None:
            for number in range(start, end):
                board.clock.now = base + number + 1
                board.session.emit(*second(base, number))
                if number % DRAWN_EVERY_S == 0:
                    board.app.on_events_arrived(EventsArrived(draw_gauges=True))
                if number % 60 == 0:
                    await board.drawn()

        # The first minutes fill what is bounded by design: caches, the fine part of the history.
        await feed(0, 120)
        before = resident()
        await feed(120, HOUR_S)
        await board.drawn()
        grown = resident() - before
        assert grown < LIMIT_BYTES, f"{grown / 1e6:.1f} MB more after an hour"
        board.app.on_events_arrived(EventsArrived(draw_gauges=True))
        row = board.app.state.rows["write-10u"]
        assert row.requests == sum(screen_story.sample(base + n, 200, failed=n % 3).ok + n % 3 for n in range(HOUR_S))
        assert len(board.app.state.elections) == HOUR_S // ELECTION_EVERY_S
        assert board.app.state.log.total >= 7 * HOUR_S // ELECTION_EVERY_S
