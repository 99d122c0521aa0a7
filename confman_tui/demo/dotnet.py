"""How Confman's platform (.NET 10, ASP.NET Core) writes times, ids and addresses; read off the recorded answers."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

_ESCAPED_SLASH = re.compile(r"%(?=2[fF])")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_KEPT_ESCAPED = re.compile(r"%(?!2[fF])|[?#\[\]\\\x00-\x1f\x7f-\x9f]")
_RESERVED = frozenset(b";/?:@&=+$,#[]!'()*%\\")
"""Characters that .NET leaves escaped when it writes an address for people (Uri.ToString)."""


def _fraction(ticks: int) -> str:
    digits = f"{ticks:07d}".rstrip("0")
    return f".{digits}" if digits else ""


def now_ticks() -> int:
    """Now, in .NET's unit: 100 ns since the epoch."""
    return time.time_ns() // 100


def written_time(ticks: int) -> str:
    """A time in the answer to a write, and of the health answers: up to 7 decimals, without closing zeros."""
    seconds, rest = divmod(ticks, 10_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{_fraction(rest)}+00:00"


def stored_time(ticks: int) -> str:
    """The same time as it is stored and read later: cut to milliseconds."""
    return written_time(ticks - ticks % 10_000)


def trace_id() -> str:
    """A W3C trace context as in `traceId`."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def correlation_id() -> str:
    return os.urandom(16).hex()


def decoded_path(raw_path: str) -> str:
    """A request's path as Confman's routes see it: unescaped, but an escaped slash stays as it is."""
    return unquote_to_bytes(_ESCAPED_SLASH.sub("%25", raw_path)).decode("utf-8", "replace")


def location(base: str, path: str, query: str) -> str | None:
    """The address in a redirect: what a browser would show, with raw spaces and quotes.

    `path` is decoded, `query` is as it came. None when it can't stand in a header, which Confman answers with 500.
    """
    address = base + _KEPT_ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", path)
    if query:
        address += "?" + _unescaped(query)
    return address if address.isascii() else None


def _unescaped(query: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return match[0] if code in _RESERVED or code < 0x20 or 0x7F <= code <= 0x9F else chr(code)

    return _ESCAPE.sub(one, query)
