"""A real cluster for the tests of this room, and helpers to watch it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import TracebackType

import pytest

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.polling import Poller
from confman_tui.cluster.states import Fact, NodeState, Poll
from confman_tui.cluster.view import ViewMachine
from confman_tui.core.clock import now
from confman_tui.demo.supervisor import DemoCluster

ADMIN = "confman_dev_abc123"
READER = "confman_dev_reader"


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoCluster]:
    """Three nodes that nobody harms."""
    with DemoCluster(nodes=3, ports="auto", election_timeout_ms=(300, 600)) as cluster:
        assert cluster.wait_ready(15)
        yield cluster


@pytest.fixture
def mortal() -> Iterator[DemoCluster]:
    """Three nodes to kill and pause."""
    with DemoCluster(nodes=3, ports="auto", election_timeout_ms=(300, 600)) as cluster:
        assert cluster.wait_ready(15)
        yield cluster


class Watch:
    """Polls a cluster as the program does and keeps what it saw."""

    def __init__(self, nodes: tuple[str, ...], poll_s: float = 0.05) -> None:
        self.machine = ViewMachine(nodes)
        self.polls: list[Poll] = []
        self.facts: list[Fact] = []
        self._news = asyncio.Event()
        self._poller = Poller(nodes, self._take, poll_s=poll_s)

    def _take(self, poll: Poll) -> None:
        self.polls.append(poll)
        self.facts += self.machine.apply(poll)
        self._news.set()

    def leader(self) -> str | None:
        return self.machine.view(now()).leader

    def state(self, node: str) -> NodeState:
        return self.machine.view(now()).node(node).state

    async def until(self, condition: Callable[[], bool], deadline_s: float = 15.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def __aenter__(self) -> Watch:
        self._poller.start()
        await self.until(lambda: self.leader() is not None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._poller.stop()


@asynccontextmanager
async def watched_client(nodes: tuple[str, ...], key: str = ADMIN) -> AsyncIterator[tuple[ConfmanClient, Watch]]:
    async with Watch(nodes) as watch, ConfmanClient(key, nodes=nodes) as client:
        yield client, watch
