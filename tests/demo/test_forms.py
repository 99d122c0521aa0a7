"""Times, addresses and bodies in .NET's forms."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.demo import body, dotnet


@pytest.mark.parametrize(
    ("ticks", "written", "stored"),
    [
        (0, "1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"),
        (17_000_000_005_188_269, "2023-11-14T22:13:20.5188269+00:00", "2023-11-14T22:13:20.518+00:00"),
        (17_000_000_001_717_210, "2023-11-14T22:13:20.171721+00:00", "2023-11-14T22:13:20.171+00:00"),
        (17_000_000_000_300_000, "2023-11-14T22:13:20.03+00:00", "2023-11-14T22:13:20.03+00:00"),
    ],
)
def test_times(ticks: int, written: str, stored: str) -> None:
    assert dotnet.written_time(ticks) == written
    assert dotnet.stored_time(ticks) == stored


@given(st.integers(0, 2 * 10**16))
def test_times_are_read_back(ticks: int) -> None:
    text = dotnet.stored_time(ticks)
    assert not re.search(r"\.\d*0\+", text)
    assert int(datetime.fromisoformat(text).timestamp() * 1000 + 0.5) == ticks // 10_000


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a%20b", "/a b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2fb"),
        ("/a%25b", "/a%b"),
        ("/caf%C3%A9", "/café"),
        ("/a+b", "/a+b"),
    ],
)
def test_paths_are_unescaped_but_for_the_slash(raw: str, path: str) -> None:
    assert dotnet.decoded_path(raw) == path


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/a b", "", "http://h/a b"),
        ('/a"b', "", 'http://h/a"b'),
        ("/a?b", "", "http://h/a%3Fb"),
        ("/a%b", "", "http://h/a%25b"),
        ("/a%2Fb", "", "http://h/a%2Fb"),
        ("/a", "x=1&y=%20%26", "http://h/a?x=1&y= %26"),
        ("/café", "", None),
        ("/a", "x=%C3%A9", None),
        ("/a\r\nX: y", "", "http://h/a%0D%0AX: y"),
    ],
)
def test_locations(path: str, query: str, location: str | None) -> None:
    assert dotnet.location("http://h", path, query) == location


@given(st.text(), st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_a_location_is_always_a_legal_header(path: str, query: str) -> None:
    location = dotnet.location("http://h", "/" + path, query.replace("\n", "").replace("\r", ""))
    if location is not None:
        assert location.isascii()
        assert "\r" not in location
        assert "\n" not in location


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,valuetype 01\n\\', max_size=40).map(str.encode))
def test_any_body_is_read_or_refused_with_errors(data: bytes) -> None:
    fields: dict[str, str | None] = {}
    errors: body.Errors = {}
    try:
        fields = body.read(data, body.ENTRY)
    except body.InvalidBodyError as error:
        errors = error.errors
    assert bool(fields) != bool(errors)
    assert all(texts and all(isinstance(text, str) for text in texts) for texts in errors.values())
    if fields:
        assert isinstance(fields["value"], str)
        assert set(fields) == {"value", "type"}


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON ; charset=utf-8", "text/json"])
def test_json_content_types(content_type: str) -> None:
    assert body.JSON_TYPE.match(content_type)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"])
def test_other_content_types(content_type: str) -> None:
    assert not body.JSON_TYPE.match(content_type)
