"""Node addresses: parsing and normalising.

A node is named everywhere by its base URL without a trailing slash, lower-case host, port always written, such as
``http://127.0.0.1:6100``. An IPv6 host stands in brackets.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from confman_tui.core.errors import UsageError

DEFAULT_ENTRY = "http://127.0.0.1:6100"
DEFAULT_PORTS = (6100, 6200, 6300)
MAX_NODES = 9

_SCHEME_PORTS = {"http": 80, "https": 443}
_EXAMPLE = f"write it as {DEFAULT_ENTRY}"
# RFC 1123 labels, and the underscore that container networks put into names.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def _shown(text: str) -> str:
    """A person's or a node's text, short and without anything a terminal could act on."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return repr(plain if len(plain) <= 80 else plain[:79] + "…")


def _host(raw: str, shown: str) -> str:
    host = raw.lower()
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError:
            raise UsageError(f"the address {shown} has a malformed IPv6 host: {_EXAMPLE}") from None
    trimmed = host.removesuffix(".")
    if not trimmed or len(trimmed) > 253 or not all(_LABEL.fullmatch(label) for label in trimmed.split(".")):
        raise UsageError(f"the address {shown} has a malformed host name: {_EXAMPLE}")
    return trimmed


def parse_node(text: str) -> str:
    """The normalised base URL of a node.

    Raises:
        UsageError: no http or https scheme, a path, a query, a fragment, a user, a port outside 1 to 65535, or a
            malformed host.
    """
    stripped = text.strip()
    shown = _shown(stripped)
    scheme, separator, rest = stripped.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _SCHEME_PORTS:
        raise UsageError(f"the address {shown} has no http:// or https:// in front: {_EXAMPLE}")
    # urlsplit silently drops tabs and line breaks, and such an address would then be another than the one written.
    if any(char.isspace() or not char.isprintable() for char in rest) or "\\" in rest:
        raise UsageError(f"the address {shown} holds a character that an address cannot hold: {_EXAMPLE}")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        # The part before the @ may be a password, so this sentence doesn't repeat the address.
        raise UsageError(f"an address of a node must not hold a user or a password: {_EXAMPLE}")
    if "?" in rest or "#" in rest:
        raise UsageError(f"the address {shown} must not have a query or a fragment: {_EXAMPLE}")
    if slash and path:
        raise UsageError(f"the address {shown} must not have a path: {_EXAMPLE}")
    if not authority.startswith("[") and authority.count(":") > 1:
        raise UsageError(f"the address {shown} holds an IPv6 host without brackets: write it as http://[::1]:6100")
    try:
        parts = urlsplit(f"{scheme}://{authority}")
        raw_host = parts.hostname or ""
    except ValueError:
        raise UsageError(f"the address {shown} is malformed: {_EXAMPLE}") from None
    host = _host(raw_host, shown)
    bare = authority.rpartition("]")[2] if authority.startswith("[") else authority
    if authority.startswith("[") and bare and not bare.startswith(":"):
        raise UsageError(f"the address {shown} is malformed: {_EXAMPLE}")
    _, colon, port_text = bare.partition(":")
    if not colon:
        return f"{scheme}://{host}:{_SCHEME_PORTS[scheme]}"
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 1 <= int(port_text) <= 65535):
        raise UsageError(f"the address {shown} has a port that is not a number from 1 to 65535")
    return f"{scheme}://{host}:{int(port_text)}"


def normalise(text: str) -> str | None:
    """The base URL in a node's own text (``leader`` of a readiness answer, ``Location`` of a redirect), whatever path
    follows it; None when it holds none. Never raises."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return None
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    try:
        return parse_node(f"{scheme}://{authority}")
    except UsageError:
        return None


def port_of(node: str) -> int:
    """The port of a normalised base URL."""
    return int(node.rpartition(":")[2])


def host_of(node: str) -> str:
    """The host of a normalised base URL, without brackets."""
    return node.partition("://")[2].rpartition(":")[0].strip("[]")


def parse_nodes(text: str) -> tuple[str, ...]:
    """The normalised nodes of a comma-separated list, in its order.

    Raises:
        UsageError: none or more than nine addresses, one that is malformed, or one that is named twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not any(parts):
        raise UsageError("the list of nodes is empty: name 1 to 9 addresses, separated by commas")
    if not all(parts):
        raise UsageError("the list of nodes holds an empty address: name 1 to 9 addresses, separated by commas")
    if len(parts) > MAX_NODES:
        raise UsageError(f"the list of nodes holds {len(parts)} addresses: 1 to {MAX_NODES} are allowed")
    nodes: list[str] = []
    for part in parts:
        node = parse_node(part)
        if node in nodes:
            raise UsageError(f"the list of nodes names {node} twice: name each node once")
        nodes.append(node)
    return tuple(nodes)


def default_nodes(entry: str) -> tuple[str, ...]:
    """The nodes on the default ports of the entry's host.

    Raises:
        UsageError: the entry is malformed or not one of them, so that the nodes must be named.
    """
    entry = parse_node(entry)
    base = entry.rpartition(":")[0]
    nodes = tuple(f"{base}:{port}" for port in DEFAULT_PORTS)
    if entry not in nodes:
        ports = ", ".join(str(port) for port in DEFAULT_PORTS)
        raise UsageError(f"{entry} is not on one of the default ports {ports}: name the nodes with --nodes URL,URL,URL")
    return nodes


def check_resolves(node: str) -> None:
    """Make sure that a node's host name resolves (blocking: a look-up of the system's resolver).

    Raises:
        UsageError: it does not.
    """
    host = host_of(node)
    try:
        socket.getaddrinfo(host, port_of(node), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"the host {_shown(host)} of {node} does not resolve to an address") from None


def is_loopback(node: str) -> bool:
    """Whether a node's host is this machine's loopback, by its text: no look-up."""
    host = host_of(node)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
