"""Reads the keys of booked writes from nodes, each by whichever way is cheaper, and notes what they show.

A node that can't be read for good is given up; a stop ends all soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Protocol, TypeVar

from confman_tui.cluster.api import RETRYABLE
from confman_tui.cluster.elections import value_digest
from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.cluster.writes.rules import KeyState
from confman_tui.cluster.writes.slices import CHUNK, Slice
from confman_tui.core.errors import ClusterError

CONCURRENCY = 8
"""Requests for single keys at one time, over all nodes."""
LISTING_BYTES = 256_000_000
"""Larger namespaces are read key by key: a node builds a listing in memory."""
BLOB_BYTES = 65536
"""Values of this size are kept as blobs by Confman, and never read in bulk."""
LISTED_PER_READ = 20
"""One entry read by itself costs the cluster about as much as this many in a listing."""
REPORT_EVERY = 50
"""Keys of the first node between two reports."""
PAUSES_S = (0.25, 0.5, 1.0)
"""Before the second, third and each further attempt."""

_ATTEMPTS = 6
_T = TypeVar("_T")


class Reader(Protocol):
    """What it needs of `ConfmanClient`."""

    def each_entry(self, node: str, namespace: str) -> AsyncGenerator[_Entry, None]:
        """All entries of a namespace, one after another."""

    def get_entry(self, node: str, namespace: str, key: str, value_bytes: int) -> Awaitable[_Entry | None]:
        """One entry, or None; an error when its value has more than ``value_bytes`` bytes."""


class _Entry(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def value(self) -> str: ...


class _GivenUpError(Exception):
    """A node can't be read any more, or the person stopped."""


class NodeReader:
    """Reads from the nodes that are left."""

    def __init__(
        self,
        client: Reader,
        nodes: Sequence[str],
        payload_bytes: int,
        stop: asyncio.Event,
        on_found: Callable[[int], None] = lambda count: None,
    ) -> None:
        """
        Args:
            client: asks the nodes.
            nodes: base URLs of those to read.
            payload_bytes: size of the values, for the choice of the way.
            stop: when set, all ends soon.
            on_found: takes how many keys of the present slice the first node has shown so far.
        """
        self.nodes = list(nodes)
        """Those that were not given up."""
        self.given_up: dict[str, str] = {}
        """The others, and why, in words."""
        self._client = client
        self._payload = payload_bytes
        self._stop = stop
        self.on_found = on_found
        self._turns = asyncio.Semaphore(CONCURRENCY)

    @property
    def over(self) -> bool:
        """Stopped, or no node is left to read from."""
        return self._stop.is_set() or not self.nodes

    async def all(self, reads: Iterable[Awaitable[None]]) -> None:
        """Do these; when the person stops, what has no answer soon is given up."""
        with suppress(StoppedError):
            await unless_stopped(asyncio.gather(*reads), self._stop)

    async def read(self, work: Slice, node: str, keys: Sequence[str], seen: dict[str, KeyState]) -> None:
        """Read the keys from one node and note what they show; it notes less when the node is given up, or stopped."""
        entries = work.others + len(work.demands)
        bulk = entries * self._payload <= LISTING_BYTES and self._payload < BLOB_BYTES
        try:
            if bulk and len(keys) * LISTED_PER_READ >= entries:
                absent = await self._try(node, lambda: self._list(work, node, keys, seen))
                for number, key in enumerate(absent):
                    if number % CHUNK == 0:
                        await asyncio.sleep(0)
                    seen[key] = work.demands[key].see(None)
                return
            left = iter(keys)
            await asyncio.gather(*(self._walk(work, node, left, seen) for _ in range(CONCURRENCY)))
        except _GivenUpError:
            return

    async def _list(self, work: Slice, node: str, keys: Sequence[str], seen: dict[str, KeyState]) -> set[str]:
        """Notes what a listing of one node shows of the keys; gives those that it does not hold. Ends early when the
        person stops."""
        absent, found = set(keys), 0
        async with aclosing(self._client.each_entry(node, work.namespace)) as entries:
            async for entry in entries:
                if entry.key not in absent:
                    continue
                absent.discard(entry.key)
                seen[entry.key] = work.demands[entry.key].see(value_digest(entry.value))
                found += 1
                if found % REPORT_EVERY == 0:
                    if self._stop.is_set():
                        raise _GivenUpError
                    if self.nodes and node == self.nodes[0]:
                        self.on_found(found)
        return absent

    async def _walk(self, work: Slice, node: str, left: Iterator[str], seen: dict[str, KeyState]) -> None:
        """One of several that read the keys one by one."""
        for key in left:
            async with self._turns:
                entry = await self._try(node, partial(self._client.get_entry, node, work.namespace, key, self._payload))
            seen[key] = work.demands[key].see(None if entry is None else value_digest(entry.value))
            if len(seen) % REPORT_EVERY == 0 and self.nodes and node == self.nodes[0]:
                self.on_found(len(seen))

    async def _try(self, node: str, read: Callable[[], Awaitable[_T]]) -> _T:
        """Reads, again when it fails for a moment; gives the node up when it fails for good."""
        for attempt in range(_ATTEMPTS):
            if self._stop.is_set() or node not in self.nodes:
                raise _GivenUpError
            try:
                return await read()
            except ClusterError as error:
                if node in self.nodes and (attempt == _ATTEMPTS - 1 or not isinstance(error, RETRYABLE)):
                    self.nodes.remove(node)
                    self.given_up[node] = str(error)
                    raise _GivenUpError from error
            await self.pause(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        raise _GivenUpError

    async def pause(self, seconds: float) -> None:
        """Wait, but not when the person stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
