"""Numbers and times as files and tables show them."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.results import formatting


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (None, "-"),
        (512, "0.51"),
        (9_994, "9.99"),
        (9_996, "10.0"),
        (38_200, "38.2"),
        (99_960, "100"),
        (1_630_123, "1,630"),
    ],
)
def test_milliseconds(us: int | None, shown: str) -> None:
    assert formatting.milliseconds(us) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 10, "0 %"), (0, 0, "0 %"), (10, 10, "100 %"), (1, 10**7, "0.01 %"), (12, 1320, "0.91 %"), (1, 3, "33.3 %")],
)
def test_per_cent(part: int, whole: int, shown: str) -> None:
    assert formatting.per_cent(part, whole) == shown


@settings(deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_share_never_says_none_or_all_when_it_is_not(part: int, more: int) -> None:
    shown = formatting.per_cent(part, part + more)
    assert shown not in ("0 %", "100 %")
    assert 0 < float(shown.removesuffix(" %")) < 100


@settings(deadline=None)
@given(st.floats(86_400 * 366, 30_000_000_000))
def test_times_come_back_to_the_microsecond(at: float) -> None:
    assert formatting.from_iso(formatting.iso(at, "microseconds")) == pytest.approx(at, abs=2e-6)


def test_times_have_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert formatting.iso(0.25) == "1970-01-01T05:30:00.250+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00", "now", "", "0001-01-01T00:00:00+00:00"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        formatting.from_iso(text)


def test_hostile_text_becomes_one_harmless_line() -> None:
    shown = formatting.one_line("[red]a\x1b[2Jb\nc\u202e" + "x" * 10_000)
    assert shown.startswith("[red]a?[2Jb?c?")
    assert shown.isprintable()
    assert len(shown) == 200


def test_what_is_not_finite_is_not_written() -> None:
    assert formatting.rounded(math.nan) is None
    assert formatting.rounded(math.inf) is None
    assert formatting.sensible(math.inf) == "-"


@settings(deadline=None)
@given(st.text())
def test_wrapped_lines_fit(text: str) -> None:
    assert all(len(line) <= 100 for line in formatting.wrapped(text).splitlines())
