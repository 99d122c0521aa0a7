"""What the screen says: offline, waiting, electing, at its limit; and strings of others as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.geometry import Region

from confman_tui.cluster.elections import Verification, WriteWindow
from confman_tui.cluster.states import STATE_WORDS, Fact, FactKind, NodeState
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.session.events import (
    ClusterChanged,
    FactObserved,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    ScenarioEnded,
    VerificationEnded,
    WatchModeChanged,
    WritesAcknowledged,
)
from confman_tui.settings.scenarios import CATALOGUE
from confman_tui.tui.charts.palette import STATE_GLYPHS
from tests.support import screen_story
from tests.support.screen import open_screen

HOSTILE = (
    "[red]red[/red]",
    "\x1b[2J\x1b]0;title\x07",
    "x" * 10_240,
    "שלום \u202eevil",
    "漢字" * 40,
    "[@click=app.quit]",
)


async def test_that_no_certificate_is_checked_stands_in_the_header(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        assert "insecure" not in board.text()
        await board.emit(replace(screen_story.configuration(demo=False), insecure=True))
        assert "insecure" in board.text()


async def test_offline_says_what_was_tried_and_offers_ways_on(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        now = board.clock.now
        states = dict.fromkeys(range(3), NodeState.REFUSED)
        view = screen_story.view(now, leader=None, states=states, detail="[Errno 111] Connection refused")
        await board.emit(
            screen_story.configuration(demo=False),
            ClusterChanged(view, 0.0),
            PhaseChanged(Phase.OFFLINE, now, "Nothing answers at 127.0.0.1, ports 6100, 6200 and 6300."),
        )
        text = board.text()
        assert "No cluster to work with" in text
        assert "Nothing answers at 127.0.0.1, ports 6100, 6200 and 6300." in text
        assert "✕ :6300  refused · [Errno 111] Connection refused" in text
        for way in ("d  start the demo cluster", "r  try again", "q  quit"):
            assert way in text
        await board.press("1")
        assert board.toasts() == ["There is no cluster; r tries again, d starts the demo cluster."]
        await board.press("r", "d")
        assert board.session.calls[-2:] == [("retry",), ("start_demo",)]
        await board.pilot.resize_terminal(60, 20)
        await board.pilot.pause()
        board.app.draw()
        await board.pilot.pause()
        assert "start the demo cluster" in board.text()


async def test_a_refused_key_is_not_called_a_missing_cluster(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        refused = "401 from node1: the API key was refused; --api-key or CONFMAN_BENCH_API_KEY"
        await board.emit(PhaseChanged(Phase.OFFLINE, board.clock.now, refused))
        text = board.text()
        assert "This cluster can't be used" in text
        assert refused in text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_a_note_hides_neither_keys_nor_the_newest_line_of_the_log(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_screen(tmp_path, size) as board:
        await board.emit(NoticeGiven(Level.WARNING, "the disk is full", board.clock.now))
        await board.pilot.pause()
        (note,) = board.app.screen.query("Toast")
        assert note.region.area
        regions = {
            pane.id: pane.region for pane in board.app.screen.query("#running, #last-event, #keys") if pane.display
        }
        assert "keys" in regions
        log = board.app.dashboard.log_pane
        if log.is_on_screen and log.region.area:
            regions["the log's newest lines"] = log.content_region._replace(height=3)
        for graph in board.app.screen.query("ThroughputGraph, LatencyGraph"):
            if graph.is_on_screen and graph.region.area and graph.region.right == size[0]:
                x, y, width, height = graph.region
                regions[f"now on {graph.id}"] = Region(x + width - 8, y, 8, height)
        assert len(regions) > 1
        assert not [name for name, region in regions.items() if region.overlaps(note.region)]


async def test_the_key_of_reviving_is_that_of_trying_again_when_offline(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("r")
        assert board.asked("retry") == []
        await board.emit(PhaseChanged(Phase.OFFLINE, board.clock.now, "gone"))
        await board.press("r")
        assert board.asked("retry") == [("retry",)]


async def test_waits_show_their_progress_and_the_way_out(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        await board.emit(PhaseChanged(Phase.SEEDING, now), ProgressMade(Phase.SEEDING, 2500, 10_000, 812.0, 9.2))
        text = board.text()
        assert "seeding" in text
        assert "2,500/10,000 keys" in text
        assert "━━━━────────────" in text
        assert "00:09 left" in text
        await board.press("s")
        assert board.asked("stop") == [("stop",)]
        await board.emit(PhaseChanged(Phase.VERIFYING, now), ProgressMade(Phase.VERIFYING, 10, 200, 80.0, 2.4))
        assert "checking acknowledged writes" in board.text()
        assert "10/200 keys" in board.text()


async def test_how_closely_the_cluster_is_watched_stands_at_the_top(tmp_path: Path) -> None:
    async with open_screen(tmp_path, size=(160, 40)) as board:
        now = board.clock.now
        await board.emit(WatchModeChanged(False, now, "", WatchPace()))
        assert "watch calm 250 ms" in board.text()
        await board.emit(WatchModeChanged(True, now, "a request failed: refused", WatchPace()))
        assert "watch alert 50 ms" in board.text()


async def test_writes_are_judged_by_acknowledgements_not_by_readiness(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        assert "writes not probed" in board.text()
        now = board.clock.now
        await board.emit(screen_story.acknowledgements(now, 200))
        assert "● writes go through · 200/s" in board.text()
        board.clock.now = now + 1.62
        window = WriteWindow(now, None, 0.05)
        await board.emit(WritesAcknowledged((), now + 1.62, window))
        assert "✕ NO WRITES for 1.62 s" in board.text()
        assert "★ :6100 leads" in board.text(), "a leader stands there all the while"


async def test_no_leader_says_why(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        states = {0: NodeState.NOT_READY, 1: NodeState.REFUSED, 2: NodeState.SILENT}
        await board.emit(ClusterChanged(screen_story.view(now, leader=None, term=9, states=states), 0.0))
        assert "no leader (term 9, no quorum: :6200 and :6300 unreachable)" in board.text()
        states = {1: NodeState.ELECTED, 2: NodeState.FOLLOWER}
        await board.emit(ClusterChanged(screen_story.view(now, leader=None, term=9, states=states), 0.0))
        assert "no leader (term 9, :6200 elected, not serving)" in board.text()


async def test_a_leader_that_was_not_given_is_named(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        now = board.clock.now
        two = screen_story.NODES[1:]
        strange = screen_story.view(now, leader=None, nodes=two, states={0: NodeState.FOLLOWER_OF_DEAD})
        named = replace(
            strange, nodes=tuple(replace(node, names_leader="http://127.0.0.1:7613") for node in strange.nodes)
        )
        await board.emit(screen_story.configuration(two, demo=False), PhaseChanged(Phase.FINDING, now))
        await board.emit(ClusterChanged(named, 0.0))
        assert "no leader (leader :7613 is not among --nodes)" in board.lines()[1]
        assert "electing" not in board.text()
        assert board.text().count("leader :7613 is not among --nodes") == 2, "in the middle too"
        at_odds = (named.nodes[0], replace(named.nodes[1], names_leader="http://127.0.0.1:7614"))
        await board.emit(ClusterChanged(replace(named, nodes=at_odds), 0.0))
        assert "not among --nodes" not in board.text()


async def test_d_starts_the_demo_cluster_as_soon_as_every_node_refuses(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        now = board.clock.now
        await board.emit(screen_story.configuration(demo=False), PhaseChanged(Phase.FINDING, now))
        states = {0: NodeState.REFUSED, 1: NodeState.REFUSED, 2: NodeState.SILENT}
        await board.emit(ClusterChanged(screen_story.view(now, leader=None, states=states), 0.0))
        await board.press("d")
        assert board.asked("start_demo") == [], "one of them may come to itself"
        refused = dict.fromkeys(range(3), NodeState.REFUSED)
        await board.emit(ClusterChanged(screen_story.view(now, leader=None, states=refused), 0.0))
        assert "d  start the demo cluster" in board.text()
        await board.press("d")
        assert board.asked("start_demo") == [("start_demo",)]


async def test_never_leader_for_a_node_that_does_not_serve(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        states = {0: NodeState.STALE_LEADER, 1: NodeState.ELECTED}
        await board.emit(ClusterChanged(screen_story.view(now, leader=None, term=9, states=states), 0.0))
        assert "LEADER" not in board.text()
        assert "⚠ :6100  stale leader" in board.text()
        assert "☆ :6200  elected, not serving" in board.text()


async def test_every_state_has_its_glyph_and_word_on_card_and_line(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        for size in ((120, 40), (80, 24)):
            await board.pilot.resize_terminal(*size)
            await board.drawn()
            for state in NodeState:
                leader = 0 if state is NodeState.LEADER else None
                view = screen_story.view(board.clock.now, leader=leader, states={0: state}, detail="why [bold]so")
                await board.emit(ClusterChanged(view, 0.0))
                word = "LEADER" if state is NodeState.LEADER else STATE_WORDS[state]
                assert f"{STATE_GLYPHS[state]} :6100  {word}" in board.text()


@pytest.mark.parametrize("size", [(60, 20), (120, 40), (200, 60)])
async def test_hostile_strings_are_text_everywhere(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_screen(tmp_path, size) as board:
        now = board.clock.now
        for string in HOSTILE:
            view = screen_story.view(now, leader=None, states={0: NodeState.NOT_CONFMAN}, detail=string)
            node = replace(view.nodes[1], names_leader=f"http://{string}", state=NodeState.FOLLOWER_OF_DEAD)
            await board.emit(
                ClusterChanged(replace(view, nodes=(view.nodes[0], node, view.nodes[2])), 0.0),
                FactObserved(Fact(FactKind.NODE_WRONG, now, screen_story.NODES[0], detail=string)),
                FactObserved(Fact(FactKind.LEADER_LOST, now, string, 6, string)),
                NoticeGiven(Level.ERROR, string, now),
                VerificationEnded(string, Verification(note=string)),
                ScenarioEnded(replace(screen_story.result("write-1u", 1, now, now + 1), note=string)),
                PhaseChanged(Phase.SEEDING, now, string),
            )
            text = board.text()
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert len(board.lines()) == size[1]
        if size[0] >= 120:
            assert "[red]red[/red]" in " ".join(line.text for line in board.app.state.log.lines)
        await board.emit(PhaseChanged(Phase.OFFLINE, now, HOSTILE[1] + HOSTILE[2]))
        assert "\x1b" not in board.text()
        assert "␛[2J" in board.text()


async def test_a_small_screen_names_the_scenarios_before_the_first_run(tmp_path: Path) -> None:
    for size in ((80, 24), (60, 20)):
        async with open_screen(tmp_path, size) as board:
            for scenario in CATALOGUE:
                assert f"{scenario.key} {scenario.name}" in board.text()


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_a_run_that_lost_a_write_gets_no_tick(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        now = board.clock.now
        kept = screen_story.result("write-10u", 10, now, now + 30)
        for lost, phantom, mark in ((0, 0, "✓"), (1, 0, "✗"), (0, 1, "✗")):
            verified = Verification(acknowledged=3088, checked=3088, lost=lost, phantom=phantom)
            await board.emit(ScenarioEnded(replace(kept, verification=verified)))
            assert f"{mark} 30.0 s" in board.text()
        verified = Verification(acknowledged=3088, checked=3088, diverged=1, nodes_read=3, nodes=3)
        await board.emit(ScenarioEnded(replace(kept, verification=verified)))
        assert "✗ 30.0 s" in board.text()
        await board.emit(ScenarioEnded(screen_story.result("write-10u", 10, now, now + 30, failures=3100)))
        assert "✗ 30.0 s" in board.text()


async def test_the_header_says_that_the_demo_cluster_waits_for_its_disks(tmp_path: Path) -> None:
    async with open_screen(tmp_path, size=(160, 40)) as board:
        assert "demo cluster" in board.text()
        assert "fsync" not in board.text()
        await board.emit(replace(screen_story.configuration(demo=True), fsync=True))
        assert "demo cluster, fsync" in board.text()


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["boxes", "lines"])
async def test_the_card_of_a_node_that_ended_by_itself_says_why_until_it_answers(
    size: tuple[int, int], tmp_path: Path
) -> None:
    async with open_screen(tmp_path, size=size) as board:
        away = screen_story.NODES[1]
        down = screen_story.view(board.clock.now, states={1: NodeState.REFUSED}, detail="connection refused")
        text = f"{away} has ended, and not by this program"
        told = NoticeGiven(Level.ERROR, text, board.clock.now, node=away, word="data damaged")
        await board.emit(told, ClusterChanged(down, 0.0, news=True))
        assert "data damaged" in board.text()
        board.clock.now += 5
        await board.emit(ClusterChanged(screen_story.view(board.clock.now), 0.0, news=True))
        assert "data damaged" not in board.text()
