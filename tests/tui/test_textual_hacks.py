"""The private parts of Textual that are reached into are as expected; what is put in their place does its work."""

from __future__ import annotations

import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from confman_tui.tui import textual_hacks
from confman_tui.tui.escape_codes import SegmentWriter
from confman_tui.tui.textual_hacks import narrow_updates

PLAIN = Console(color_system=None)
TRUE = Console(color_system="truecolor", force_terminal=True)


def test_textuals_partial_updates_are_as_expected() -> None:
    assert narrow_updates()
    assert narrow_updates(), "twice is fine"


def steps() -> list[object]:
    return [
        getattr(getattr(importlib.import_module(module), owner), name) for module, owner, name in textual_hacks.STEPS
    ]


def test_textuals_steps_are_as_expected() -> None:
    assert textual_hacks.pause_between_steps()
    before = steps()
    assert textual_hacks.pause_between_steps(), "twice is fine"
    assert steps() == before


def test_a_textual_of_another_kind_only_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    others = (("textual.strip", "Strip", "of_no_such_name"), ("textual.nothing", "A", "b"))
    monkeypatch.setattr(textual_hacks, "STEPS", others)
    assert not textual_hacks.pause_between_steps()


def test_a_span_is_cropped_at_both_ends() -> None:
    narrow_updates()
    left = Strip([Segment("abcdef", Style())], 6)
    right = Strip([Segment("uvwxyz", Style())], 6)
    update = ChopsUpdate([{0: left, 6: right}], [(0, 4, 9)], [[6, 12]])
    assert update.render_segments(PLAIN) == "\x1b[1;5Hefuvw"


def test_whole_chops_are_written_whole_and_hidden_ones_not() -> None:
    narrow_updates()
    left = Strip([Segment("abcdef", Style())], 6)
    update = ChopsUpdate([{0: left, 6: None}, {0: left}], [(0, 0, 12), (1, 0, 6)], [[6, 12], [6]])
    assert update.render_segments(PLAIN) == "\x1b[1;1Habcdef\x1b[2;1Habcdef"


def test_a_shared_background_is_stated_once() -> None:
    narrow_updates()
    segments = [Segment("a", Style.parse("#ff0000 on #101010")), Segment("b", Style.parse("#00ff00 on #101010"))]
    text = ChopsUpdate([{0: Strip(segments, 2)}], [(0, 0, 2)], [[2]]).render_segments(TRUE)
    assert text == "\x1b[1;1H\x1b[38;2;255;0;0;48;2;16;16;16ma\x1b[38;2;0;255;0mb\x1b[0m"


styles = st.builds(
    Style,
    color=st.sampled_from([None, "default", "red", "#123456", "color(200)"]),
    bgcolor=st.sampled_from([None, "default", "blue", "#654321"]),
    bold=st.sampled_from([None, True]),
    dim=st.sampled_from([None, True]),
    reverse=st.sampled_from([None, True, False]),
    underline=st.sampled_from([None, True]),
)


def shown(ansi: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each character with the SGR codes that hold for it."""
    codes: dict[str, str] = {}
    cells = []
    for sequence, character in re.findall(r"\x1b\[([0-9;]*)m|(.)", ansi):
        if character:
            kept = {place: code for place, code in codes.items() if code not in ("39", "49")}
            cells.append((character, tuple(sorted(kept.values()))))
            continue
        rest = sequence.split(";")
        while rest:
            head = rest.pop(0)
            if head in ("0", ""):
                codes.clear()
            elif head in ("38", "48"):
                count = 4 if rest[0] == "2" else 2
                codes["fore" if head == "38" else "back"] = ";".join([head, *rest[:count]])
                del rest[:count]
            elif re.fullmatch(r"[34]\d|9\d|10\d", head):
                codes["fore" if head[0] in "39" else "back"] = head
            else:
                codes[head] = head
    return cells


@given(st.lists(st.tuples(st.text("abc ", min_size=1, max_size=3), st.one_of(st.none(), styles)), max_size=12))
@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT, ColorSystem.TRUECOLOR])
def test_it_looks_as_rich_would_have_it(system: ColorSystem, parts: list[tuple[str, Style | None]]) -> None:
    segments = [Segment(text, style) for text, style in parts]
    writer = SegmentWriter(system)
    writer.write(segments)
    rich = "".join(text if style is None else style.render(text, color_system=system) for text, style in parts)
    assert shown(writer.finish()) == shown(rich)
