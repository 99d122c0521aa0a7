"""A cluster that is polled as the program does it, and a client beside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.polling import Poller
from confman_tui.cluster.states import Fact, NodeState, Poll
from confman_tui.cluster.view import ViewMachine
from confman_tui.core.clock import now
from tests.support.keys import ADMIN
from tests.support.waiting import DEADLINE_S


class Watch:
    """Polls a cluster and keeps what it saw."""

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

    def polls_of(self, node: str, since: float) -> list[Poll]:
        """A node's polls that were sent after that moment."""
        return [poll for poll in self.polls if poll.node == node and poll.sent > since]

    async def until(self, condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
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
