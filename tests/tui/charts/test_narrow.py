"""Partial updates of the screen write the changed span only."""

from __future__ import annotations

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from confman_tui.tui.charts.narrow import narrow_updates


def test_the_installed_textual_is_as_expected() -> None:
    assert narrow_updates()
    assert narrow_updates(), "twice is fine"


def test_a_span_is_cropped_at_both_ends() -> None:
    narrow_updates()
    left = Strip([Segment("abcdef", Style())], 6)
    right = Strip([Segment("uvwxyz", Style())], 6)
    update = ChopsUpdate([{0: left, 6: right}], [(0, 4, 9)], [[6, 12]])
    text = update.render_segments(Console(color_system=None))
    assert text == "\x1b[1;5Hef\x1b[1;7Huvw"


def test_whole_chops_are_written_whole_and_hidden_ones_not() -> None:
    narrow_updates()
    left = Strip([Segment("abcdef", Style())], 6)
    update = ChopsUpdate([{0: left, 6: None}, {0: left}], [(0, 0, 12), (1, 0, 6)], [[6, 12], [6]])
    assert update.render_segments(Console(color_system=None)) == "\x1b[1;1Habcdef\n\x1b[2;1Habcdef"
