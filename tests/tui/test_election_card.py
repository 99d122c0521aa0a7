"""An election's card: one bar to scale, each step's seconds, and no line of the log that repeats them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from confman_tui.cluster.elections import Election, Fault, FaultKind
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.session.events import ElectionAdvanced, ElectionMeasured, FactObserved
from confman_tui.tui import election_card
from confman_tui.tui.charts.palette import role_colors
from confman_tui.tui.colours import Look
from confman_tui.tui.log import Topic
from confman_tui.tui.state import UiState, initial
from confman_tui.tui.updates import apply
from tests.support import screen_story
from tests.support.screen import open_screen

T = screen_story.START
NODES = screen_story.NODES
NAMES = {NODES[0]: ":6100", NODES[1]: ":6200", NODES[2]: ":6300"}
LOOK = Look(True)


def measured() -> Election:
    return screen_story.election(Fault(FaultKind.KILL, NODES[0], T + 50.3), T)


def played(until: float = 1e12) -> UiState:
    state = initial([])
    for at, event in screen_story.election_run(T):
        if at > until:
            break
        apply(state, event, at)
    return state


def test_the_bar_is_to_scale_and_each_step_has_its_seconds() -> None:
    election = measured()
    bar = election_card.bar(election, 48, LOOK)
    runs = {glyph: bar.plain.count(glyph) for glyph in "░▒▓█▃"}
    assert bar.plain == "░" * 2 + "▒" * 24 + "▓" * 4 + "█" * 2 + "▃" * 16
    assert sum(runs.values()) == 48
    words = "  ".join(line.plain for line in election_card.step_words(election, 200, LOOK))
    assert words == "░ lost 0.10 s  ▒ claim 1.30 s  ▓ serving 1.50 s  █ first write 1.62 s  ▃ 90 % 2.40 s"
    assert election_card.bar(election, 48, LOOK, whole_s=4.8).cell_length == 24, "to the scale of others"


def test_a_step_that_polls_showed_after_the_first_write_does_not_lengthen_the_outage() -> None:
    late = replace(measured(), serving_s=2.0, recover90_s=None, first_write_s=1.6)
    bar = election_card.bar(late, 32, LOOK)
    assert "█" not in bar.plain
    assert bar.plain == "░" * 2 + "▒" * 24 + "▓" * 6
    assert "serving 2.00 s" in election_card.step_words(late, 200, LOOK)[0].plain


def test_one_that_goes_on_grows_and_says_what_it_waits_for() -> None:
    so_far = replace(
        measured(), new_leader=None, claim_s=None, serving_s=None, agree_s=None, first_write_s=None, recover90_s=None,
        without_writes_s=None,
    )  # fmt: skip
    lines = election_card.card(so_far, NAMES, 60, LOOK, now=so_far.origin + 1.0)
    assert lines[0].plain == "kill :6100 → electing · for 1.00 s"
    assert lines[1].plain.strip() == "░" * 6 + "▒" * 52
    assert lines[2].plain.strip() == "░ lost 0.10 s  ▒ claim …"


def test_no_line_of_a_card_is_wider_than_its_place() -> None:
    for width in range(24, 130):
        for line in election_card.card(measured(), NAMES, width, LOOK):
            assert line.cell_length <= width
        assert election_card.one_line(measured(), NAMES, width, LOOK).cell_length <= width


def test_without_colour_the_steps_are_told_apart() -> None:
    assert len({glyph for _, glyph, _ in election_card.STEPS}) == len(election_card.STEPS)
    spans = {str(style) for _, _, style in election_card.bar(measured(), 48, LOOK).spans}
    assert spans == {role_colors(True)["band"], role_colors(True)["good"]}


def test_the_log_has_one_card_in_place_of_the_lines_that_repeat_it() -> None:
    state = played()
    every = state.log.newest_first(None)
    texts = [line.text for line in every]
    assert sum(line.election is not None for line in every) == 1
    for repeated in (
        "lost as leader",
        "elected",
        ":6200 leads",
        "all agree on :6200",
        "writes again",
        "down",
        "kill :6",
    ):
        assert not any(repeated in text for text in texts if not text.startswith("election after")), repeated
    assert ":6100 leads, term 6" in texts, "the leader at the start is no step of it"
    about = [line.text for line in state.log.newest_first(Topic.CLUSTER)]
    assert any("lost as leader" in text for text in about), "the lines are there for who asks for them"
    assert any(text.startswith("election after kill :6100 → :6200, term 7: 1.62 s without writes") for text in about)
    assert "kill :6100 (you)" in [line.text for line in state.log.newest_first(Topic.FAULTS)]


def test_what_happens_to_another_node_meanwhile_is_not_folded_away() -> None:
    state = played()
    other = Fact(FactKind.NODE_DOWN, T + 51.0, NODES[2], detail="connection refused")
    apply(state, FactObserved(other), T + 53)
    assert ":6300 down (connection refused)" in [line.text for line in state.log.newest_first(None)]


def test_an_election_has_one_card_from_its_first_step_to_its_recovery() -> None:
    state = played(until=T + 50)
    done = measured()
    lost = replace(done, new_leader=None, claim_s=None, serving_s=None, agree_s=None, first_write_s=None,
                   recover90_s=None, without_writes_s=None)  # fmt: skip
    apply(state, FactObserved(Fact(FactKind.LEADER_LOST, T + 50.4, NODES[0], 6)), T + 50.4)
    apply(state, ElectionAdvanced(lost), T + 50.4)
    assert state.election_now == lost
    assert [line.ongoing for line in state.log.newest_first(None) if line.election] == [True]
    apply(state, ElectionMeasured(replace(done, recover90_s=None)), T + 52)
    assert state.election_now is None
    apply(state, ElectionMeasured(done), T + 53)
    cards = [line for line in state.log.newest_first(None) if line.election]
    assert [card.election for card in cards] == [done]
    assert "90 % 2.40 s" in cards[0].text


async def test_the_screen_shows_the_card_while_the_election_goes_on_and_afterwards(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 40), found=False) as board:
        lost = replace(measured(), new_leader=None, claim_s=None, serving_s=None, agree_s=None, first_write_s=None,
                       recover90_s=None, without_writes_s=None)  # fmt: skip
        await board.play(screen_story.election_run(T), until=T + 50.9)
        board.clock.now = T + 51.3
        await board.emit(ElectionAdvanced(lost))
        assert "◔ kill :6100 → electing" in board.text()
        assert "▒ claim …" in board.text()
        await board.play(story for story in screen_story.election_run(T) if story[0] > T + 50.9)
        await board.drawn()
        text = board.text()
        assert "electing" not in text
        assert "◔ kill :6100 → :6200, term 7" in text
        assert "▓ serving 1.50 s" in text
        assert "▃ 90 % 2.40 s" in text
        assert "all agree" not in text


async def test_a_drill_has_a_bar_for_each_round_to_one_scale(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 40)) as board:
        await board.emit(*screen_story.drill(T, rounds=3))
        await board.drawn()
        lines = [line for line in board.lines() if "▒▒▒" in line]
        assert len(lines) == 3
        assert all("2.40 s" in line for line in lines)
        assert any("░ lost" in line and "▃ 90 %" in line for line in board.lines())


async def test_a_large_screen_has_the_last_elections_and_a_histogram(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 50)) as board:
        assert "none yet: k kills the leader, e measures several in a row" in board.text()
        await board.play(screen_story.election_run(T))
        await board.drawn()
        text = board.text()
        assert "last elections" in text
        assert any("kill :6100 → :6200, term 7" in line and "first write 1.62 s" in line for line in board.lines())
        assert "requests per class, last 15 s" in text
        assert "p99.9" in text
        assert "requests" in text
        await board.pilot.resize_terminal(120, 40)
        await board.pilot.pause()
        await board.drawn()
        assert "last elections" not in board.text()


async def test_what_a_large_screen_adds_is_drawn_only_when_it_changed(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 50)) as board:
        await board.play(screen_story.election_run(T))
        await board.drawn()
        asked: list[str] = []
        request = board.app.renderer.request
        histogram = board.app.dashboard.histogram

        def note(key: str, *rest: object, **options: object) -> None:
            asked.append(key)
            request(key, *rest, **options)  # type: ignore[arg-type]

        board.app.renderer.request = note  # type: ignore[method-assign]
        built = 0
        build = board.app.dashboard.elections.build

        def count(*arguments: object) -> object:
            nonlocal built
            built += 1
            return build(*arguments)  # type: ignore[arg-type]

        board.app.dashboard.elections.build = count  # type: ignore[method-assign, assignment]
        board.clock.now += 0.5
        await board.drawn()
        assert histogram._key not in asked
        assert built == 0
