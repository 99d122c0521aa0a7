"""The one screen: composes the panes, gives each its place by the plan, and hands frames to those that are seen."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Resize
from textual.message import Message

from confman_tui.settings.scenarios import Scenario
from confman_tui.tui.charts.axis import TimeAxis, TimeWindow
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.frame import Frame
from confman_tui.tui.keys.hints import KeyHint
from confman_tui.tui.keys.table import shown_key
from confman_tui.tui.layout import Plan, plan
from confman_tui.tui.rows import Row
from confman_tui.tui.state import UiState
from confman_tui.tui.textual_hacks import ScreenUnderDialogs
from confman_tui.tui.widgets import offline
from confman_tui.tui.widgets.cards import NodeCards
from confman_tui.tui.widgets.elections_pane import ElectionsPane
from confman_tui.tui.widgets.graph import LatencyGraph, ThroughputGraph, TimeGraph
from confman_tui.tui.widgets.header import Header
from confman_tui.tui.widgets.keybar import KeyBar
from confman_tui.tui.widgets.last_run import LastRun
from confman_tui.tui.widgets.live_histogram import LiveHistogram
from confman_tui.tui.widgets.log_pane import EventLogPane, LastEvent
from confman_tui.tui.widgets.running_row import RunningRow, row_shown
from confman_tui.tui.widgets.scenario_table import ScenarioTable
from confman_tui.tui.widgets.timeline import ClusterTimeline

TABLE_SHARE = (0.57, 76, 124)
"""Of the width that the table takes beside the log: the share, its least and its most cells."""
ROOMY = 32
"""From this height on the lanes stand beside the panel of a missing cluster."""
_WAYS_ON = ("demo", "retry", "stop", "quit")
"""Actions that the panel of a missing cluster offers."""


def what_can_be_run(state: UiState) -> str:
    """The scenarios, the whole suite and the drill with their keys, a line each, all lines of one length."""
    lines = [f"{row.scenario.key}  {row.scenario.name:<18}{_what_it_does(row.scenario)}" for row in state.rows.values()]
    suite, drill, helped = (shown_key(action, state.keys) for action in ("suite", "drill", "help"))
    lines += ["", f"{suite}  {'all':<18}the suite's, one after the other"]
    lines += [f"{drill}  {'election drill':<18}kills leaders under load"]
    lines += [f"{helped}  {'help':<18}all keys and glyphs"]
    width = max(map(len, lines))
    return "\n".join(line.ljust(width) for line in lines)


def _what_it_does(scenario: Scenario) -> str:
    people = "1 user" if scenario.users == 1 else f"{scenario.users} users"
    share = scenario.write_share
    what = "writes" if share == 1 else "reads" if share == 0 else f"{share * 100:.0f} % writes"
    return f"{people}, {what}, {scenario.duration_s:.0f} s"


class Dashboard(ScreenUnderDialogs[None]):
    """Header, cards, timeline, graphs, table, log and keys."""

    AUTO_FOCUS = ""

    class LayoutChanged(Message):
        """The plan changed, or a dialog closed: panes need the current frame."""

    def __init__(self, window: TimeWindow, renderer: ChartRenderer, state: UiState, start_keys: str) -> None:
        super().__init__()
        self._scenarios = len(state.rows)
        self.header = Header(id="header")
        self.cards = NodeCards(id="cards")
        self.timeline = ClusterTimeline(window, id="timeline")
        self.last_run = LastRun(id="last-run")
        self.throughput = ThroughputGraph(
            renderer, empty_text=f"{start_keys} start a scenario", long_text=what_can_be_run(state), id="throughput"
        )
        self.latency = LatencyGraph(renderer, empty_text="no request yet", id="latency")
        self.table = ScenarioTable(id="table")
        self.log_pane = EventLogPane(id="log")
        self.running_row = RunningRow(start_keys, id="running")
        self.last_event = LastEvent(id="last-event")
        self.offline = offline.OfflinePanel(id="offline")
        self.keys = KeyBar(id="keys")
        self.histogram = LiveHistogram(renderer, empty_text="no request yet", id="histogram")
        self.elections = ElectionsPane(id="elections")
        self._graphs = Container(self.throughput, self.latency, self.histogram, id="graphs")
        self._bottom = Container(self.table, self.log_pane, id="bottom")
        self.plan: Plan | None = None
        self._shown_nodes: tuple[str, ...] = ()
        self._away = False
        self._latency_first = False
        self._drills = False
        """Whether the drill has a row."""
        self._run_is_over = False
        """Whether the line about the last run stands."""

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.cards
        yield self.timeline
        yield self.last_run
        yield self._graphs
        yield self.elections
        yield self._bottom
        yield self.offline
        yield self.running_row
        yield self.last_event
        yield self.keys

    def on_mount(self) -> None:
        self.place(force=True)

    def on_resize(self, event: Resize) -> None:
        self.place(event.size.width, event.size.height)

    def on_screen_resume(self) -> None:
        """A dialog closed: show what came meanwhile."""
        if self.plan is not None:
            self.post_message(self.LayoutChanged())

    @property
    def one_graph(self) -> bool:
        """Whether one of the two graphs is seen at a time."""
        return self.plan is not None and self.plan.graph_count == 1 and not self._away

    @property
    def graphs_shown(self) -> bool:
        """Whether any graph is seen."""
        return self.plan is not None and self.plan.graph_count > 0 and not self._away

    def selected(self, state: UiState) -> Row | None:
        """The row whose details are wanted: under the table's cursor or, on a small screen, the one that is shown."""
        if self.table.display and self._bottom.display:
            return self.table.selected
        return row_shown(state) if self.running_row.display else None

    def switch_graph(self) -> None:
        """Show the other graph where there is room for one."""
        self._latency_first = not self._latency_first
        self.place(force=True)

    def place(self, width: int | None = None, height: int | None = None, *, force: bool = False) -> None:
        """Give every pane its rows and columns on a screen of this size (the present one by default)."""
        size = self.app.size
        width, height = width or size.width, height or size.height
        wanted = plan(width, height, len(self._shown_nodes), self._scenarios)
        if self._drills:
            larger = plan(width, height, len(self._shown_nodes), self._scenarios + 1)
            # without room for one more row, the drill's takes the last one's place
            wanted = larger if larger.table else wanted
        if wanted == self.plan and not force and self._placed_width == width:
            return
        self.plan, self._placed_width = wanted, width
        with self.app.batch_update():
            self._apply(wanted, width)
        self.post_message(self.LayoutChanged())

    _placed_width = 0

    def _apply(self, wanted: Plan, width: int) -> None:
        away = self._away
        rows = {
            self.header: wanted.header,
            self.cards: wanted.cards,
            self.timeline: wanted.timeline,
            self.elections: wanted.elections,
            self.running_row: wanted.running,
            self.last_event: wanted.last_event,
            self.keys: wanted.keys,
        }
        for pane, height in rows.items():
            pane.display = height > 0
            pane.styles.height = height
        self.cards.styles.grid_size_columns = wanted.card_columns
        self.cards.styles.grid_rows = f"{wanted.card_lines}" if wanted.card_lines else None
        self.timeline.set_class(wanted.framed, "framed")
        # What was tried and what came back needs the rows more than lanes in which nothing happens.
        self.timeline.display = wanted.timeline > 0 and not (away and self.app.size.height < ROOMY)
        self._graphs.display = wanted.graph_count > 0 and not away
        # on a small screen the running row says it
        self.last_run.display = self._run_is_over and self._graphs.display and wanted.table > 0
        self._graphs.styles.height = wanted.graphs - self.last_run.display
        self._graphs.set_class(wanted.graphs_beside, "beside")
        both = wanted.graph_count == 2
        self.throughput.display = both or not self._latency_first
        self.latency.display = both or self._latency_first
        self.histogram.display = wanted.histogram
        self.elections.display = wanted.elections > 0 and not away
        for graph in (self.throughput, self.latency, self.histogram):
            graph.set_class(wanted.framed, "framed")
        beside = wanted.log_beside
        self._bottom.display = (wanted.table > 0 or wanted.log > 0) and not away
        self._bottom.styles.height = max(wanted.table, wanted.log) if beside else wanted.table + wanted.log
        # A note may hide what is old: the left of lanes and graphs; not what happens now, nor the line of the log that
        # says the same.
        self.set_class(self._graphs.display or self._bottom.display, "notes-left")
        self.set_class(wanted.graphs_beside, "notes-narrow")
        under = wanted.keys + wanted.last_event + wanted.running
        if self._bottom.display:
            under += max(wanted.table, wanted.log) if beside else wanted.table + wanted.log
        for rack in self.query("ToastRack"):
            rack.styles.margin = (0, 0, under, 0)
        self._bottom.set_class(beside, "beside")
        self.table.display = wanted.table > 0
        self.log_pane.display = wanted.log > 0
        share, least, most = TABLE_SHARE
        self.table.styles.width = max(least, min(most, int(width * share))) if beside else width
        self.table.styles.height = wanted.table
        self.log_pane.styles.height = wanted.log
        self.running_row.display = wanted.running > 0 and not away
        self.offline.display = away

    def show(self, frame: Frame, live: Frame, offered: tuple[KeyHint, ...]) -> None:
        """Hand ``frame`` to every pane of text that is seen; the header alone shows ``live`` while the view is held."""
        nodes, away = live.history.nodes, offline.stands(frame.state)
        drills, run_is_over = frame.state.drill_row.started is not None, frame.state.last is not None
        shape = (nodes, away, drills, run_is_over)
        if shape != (self._shown_nodes, self._away, self._drills, self._run_is_over):
            self._shown_nodes, self._away, self._drills, self._run_is_over = shape
            self.place(force=True)
        assert self.plan is not None
        self.header.show(live)
        self.keys.show(offered)
        if self.cards.display:
            self.cards.show(frame, nodes, self.plan.card_style)
        if self.elections.display:
            self.elections.show(frame)
        if self._bottom.display:
            if self.table.display:
                self.table.show(frame)
            if self.log_pane.display:
                self.log_pane.show(frame)
        if self.last_run.display:
            self.last_run.show(frame)
        if self.running_row.display:
            self.running_row.show(frame)
        if self.last_event.display:
            self.last_event.show(frame)
        if self.offline.display:
            self.offline.show(live, tuple((hint.key, hint.label) for hint in offered if hint.action in _WAYS_ON))

    def show_timeline(self, frame: Frame, axis: TimeAxis) -> None:
        """The lanes."""
        if self.timeline.display:
            self.timeline.show(axis, frame.history)

    def show_histogram(self, frame: Frame) -> None:
        """The latency histogram, where it has a place."""
        if self._graphs.display and self.histogram.display:
            self.histogram.show_of(frame.state)

    def seen_graphs(self) -> Iterator[TimeGraph]:
        """The graphs that have a place now."""
        if self._graphs.display:
            yield from (graph for graph in (self.throughput, self.latency) if graph.display)
