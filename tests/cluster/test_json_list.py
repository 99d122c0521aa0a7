"""A JSON list in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from confman_tui.cluster.bounds import ITEM_CHARACTERS
from confman_tui.cluster.json_list import ListParser

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def parsed(data: bytes, *cuts: int) -> list[Any]:
    parser = ListParser()
    items: list[Any] = []
    start = 0
    for cut in (*sorted(cuts), len(data)):
        items += parser.feed(data[start:cut])
        start = cut
    parser.close()
    return items


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans(), st.data())
def test_whatever_the_pieces_the_items_are_the_same(
    items: list[Any], indent: int | None, ascii_only: bool, data: st.DataObject
) -> None:
    body = json.dumps(items, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        return  # a lone surrogate, which is no UTF-8
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=6))
    assert parsed(body, *cuts) == items


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html>", b"[", b"[{}", b"[{},", b"[{},]", b"[,{}]", b"[{}{}]", b"[{}]]", b"[nul]", b"[{]}", b"\xff"],
)
@pytest.mark.parametrize("every", [1, 100])
def test_what_is_no_list_is_told(body: bytes, every: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(body, *range(0, len(body), every))


@given(st.binary(max_size=40))
@example(b"[]")
def test_any_bytes_are_a_list_or_not(body: bytes) -> None:
    try:
        expected = json.loads(body.decode())
    except (ValueError, RecursionError):
        expected = None
    if isinstance(expected, list):
        assert repr(parsed(body)) == repr(expected)
    else:
        with pytest.raises(ValueError, match=r".+"):
            parsed(body)


def test_an_item_without_an_end_is_given_up() -> None:
    endless = b'["' + b"x" * (ITEM_CHARACTERS + 65536)
    with pytest.raises(ValueError, match="Unterminated"):
        parsed(endless, *range(0, len(endless), 1 << 20))
