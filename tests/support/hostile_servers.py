"""Servers that mean harm, on a thread of their own: each answers a request with bytes and pauses as a test says."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from tests.support.waiting import DEADLINE_S

MOST_BYTES = 64 * 1024 * 1024
"""What an endless answer ends at, so that a client which reads on harms nobody but the test."""


@dataclass(frozen=True)
class Asked:
    """One request, as it was sent."""

    method: str
    path: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def name(self) -> tuple[str, str]:
        """Namespace and key that it is about."""
        parts = self.path.split("?")[0].strip("/").split("/")
        return unquote(parts[3]), unquote(parts[5])

    def entry(self, value: str = "v", **other: object) -> bytes:
        """Confman's answer to it."""
        namespace, key = self.name
        fields = {"namespace": namespace, "key": key, "value": value, "type": "string", "version": 1, **other}
        return json.dumps(fields, separators=(",", ":")).encode()


Part = bytes | float
"""Bytes to send, or seconds to wait."""
Script = Callable[[Asked], Iterable[Part]]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer with a length; header lines may hold any character of Latin-1."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def endless(begin: bytes, more: bytes) -> Iterator[bytes]:
    """``more`` after ``more``."""
    yield begin
    for _ in range(MOST_BYTES // len(more)):
        yield more


def drip(begin: bytes, pause_s: float = 0.02) -> Iterator[Part]:
    """A byte at a time, so that no single read takes long."""
    yield begin
    for _ in range(round(DEADLINE_S / pause_s)):
        yield pause_s
        yield b"x"


class HostileServer:
    """A listener whose answers a function makes up. After an answer it waits for the next request; an answer that is
    not over when the client leaves is not sent on."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.sent_bytes = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> int:
        """How many requests brought an API key."""
        return sum("x-api-key" in asked.headers for asked in self.asked)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(DEADLINE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # a task of our own: one that the server makes logs its cancellation as an error
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    asked = await self._read(reader)
                    self.asked.append(asked)
                    for part in self.script(asked):
                        if isinstance(part, float):
                            await asyncio.sleep(part)
                            continue
                        writer.write(part)
                        await writer.drain()
                        self.sent_bytes += len(part)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _version = first.split(" ", 2)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(method, path, headers, body)


def honest(asked: Asked) -> Iterable[Part]:
    """The entry, as Confman gives it."""
    return [http(200, asked.entry())]
