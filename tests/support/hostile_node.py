"""A node that answers as nobody should: too much, too slowly, compressed, redirected, cut short.

What it does is a value, `Reply`, so that a test names it and hypothesis can make it up.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat

from tests.support.odd_servers import OddServer

KEY_HEADER = b"x-api-key"
BLOCK = 1 << 16


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    forever: bytes = b""
    """Sent again and again after the body, without an end."""
    every_s: float = 0.0
    """Seconds between two pieces of what is sent forever."""
    length: int | None = None
    """Content-Length; None: the body is chunked."""
    hang_up: bool = False
    """The connection is closed after the body, whole or not."""
    raw: bytes | None = None
    """Sent in the place of it all."""

    @property
    def head(self) -> bytes:
        """Status line and headers."""
        framing = "Transfer-Encoding: chunked" if self.length is None else f"Content-Length: {self.length}"
        named = [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} X", framing, *named]).encode("latin-1", "replace") + b"\r\n\r\n"


Choose = Callable[[bytes], Reply]
"""From a request to the answer."""


class HostileNode:
    """Answers each request with what ``choose`` makes of it."""

    def __init__(self, choose: Choose | Reply) -> None:
        self._choose: Choose = (lambda _: choose) if isinstance(choose, Reply) else choose
        self.server = OddServer(self._serve)
        self.sent = 0
        """Bytes of bodies handed to the kernel so far."""

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def heard(self) -> list[bytes]:
        """The requests."""
        return self.server.requests

    @property
    def keys_heard(self) -> int:
        """Requests that brought an API key."""
        return sum(KEY_HEADER in one.lower() for one in self.heard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            reply = self._choose(await self.server.read_request(reader))
            if reply.raw is not None:
                writer.write(reply.raw)
                await writer.drain()
                return
            writer.write(reply.head)
            chunked = reply.length is None
            for piece in _pieces(reply):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                self.sent += len(piece)
                await writer.drain()
                if reply.every_s and piece is reply.forever:
                    await asyncio.sleep(reply.every_s)
            if reply.hang_up:
                return
            if chunked:
                writer.write(b"0\r\n\r\n")
            await writer.drain()


def _pieces(reply: Reply) -> Iterator[bytes]:
    for at in range(0, len(reply.body), BLOCK):
        yield reply.body[at : at + BLOCK]
    if reply.forever:
        yield from repeat(reply.forever)


@asynccontextmanager
async def hostile(choose: Choose | Reply) -> AsyncIterator[HostileNode]:
    """A running one."""
    node = HostileNode(choose)
    await node.server.start()
    try:
        yield node
    finally:
        await node.server.stop()


def flood(begin: bytes = b"", piece: bytes = b"x" * BLOCK) -> Reply:
    """A 200 whose body has no end, as fast as it is taken."""
    return Reply(body=begin, forever=piece)


def drip(begin: bytes = b"", piece: bytes = b" ", every_s: float = 0.05) -> Reply:
    """A 200 whose body has no end, a byte at a time."""
    return Reply(body=begin, forever=piece, every_s=every_s)


def bomb(megabytes: int = 100) -> Reply:
    """A few KB that stand for many MB."""
    return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b" " * (megabytes << 20), 1))
