"""Every key and every click does what it says, or says why not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual._compositor import ChopsUpdate
from textual.actions import parse
from textual.screen import Screen
from textual.widgets import Input, OptionList

from confman_tui.cluster.elections import Fault, FaultKind
from confman_tui.cluster.states import NodeState
from confman_tui.session.events import (
    ClusterChanged,
    DrillRoundEnded,
    FaultCaused,
    LeftoversFound,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
)
from confman_tui.settings.scenarios import CATALOGUE, suite
from confman_tui.tui.app import ConfmanApp
from confman_tui.tui.keys.table import ACTIONS, BY_ID, binding_ids
from confman_tui.tui.log import Topic
from confman_tui.tui.screens.asks import DrillDialog
from confman_tui.tui.screens.choice import ChoiceDialog
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.details import DetailsDialog
from confman_tui.tui.screens.dialog import Box
from confman_tui.tui.screens.fault import FaultDialog
from confman_tui.tui.screens.help import HelpDialog
from confman_tui.tui.screens.overrides import OverridesDialog
from confman_tui.tui.screens.rounds import RoundsDialog
from confman_tui.tui.screens.tier import TierDialog
from confman_tui.tui.widgets.cards import NodeCard
from confman_tui.tui.widgets.lines import Lines
from tests.support import screen_story
from tests.support.screen import ScreenUnderTest, open_screen
from tests.support.waiting import until

LEADER, FOLLOWER = screen_story.NODES[0], screen_story.NODES[1]


async def running(board: ScreenUnderTest) -> None:
    """A scenario runs."""
    await board.emit(
        PhaseChanged(Phase.RUNNING, board.clock.now),
        ScenarioStarted("write-10u", board.clock.now, 10, 15.0, 100, 1024),
    )


async def test_each_scenarios_key_starts_it(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        for scenario in CATALOGUE:
            await board.press(scenario.key)
        assert board.asked("run_scenarios") == [("run_scenarios", (scenario.name,)) for scenario in CATALOGUE]
        assert board.text().count("queued") == len(CATALOGUE)


async def test_a_starts_the_suite_in_turn(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("a")
        assert board.asked("run_scenarios") == [("run_scenarios", tuple(s.name for s in suite()))]
        assert "5 to go" in board.text()


async def test_s_stops_and_says_why_it_cannot(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("s")
        assert board.toasts() == ["Nothing runs that could be stopped."]
        await running(board)
        await board.press("s")
        assert board.asked("stop") == [("stop",)]
        await board.emit(PhaseChanged(Phase.STOPPING, board.clock.now))
        assert "stopping" in board.text()


async def test_a_second_start_says_what_runs(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await running(board)
        await board.press("1")
        assert board.asked("run_scenarios") == []
        assert board.toasts() == ["Not while this goes on: write-10u; s stops it."]


async def test_space_holds_the_view_while_collecting_goes_on(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("space")
        await board.emit(*(event for _, event in screen_story.election_run(screen_story.START)))
        assert "view held" in board.text()
        assert "behind" in board.text()
        assert "kill :6100 (you)" not in board.text()
        assert ":6100  LEADER" in board.text()
        assert len(board.app.state.log.lines) > 8
        await board.press("tab", "tab", "down", "question_mark", "escape", "shift+tab", "shift+tab")
        await board.pilot.resize_terminal(100, 40)
        await board.pilot.resize_terminal(120, 40)
        await board.drawn()
        assert "kill :6100 (you)" not in board.text(), "neither keys nor a resize let newer things through"
        assert ":6100  LEADER" in board.text()
        await board.press("space")
        assert "view held" not in board.text()
        assert ":6200  LEADER" in board.text()


async def test_t_switches_the_graph_on_a_small_screen_only(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (80, 24)) as board:
        assert "throughput" in board.text()
        await board.press("t")
        assert "latency" in board.text()
        assert "throughput" not in board.text()
        await board.pilot.resize_terminal(120, 40)
        await board.press("t")
        assert board.toasts() == ["Both graphs are shown."]


async def test_y_chooses_another_tier(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("y")
        assert isinstance(board.app.screen, TierDialog)
        assert "20 namespaces" in board.text()
        await board.press("down", "enter")
        assert board.asked("choose_tier") == [("choose_tier", "large")]
        await board.press("y", "enter")
        assert len(board.asked("choose_tier")) == 1, "the tier in use is not seeded anew"


async def test_u_sets_users_rate_seconds_and_payload(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("u")
        assert isinstance(board.app.screen, OverridesDialog)
        for field, value in (("users", "0"), ("seconds", "2m"), ("payload", "4KB")):
            board.app.screen.query_one(f"#{field}", Input).value = value
        await board.press("enter")
        assert "Users: a whole number from 1 to 10,000." in board.text()
        board.app.screen.query_one("#users", Input).value = "25"
        await board.press("enter")
        assert board.asked("override") == [("override", 25, 120.0, 4096, None)]
        await board.press("u")
        for wrong in ("0.4", "100001", "ten", "-1", "1e3"):
            board.app.screen.query_one("#rate", Input).value = wrong
            await board.press("enter")
            assert "Rate: requests per second, from 0.5 to 100,000, such as 500." in board.text()
        board.app.screen.query_one("#rate", Input).value = "500/s"
        await board.press("enter")
        assert board.asked("override")[-1] == ("override", None, None, 1024, 500.0)


async def test_k_kills_the_leader_of_the_demo_cluster_at_once(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("k")
        await until(lambda: bool(board.asked("cause_fault")), "the fault")
        assert board.asked("cause_fault") == [("cause_fault", FaultKind.KILL, LEADER)]


async def test_a_fault_that_must_be_confirmed_shows_its_target_as_text(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        board.session.needs_confirmation = True
        board.session.warning = "No quorum would be left."
        await board.press("k")
        await until(lambda: isinstance(board.app.screen, ConfirmDialog), "the question")
        await board.pilot.pause()
        assert "pid 4711: confman [red]--port 6100" in board.text()
        assert "No quorum would be left." in board.text()
        await board.press("n")
        assert board.asked("cause_fault") == []
        await board.press("k")
        await until(lambda: isinstance(board.app.screen, ConfirmDialog), "the question again")
        await board.press("y")
        assert board.asked("cause_fault") == [("cause_fault", FaultKind.KILL, LEADER)]


async def test_a_refused_fault_says_why(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        board.session.refusal = "Port 6100 belongs to [another] user's process."
        await board.press("k")
        await until(lambda: bool(board.toasts()), "the reason")
        assert board.toasts() == ["Port 6100 belongs to [another] user's process."]


async def test_faults_on_a_cluster_that_is_no_demo_need_the_flag(tmp_path: Path) -> None:
    async with open_screen(tmp_path, found=False) as board:
        await board.emit(*screen_story.found(demo=False))
        await board.press("k")
        assert board.toasts() == ["This is not the demo cluster; start with --allow-faults to do this to its nodes."]


async def test_p_pauses_the_leader_and_resumes_it(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("p")
        await until(lambda: len(board.asked("cause_fault")) == 1, "the pause")
        await board.emit(
            FaultCaused(Fault(FaultKind.PAUSE, LEADER, board.clock.now)),
            ClusterChanged(screen_story.view(board.clock.now, leader=None, states={0: NodeState.SILENT}), 0.0),
        )
        assert "paused by you" in board.text()
        assert "resume :6100" in board.text()
        await board.press("p")
        await until(lambda: len(board.asked("cause_fault")) == 2, "the resume")
        kinds = [call[1] for call in board.asked("cause_fault")]
        assert kinds == [FaultKind.PAUSE, FaultKind.RESUME]


async def test_i_isolates_the_leader_and_r_revives(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("r")
        assert board.toasts() == ["No node is down, paused or isolated by us."]
        await board.press("i")
        await until(lambda: bool(board.asked("cause_fault")), "the fault")
        assert board.asked("cause_fault") == [("cause_fault", FaultKind.ISOLATE, LEADER)]
        await board.emit(FaultCaused(Fault(FaultKind.ISOLATE, LEADER, board.clock.now)))
        await board.press("r")
        assert board.asked("revive") == [("revive",)]


async def test_r_and_f_bring_back_a_node_that_died_by_itself(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        down = screen_story.view(board.clock.now, states={1: NodeState.REFUSED})
        await board.emit(ClusterChanged(down, 0.0))
        await board.press("r")
        assert board.asked("revive") == [("revive",)]
        await board.press("f", "enter")
        await until(lambda: bool(board.asked("cause_fault")), "the restart")
        assert board.asked("cause_fault") == [("cause_fault", FaultKind.RESTART, FOLLOWER)]


async def test_f_offers_the_followers(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("f")
        assert isinstance(board.app.screen, FaultDialog)
        await board.press("down", "enter")
        await until(lambda: bool(board.asked("cause_fault")), "the fault")
        assert board.asked("cause_fault") == [("cause_fault", FaultKind.PAUSE, FOLLOWER)]


async def test_e_starts_the_drill_and_v_shows_it(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("v")
        assert board.toasts() == ["No drill has been run yet."]
        await board.press("e")
        assert isinstance(board.app.screen, DrillDialog)
        await board.press("escape")
        assert board.asked("drill") == []
        await board.press("e", "enter")
        await until(lambda: bool(board.asked("drill")), "the drill")
        assert board.asked("drill") == [("drill", FaultKind.KILL, 5)], "the settings'"
        await board.emit(PhaseChanged(Phase.DRILLING, board.clock.now), *screen_story.drill(board.clock.now, rounds=2))
        assert isinstance(board.app.screen, RoundsDialog), "the verdict opens by itself"
        await board.drawn()
        text = board.text()
        assert "2 rounds: longest without writes 1.62 s, 0 lost" in text
        assert "not judged: too few writes" in text
        await board.press("escape", "v")
        assert isinstance(board.app.screen, RoundsDialog)


async def test_a_drill_that_must_be_confirmed_says_what_it_is(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        board.session.needs_confirmation = True
        await board.press("e", "enter")
        await until(lambda: isinstance(board.app.screen, ConfirmDialog), "the question")
        await board.pilot.pause()
        text = board.text()
        assert "Start the drill?" in text
        assert "5 rounds under write load: kill the leader" in text
        assert "pid 4711" in text
        await board.press("y")
        assert board.asked("drill") == [("drill", FaultKind.KILL, 5)]


async def test_e_asks_for_fault_and_rounds(tmp_path: Path) -> None:
    async with open_screen(tmp_path, drill_fault=FaultKind.PAUSE, drill_rounds=3) as board:
        await board.press("e", "down", "tab", "0", "enter")
        assert "Rounds: 0 is outside 1 to 1000." in board.text()
        await board.press("backspace", "7", "enter")
        await until(lambda: bool(board.asked("drill")), "the drill")
        assert board.asked("drill") == [("drill", FaultKind.ISOLATE, 7)]
        await board.press("e")
        assert board.app.screen.query_one(Input).value == "7", "what was chosen last"
        assert board.app.screen.query_one(OptionList).highlighted == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"demo": False, "faults_allowed": False}, "start with --allow-faults"),
        ({"nodes": screen_story.NODES[:2]}, "at least three nodes, and these are 2"),
        ({"demo": False, "nodes": (*screen_story.NODES[:2], "http://10.0.0.7:6300")}, "not on this machine's loopback"),
    ],
    ids=["no demo", "two", "remote"],
)
async def test_the_drill_is_not_offered_where_it_is_refused(
    change: dict[str, object], why: str, tmp_path: Path
) -> None:
    async with open_screen(tmp_path) as board:
        assert "e election drill" in board.text()
        await board.emit(replace(screen_story.configuration(), **change))  # type: ignore[arg-type]
        assert "e election drill" not in board.text()
        await board.press("e")
        assert board.at_home()
        assert why in board.toasts()[-1]


async def test_a_click_on_the_keys_of_all_scenarios_starts_nothing_by_itself(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        place = board.lines()[-1].index("1–6 run")
        await board.pilot.click(board.app.dashboard.keys, offset=(place, 0))
        await board.pilot.pause()
        assert board.asked("run_scenarios") == []
        assert isinstance(board.app.screen, ChoiceDialog)
        await board.press("down", "enter")
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-10u",))]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_enter_opens_the_details_whatever_has_the_focus(size: tuple[int, int], tmp_path: Path) -> None:
    async with open_screen(tmp_path, size) as board:
        assert "enter details" not in board.text(), "nothing has run"
        await board.play(screen_story.election_run(screen_story.START))
        assert "enter details" in board.text() or size == (60, 20)
        for _ in range(4):
            await board.press("enter")
            assert isinstance(board.app.screen, DetailsDialog)
            assert str(board.app.screen.query_one(Box).border_title) == "write-10u", "what runs is selected"
            await board.press("enter")
            assert board.at_home()
            await board.press("tab")


async def test_a_row_that_a_person_chose_stays_chosen(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        assert "›1 " in board.text()
        await running(board)
        assert "›2 " in board.text(), "the selection follows what runs"
        await board.emit(PhaseChanged(Phase.IDLE, board.clock.now))
        await board.press("tab", "tab", "down")
        assert "›3 " in board.text()
        await running(board)
        assert "›3 " in board.text()


async def test_a_drill_that_lacks_a_node_says_which(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        down = screen_story.view(board.clock.now, states={1: NodeState.REFUSED})
        await board.emit(ClusterChanged(down, 0.0))
        await board.press("e")
        assert board.toasts() == ["A drill needs every node: :6200 is refused; r brings it back."]
        assert board.app.state.config is not None
        await board.emit(replace(board.app.state.config, demo=False, faults_allowed=True))
        await board.press("e")
        assert board.toasts()[-1] == "A drill needs every node: :6200 is refused.", "whose is it?"
        await board.emit(FaultCaused(Fault(FaultKind.KILL, screen_story.NODES[1], board.clock.now)))
        await board.press("e")
        assert board.toasts()[-1] == "A drill needs every node: :6200 is refused; r brings it back."
        assert board.asked("drill") == []


async def test_zoom_and_time_move_the_one_axis(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("plus")
        assert board.app.window.span == 30.0
        await board.press("minus", "minus")
        assert board.app.window.span == 120.0
        assert "last 2 min" in board.text()
        await board.press("right")
        assert board.toasts() == ["This is the present; ← goes back in time."]
        await board.play(screen_story.election_run(screen_story.START))
        await board.press("left")
        assert not board.app.window.live
        await board.press("right")
        assert board.app.window.live
        for _ in range(6):
            await board.press("minus")
        assert "10 min is the longest time shown." in board.toasts()


async def test_tab_goes_through_the_panes(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        seen = []
        for _ in range(3):
            await board.press("tab")
            assert board.app.focused is not None
            seen.append(board.app.focused.id)
        assert seen == ["timeline", "table", "log"]


async def test_enter_opens_the_details_of_a_row(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("tab", "tab", "enter")
        assert board.toasts() == ["write-1u has not run yet; 1 starts it."]
        await board.play(screen_story.election_run(screen_story.START))
        await board.press("enter")
        assert isinstance(board.app.screen, DetailsDialog)
        await board.drawn()
        text = board.text()
        assert "p99.99" in text
        assert "3,088 read back, 0 lost" in text
        assert "latency histogram" in text
        await board.press("escape", "down", "enter")
        text = board.text()
        assert "refused" in text
        assert "12" in text


async def test_the_log_is_filtered_scrolled_and_copied(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        copied: list[str] = []
        board.app.copy_to_clipboard = copied.append  # type: ignore[method-assign, assignment]
        await board.play(screen_story.election_run(screen_story.START))
        await board.press("tab", "tab", "tab", "down", "down", "c")
        pane = board.app.dashboard.log_pane
        chosen = pane.chosen
        assert chosen is not None
        assert copied == [chosen.plain]
        before = chosen.text
        await board.emit(NoticeGiven(Level.INFO, "something new", board.clock.now))
        assert pane.chosen is not None
        assert pane.chosen.text == before, "new lines do not move the cursor off its line"
        await board.emit(NoticeGiven(Level.INFO, "told late", chosen.at - 0.001))
        assert pane.chosen is chosen, "nor do those that stand below it"
        await board.press("l", "l")
        assert pane.topic is Topic.FAULTS
        assert "events · faults only" in board.text()
        assert "kill :6100 (you)" in board.text()
        await board.press("end", "home")
        assert pane.cursor == 0


async def test_copy_sends_osc_52(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        sent: list[str] = []
        driver = board.app._driver
        assert driver is not None
        driver.write = sent.append  # type: ignore[method-assign, assignment]
        await board.press("c")
        assert any(text.startswith("\x1b]52;c;") for text in sent)


async def test_f2_saves_a_picture_and_says_where(tmp_path: Path) -> None:
    async with open_screen(tmp_path / "results") as board:
        await board.press("f2")
        pictures = list((tmp_path / "results").glob("screen-*.svg"))
        assert len(pictures) == 1
        assert pictures[0].read_text(encoding="utf-8").startswith("<svg")
        assert board.toasts() == [f"Picture saved: {pictures[0]}"]


async def test_f2_says_when_the_picture_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "a-file"
    target.write_text("", encoding="utf-8")
    async with open_screen(target) as board:
        await board.press("f2")
        assert board.toasts()[0].startswith("The picture could not be written to")


async def test_x_removes_announced_leftovers(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("x")
        assert board.toasts() == ["No leftovers of an earlier run were found."]
        await board.emit(LeftoversFound(("bench-small-000", "bench-small-001")))
        assert "2 namespaces" in board.text()
        assert "x remove leftovers" in board.text()
        await board.press("x")
        assert board.asked("remove_leftovers") == [("remove_leftovers",)]


async def test_help_names_every_key(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        await board.press("question_mark")
        assert isinstance(board.app.screen, HelpDialog)
        shown = str(board.app.screen.query_one("#help-keys").render())
        for action in ACTIONS:
            assert action.help in " ".join(shown.split())
        await board.press("q")
        assert board.at_home()


async def test_the_palette_runs_every_action_by_name(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("o")
        await board.press(*"read-10u")
        await until(lambda: "Run read-10u" in board.text(), "the command found")
        await board.press("enter")
        await until(lambda: bool(board.asked("run_scenarios")), "the command done")
        assert board.asked("run_scenarios") == [("run_scenarios", ("read-10u",))]


async def test_a_theme_is_chosen_by_name_and_remembered(tmp_path: Path) -> None:
    chosen: list[str] = []
    async with open_screen(tmp_path, remember_theme=chosen.append, theme="nord") as board:
        assert board.app.theme == "nord"
        await board.press("w")
        await board.press(*"solarized-light")
        await until(lambda: "solarized-light" in board.text(), "the theme found")
        await board.press("enter")
        await until(lambda: board.app.theme == "solarized-light", "the theme chosen")
        await board.pilot.pause()
        assert chosen[-1] == "solarized-light"


async def test_keys_are_remapped_by_id_and_shown_so(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"kill": "f9", "run.write-1u": "z"}) as board:
        assert "F9 kill leader" in board.text()
        await board.press("k")
        assert board.asked("cause_fault") == []
        await board.press("z")
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-1u",))]
        await board.press("f9")
        await until(lambda: bool(board.asked("cause_fault")), "the fault")


async def test_keys_and_rows_are_clicked(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        table = board.app.dashboard.table
        await board.pilot.click(table, offset=(2, 3))
        await board.pilot.pause()
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-10u",))]
        await board.pilot.click(table, offset=(20, 3))
        await board.pilot.pause()
        assert board.toasts() == ["write-10u has not run yet; 2 starts it."]
        await board.pilot.click(table, offset=(8, 8))
        await board.pilot.pause()
        assert len(board.asked("run_scenarios")) == 2
        keys = board.app.dashboard.keys
        place = board.lines()[-1].index("? help")
        await board.pilot.hover(keys, offset=(place, 0))
        await board.pilot.pause()
        assert "Keys, glyphs" in str(keys.tooltip)
        await board.pilot.click(keys, offset=(place, 0))
        await board.pilot.pause()
        assert isinstance(board.app.screen, HelpDialog)


def test_no_two_actions_share_a_key_and_none_needs_ctrl() -> None:
    keys = [action.key for action in ACTIONS if action.id != "retry"]
    assert len(keys) == len(set(keys))
    assert BY_ID["retry"].key == BY_ID["revive"].key
    assert not any("ctrl" in key for key in keys)
    assert binding_ids() == {action.id for action in ACTIONS}


def test_textual_finds_a_method_for_each_action() -> None:
    for action in ACTIONS:
        _, name, _ = parse(action.command)
        assert callable(getattr(ConfmanApp, f"action_{name}", None)), action.id


async def test_an_action_that_cannot_be_done_now_is_disabled_for_textual(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        app = board.app
        assert app.check_action("stop", ()) is None
        assert app.check_action("run", ("write-1u",)) is True
        assert app.check_action("retry", ()) is False, "its key revives now"
        await running(board)
        assert app.check_action("stop", ()) is True
        assert app.check_action("run", ("write-1u",)) is None


async def test_the_cursor_of_a_pane_comes_and_goes_with_the_focus(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        app = board.app
        for pane in (app.dashboard.table, app.dashboard.log_pane):
            pane.focus()
            await board.pilot.pause()
            assert reversed_lines(pane) == 1
            app.set_focus(None)
            await board.pilot.pause()
            assert reversed_lines(pane) == 0


def reversed_lines(pane: Lines) -> int:
    """How many lines of a pane are in reverse, as the one under the cursor is."""
    strips = [pane.render_line(y) for y in range(pane.size.height)]
    return sum(any(segment.style is not None and segment.style.reverse for segment in strip) for strip in strips)


async def test_what_came_while_a_dialog_was_open_is_shown_when_it_closes(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("question_mark")
        await board.play(screen_story.election_run(screen_story.START))
        await board.press("escape")
        await board.pilot.pause()
        assert ":6200  LEADER" in board.text()
        assert "kill :6100 (you)" in " ".join(line.text for line in board.app.state.log.lines)
        assert ":6100  refused" in board.text()


async def test_below_a_dialog_the_screen_stays_true_and_only_what_changed_is_written(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        await board.press("u")
        assert isinstance(board.app.screen, OverridesDialog)
        await board.drawn()
        written: list[int] = []
        display = board.app._display

        def count(screen: Screen[object], update: RenderableType | None) -> None:
            if isinstance(update, ChopsUpdate):
                written.append(sum(end - start for _, start, end in update.spans))
            elif update is not None:
                written.append(120 * 60)
            display(screen, update)

        board.app._display = count  # type: ignore[method-assign, assignment]
        for leader, term in ((None, 6), (1, 7)):
            now = board.clock.now
            await board.emit(ClusterChanged(screen_story.view(now, leader=leader, term=term, since=now), 0.0))
            await until(lambda: bool(written), "something written")
            await board.drawn()
            assert ("no leader" if leader is None else ":6200 leads, term 7") in board.text()
        assert sum(written) < 120 * 60
        assert isinstance(board.app.screen, OverridesDialog)


async def test_the_drill_has_a_row_while_it_runs_and_afterwards(tmp_path: Path) -> None:
    for size in ((120, 40), (60, 20)):
        async with open_screen(tmp_path, size) as board:
            now = board.clock.now
            started = ScenarioStarted("drill", now, 10, None, 101, 1024)
            sample = SampleRecorded("drill", screen_story.sample(now, 200), screen_story.NODES[0], 6)
            await board.emit(PhaseChanged(Phase.DRILLING, now), started, sample)
            rate = f"{screen_story.sample(now, 200).ok:.1f}"
            assert any("▸ drill  " in line for line in board.lines())
            assert rate in board.text()
            ended = replace(screen_story.result("drill", 10, now, now + 1), name="drill")
            await board.emit(ScenarioEnded(ended), PhaseChanged(Phase.IDLE, now + 1))
            assert not any("▸ drill  " in line for line in board.lines())
            assert "all five" in board.text() or size != (120, 40)
            (row,) = [line for line in board.lines() if "  drill  " in line]
            assert "✓ 1.0 s" in row
            if size == (120, 40):
                place = next(y for y, line in enumerate(board.lines()) if "  drill  " in line)
                table = board.app.dashboard.table
                await board.pilot.click(table, offset=(20, place - table.region.y))
            else:
                await board.press("enter")
            await board.pilot.pause()
            assert str(board.app.screen.query_one(Box).border_title) == "drill"


@pytest.mark.parametrize("width", [60, 72, 80, 120])
async def test_each_rounds_fault_is_named_whole(width: int, tmp_path: Path) -> None:
    async with open_screen(tmp_path, (width, 40)) as board:
        node = "http://127.0.0.1:61234"
        await board.emit(screen_story.configuration((node, *screen_story.NODES[1:])))
        fault = Fault(FaultKind.ISOLATE, node, board.clock.now, "drill")
        for event in screen_story.drill(board.clock.now, rounds=2):
            if isinstance(event, DrillRoundEnded):
                await board.emit(DrillRoundEnded(replace(event.round, fault=fault)))
        await board.press("v")
        assert board.text().count("isolate :61234 ") >= 2


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120])
async def test_a_nodes_return_is_shown_and_why_it_did_not_return(width: int, tmp_path: Path) -> None:
    async with open_screen(tmp_path, (width, 40)) as board:
        await board.emit(screen_story.configuration())
        now = board.clock.now
        first, second = [
            event.round for event in screen_story.drill(now, rounds=2) if isinstance(event, DrillRoundEnded)
        ][:2]
        sentence = "did not come back: not ready for 30 s"
        await board.emit(
            DrillRoundEnded(replace(first, return_s=33.1)),
            DrillRoundEnded(replace(second, return_s=None, no_return=sentence)),
        )
        await board.press("v")
        lines = board.lines()
        (head,) = [line for line in lines if "fault" in line and "return" in line]
        end = head.index("return") + len("return")
        (row,) = [line for line in lines if "kill :6200" in line and "1.62 s" in line]
        assert row[:end].endswith("33.1 s")
        (row,) = [line for line in lines if "kill :6300" in line and "1.62 s" in line]
        assert row[:end].endswith("—")
        assert f"round 2: :6300 {sentence}" in " ".join(str(board.app.screen.query_one("#rounds").render()).split())


async def test_waiting_for_a_leader_is_seen_and_can_be_stopped(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        await board.press("2")
        await board.emit(PhaseChanged(Phase.WAITING, now), ProgressMade(Phase.WAITING, 3, 45, 0.0, 42.0))
        assert "▸ waiting for a leader" in board.text()
        assert "3/45 s" in board.text()
        assert "s stop" in board.lines()[-1]
        await board.press("1")
        assert board.toasts() == ["Not while this goes on: waiting for a leader; s stops it."]
        await board.press("s")
        assert board.asked("stop") == [("stop",)]


async def test_a_cards_tooltip_explains_the_state_and_keeps_the_error_as_text(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        now = board.clock.now
        wrong = screen_story.view(now, states={1: NodeState.WRONG}, detail="says [red]term -1[/red]")
        await board.emit(ClusterChanged(wrong, 0.0))
        card = next(card for card in board.app.dashboard.query(NodeCard) if card.node == screen_story.NODES[1])
        assert str(card.tooltip) == (
            f"{screen_story.NODES[1]}: wrong answer (it answers with values that can't be). says [red]term -1[/red]"
        )
        await board.emit(ClusterChanged(screen_story.view(now), 0.0))
        assert str(card.tooltip) == f"{screen_story.NODES[1]}: follower (follows the serving leader)"


async def test_remapped_keys_are_the_ones_that_are_named(tmp_path: Path) -> None:
    keymap = {"stop": "f9", "suite": "z", "run.write-10u": "j", "hold": "h", "quit": "Q"}
    async with open_screen(tmp_path, keymap=keymap) as board:
        lines = "\n".join(board.lines())
        assert re.search(r"│  j +write-10u", lines)
        assert re.search(r"│  z +all five", lines)
        await board.press("h")
        assert "h goes on" in board.text()
        await board.press("h", "j")
        assert board.asked("run_scenarios") == [("run_scenarios", ("write-10u",))]
        await board.emit(PhaseChanged(Phase.SEEDING, board.clock.now))
        assert "F9 stops it" in board.text()
        await board.press("z")
        assert board.toasts() == ["Not while this goes on: seeding; F9 stops it."]
