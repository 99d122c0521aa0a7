"""Answers in the form Confman gives them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from starlette.types import Receive, Scope, Send

from confman_tui.demo import dotnet

_JSON = (b"content-type", b"application/json; charset=utf-8")
_PROBLEM = (b"content-type", b"application/problem+json; charset=utf-8")
_NO_BODY = (b"content-length", b"0")
_PIECE = 200
"""Entries of a listing that are sent at once."""

_SECTIONS = {400: "15.5.1", 404: "15.5.5", 415: "15.5.16", 503: "15.6.4"}
"""The section of RFC 9110 on each status: the `type` of a problem."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Answer:
    """A whole answer: an ASGI application that sends itself.

    Without a Content-Length among its headers a body goes out chunked, as Confman's JSON does.
    """

    __slots__ = ("_body", "_headers", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        self.status = status
        self._headers = headers
        self._body = body

    def add_header(self, name: bytes, value: bytes) -> None:
        """One header more."""
        self._headers.append((name, value))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def ok(data: Any, status: int = 200) -> Answer:
    return Answer(status, [_JSON], _encode(data).encode("utf-8", "replace"))


class Listing:
    """A JSON list that is encoded and sent in pieces, with a turn for everything else between them: a node that encodes
    50 MB at once is silent until the others elect another leader."""

    status = 200

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON]})
        opening = "["
        while piece := list(islice(self._items, _PIECE)):
            text = opening + _encode(piece)[1:-1]
            opening = ","
            await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})
            # Sending to a reader that keeps up never waits.
            await asyncio.sleep(0)
        ending = b"[]" if opening == "[" else b"]"
        await send({"type": "http.response.body", "body": ending})


def no_content() -> Answer:
    return Answer(204, [])


def empty(status: int, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, [_NO_BODY, *headers])


def method_not_allowed(allowed: bytes, *, head: bool) -> Answer:
    return Answer(405, [(b"allow", allowed)] if head else [_NO_BODY, (b"allow", allowed)])


def preflight(headers: Iterable[tuple[bytes, bytes]]) -> Answer | None:
    """What a browser asks before a request of another origin: on any path, without a key, all that it asks for is
    allowed. None: an OPTIONS request that is no preflight, which names no origin or no method.

    The headers about the origin itself stand on every answer to a request that names one.
    """
    sent = dict(headers)
    method = sent.get(b"access-control-request-method")
    if method is None or b"origin" not in sent:
        return None
    allowed = [(b"access-control-allow-methods", method)]
    wanted = sent.get(b"access-control-request-headers")
    return Answer(204, [*([(b"access-control-allow-headers", wanted)] if wanted else []), *allowed])


def redirect(address: str) -> Answer:
    """307 to the leader: the client must repeat method, body and headers there."""
    return empty(307, (b"location", address.encode("ascii")))


def problem(status: int, title: str, detail: str | None = None, errors: dict[str, list[str]] | None = None) -> Answer:
    """A problem of RFC 9457."""
    data: dict[str, Any] = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-{_SECTIONS[status]}",
        "title": title,
        "status": status,
    }
    if detail is not None:
        data["detail"] = detail
    if errors is not None:
        data["errors"] = errors
    data["traceId"] = dotnet.trace_id()
    return Answer(status, [_PROBLEM], _encode(data).encode("utf-8", "replace"))


def invalid(errors: dict[str, list[str]]) -> Answer:
    return problem(400, "One or more validation errors occurred.", errors=errors)


def unsupported_media_type() -> Answer:
    return problem(415, "Unsupported Media Type")


def no_leader() -> Answer:
    detail = "The cluster does not have a leader. Please try again later."
    return problem(503, "No leader available", detail)


def read_barrier_failed() -> Answer:
    """The node can't know what its data lacks."""
    answer = problem(503, "Read barrier failed", "This node can't serve consistent reads now. Please try again later.")
    answer.add_header(b"retry-after", b"2")
    return answer


def replication_failed(detail: str) -> Answer:
    """The write's fate is unknown: it may be committed later."""
    return problem(503, "Replication failed", detail)
