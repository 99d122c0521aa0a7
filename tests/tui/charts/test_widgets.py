"""The graphs and the timeline in a running app, drawn by the real renderer."""

from __future__ import annotations

from functools import partial

import pytest
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from confman_tui.cluster.states import ClusterView, NodeState, NodeView
from confman_tui.session import events
from confman_tui.tui.base_app import STYLES
from confman_tui.tui.charts.axis import TimeWindow
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.history.history import History
from confman_tui.tui.widgets.graph import Graph, LatencyGraph, ThroughputGraph
from confman_tui.tui.widgets.graph_base import PictureWidget
from confman_tui.tui.widgets.timeline import ClusterTimeline
from tests.support.chart_history import Feed
from tests.support.waiting import until

T0 = 1_800_000_000.0


class Board(App[None]):
    """A timeline over two graphs."""

    CSS_PATH = STYLES / "dashboard.tcss"
    CSS = """
    ClusterTimeline, Graph { border: round $primary; }
    .hidden { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = T0
        self.feed = Feed(T0)
        self.history = History()
        self.window = TimeWindow()
        self.notices: list[str] = []
        self.renderer = ChartRenderer(self.notices.append, nap=0.2)
        self.cursor: float | None = None

    def compose(self) -> ComposeResult:
        yield ClusterTimeline(self.window, id="timeline")
        with Horizontal():
            yield ThroughputGraph(self.renderer, empty_text="press 2 to run write-10u", id="throughput")
            yield LatencyGraph(self.renderer, id="latency")
        yield Static("below")

    def on_unmount(self) -> None:
        self.renderer.close()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for event in self.feed.until(self.time):
            self.history.apply(event)
        self.show()

    def show(self) -> None:
        axis = self.window.axis(self.time)
        for widget in self.query(PictureWidget):
            if isinstance(widget, ClusterTimeline):
                widget.show(axis, self.history)
            elif isinstance(widget, ThroughputGraph | LatencyGraph):
                widget.show(partial(widget.plot.spec, axis, self.history))

    def on_cluster_timeline_view_changed(self) -> None:
        self.show()

    def on_cluster_timeline_cursor_moved(self, message: ClusterTimeline.CursorMoved) -> None:
        self.cursor = message.at


def lines(widget: PictureWidget) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


def drawn(widget: Graph) -> bool:
    return any("└" in line for line in lines(widget))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_everything_is_drawn_at_the_widgets_size(size: tuple[int, int]) -> None:
    app = Board()
    async with app.run_test(size=size) as pilot:
        graph, timeline = app.query_one(ThroughputGraph), app.query_one(ClusterTimeline)
        await pilot.pause()
        assert any("press 2 to run write-10u" in line for line in lines(graph))
        app.advance(50)
        await until(lambda: drawn(graph) and drawn(app.query_one(LatencyGraph)))
        await pilot.pause()
        for widget in app.query(PictureWidget):
            assert {len(line) for line in lines(widget)} == {widget.size.width}
        assert len(lines(timeline)) == 5
        assert timeline.region.height == 7
        assert app.notices == []


async def test_a_change_of_size_at_any_moment_ends_with_the_right_picture() -> None:
    app = Board()
    async with app.run_test(size=(120, 40)) as pilot:
        app.advance(50)
        for width, height in ((80, 24), (61, 20), (200, 50), (90, 30)):
            await pilot.resize_terminal(width, height)
            app.advance(1)
        graph = app.query_one(ThroughputGraph)
        await until(lambda: drawn(graph) and app.renderer.idle)
        await until(lambda: {len(line.rstrip()) <= graph.size.width for line in lines(graph)} == {True})
        assert lines(graph)[-1].rstrip().endswith("now")
        assert lines(graph)[-2].startswith("    └")


async def test_a_hidden_graph_asks_for_nothing_and_is_drawn_when_shown() -> None:
    app = Board()
    async with app.run_test(size=(120, 40)) as pilot:
        graph = app.query_one(LatencyGraph)
        graph.add_class("hidden")
        await pilot.pause()
        app.advance(50)
        await until(lambda: drawn(app.query_one(ThroughputGraph)))
        assert not drawn(graph)
        graph.remove_class("hidden")
        await until(lambda: drawn(graph))


async def test_only_what_changed_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Board()
    async with app.run_test(size=(120, 40)) as pilot:
        app.advance(50.1)
        graph = app.query_one(ThroughputGraph)
        await until(lambda: drawn(graph) and app.renderer.idle)
        await pilot.pause()
        written: list[Region] = []
        refresh = Widget.refresh

        def note(self: Widget, *regions: Region, **options: bool) -> Widget:
            if self is graph:
                written.extend(regions or [self.size.region])
            return refresh(self, *regions, **options)

        monkeypatch.setattr(Widget, "refresh", note)
        app.show()
        await pilot.pause()
        assert written == [], "the same picture again"
        app.advance(1.0)
        await until(lambda: app.renderer.idle and bool(written))
        cells = sum(region.width * region.height for region in written)
        assert 0 < cells < graph.size.width * graph.size.height / 4, "a second more grows at the right edge only"


async def test_the_picture_follows_the_theme() -> None:
    app = Board()
    async with app.run_test(size=(100, 30)) as pilot:
        app.advance(50)
        graph = app.query_one(ThroughputGraph)
        await until(lambda: drawn(graph))
        dark = {str(segment.style) for segment in graph.render_line(8)}
        app.theme = "textual-light"
        await pilot.pause()
        await until(lambda: not dark & {str(segment.style) for segment in graph.render_line(8)})


async def test_a_dead_renderer_comes_back_by_itself() -> None:
    app = Board()
    async with app.run_test(size=(120, 40)):
        app.advance(50)
        graph = app.query_one(ThroughputGraph)
        await until(lambda: drawn(graph))
        first = app.renderer.pid
        assert app.renderer._child is not None
        app.renderer._child.process.kill()
        await until(lambda: app.notices == ["graph renderer restarted"])
        app.advance(2)
        await until(lambda: app.renderer.idle and app.renderer.pid not in (None, first))
        assert drawn(graph)
    assert app.renderer.pid is None


async def test_keys_move_a_cursor_that_says_what_was() -> None:
    app = Board()
    async with app.run_test(size=(120, 30)) as pilot:
        app.advance(30)
        timeline = app.query_one(ClusterTimeline)
        timeline.focus()
        await pilot.press("left")
        await pilot.pause()
        assert app.cursor == pytest.approx(app.time, abs=1.0)
        assert "★ :6200 leads, term 7" in str(timeline.border_subtitle)
        for _ in range(5):
            await pilot.press("shift+left")
        await pilot.pause()
        assert app.cursor is not None
        assert "term 6" in str(timeline.border_subtitle)
        assert "writes/s" in str(timeline.border_subtitle)
        await pilot.press("escape")
        await pilot.pause()
        assert app.cursor is None
        assert "leader change" in str(timeline.border_subtitle)


async def test_the_mouse_is_a_cursor_too() -> None:
    app = Board()
    async with app.run_test(size=(120, 30)) as pilot:
        app.advance(30)
        timeline = app.query_one(ClusterTimeline)
        await pilot.hover(timeline, offset=(100, 2))
        await pilot.pause()
        assert app.cursor is not None
        assert "leads" in str(timeline.border_subtitle)
        await pilot.hover("Static", offset=(2, 0))
        await pilot.pause()
        assert app.cursor is None


async def test_zoom_and_scroll_change_all_panes() -> None:
    app = Board()
    async with app.run_test(size=(120, 30)) as pilot:
        app.advance(150)
        timeline, graph = app.query_one(ClusterTimeline), app.query_one(ThroughputGraph)
        timeline.focus()
        await pilot.press("minus")
        await pilot.pause()
        assert "last 2 min" in str(timeline.border_title)
        await until(lambda: any("-60s" in line or "-1m" in line for line in lines(graph)[-1:]))
        await pilot.press("plus", "plus", "pageup")
        await pilot.pause()
        assert "scrolled back" in str(timeline.border_title)
        await until(lambda: lines(graph)[-1].count(":") >= 2)
        await pilot.press("end")
        await pilot.pause()
        assert str(timeline.border_title) == "cluster · last 30 s"
        assert app.window.live


async def test_names_of_nodes_are_text_and_never_markup() -> None:
    app = Board()
    async with app.run_test(size=(100, 30)) as pilot:
        nodes = ("http://a\u202eb:1", "http://日本:2", "http://" + "x" * 300 + ":3")
        views = tuple(NodeView(node, NodeState.FOLLOWER, T0, 1) for node in nodes)
        leader = "http://[red]boom[/red]\x1b[2J"
        app.history.apply(events.ClusterChanged(ClusterView(T0 + 1, views, leader, 1, T0), 0.0))
        app.time = T0 + 1
        app.show()
        await pilot.pause()
        timeline = app.query_one(ClusterTimeline)
        timeline.focus()
        await pilot.press("left")
        await pilot.pause()
        border = "".join(strip.text for strip in timeline.render_lines(Region(0, 0, 100, timeline.outer_size.height)))
        assert "[red]boom" in border
        assert "\x1b" not in border
        assert "\u202e" not in border
        assert {len(line) for line in lines(timeline)} == {timeline.size.width}


async def test_up_to_nine_nodes_have_a_lane_each() -> None:
    app = Board()
    async with app.run_test(size=(100, 40)) as pilot:
        views = tuple(NodeView(f"http://host{i}:6100", NodeState.FOLLOWER, T0, 1) for i in range(9))
        app.history.apply(events.ClusterChanged(ClusterView(T0 + 1, views, None, 1), 0.0))
        app.time = T0 + 5
        app.show()
        await pilot.pause()
        timeline = app.query_one(ClusterTimeline)
        assert timeline.size.height == 11
        assert [line.split()[0] for line in lines(timeline)[:9]] == [f"host{i}:6100" for i in range(9)]


async def test_styles_do_not_grow_with_the_terms_that_pass() -> None:
    app = Board()
    app.feed = Feed(T0, election_every=10.0)
    async with app.run_test(size=(100, 30)):
        for _ in range(40):
            app.advance(40)
        graph, timeline = app.query_one(ThroughputGraph), app.query_one(ClusterTimeline)
        await until(lambda: drawn(graph) and app.renderer.idle)
        assert len(app.history.changes(T0, app.time)) > 100
        assert len(timeline._numbers) < 40
        assert len(graph._numbers) < 40
