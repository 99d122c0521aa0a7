"""The part of the app that holds what is shown and draws it; actions and the handling of events build on it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from enum import Flag, auto
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.types import CSSPathType

from confman_tui.session.commands import SessionCommands
from confman_tui.session.events import Level, NoticeGiven
from confman_tui.settings.scenarios import CATALOGUE
from confman_tui.tui.charts.axis import TimeAxis, TimeWindow, run_axis
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.frame import Frame
from confman_tui.tui.history.history import History
from confman_tui.tui.keys.availability import Circumstances
from confman_tui.tui.keys.hints import hints, start_keys
from confman_tui.tui.keys.keymap import check_keymap
from confman_tui.tui.keys.table import RUN, shown_key
from confman_tui.tui.lag import LagMeter
from confman_tui.tui.mailbox import Mailbox
from confman_tui.tui.screens.dashboard import Dashboard
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.state import initial
from confman_tui.tui.text import clean
from confman_tui.tui.textual_hacks import CrashKeepingApp, narrow_updates, pause_between_steps
from confman_tui.tui.widgets.graph import LatencyGraph
from confman_tui.tui.yield_cpu import yield_cpu

LEAST_GAP_S = 0.05
"""News is drawn at once, but no two drawings come closer than this."""
TOGETHER_S = 0.1
"""For how long the text of a second waits for the second's graphs."""

STYLES = Path(__file__).parent / "styles"
"""The folder of the style sheets."""


class Panes(Flag):
    """What to draw."""

    TEXT = auto()
    LANES = auto()
    """The cluster's timeline."""
    GRAPHS = auto()
    CHARTS = LANES | GRAPHS
    ALL = TEXT | LANES | GRAPHS


class BaseApp(CrashKeepingApp):
    """State, history and the dashboard that shows them."""

    TITLE = "confman-tui"
    CSS_PATH: ClassVar[CSSPathType | None] = [STYLES / "dashboard.tcss", STYLES / "dialogs.tcss"]
    ALLOW_SELECT = False

    def __init__(self, session: SessionCommands, options: UiOptions, *, lag: LagMeter | None = None) -> None:
        """Raises `UsageError` when a key of ``options.keymap`` can't work."""
        check_keymap(options.keymap)
        super().__init__()
        self.session = session
        self.options = options
        catalogue = [replace(scenario, key=self.shown_key(f"{RUN}{scenario.name}")) for scenario in CATALOGUE]
        self.state = initial(catalogue, strict=options.strict)
        self.state.keys = options.keymap
        self.state.drill_row.scenario = replace(self.state.drill_row.scenario, key=self.shown_key("drill"))
        self.history = History()
        self.window = TimeWindow(span=60.0)
        self.mailbox = Mailbox(self.post_message)
        self.renderer = ChartRenderer(
            on_notice=lambda text: self.mailbox.put(NoticeGiven(Level.INFO, text, options.clock()))
        )
        self.dashboard = Dashboard(self.window, self.renderer, self.state, start_keys(options.keymap))
        self.drill_plan = (options.drill_fault, options.drill_rounds)
        """Fault and rounds of the next drill, unless a person says otherwise."""
        self.sweep_sizes = options.sweep_sizes
        """Numbers of entries of the next sweep, unless a person says otherwise."""
        self.held: Frame | None = None
        """What the panes go on showing while the view is held."""
        self.closing_since: float | None = None
        """When quitting began."""
        self._lag = lag or LagMeter()
        self._drawn = 0.0
        """When text was last drawn, in the loop's time."""
        self._draw_waits = False
        self.set_keymap(options.keymap)
        narrow_updates()
        pause_between_steps()
        if options.theme in self.available_themes:
            self.theme = options.theme

    def get_default_screen(self) -> Screen[None]:
        return self.dashboard

    def shown_key(self, action: str) -> str:
        """The key in force as it is written on the screen."""
        return shown_key(action, self.options.keymap)

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """A short-lived note over the screen, as plain text."""
        self.notify(clean(text, 300), severity=severity, timeout=5, markup=False)

    def circumstances(self) -> Circumstances:
        """What decides which keys do something now."""
        board = self.dashboard
        return Circumstances(
            self.state,
            held=self.held is not None,
            one_graph=board.one_graph,
            graphs_shown=board.graphs_shown,
            log_shown=board.plan is None or board.plan.log > 0,
            live=self.window.live,
            leaving=self.closing_since is not None,
            selected=board.selected(self.state),
        )

    def frame(self) -> Frame:
        """The inputs of a drawing now."""
        behind = None if self.held is None else self.state.events - self.held.state.events
        now = self.options.clock()
        return Frame(self.state, self.history, now, behind, self._lag.worst(), self.closing_since)

    def draw_soon(self) -> None:
        """Draw all at once, or as soon as the least gap since the last drawing is over."""
        gap = self.loop_time() - self._drawn
        if gap >= LEAST_GAP_S:
            self.draw(Panes.ALL)
        elif not self._draw_waits:
            self._draw_waits = True
            self.set_timer(LEAST_GAP_S - gap, lambda: self.draw(Panes.ALL))

    def draw(self, panes: Panes = Panes.TEXT) -> None:
        """Draw these panes, below a dialog too: what the screen says of the cluster must not grow old."""
        if Panes.TEXT in panes:
            self._draw_waits = False
        board = self.dashboard
        if not (self.is_running and board.is_attached):
            return
        live = self.frame()
        shown = self.held or live
        axis = self.window.axis(shown.now)
        with self.batch_update():
            if Panes.TEXT in panes:
                self._drawn = self.loop_time()
                board.show(shown, live, hints(self.circumstances(), self.options.keymap))
            if Panes.LANES in panes:
                yield_cpu()
                board.show_timeline(shown, axis)
            if Panes.GRAPHS in panes:
                for graph in board.seen_graphs():
                    yield_cpu()
                    graphs_axis = self.graphs_axis(axis, shown)
                    if isinstance(graph, LatencyGraph):
                        graph.show_over(graphs_axis, shown.history, shown.state.names)
                    else:
                        graph.show(partial(graph.plot.spec, graphs_axis, shown.history))
                board.show_histogram(shown)

    @staticmethod
    def graphs_axis(axis: TimeAxis, frame: Frame) -> TimeAxis:
        """That of the lanes, or the last run's where graphs on that one would be empty."""
        span = frame.state.last_span
        if axis.live and span is not None and span[1] <= axis.start < axis.end and span[0] < span[1]:
            return run_axis(*span, axis.now)
        return axis

    @staticmethod
    def loop_time() -> float:
        """The loop's own time, in seconds."""
        return asyncio.get_running_loop().time()
