"""What reaches into geventhttpclient, which Locust's FastHttpUser sends its requests with. Written for 2.6.1.

The changes touch names that the library calls private, so they stand here alone and are checked against what is
installed. Each says what would make it unnecessary.

- No silent replay. When a connection is closed or reset before an answer, geventhttpclient sends GET, PUT and DELETE
  again, up to its pool's size plus one times, unseen. One Locust event then stands for up to twelve writes.
  Here a request is sent once; what follows is the caller's decision, and its own event. A kept connection that the
  server closed while it was idle is still noticed before the request is sent. Unnecessary once the library has a
  setting for it.
- A check of idle connections that lets other users run and has no limit. The library asks ``select.select``, which
  never yields to gevent (one user can starve the others) and refuses file descriptors above 1,023, where the library
  then takes every connection for dead and opens a new one for each request. Unnecessary once the library asks
  ``poll`` in a way that yields to gevent.
- Bounds on an answer. The library reads headers and bodies of any size, for as long as a byte comes within each
  timeout, and decompresses them to any size. Here an answer has bounds on its header, its body and its whole time
  (`Bounds`). Looking at the clock between two reads costs nothing where one read has it all, as it does for a value of
  1 KB. Unnecessary once the library takes such bounds.
"""

from __future__ import annotations

import errno
import select as _blocking_select
import zlib
from collections.abc import Sequence
from time import perf_counter
from types import CodeType
from typing import Any

import gevent
from geventhttpclient import __version__ as _installed
from geventhttpclient import client as _client
from geventhttpclient import connectionpool as _connectionpool
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse, HTTPSocketResponse
from locust.contrib.fasthttp import FastResponse

from confman_tui.core.errors import ConfmanTuiError

HEADER_BYTES = 32 * 1024
"""Most bytes of an answer before its body, interim answers included; Confman's are some 300."""
BESIDE_VALUE_BYTES = 64 * 1024
"""Most bytes of an answer's body beside the value that is in it."""
_READABLE = _blocking_select.POLLIN | _blocking_select.POLLPRI | _blocking_select.POLLHUP | _blocking_select.POLLERR


class PatchError(ConfmanTuiError):
    """The installed geventhttpclient is not one that these changes fit."""


def _never(_method: str) -> bool:
    """In place of ``client._may_retry_after_send_error``: no method is sent twice."""
    return False


