"""Node addresses: what is taken, what is refused, and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.addresses import (
    check_resolves,
    default_nodes,
    host_of,
    is_loopback,
    normalise,
    parse_node,
    parse_nodes,
    port_of,
)
from confman_tui.cluster.node_names import NodeNames, short_names
from confman_tui.core.errors import UsageError

A, B, C = (f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("http://127.0.0.1:6100", A),
        ("http://127.0.0.1:6100/", A),
        (" HTTP://127.0.0.1:06100/ ", A),
        ("http://LocalHost:1", "http://localhost:1"),
        ("http://node_1.example.:65535", "http://node_1.example:65535"),
        ("https://example.org", "https://example.org:443"),
        ("http://example.org", "http://example.org:80"),
        ("http://[::1]:6100", "http://[::1]:6100"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]:80"),
        ("http://[FE80::A]:7", "http://[fe80::a]:7"),
    ],
)
def test_an_address_is_normalised(text: str, node: str) -> None:
    assert parse_node(text) == node
    assert parse_node(node) == node


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("127.0.0.1:6100", "http:// or https://"),
        ("localhost", "http:// or https://"),
        ("ftp://127.0.0.1:6100", "http:// or https://"),
        ("", "http:// or https://"),
        ("http:/127.0.0.1", "http:// or https://"),
        ("http://127.0.0.1:6100/api", "path"),
        ("http://127.0.0.1:6100//", "path"),
        ("http://127.0.0.1:6100/?a=1", "query"),
        ("http://127.0.0.1:6100?a=1", "query"),
        ("http://127.0.0.1:6100#a", "fragment"),
        ("http://me:secret@127.0.0.1:6100", "user"),
        ("http://127.0.0.1:0", "1 to 65535"),
        ("http://127.0.0.1:65536", "1 to 65535"),
        ("http://127.0.0.1:99999999999", "1 to 65535"),
        ("http://127.0.0.1:-1", "1 to 65535"),
        ("http://127.0.0.1:", "1 to 65535"),
        ("http://127.0.0.1:６１００", "1 to 65535"),
        ("http://::1:6100", "IPv6"),
        ("http://[::1", "malformed"),
        ("http://[::1]x", "malformed"),
        ("http://[zz]:1", "malformed"),
        ("http://:6100", "host"),
        ("http://", "host"),
        ("http://a b:6100", "character"),
        ("http://a\tb:6100", "character"),
        ("http://-a:6100", "host"),
        ("http://a..b:6100", "host"),
        ("http://[red]bold:6100", "malformed"),
    ],
)
def test_a_malformed_address_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_node(text)
    message = str(caught.value)
    assert why in message
    assert "\n" not in message
    assert "secret" not in message


@given(st.text(max_size=60) | st.text(max_size=40).map("http://".__add__))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        node = parse_node(text)
    except UsageError as error:
        message = str(error)
    else:
        assert parse_node(node) == node
        assert 1 <= port_of(node) <= 65535
        assert host_of(node)
        assert normalise(node + "/any path?query") == node
        return
    assert message.isprintable()


@given(st.text(max_size=80))
def test_a_nodes_own_text_never_raises(text: str) -> None:
    found = normalise(text)
    assert found is None or parse_node(found) == found


@given(
    st.lists(
        st.builds("http://{}:{}".format, st.sampled_from(["a", "b.c", "127.0.0.1", "[::1]"]), st.integers(1, 65535)),
        min_size=1,
        max_size=12,
    )
)
def test_a_list_gives_one_to_nine_different_nodes_or_an_error(urls: list[str]) -> None:
    text = ", ".join(url + "/" for url in urls)
    if len(urls) > 9 or len(set(urls)) < len(urls):
        with pytest.raises(UsageError):
            parse_nodes(text)
    else:
        assert parse_nodes(text) == tuple(urls)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" , ", "empty"),
        (f"{A},,{B}", "empty address"),
        (f"{A},{A}/", "twice"),
        (f"{A},HTTP://127.0.0.1:6100", "twice"),
        (f"{A},nonsense", "nonsense"),
        (",".join(f"http://h:{port}" for port in range(1, 11)), "10 addresses"),
    ],
)
def test_a_wrong_list_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_nodes(text)


def test_the_default_nodes_are_the_three_ports_of_the_entrys_host() -> None:
    assert default_nodes("http://127.0.0.1:6200/") == (A, B, C)
    assert default_nodes("http://[::1]:6300")[0] == "http://[::1]:6100"
    with pytest.raises(UsageError, match="--nodes"):
        default_nodes("http://127.0.0.1:7000")


def test_a_host_that_does_not_resolve_is_said() -> None:
    check_resolves(A)
    check_resolves("http://localhost:6100")
    # RFC 6761 reserves .invalid: no resolver knows a name under it.
    with pytest.raises(UsageError, match=r"nowhere\.invalid"):
        check_resolves("http://nowhere.invalid:6100")


def test_loopback_is_told_by_the_text() -> None:
    assert [is_loopback(node) for node in (A, "http://[::1]:1", "http://localhost:1", "http://10.0.0.1:1")] == [
        True,
        True,
        True,
        False,
    ]


def test_short_names_tell_the_nodes_apart() -> None:
    assert short_names((A, B)) == {A: ":6100", B: ":6200"}
    assert short_names(("http://a:1", "http://b:1")) == {"http://a:1": "a:1", "http://b:1": "b:1"}
    # ports that differ do not make up for hosts that do: a bare port would not say where a node runs
    assert short_names(("http://a:1", "http://[::1]:2")) == {"http://a:1": "a:1", "http://[::1]:2": "[::1]:2"}


def test_another_name_of_a_node_is_understood_only_where_it_is_certain() -> None:
    names = NodeNames((A, B))
    assert names.match(A) == A
    assert names.match("http://localhost:6200") == B
    assert names.match("http://localhost:7000") is None
    assert names.match(None) is None
    names.learn("http://leader.internal:8080", B)
    assert names.match("http://leader.internal:8080") == B
    same_port = NodeNames(("http://a:1", "http://b:1"))
    assert same_port.match("http://c:1") is None
