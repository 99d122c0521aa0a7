"""Where a redirect leads: the one decision that keeps the API key within the cluster. Pure.

Neither client follows a redirect by itself. A 307 or 308 is followed once, by sending the same request again to the
configured node that its ``Location`` means; anything else it may name, the key does not go to. What goes out is the
configured node's own URL and the request's own path, never text of the ``Location`` (Confman's holds its path
unescaped: contract, odd_cases.json), so that a target which is read wrongly still can't lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from confman_tui.cluster.addresses import normalise

FOLLOWED: Final = frozenset((307, 308))
"""Redirects that keep method and body (RFC 9110, 15.4.8 and 15.4.9), which a client may follow with a write."""
OTHERS: Final = frozenset((301, 302, 303))
"""Redirects that turn a write into a read: never followed."""
NO_LOCATION: Final = "no Location"
"""What `cleaned` gives for a ``Location`` that is missing or empty."""

_LONGEST = 2048
"""Characters of a ``Location`` that are looked at; a longer one means no node."""
_SHOWN = 80
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOOPBACKS: Final = ("localhost", "127.0.0.1", "[::1]")
"""Names of one interface; a node on it calls itself by one of them and a person by another."""


def target_of(location: str, request_url: str, nodes: Sequence[str]) -> str | None:
    """The configured node that a ``Location`` means, None when it means none of them. Never raises.

    Scheme, host and port must be a node's, after normalising (case, default ports, a trailing dot, IPv6). A user or a
    password, a control character, blanks or a backslash in the address mean no node, whatever a browser would make of
    them. A relative reference (RFC 3986, 4.2) means the node that answered, or with ``//`` one under its scheme.

    Args:
        location: the header as it came; empty when there was none.
        request_url: what was asked, or its node: what a relative ``Location`` refers to.
        nodes: base URLs of the configured nodes.

    Returns:
        The node as it stands in ``nodes``.
    """
    location = location.strip(" \t")
    if not location or len(location) > _LONGEST or _CONTROL.search(location):
        return None
    url = _absolute(location, request_url)
    if url is None or not _is_plain(url):
        return None
    node = normalise(url)
    if node is None:
        return None
    known = {normalise(configured) or configured: configured for configured in nodes}
    return known.get(node) or _by_loopback(node, known)


def cleaned(location: str) -> str:
    """A ``Location`` for a person to read: the address that it names, where it names one, else its beginning.

    Printable ASCII, at most 80 characters, without user, password, query and fragment.
    """
    text = location.strip()[:_LONGEST]
    if not text:
        return NO_LOCATION
    scheme, separator, rest = text.partition("://")
    if separator:
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        node = normalise(f"{scheme}://{authority}")
        if node is not None:
            return _short(node)
    kept = re.split(r"[?#]", text.rpartition("@")[2], maxsplit=1)[0]
    return _short("".join(char for char in kept if char.isascii() and char.isprintable()).strip()) or "unreadable text"


def _absolute(location: str, request_url: str) -> str | None:
    """The URL that a ``Location`` stands for, path and query as they came; None when it is no URL over HTTP."""
    if location[:2] == "//":
        return f"{request_url.partition('://')[0]}:{location}"
    scheme = _SCHEME.match(location)
    if scheme is not None:
        # "http:/x" and "http:\\x" are no addresses of a node, though browsers take them for some
        return location if location[scheme.end() :].startswith("//") else None
    # a relative path has no colon in its first part, and browsers take "/\x" for "//x"
    if ":" in re.split(r"[/?#]", location, maxsplit=1)[0] or location.startswith(("\\", "/\\")):
        return None
    return request_url


def _is_plain(url: str) -> bool:
    """Whether the address in a URL holds nothing that one reader could take otherwise than another."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    return authority.isascii() and not any(char in authority for char in "@\\ %")


def _by_loopback(node: str, known: dict[str, str]) -> str | None:
    """The one configured node on this machine's loopback that another name of the loopback means."""
    scheme, _, rest = node.partition("://")
    host, _, port = rest.rpartition(":")
    if host not in _LOOPBACKS:
        return None
    found = [known[url] for name in _LOOPBACKS if (url := f"{scheme}://{name}:{port}") in known]
    return found[0] if len(found) == 1 else None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
