"""Measures what the graphs and the timeline cost: the screen's own thread, the renderer's process, the way between.

``python -m tests.benchmarks.graph_cost``; takes a few seconds. The screen's part of a graph (spec, request,
answer, strips) is the burst that holds up its loop: the goal is 3 ms. The renderer works beside it, at low priority.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from functools import partial

import msgspec
import psutil
from rich.style import Style

from confman_tui.core.child_process.pipes import line_of
from confman_tui.tui.charts.axis import TimeWindow
from confman_tui.tui.charts.drawing import draw
from confman_tui.tui.charts.graphs import LatencyPlot, ThroughputPlot
from confman_tui.tui.charts.lanes import Lanes
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.charts.spec import DrawGraph, GraphDrawn, GraphSpec, Rows
from confman_tui.tui.charts.strips import Picture, Row
from confman_tui.tui.history.history import History
from tests.support.chart_history import NODES, Feed

Plot = ThroughputPlot | LatencyPlot
T0 = 1_800_000_000.0
LIMIT_MS = 3.0
NAMES = {node: f":{node[-4:]}" for node in NODES}
SIZES = {"120x40": ((58, 13), 118), "200x50": ((98, 20), 198)}
"""Cells of one graph, and of the timeline, on a screen of that size."""


def milliseconds(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 95th percentile."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[18]


def history_of(seconds: float) -> History:
    history = History()
    for event in Feed(T0, run_s=40, pause_s=3, poll_s=0.1).until(T0 + seconds):
        history.apply(event)
    return history


class Clockwork:
    """A moment that goes on by half a second each time it is looked at."""

    def __init__(self) -> None:
        self.moment = T0 + 600

    def __call__(self) -> float:
        self.moment += 0.5
        return self.moment


def request(plot: Plot, history: History, window: TimeWindow, width: int, height: int, now: Clockwork) -> bytes:
    """What the screen does before a graph is drawn."""
    spec = plot.spec(window.axis(now()), history, width, height)
    assert spec is not None
    return line_of(DrawGraph(1, msgspec.Raw(msgspec.json.encode(spec))))


def answer(line: bytes, picture: Picture, styles: list[Style], empty: list[Row], width: int) -> None:
    """What the screen does after it was drawn, when all of it changed (both ways, so that it can be repeated)."""
    rows = msgspec.json.decode(line, type=GraphDrawn).rows
    picture.update(empty, styles, width)
    picture.update(rows, styles, width)


def redraw(asked: bytes) -> bytes:
    """What the renderer does."""
    request = msgspec.json.decode(asked, type=DrawGraph)
    return line_of(GraphDrawn(request.id, draw(msgspec.json.decode(request.graph, type=GraphSpec))))


def timeline(lanes: Lanes, history: History, window: TimeWindow, width: int, numbers: Numbers, now: Clockwork) -> None:
    """All rows of the timeline."""
    lanes.rows(window.axis(now()), history, NAMES, width, numbers)


class Numbers:
    """Numbers for roles, as the widget gives them."""

    def __init__(self) -> None:
        self.given: dict[str, int] = {}

    def __call__(self, role: str) -> int:
        return self.given.setdefault(role, len(self.given))


def bursts(times: int) -> float:
    """Prints each part's cost; gives the worst median of the screen's own parts."""
    history, window = history_of(700), TimeWindow(60.0)
    styles = [Style(color="#56b4e9", bgcolor="#121212", bold=i == 0) for i in range(12)]
    worst = 0.0
    for size, ((width, height), wide) in SIZES.items():
        parts: list[tuple[str, Callable[[], object], bool]] = []
        plots: tuple[tuple[str, Plot], ...] = (("throughput", ThroughputPlot()), ("latency", LatencyPlot()))
        for name, plot in plots:
            ask = partial(request, plot, history, window, width, height, Clockwork())
            asked = ask()
            line = redraw(asked)
            empty: list[Row] = [[" " * width, 0] for _ in range(height)]
            parts += [
                (f"{name} request", ask, True),
                (f"{name} answer", partial(answer, line, Picture(), styles, empty, width), True),
                (f"{name} drawing", partial(redraw, asked), False),
            ]
        parts.append(("timeline", partial(timeline, Lanes(), history, window, wide, Numbers(), Clockwork()), True))
        for name, work, screen in parts:
            median, high = milliseconds(work, times if screen else max(times // 5, 5))
            worst = max(worst, median) if screen else worst
            where = "screen's thread" if screen else "renderer's process"
            print(f"{size} {name:19} {median:6.2f} ms  p95 {high:6.2f}   ({where})")
    return worst


def _set(event: asyncio.Event, rows: Rows) -> None:
    event.set()


async def round_trips(times: int) -> None:
    """Two graphs a second through the renderer: how late the loop was meanwhile, and what the process used."""
    history, window = history_of(700), TimeWindow(60.0)
    renderer = ChartRenderer()
    plots: tuple[Plot, ...] = (ThroughputPlot(), LatencyPlot())
    late: list[float] = []
    took: list[float] = []
    running = True

    async def watch() -> None:
        while running:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append((time.perf_counter() - due) * 1000)

    async def once(moment: float) -> None:
        started = time.perf_counter()
        done = [asyncio.Event() for _ in plots]
        for plot, event in zip(plots, done, strict=True):
            spec = plot.spec(window.axis(moment), history, 98, 20)
            assert spec is not None
            renderer.request(type(plot).__name__, spec, partial(_set, event))
        for event in done:
            await event.wait()
        took.append((time.perf_counter() - started) * 1000)

    try:
        await once(T0 + 600)
        assert renderer.pid is not None
        process = psutil.Process(renderer.pid)
        cpu = sum(process.cpu_times()[:2])
        watcher = asyncio.create_task(watch())
        took.clear()
        for number in range(times):
            await once(T0 + 601 + number)
        running = False
        await watcher
        cpu = sum(process.cpu_times()[:2]) - cpu
        print(
            f"two graphs of 98x20, {times} times: median {statistics.median(took):.1f} ms until both are there, ",
            end="",
        )
        print(f"loop late by p99 {statistics.quantiles(late, n=100)[98]:.2f} ms, max {max(late):.2f} ms; ", end="")
        print(f"renderer {cpu / times * 1000:.1f} ms CPU per pair, {process.memory_info().rss / 1e6:.0f} MB")
    finally:
        renderer.close()


def main() -> int:
    """Measure and compare with the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=60)
    options = parser.parse_args()
    worst = bursts(options.times)
    asyncio.run(round_trips(options.times))
    verdict = "kept" if worst <= LIMIT_MS else "BROKEN"
    print(f"worst part on the screen's thread {worst:.2f} ms, limit {LIMIT_MS} ms: {verdict}")
    return 0 if worst <= LIMIT_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
