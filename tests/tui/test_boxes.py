"""Every size from the list, with the real app: each region inside the screen, none over another, no word cut."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.widget import Widget

from confman_tui.tui.base_app import Panes
from tests.support import screen_story
from tests.support.screen import ScreenUnderTest, open_screen

SIZES = [(width, height) for width in (60, 80, 100, 120, 160, 200) for height in (20, 24, 40, 60)]


def panes(board: ScreenUnderTest) -> dict[str, Widget]:
    """The panes that show something now, by id."""
    dashboard = board.app.dashboard
    every = (
        dashboard.header, *dashboard.cards.children, dashboard.timeline, dashboard.throughput, dashboard.latency,
        dashboard.table, dashboard.log_pane, dashboard.running_row, dashboard.last_event, dashboard.keys,
        dashboard.offline, dashboard.histogram, dashboard.elections,
    )  # fmt: skip
    return {str(pane.id or f"card{index}"): pane for index, pane in enumerate(every) if shown(pane)}


def shown(pane: Widget) -> bool:
    """Whether it and all that holds it are displayed."""
    return all(node.display for node in pane.ancestors_with_self if isinstance(node, Widget))


def check_boxes(board: ScreenUnderTest, width: int, height: int, nodes: int) -> None:
    """All regions lie on the screen, apart from one another, and those that must stand do."""
    dashboard = board.app.dashboard
    made = dashboard.plan
    assert made is not None
    boxes = {name: pane.region for name, pane in panes(board).items()}
    screen = Region(0, 0, width, height)
    for name, box in boxes.items():
        assert box.width > 0, f"{name} has no width at {width}×{height}"
        assert box.height > 0, f"{name} has no height at {width}×{height}"
        assert screen.contains_region(box), f"{name} {box} leaves the screen of {width}×{height}"
    names = list(boxes)
    for at, name in enumerate(names):
        for other in names[at + 1 :]:
            assert not boxes[name].overlaps(boxes[other]), f"{name} and {other} overlap at {width}×{height}"
    wanted = {"header", "timeline", "keys"}
    wanted |= {"table"} if made.table else {"running"}
    wanted |= {"log"} if made.log else {"last-event"}
    wanted |= {"throughput", "latency"} if made.graph_count == 2 else {"throughput"} if made.graph_count else set()
    assert wanted <= set(boxes)
    assert len([name for name in boxes if name.startswith("card")]) == nodes
    lines = board.lines()
    for name, box in boxes.items():
        if box.height == 1:
            assert not set(lines[box.y]) & set("╭╰"), f"{name} shows its frame instead of its line at {width}×{height}"


_WORD = re.compile(r"[A-Za-z][A-Za-z-]{2,}")


def words(board: ScreenUnderTest) -> set[str]:
    """All words of three letters and more in the panes of text (graphs and timeline have tests of their own)."""
    found: set[str] = set()
    lines = board.lines()
    for name, pane in panes(board).items():
        if name in ("throughput", "latency", "histogram", "timeline"):
            continue
        box = pane.region
        for row in lines[box.y : box.bottom]:
            found |= set(_WORD.findall(row[box.x : box.right]))
    return found


SHORT_FORMS = {"other", "graph", "entries", "before", "theme", "picture"}
"""Words that other sizes show than the largest."""


async def test_every_size_keeps_its_boxes_apart_and_its_words_whole(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 60), found=False) as board:
        await board.play(screen_story.election_run(screen_story.START))
        await board.pilot.pause()
        board.app.draw(Panes.ALL)
        await board.pilot.pause()
        vocabulary = words(board) | SHORT_FORMS
        # Every line of the log and every card in full, wherever it may be cut.
        for line in board.app.state.log.lines:
            vocabulary |= set(_WORD.findall(line.plain))
        for width, height in SIZES:
            await board.pilot.resize_terminal(width, height)
            await board.pilot.pause()
            board.app.draw(Panes.ALL)
            await board.pilot.pause()
            check_boxes(board, width, height, 3)
            cut = words(board) - vocabulary
            assert not cut, f"at {width}×{height} these are no whole words: {cut}"


@pytest.mark.parametrize("nodes", [1, 5, 9])
async def test_one_to_nine_nodes_fit(tmp_path: Path, nodes: int) -> None:
    async with open_screen(tmp_path, (200, 60), found=False) as board:
        board.clock.now = screen_story.START + 3
        await board.emit(*screen_story.found(screen_story.nodes_of(nodes)))
        for width, height in ((60, 20), (80, 24), (120, 40), (200, 60)):
            await board.pilot.resize_terminal(width, height)
            await board.pilot.pause()
            board.app.draw(Panes.ALL)
            await board.pilot.pause()
            check_boxes(board, width, height, nodes)


async def test_below_the_least_size_lanes_and_the_running_row_are_left(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (50, 14), found=False) as board:
        await board.play(screen_story.election_run(screen_story.START))
        board.app.draw(Panes.ALL)
        await board.pilot.pause()
        assert set(panes(board)) == {"header", "timeline", "running", "keys"}
        assert "write-10u" in board.text()
        assert "req/s" in board.text()


async def test_a_resize_during_a_run_keeps_what_is_shown(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 40), found=False) as board:
        await board.play(screen_story.election_run(screen_story.START))
        for size in ((60, 20), (200, 60), (40, 10), (80, 24), (120, 40)):
            await board.pilot.resize_terminal(*size)
            await board.pilot.pause()
            board.app.draw(Panes.ALL)
            await board.pilot.pause()
            assert ":6200" in board.text()
        assert "write-10u" in board.text()
