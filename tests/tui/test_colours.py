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
from tests.support.screen import open_screen

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009:
# their matrices for a severity of 1.0, which apply to linear RGB.
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
NORMAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
EYES = {"normal": NORMAL, "protanopia": PROTANOPIA, "deuteranopia": DEUTERANOPIA}
TOLD_APART = 14.0
"""Least distance in CIELAB (CIE76); 2.3 is just noticeable side by side."""
READABLE = 3.0
"""Least contrast of text (WCAG 2.1, large or bold text)."""
GROUNDS = {True: "#121212", False: "#f5f5f5"}

FRAME = set("╭╮╰╯─│▁▔▎▊")

Triple = tuple[float, float, float]


def linear(color: str) -> Triple:
    """Linear RGB of ``#rrggbb`` (IEC 61966-2-1)."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def seen(color: str, eye: str) -> Triple:
    """Linear RGB as this eye sees it."""
    rgb = linear(color)
    a, b, c = (sum(m * v for m, v in zip(row, rgb, strict=True)) for row in EYES[eye])
    return min(1, max(0, a)), min(1, max(0, b)), min(1, max(0, c))


def lab(rgb: Triple) -> Triple:
    """CIELAB under D65."""
    red, green, blue = rgb
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eye: str) -> float:
    """How far apart two colours look to this eye."""
    pairs = zip(lab(seen(one, eye)), lab(seen(other, eye)), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""
    lights = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("dark", [True, False])
def test_what_matters_is_told_apart(eye: str, dark: bool) -> None:
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
def test_a_term_is_told_apart_from_the_next(eye: str, dark: bool) -> None:
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
