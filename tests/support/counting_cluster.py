"""Three HTTP servers on loopback that answer polls and probe writes as a test wants, and count what they are asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass
class CountingNode:
    """One server, and when it was asked what (monotonic seconds)."""

    url: str = ""
    polls: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    others: int = 0
    """Requests that are neither."""
    connections: int = 0
    ready: bool = True
    term: int = 3
    leads: bool = False
    silent: bool = False
    """Takes requests and answers none."""
    refuses_writes: bool = False
    """Answers writes with 503."""


class CountingCluster:
    """``async with CountingCluster() as cluster``; node 0 leads."""

    def __init__(self, nodes: int = 3) -> None:
        self.nodes = [CountingNode() for _ in range(nodes)]
        self.nodes[0].leads = True
        self._servers = AsyncExitStack()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    @property
    def polls(self) -> int:
        return sum(len(node.polls) for node in self.nodes)

    @property
    def writes(self) -> int:
        return sum(len(node.writes) for node in self.nodes)

    async def __aenter__(self) -> Self:
        for node in self.nodes:
            server = await asyncio.start_server(self._handler(node), "127.0.0.1", 0)
            node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._servers.callback(server.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._servers.aclose()
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _handler(self, node: CountingNode) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            node.connections += 1
            self._writers.add(writer)
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await self._serve(node, reader, writer)
            self._writers.discard(writer)
            writer.close()

        return handle

    async def _serve(self, node: CountingNode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
        body = await reader.readexactly(length) if length else b""
        status, answer = self._answer(node, method, path, body)
        if not node.silent:
            data = json.dumps(answer).encode()
            kind = "application/json; charset=utf-8"
            lines = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
            writer.write(lines.encode() + data)

    def _answer(self, node: CountingNode, method: str, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        if path == "/health/ready":
            node.polls.append(time.monotonic())
            cluster = {
                "role": "leader" if node.leads else "follower",
                "leaderKnown": node.ready,
                "leader": next((f"{one.url}/" for one in self.nodes if one.leads), None),
                "term": node.term,
            }
            state = "ready" if node.ready else "not_ready"
            return (200 if node.ready else 503), {"status": state, "timestamp": "", "cluster": cluster}
        if method != "PUT":
            node.others += 1
            return 404, {"title": "Not found", "status": 404}
        node.writes.append(time.monotonic())
        if node.refuses_writes:
            return 503, {"title": "No leader available", "status": 503}
        namespace, key = path.split("/")[4], path.split("/")[6]
        value = json.loads(body)["value"]
        return 200, {"namespace": namespace, "key": key, "value": value, "type": "string", "version": 0}
