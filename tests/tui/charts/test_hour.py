"""An hour of polls, samples and elections through the real screen, as fast as it goes."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import psutil

from confman_tui.events import Phase, PhaseChanged
from confman_tui.tui.widgets.graph import ThroughputGraph
from tests.tui.charts.feed import Feed
from tests.tui.charts.test_widgets import drawn, until
from tests.tui.helpers import desk

STEP_S = 20.0


async def test_an_hour_on_the_screen_takes_less_than_twenty_megabytes(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(120, 40)) as it:
        start = it.clock.now
        feed = Feed(start, election_every=12.0, run_s=60.0, pause_s=2.0)
        await it.tell(PhaseChanged(Phase.RUNNING, start))

        async def go_on(seconds: float) -> None:
            for _ in range(int(seconds / STEP_S)):
                it.clock.now += STEP_S
                it.conductor.tell(*feed.until(it.clock.now))
                it.app._take(draw_gauges=True)
                it.app.draw_charts()
                # The screen draws on its own timers; it only has to be let run.
                await asyncio.sleep(0.01)

        await go_on(120)
        await until(lambda: drawn(it.app.query_one(ThroughputGraph)))
        await go_on(300)
        gc.collect()
        process = psutil.Process(os.getpid())
        before = process.memory_info().rss
        await go_on(3_600)
        gc.collect()
        grown = process.memory_info().rss - before
        assert len(it.app.history.changes(start, it.clock.now)) > 250
        assert grown < 20_000_000, f"{grown / 1e6:.1f} MB"
        await until(lambda: it.app.renderer.idle)
        assert it.app.renderer.starts == 1
