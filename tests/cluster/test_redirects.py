"""Which configured node a ``Location`` means, and what of it is shown."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.redirects import NO_LOCATION, cleaned, target_of

NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://conf-3.example:80")
ASKED = "http://127.0.0.1:6200/api/v1/namespaces/a/config/b"


@pytest.mark.parametrize(
    ("location", "node"),
    [
        ("http://127.0.0.1:6100/api/v1/namespaces/rec-loc/config/a b", NODES[0]),
        ("http://127.0.0.1:6100/api/v1/namespaces/rec-loc/config/a b?x=1&y=", NODES[0]),
        ('http://127.0.0.1:6100/api/v1/namespaces/rec-loc/config/a"b', NODES[0]),
        ("http://127.0.0.1:6100/api/v1/namespaces/rec-loc/config/a.b:c@d,e;f=g", NODES[0]),
        ("http://127.0.0.1:6100/a\\b", NODES[0]),
        ("http://127.0.0.1:6100", NODES[0]),
        ("http://127.0.0.1:6100?x", NODES[0]),
        ("http://127.0.0.1:06100/", NODES[0]),
        ("HTTP://127.0.0.1:6100/", NODES[0]),
        ("http://CONF-3.example/", NODES[2]),
        ("http://conf-3.example.:80/", NODES[2]),
        ("http://localhost:6200/x", NODES[1]),
        ("http://[::1]:6200/x", NODES[1]),
        ("/elsewhere", NODES[1]),
        ("elsewhere", NODES[1]),
        ("?x=http://foreign/", NODES[1]),
        ("//127.0.0.1:6100/x", NODES[0]),
        ("  http://127.0.0.1:6100/ ", NODES[0]),
    ],
)
def test_a_location_means_a_configured_node(location: str, node: str) -> None:
    assert target_of(location, ASKED, NODES) == node


@pytest.mark.parametrize(
    "location",
    [
        "",
        " ",
        "http://foreign:6100/",
        "http://127.0.0.1:6300/",
        "https://127.0.0.1:6100/",
        "ftp://127.0.0.1:6100/",
        "javascript:alert(1)",
        "//foreign/x",
        "///foreign/x",
        "/\\foreign/x",
        "\\\\foreign/x",
        "http:\\\\foreign/x",
        "http:/127.0.0.1:6100/",
        "http://user@127.0.0.1:6100/",
        "http://user:word@127.0.0.1:6100/",
        "http://127.0.0.1:6100@foreign/",
        "http://127.0.0.1:6100\\@foreign/",
        "http://foreign\\@127.0.0.1:6100/",
        "http://127.0.0.1:6100.foreign/",
        "http://127.0.0.1:6100 .foreign/",
        "http://127.0.0.1:6100\t/",
        "http://127.0.0.1:6100/\r\nX: y",
        "http://127.0.0.1:61000/",
        "http://127.0.0.1:+6100/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:99999999999/",
        "http://127.0.0.2:6100/",
        "http://127.1:6100/",
        "http://2130706433:6100/",
        "http://%31%32%37.0.0.1:6100/",
        "http://[::1/",
        "http://",
        "http:",
        "://127.0.0.1:6100",
        "http://127.0.0.1:6100/" + "x" * 5000,
    ],
)
def test_any_other_location_means_none(location: str) -> None:
    assert target_of(location, ASKED, NODES) is None


def test_a_name_of_the_loopback_means_the_only_node_there_at_that_port() -> None:
    assert target_of("http://127.0.0.1:1/", "http://localhost:1", ("http://localhost:1",)) == "http://localhost:1"
    both = ("http://127.0.0.1:1", "http://[::1]:1")
    assert target_of("http://localhost:1/", both[0], both) is None
    assert target_of("http://[::1]:1/", both[0], both) == both[1]
    assert target_of("https://127.0.0.1:1/", "http://localhost:1", ("http://localhost:1",)) is None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("", NO_LOCATION),
        ("http://Foreign/a?token=secret#x", "http://foreign:80"),
        ("http://user:word@foreign:81/a", "http://foreign:81"),
        ("http://user:w?rd@foreign/a?b", "foreign/a"),
        ("//user:word@foreign/a?b", "foreign/a"),
        ("/login?next=/api", "/login"),
        ("ftp://foreign/\x1b[31m\u202e", "ftp://foreign/[31m"),
        ("\x00\x1b", "unreadable text"),
    ],
)
def test_a_location_is_shown_without_what_must_not_be_shown(location: str, shown: str) -> None:
    assert cleaned(location) == shown


_AUTHORITIES = st.sampled_from(
    [*(node.partition("://")[2] for node in NODES), "foreign", "foreign:6100", "user:word@127.0.0.1:6100"]
)
_ODD = st.text(alphabet=st.sampled_from("/\\@:?#%.[] \t\r\n\x00\x1b\x7fäK0aA"), max_size=6)
_LOCATIONS = st.one_of(
    st.text(max_size=40),
    st.builds(
        "".join,
        st.tuples(_ODD, st.sampled_from(["http:", "https:", "HTTP:", ""]), _ODD, st.just("//"), _AUTHORITIES, _ODD),
    ),
    st.builds(
        "".join, st.tuples(st.sampled_from(["http://", "//", "https://"]), _AUTHORITIES, _ODD, _AUTHORITIES, _ODD)
    ),
)


@given(_LOCATIONS)
def test_a_target_is_a_node_which_the_standard_library_reads_in_the_location_too(location: str) -> None:
    node = target_of(location, ASKED, NODES)
    assert node is None or node in NODES
    if node is None:
        return
    read = urlsplit(location.strip(" \t"))
    if not read.netloc:
        assert node == NODES[1]
        return
    host = (read.hostname or "").rstrip(".")
    assert read.username is None
    assert f"{read.scheme or 'http'}://{host}:{read.port or 80}" == node


@given(st.one_of(st.text(), _LOCATIONS))
def test_what_is_shown_is_short_printable_ascii_without_a_query_or_a_user(location: str) -> None:
    shown = cleaned(location)
    assert 0 < len(shown) <= 80
    assert shown.isascii()
    assert shown.isprintable()
    assert not any(char in shown for char in "?#@")
