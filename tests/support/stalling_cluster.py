"""A whole cluster that takes connections and stops answering: nothing ever comes, or a byte now and then for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tests.support.lying_servers import LyingCluster, Whole
from tests.support.three_servers import Node

Stalls = Callable[[str, str], bool]
"""Takes a request's method and path; whether it gets no whole answer from now on."""
DRIP_S = 0.05
"""Seconds between two bytes: no single read takes long enough to be a timeout."""


class Stalling(Whole):
    """Answers as `Whole` does, until it stalls."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None)
        self.stalls: Stalls = lambda method, path: False
        self.drips = False
        """Whether a request that stalls gets a head and then one byte after the other."""
        self.stalled: list[str] = []
        """Requests without an answer so far."""

    async def _answer(self, node: Node, method: str, path: str, body: bytes) -> tuple[int, object, str | None] | None:
        if self.stalls(method, path):
            self.stalled.append(f"{method} {path}")
            if self.drips:
                await self._drip()
            await asyncio.Event().wait()
        return await super()._answer(node, method, path, body)

    async def _drip(self) -> None:
        writer = next(writer for writer, task in self._open.items() if task is asyncio.current_task())
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 60000\r\n\r\n["
        )
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(DRIP_S)


class StallingCluster(LyingCluster):
    """`Stalling` on a thread of its own; ``stall`` may be called on any thread."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None)
        self.stalling = Stalling()
        self.trio = self.stalling

    def stall(self, stalls: Stalls, *, drips: bool = False) -> None:
        """From now on these requests get no whole answer."""
        done = threading.Event()

        def change() -> None:
            self.stalling.stalled.clear()
            self.stalling.stalls, self.stalling.drips = stalls, drips
            done.set()

        self._loop.call_soon_threadsafe(change)
        done.wait()

    @property
    def stalled(self) -> tuple[str, ...]:
        """Requests without an answer since the last call of ``stall``."""
        return tuple(self.stalling.stalled)


def entries(method: str, path: str) -> bool:
    """Reads and writes of entries, and their deletion."""
    return "/config/" in path


def everything(method: str, path: str) -> bool:
    """All that a node is asked for."""
    return True


def all_but_health(method: str, path: str) -> bool:
    """A node that says it is well, and answers nothing else."""
    return not path.startswith("/health")


def listing(method: str, path: str) -> bool:
    """Listings of a namespace's entries."""
    return method == "GET" and path.endswith("/config")


def counting(method: str, path: str) -> bool:
    """The listing of all entries."""
    return path.startswith("/api/v1/configs")


def removal(method: str, path: str) -> bool:
    """Deletions."""
    return method == "DELETE"
