"""Servers that behave as no Confman does, on free ports of loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tests.support.waiting import DEADLINE_S

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def http(status: int, body: str | bytes = b"", *headers: str) -> bytes:
    """An HTTP/1.1 answer with a length."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class OddServer:
    """Accepts connections and lets ``serve`` do with each as it likes; counts connections and requests."""

    def __init__(self, serve: Serve, port: int = 0) -> None:
        self._serve = serve
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.connections = 0
        self.requests: list[bytes] = []
        """The head and what came with it of each request, as it was sent."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def all_closed(self) -> None:
        """Wait until the other side has closed every connection."""
        async with asyncio.timeout(DEADLINE_S):
            await self._idle.wait()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self._idle.clear()
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()
            if not self._writers:
                self._idle.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut all connections, as the death of a process does."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            self._server = None

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        """One request, its body included."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        request = head + (await reader.readexactly(length) if length else b"")
        self.requests.append(request)
        return request


@asynccontextmanager
async def answering(answer: bytes | Callable[[bytes], bytes | None]) -> AsyncIterator[OddServer]:
    """A server that gives this answer to each request, or what the function makes of it; None: never any."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await server.read_request(reader)
            said = answer(request) if callable(answer) else answer
            if said is None:
                await reader.read()
                return
            writer.write(said)
            await writer.drain()

    server = OddServer(serve)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[OddServer]:
    """A server that does with each connection as it likes."""
    server = OddServer(serve)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