class _YieldingSelect:
    """In place of the module ``select`` in ``geventhttpclient.connectionpool``."""

    @staticmethod
    def select(
        readers: Sequence[Any], _writers: Sequence[Any], _errors: Sequence[Any], _timeout: float
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Which of ``readers`` are readable now; never waits, but lets the other users run first."""
        gevent.sleep(0)
        poll = _blocking_select.poll()
        for reader in readers:
            poll.register(reader.fileno(), _READABLE)
        ready = {number for number, _event in poll.poll(0)}
        return [reader for reader in readers if reader.fileno() in ready], [], []


class AnswerTooLarge(HTTPParseError):
    """An answer is over one of its bounds; says which. A kind of `HTTPParseError`, since Locust takes those for failed
    requests, and the library closes the connection after them."""


class Bounds:
    """What an answer to one user may be: the user sets it, its connections keep to it."""

    __slots__ = ("body_bytes", "deadline", "timeout_s", "whole")

    def __init__(self, value_bytes: int, timeout_s: float) -> None:
        self.body_bytes = value_bytes + BESIDE_VALUE_BYTES
        """Most bytes of a body, as it is sent and as it is decompressed."""
        self.timeout_s = timeout_s
        """The longest wait for an answer to begin."""
        self.deadline = 0.0
        """When the answer must be whole, on the clock `time.perf_counter`."""
        self.whole = False
        """Whether the deadline holds for the answer's beginning too: a redirect has taken part of the time."""

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it is over."""
        seconds = self.deadline - perf_counter()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


class _Clients(HTTPClientPool):
    """One user's connections, which know its bounds."""

    def __init__(self, bounds: Bounds, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._bounds = bounds

    def get_client(self, url: Any) -> HTTPClient:
        """As the library's."""
        client = self.clients.get((url.host, url.port))
        if client is None:
            client = super().get_client(url)
            client._connection_pool.bounds = self._bounds  # type: ignore[attr-defined]
        return client


class _BoundedResponse(HTTPSocketPoolResponse):
    """In place of ``client.HTTPSocketPoolResponse``: reads an answer within its user's bounds."""

    bounds: Bounds | None = None

    def _read_headers(self, pre_buffered: bytes = b"") -> None:
        self.bounds = bounds = getattr(self._pool, "bounds", None)
        sock = self._sock
        if bounds is None or pre_buffered or sock is None:
            super()._read_headers(pre_buffered)
            return
        seen, shortened = 0, False
        try:
            # 1xx answers are no whole ones: what they announce follows
            while not self.headers_complete or self.get_code() < 200:
                if seen or bounds.whole:
                    sock.settimeout(bounds.left())
                    shortened = True
                    if seen > HEADER_BYTES:
                        raise AnswerTooLarge(f"more than {HEADER_BYTES // 1024} KB of headers")
                try:
                    data = sock.recv(self.block_size)
                except OSError as error:
                    if error.errno == errno.ECONNRESET and not seen:
                        raise HTTPConnectionClosed("connection closed.") from None
                    raise
                self.feed(data)
                if not data:
                    if seen:
                        raise HTTPParseError("connection closed before end of the headers")
                    raise HTTPConnectionClosed("connection closed.")
                seen += len(data)
            if shortened:
                sock.settimeout(bounds.timeout_s)
            if self.message_complete:
                self.release()
        except BaseException:
            self.release()
            raise

    def read(self, length: int | None = None) -> bytes:
        """As the library's: the whole body, unless ``length`` is given."""
        bounds, sock = self.bounds, self._sock
        if length is not None or bounds is None or sock is None:
            return super().read(length)
        seen = len(self._body_buffer)
        try:
            while not self.message_complete:
                sock.settimeout(bounds.left())
                data = sock.recv(self.block_size)
                seen += len(data)
                if seen > bounds.body_bytes:
                    raise AnswerTooLarge("a body larger than an entry's")
                self.feed(data)
            sock.settimeout(bounds.timeout_s)
        except BaseException:
            self.release()
            raise
        whole = bytes(self._body_buffer)
        self._body_buffer.clear()
        return whole


class _BoundedAnswer(FastResponse):
    """In place of `LocustUserAgent.response_type`: decompresses no further than its user's bounds. (The users ask for
    answers that are not compressed, but a proxy may not heed that.)"""

    def _content(self) -> bytes:
        headers, response = self.headers, self._response
        if headers is None or response is None:
            return b""
        body = response.read()
        response.release()
        if "content-encoding" not in headers:
            return body
        encodings = [one.strip().lower() for one in ",".join(headers.getlist("content-encoding")).split(",")]
        if encodings == ["identity"]:
            return body
        if encodings not in (["gzip"], ["x-gzip"], ["deflate"]):
            raise zlib.error("an encoding that was not asked for")
        bounds = getattr(response, "bounds", None)
        return _decompressed(body, bounds.body_bytes if bounds is not None else BESIDE_VALUE_BYTES)


def _decompressed(body: bytes, most: int) -> bytes:
    """A body that was compressed with gzip or deflate (RFC 1950, or RFC 1951 as some send it).

    Raises:
        AnswerTooLarge: it has more than ``most`` bytes.
        zlib.error: it was not compressed so.
    """
    try:
        whole = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, most + 1)
    except zlib.error:
        whole = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, most + 1)
    if len(whole) > most:
        raise AnswerTooLarge("a body that is larger than an entry's once it is decompressed")
    return whole


def bound(agent: Any, bounds: Bounds) -> None:
    """Make a user's ``LocustUserAgent``, which has sent nothing yet, keep to these bounds."""
    agent.clientpool = _Clients(bounds, **agent.clientpool.client_args)
    agent.response_type = _BoundedAnswer


def _uses(function: Any, name: str) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and name in code.co_names


def check() -> None:
    """Raise `PatchError` unless the names that `apply` changes exist and are used where they are expected."""
    missing = [
        what
        for what, present in (
            (
                "client._may_retry_after_send_error, used by HTTPClient.request",
                hasattr(_client, "_may_retry_after_send_error")
                and _uses(getattr(_client.HTTPClient, "request", None), "_may_retry_after_send_error"),
            ),
            (
                "connectionpool.select, used by ConnectionPool._is_socket_alive",
                hasattr(_connectionpool, "select")
                and _uses(getattr(_connectionpool.ConnectionPool, "_is_socket_alive", None), "select"),
            ),
            (
                "client.HTTPSocketPoolResponse, used by HTTPClient.request and reading with _read_headers",
                hasattr(_client, "HTTPSocketPoolResponse")
                and _uses(getattr(_client.HTTPClient, "request", None), "HTTPSocketPoolResponse")
                and _uses(HTTPSocketResponse.__init__, "_read_headers"),
            ),
        )
        if not present
    ]
    if missing:
        raise PatchError(
            f"geventhttpclient {_installed} is installed, but confman-tui was made for 2.6: "
            f"{'; '.join(missing)} is gone, and without it requests could be sent twice unseen, "
            "or answers read without end. "
            "Install geventhttpclient>=2.6.1,<2.7."
        )


def apply() -> None:
    """Check, then change geventhttpclient for the whole process. Doing it again does nothing new."""
    check()
    _client._may_retry_after_send_error = _never  # type: ignore[assignment]
    _connectionpool.select = _YieldingSelect  # type: ignore[assignment, attr-defined]
    _client.HTTPSocketPoolResponse = _BoundedResponse  # type: ignore[attr-defined]
