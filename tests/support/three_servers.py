"""Three real HTTP servers on loopback that speak Confman's configuration API, and lie on purpose.

Shared memory instead of Raft: what is tested with it is whether the program notices what such a cluster does wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

PutRule = Callable[["Trio", int, str, str, str], str | None]
"""Takes (cluster, number of the write, namespace, key, value) after it was stored on all nodes; gives the answer:
None for 200, or ``refuse``, ``unknown``, ``reset``, ``hang``."""


@dataclass
class Node:
    """One server and what it holds."""

    url: str = ""
    entries: dict[tuple[str, str], str] = field(default_factory=dict)
    listings: int = 0
    reads: int = 0
    puts: int = 0
    down: bool = False
    """Answers every request with 503 "Read barrier failed"."""


class Trio:
    """The cluster: ``async with Trio() as trio``. Node 0 leads unless `leader` is set; None: nobody does."""

    def __init__(self, rule: PutRule | None = None, put_s: float = 0.0) -> None:
        self.nodes = [Node() for _ in range(3)]
        self.leader: int | None = 0
        self.rule = rule
        self.put_s = put_s
        self.accepted = 0
        self._servers: list[asyncio.Server] = []
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    async def __aenter__(self) -> Self:
        for node in self.nodes:
            server = await asyncio.start_server(self._handler(node), "127.0.0.1", 0)
            node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._servers.append(server)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for writer, task in tuple(self._open.items()):
            writer.transport.abort()
            task.cancel()
        for server in self._servers:
            await server.wait_closed()

    def store(self, namespace: str, key: str, value: str) -> None:
        for node in self.nodes:
            node.entries[namespace, key] = value

    def lose(self, namespace: str, key: str, *nodes: int) -> None:
        for number in nodes:
            self.nodes[number].entries.pop((namespace, key), None)

    def alter(self, namespace: str, key: str, *nodes: int) -> None:
        for number in nodes:
            self.nodes[number].entries[namespace, key] = "another value"

    def delay(self, namespace: str, key: str, seconds: float, *nodes: int) -> None:
        """Absent now, there after this many seconds."""
        for number in nodes:
            value = self.nodes[number].entries.pop((namespace, key))
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self.nodes[number].entries.__setitem__, (namespace, key), value)

    def _handler(self, node: Node) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task of our own: one that the server makes logs its cancellation as an error.
            self._open[writer] = asyncio.get_running_loop().create_task(handle(reader, writer))

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    method, path, _ = head.split(" ", 2)
                    length = next(
                        (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
                    )
                    body = await reader.readexactly(length)
                    answer = await self._answer(node, method, path, body)
                    if answer is None:
                        return
                    status, payload, location = answer
                    text = b"" if payload is None else json.dumps(payload).encode()
                    extra = f"Location: {location}\r\n" if location else ""
                    writer.write(
                        f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{extra}"
                        f"Content-Type: application/json; charset=utf-8\r\n\r\n".encode()
                        + text
                    )
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                self._open.pop(writer, None)
                writer.close()

        return accept

    async def _answer(self, node: Node, method: str, path: str, body: bytes) -> tuple[int, object, str | None] | None:
        parts = [unquote(part) for part in path.split("?")[0].strip("/").split("/")]
        namespace, key = parts[3], parts[5] if len(parts) > 5 else None
        if node.down:
            return 503, {"title": "Read barrier failed", "status": 503}, None
        if method == "GET" and key is None:
            node.listings += 1
            found = [
                {"namespace": ns, "key": name, "value": value, "type": "string", "version": 1}
                for (ns, name), value in node.entries.items()
                if ns == namespace
            ]
            return 200, found, None
        if method == "GET":
            node.reads += 1
            value = node.entries.get((namespace, str(key)))
            if value is None:
                return 404, {"title": "Configuration not found", "status": 404}, None
            return 200, {"namespace": namespace, "key": key, "value": value, "type": "string", "version": 1}, None
        node.puts += 1
        if self.leader is None:
            return 503, {"title": "No leader available", "status": 503}, None
        if self.nodes[self.leader] is not node:
            return 307, None, self.nodes[self.leader].url + path
        value = json.loads(body)["value"]
        await asyncio.sleep(self.put_s)
        self.accepted += 1
        self.store(namespace, str(key), value)
        verdict = self.rule(self, self.accepted, namespace, str(key), value) if self.rule else None
        if verdict == "refuse":
            return 503, {"title": "No leader available", "status": 503}, None
        if verdict == "unknown":
            return 503, {"title": "Replication failed", "status": 503}, None
        if verdict == "reset":
            return None
        if verdict == "hang":
            await asyncio.sleep(60)
        return 200, {"namespace": namespace, "key": key, "value": value, "type": "string", "version": 0}, None
