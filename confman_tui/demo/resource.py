"""A path of the HTTP interface: its methods, the check of the API key, and a request as its handler sees it."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Receive, Scope, Send

from confman_tui.demo import answers
from confman_tui.demo.answers import Answer, Listing
from confman_tui.demo.raft_model import GapError

BODY_LIMIT = 50 * 1024 * 1024
"""Bytes that a request's body may have; more is 413."""

KEYS: dict[str, tuple[str, bool]] = {
    "confman_dev_abc123": ("Development Admin", True),
    "confman_dev_reader": ("Development Reader", False),
}
"""Confman's own development keys: the name they are shown as, and whether they may write."""


class Call:
    """One request on its way through a handler."""

    __slots__ = ("_receive", "_scope", "user")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self.user = ""
        """Whom the API key belongs to."""

    @property
    def params(self) -> Mapping[str, str]:
        params: Mapping[str, str] = self._scope["path_params"]
        return params

    @property
    def path(self) -> str:
        path: str = self._scope["path"]
        return path

    @property
    def query(self) -> str:
        query: bytes = self._scope["query_string"]
        return query.decode("latin-1")

    def header(self, name: bytes) -> bytes | None:
        for header, value in self._scope["headers"]:
            if header == name:
                return bytes(value)
        return None

    async def body(self) -> bytes | None:
        """The body, or None when it is larger than allowed."""
        length = self.header(b"content-length")
        if length is not None and length.isdigit() and int(length) > BODY_LIMIT:
            return None
        message = await self._receive()
        if not message.get("more_body"):
            return bytes(message.get("body", b""))
        data = bytearray(message.get("body", b""))
        while message.get("more_body"):
            message = await self._receive()
            data += message.get("body", b"")
            if len(data) > BODY_LIMIT:
                return None
        return bytes(data)


Handler = Callable[[Call], Awaitable[Answer | Listing]]


class Resource:
    """A path and its methods, as an ASGI application. Without `open_to_all` an API key is asked for."""

    def __init__(self, *, open_to_all: bool = False, **handlers: Handler) -> None:
        self._handlers = handlers
        self._allowed = ", ".join(sorted(handlers)).encode()
        self._open = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | Listing:
        method = scope["method"]
        handler = self._handlers.get(method)
        if handler is None:
            return answers.method_not_allowed(self._allowed, head=method == "HEAD")
        call = Call(scope, receive)
        if not self._open:
            who = _user(call.header(b"x-api-key"))
            if who is None:
                return answers.empty(401)
            call.user, may_write = who
            if method != "GET" and not may_write:
                return answers.empty(403)
        try:
            return await handler(call)
        except GapError:
            return answers.read_barrier_failed()


def _user(key: bytes | None) -> tuple[str, bool] | None:
    if key is None:
        return None
    for known, who in KEYS.items():
        if hmac.compare_digest(known.encode(), key):
            return who
    return None
