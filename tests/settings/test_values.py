"""From text to value: what is taken, and what the error says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.settings import values
from confman_tui.settings.options import SETTINGS
from confman_tui.settings.themes import THEMES
from confman_tui.settings.values import MAX_PAYLOAD, Verify

_duration = values.seconds(0.0, 86_400.0, "more than 0 and at most 24 h")
_poll = values.seconds(0.02, 10.0, "20 ms to 10 s", bare="ms")


def _tried(parse: Callable[[str], Any], text: str) -> tuple[Any, str]:
    """The value, or None and the message of the error."""
    try:
        return parse(text), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("text", "rate"), [("500", 500.0), ("0.5", 0.5), ("500/s", 500.0), (" 12.25 / S ", 12.25), ("100000", 100_000.0)]
)
def test_rates(text: str, rate: float) -> None:
    assert values.rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "0.4", "100001", "100000.1", "-5", "fast", "1e3", "nan", "inf", "500/m", "٣", "9" * 400]
)
def test_wrong_rates_name_the_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"from 0\.5 to 100000, such as 500"):
        values.rate(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("512", 512),
        ("1KB", 1024),
        ("100kb", 102_400),
        ("1.5 MB", 1_572_864),
        ("1MiB", 1_048_576),
        ("50MB", MAX_PAYLOAD),
        (" 7 b ", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert values.payload(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "0", "0KB", "-1", "51MB", "50.0001MB", "1.5", "1GB", "KB", "1 K B", "1e3", "nan", "inf", "٣", "9" * 400],
)
def test_wrong_sizes_name_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="1 byte to 50 MB"):
        values.payload(text)


@given(st.sets(st.integers(1, 1000), min_size=1, max_size=32))
def test_steps_in_ascending_order_are_taken_and_in_any_other_refused(steps: set[int]) -> None:
    parse = values.ascending(values.integer(1, 1000), "1,10")
    ordered = sorted(steps)
    assert parse(", ".join(map(str, ordered))) == tuple(ordered)
    if len(ordered) > 1:
        for wrong in (ordered[::-1], [*ordered, ordered[-1]]):
            assert "in ascending order" in _tried(parse, ",".join(map(str, wrong)))[1]


@given(st.text(max_size=40))
def test_steps_of_any_text_give_numbers_or_one_sentence(text: str) -> None:
    value, error = _tried(values.ascending(values.payload, "10,1KB"), text)
    assert (value is None) == bool(error)
    assert "\n" not in error


@settings(deadline=None)
@given(st.integers(1, MAX_PAYLOAD))
def test_every_size_in_bytes_is_taken_as_it_is(size: int) -> None:
    assert values.payload(str(size)) == values.payload(f"{size}B") == size


@settings(deadline=None)
@given(st.integers(1, 50 * 1024))
def test_every_size_in_kilobytes(size: int) -> None:
    assert values.payload(f"{size}KB") == size * 1024


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_size_in_range_or_refused(text: str) -> None:
    size, message = _tried(values.payload, text)
    if size is None:
        assert "50 MB" in message
        assert message.isprintable()
    else:
        assert 1 <= size <= MAX_PAYLOAD


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("2m", 120), ("1h", 3600), ("24h", 86_400), ("500ms", 0.5), ("1.5 m", 90)],
)
def test_durations(text: str, seconds: float) -> None:
    assert _duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1", "25h", "86401", "1d", "m", "nan", "inf", "1e9", "1m30s", "٣s", "5ſ"]
)
def test_wrong_durations_name_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 24 h"):
        _duration(text)


@settings(deadline=None)
@given(st.floats(0.001, 86_400, allow_nan=False).map(lambda x: round(x, 3)))
def test_every_duration_in_each_unit(seconds: float) -> None:
    assert _duration(f"{seconds:.3f}") == pytest.approx(seconds)
    assert _duration(f"{seconds * 1000:.0f}ms") == pytest.approx(seconds)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.smh -e", max_size=12))
def test_any_text_is_a_duration_in_range_or_refused(text: str) -> None:
    duration, message = _tried(_duration, text)
    if duration is None:
        assert "24 h" in message
    else:
        assert 0 < duration <= 86_400


def test_a_bare_number_of_a_poll_is_milliseconds() -> None:
    assert _poll("100") == _poll("100ms") == _poll("0.1s") == pytest.approx(0.1)
    with pytest.raises(ValueError, match="20 ms to 10 s"):
        _poll("19")
    with pytest.raises(ValueError, match="20 ms to 10 s"):
        _poll("0")


def test_zero_is_off_where_it_is_allowed() -> None:
    probe = next(setting for setting in SETTINGS if setting.name == "probe").parse
    assert probe("0") == probe("off") == 0.0
    assert probe(" Auto ") is None
    assert probe("100") == probe("100ms") == pytest.approx(0.1)
    for wrong in ("5", "often", ""):
        with pytest.raises(ValueError, match=r"auto, off \(or 0\), or 10 ms to 10 s"):
            probe(wrong)


@pytest.mark.parametrize("text", ["0", "1000000", "-1", "1.5", "ten", "", "9" * 30, "²"])
def test_users_out_of_range_name_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 100000"):
        values.integer(1, values.MAX_USERS)(text)


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (values.boolean, "maybe", "true"),
        (values.ports, "6100,6100", "different"),
        (values.ports, "6100,", "auto"),
        (values.ports, "70000", "65535"),
        (values.ports, ",".join(map(str, range(7000, 7010))), "nine"),
        (values.election_timeout, "300-150", "lower one first"),
        (values.election_timeout, "150", "150-300"),
        (values.election_timeout, "10-20", "50 to 60000"),
        (values.verify, "sample:0", "sample:N"),
        (values.verify, "some", "all, off"),
        (values.restart_command, "systemctl restart x", "{port}"),
        (values.restart_command, "run '{port}", "quote"),
        (values.folder, "", "folder"),
        (values.folder, "a\0b", "folder"),
        (values.text, "  ", "empty"),
        (values.text, "a\x1b[2J", "printed"),
        (values.key_list, "ctrl+k", "f1 to f24"),
        (values.key_list, "f25", "f1 to f24"),
        (values.key_list, "a,", "f1 to f24"),
    ],
)
def test_wrong_values_name_what_is_allowed(parse: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_right_values() -> None:
    assert values.ports("auto") == ()
    assert values.ports("7001, 7002") == (7001, 7002)
    assert values.election_timeout("150-300") == values.election_timeout("150ms-300ms") == (150, 300)
    assert values.verify("sample:50") == Verify("sample", 50)
    assert str(values.verify("sample:50")) == "sample:50"
    assert str(values.verify("off")) == "off"
    assert values.key_list("a, f5") == "a,f5"
    assert values.folder("~/x") == Path.home() / "x"
    assert values.boolean("ON")
    assert not values.boolean("no")


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_a_refused_api_key_is_never_repeated(key: str) -> None:
    taken, message = _tried(values.api_key, key)
    if taken is None:
        assert message == "must be ASCII letters, digits and signs, without spaces (it is not shown here)"
    else:
        assert taken == key


def test_the_themes_are_those_of_textual() -> None:
    from textual.theme import BUILTIN_THEMES

    assert set(THEMES) == set(BUILTIN_THEMES)
