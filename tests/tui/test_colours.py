"""States, messages and terms are told apart by colour-blind people, on dark and on light grounds, and can be read."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from rich.color import ColorSystem

from confman_tui.cluster.states import NodeState
from confman_tui.tui.charts.palette import STATE_GLYPHS, term_color
from confman_tui.tui.colours import Look
from tests.support import screen_story
from tests.support.colour_vision import EYES, GROUNDS, contrast, distance
from tests.support.screen import open_screen

TOLD_APART = 14.0
"""Least distance in CIELAB (CIE76); 2.3 is just noticeable side by side."""
READABLE = 3.0
"""Least contrast of text (WCAG 2.1, large or bold text)."""

FRAME = set("╭╮╰╯─│▁▔▎▊")


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("dark", [True, False])
def test_what_matters_can_be_distinguished(eye: str, dark: bool) -> None:
    look = Look(dark)
    meanings = {
        "serves": look.state(NodeState.LEADER),
        "follows": look.state(NodeState.FOLLOWER),
        "refused": look.state(NodeState.REFUSED),
        "not ready": look.state(NodeState.NOT_READY),
        "elected": look.state(NodeState.ELECTED),
        "silent": look.state(NodeState.SILENT),
    }
    for (name, color), (other, another) in combinations(meanings.items(), 2):
        apart = distance(color, another, eye)
        assert apart >= TOLD_APART, f"{name} and {other} are {apart:.1f} apart to {eye}, dark {dark}"


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("dark", [True, False])
def test_a_term_can_be_distinguished_from_the_next(eye: str, dark: bool) -> None:
    for term in range(12):
        apart = distance(term_color(term, dark), term_color(term + 1, dark), eye)
        assert apart >= TOLD_APART, f"terms {term} and {term + 1}: {apart:.1f} to {eye}, dark {dark}"


@pytest.mark.parametrize("dark", [True, False])
def test_every_colour_can_be_read_on_its_ground(dark: bool) -> None:
    look = Look(dark)
    colors = {look.state(state) for state in NodeState} | {look.dim, look.text, look.good, look.warn, look.alarm}
    for color in colors | {term_color(term, dark) for term in range(6)}:
        assert contrast(color, GROUNDS[dark]) >= READABLE, f"{color} on {GROUNDS[dark]}"
    for color in (look.good, look.alarm, look.warn, look.dim):
        ground, ink = look.pill(color).split(" on ")[1], look.pill(color).split()[1]
        assert contrast(ink, ground) >= READABLE, f"pill of {color}"


def test_each_state_has_a_glyph_of_its_own() -> None:
    assert len(set(STATE_GLYPHS.values())) == len(NodeState)


async def test_without_colour_everything_is_still_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_screen(tmp_path) as board:
        await board.play(screen_story.election_run(screen_story.START))
        await board.drawn()
        text = board.text()
        for words in ("✕ :6100  refused", "★ :6200  LEADER", "○ :6300  follower", "● writes go through", "⚑ killed"):
            assert words in text
        colors = {
            segment.style.color.triplet
            for strip in board.app.screen._compositor.render_strips()
            for segment in strip.apply_filter(board.app.get_line_filters()[-1], board.app.background_colors[1])
            if segment.style is not None and segment.style.color is not None and segment.style.color.triplet is not None
        }
        assert all(color.red == color.green == color.blue for color in colors)


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-light", "solarized-dark"])
async def test_every_kind_of_theme_shows_the_same_words(tmp_path: Path, theme: str) -> None:
    async with open_screen(tmp_path, theme=theme) as board:
        await board.play(screen_story.election_run(screen_story.START))
        await board.drawn()
        assert board.app.theme == theme
        assert "★ :6200  LEADER" in board.text()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("keys", [(), ("question_mark",), ("f",), ("u",)], ids=["screen", "help", "fault", "overrides"])
async def test_sixteen_colours_leave_no_text_on_its_own_colour(
    tmp_path: Path, theme: str, keys: tuple[str, ...]
) -> None:
    async with open_screen(tmp_path, theme=theme) as board:
        await board.play(screen_story.election_run(screen_story.START))
        await board.drawn()
        for key in keys:
            await board.press(key)
        pane = board.app.screen.query_one(".box") if keys else board.app.screen
        box = pane.region
        hidden = []
        for strip in board.app.screen._compositor.render_strips()[box.y : box.bottom]:
            for text, style, _ in strip.crop(box.x, box.right):
                letters = [character for character in text if character not in FRAME and not character.isspace()]
                if style is not None and "@mouse.down" in style.meta:
                    continue  # a scrollbar
                if letters and style is not None and style.color is not None and style.bgcolor is not None:
                    ink, ground = (c.downgrade(ColorSystem.STANDARD).number for c in (style.color, style.bgcolor))
                    if ink == ground:
                        hidden.append((text, style))
        assert not hidden
