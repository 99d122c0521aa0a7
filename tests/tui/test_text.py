"""Text of others is shown as text, and fits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content

from confman_tui.tui.text import MAX_CHARACTERS, Part, clean, fit, line, wrap
from confman_tui.tui.widgets.lines import changed_cells


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[2J", "␛[2J"),
        ("a\r\nb\tc", "a b c"),
        ("\x00\x07\x7f\x9b", "␀␇␡\ufffd"),
        ("\u202eevil\u202c \u200bzero", "evil zero"),
        ("\ud800", "\ufffd"),
        ("e\u0301\u0301\u0301", "é"),
        ("שלום עולם", "שלום עולם"),
        ("漢字", "漢字"),
    ],
)
def test_hostile_strings_become_plain(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_ten_kilobytes_are_cut() -> None:
    shown = clean("x" * 10_240)
    assert len(shown) == MAX_CHARACTERS + 1
    assert shown.endswith("…")


@given(st.text(max_size=300))
def test_clean_gives_one_line_of_printable_characters(raw: str) -> None:
    shown = clean(raw)
    assert "\n" not in shown
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Mn", "Me") for character in shown)
    assert clean(shown) == shown


@given(st.text(max_size=120).map(clean), st.integers(0, 60))
def test_fit_never_exceeds_and_cuts_between_words(text: str, width: int) -> None:
    shown = fit(text, width)
    assert cell_len(shown) <= width
    if shown != text and shown.endswith(" …"):
        assert text.split(" ")[: len(shown.split(" ")) - 1] == shown.split(" ")[:-1]


def test_a_number_stays_with_its_word() -> None:
    assert wrap("all agree on :21758, term 1", 26, 2) == ["all agree on :21758,", "term 1"]
    assert wrap("writes again after 1.62 s without", 24, 2) == ["writes again after", "1.62 s without"]


@given(st.text(max_size=200).map(clean), st.integers(2, 40), st.integers(1, 5))
def test_wrap_keeps_width_and_number_of_lines(text: str, width: int, most: int) -> None:
    lines = wrap(text, width, most)
    assert len(lines) <= most
    assert all(cell_len(row) <= width for row in lines)


def test_wrap_keeps_every_word_when_there_is_room() -> None:
    text = "the leader was lost and another was elected"
    assert " ".join(wrap(text, 12, 10)) == text


def test_a_line_drops_whole_pieces_by_rank() -> None:
    left = [Part("name", rank=0), Part("detail detail", rank=2), Part("term 7", rank=1, short="t7")]
    right = [Part("right", rank=0)]
    assert line(36, left, right).plain == "name  detail detail  term 7    right"
    assert line(19, left, right).plain == "name  term 7  right"
    assert line(15, left, right).plain == "name  t7  right"
    assert line(12, left, right).plain == "name   right"


@given(st.integers(1, 80))
def test_a_line_fills_exactly_its_width_when_it_has_a_right_side(width: int) -> None:
    made = line(width, [Part("left", rank=1)], [Part("right", rank=0)])
    assert cell_len(made.plain) <= max(width, 0)
    if width >= 5:
        assert cell_len(made.plain) == width


@pytest.mark.parametrize(
    ("old", "new", "span"),
    [
        ("lag 0.4 ms", "lag 0.4 ms", None),
        ("lag 0.4 ms", "lag 0.7 ms", (6, 7)),
        ("00:09", "00:10", (3, 5)),
        ("short", "longer text", (0, 11)),
        ("漢字 a", "漢字 b", (5, 6)),
        ("a漢b", "a字b", (1, 3)),
    ],
)
def test_only_the_cells_that_differ_are_repainted(old: str, new: str, span: tuple[int, int] | None) -> None:
    assert changed_cells(Content(old), Content(new)) == span


def test_a_change_of_style_is_a_change() -> None:
    old, new = Content.assemble("a", ("bc", "bold"), "d"), Content.assemble("a", ("bc", "dim"), "d")
    assert changed_cells(old, new) == (1, 3)


def test_a_piece_may_be_shortened_long_before_it_goes() -> None:
    left = [Part("the leader is :6200", rank=0, short=":6200", short_rank=9), Part("progress", rank=5)]
    assert line(16, left).plain == ":6200  progress"
    assert line(10, left).plain == ":6200"
