"""What an exception of httpx means for a poll, a probe or a seeding request (for the load: `load.causes`)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from confman_tui.cluster.states import PollKind
from confman_tui.cluster.tls import tls_failure

_MAX_TEXT = 120


def plain(text: str, limit: int = _MAX_TEXT) -> str:
    """A text from elsewhere on one line, short, without control characters or others that a terminal acts on."""
    head = text[: 4 * limit]
    kept = " ".join("".join(char if char.isprintable() else " " for char in head).split())
    return kept if len(kept) <= limit and len(text) <= 4 * limit else kept[: limit - 1] + "…"


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending and len(seen) < 50:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions


def classify(error: BaseException) -> tuple[PollKind, str]:
    """How a request failed, and that in words without any URL or key."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return PollKind.TIMEOUT, "no answer in time"
    found = tuple(_chain(error))
    if isinstance(error, httpx.ConnectError) and (tls := next((e for e in found if isinstance(e, ssl.SSLError)), None)):
        bad = isinstance(tls, ssl.SSLCertVerificationError)
        return PollKind.UNTRUSTED if bad else PollKind.NOT_CONFMAN, plain(tls_failure(tls))
    if isinstance(error, httpx.ConnectError | OSError):
        if any(isinstance(one, ConnectionRefusedError) for one in found):
            return PollKind.REFUSED, "connection refused"
        if any(isinstance(one, socket.gaierror) for one in found):
            return PollKind.ERROR, "the host name does not resolve"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError | ConnectionError):
        return PollKind.RESET, "connection reset"
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        if "disconnected" in text or "closed connection" in text:
            return PollKind.RESET, "connection closed before the whole answer"
        return PollKind.NOT_CONFMAN, f"not HTTP: {plain(text)}"
    if isinstance(error, httpx.DecodingError):
        return PollKind.NOT_CONFMAN, "an answer that can't be decoded"
    errno = next((one for one in found if isinstance(one, OSError) and one.strerror), None)
    if errno is not None:
        return PollKind.ERROR, plain(str(errno.strerror).lower())
    return PollKind.ERROR, plain(str(error)) or type(error).__name__
