"""Many requests to the leader, a bounded number at a time, through elections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from confman_tui.cluster.api import RETRYABLE, NoLeaderError
from confman_tui.core.errors import ClusterError

T = TypeVar("T")

LeaderOf = Callable[[], str | None]
"""Gives the node that leads now, or None."""
Progress = Callable[[int, int], None]
"""Takes how many of how many pieces of work are done."""

PATIENCE_S = 30.0
"""Seconds without any progress after which the cluster is given up."""
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_LOOK_S = 0.1
"""How often a request that waits looks whether its node still leads, and whether it was stopped."""
_GRACE_S = 0.4
"""After a stop, and what may go on after it, requests under way are waited for this long."""


class StoppedError(Exception):
    """The person asked to stop; nobody needs to be told."""


class LeaderRequests:
    """Sends requests to the leader, each until it takes it; those of one piece of work share its patience.

    A request may be sent more than once, and one that was given up may still happen: only for what can be repeated.
    """

    def __init__(
        self,
        leader_of: LeaderOf,
        stop: asyncio.Event | None = None,
        *,
        patience_s: float = PATIENCE_S,
        finish_s: float = 0.0,
    ) -> None:
        """
        Args:
            leader_of: asked before each try, so that work follows the leader.
            stop: ends the work, with `StoppedError`, before its next try.
            patience_s: see `PATIENCE_S`.
            finish_s: seconds that work goes on after a stop: for what must not be left half done.
        """
        self._leader_of = leader_of
        self._stop = stop
        self._patience_s = patience_s
        self._finish_s = finish_s
        self._stopped_at: float | None = None
        self._progress_at = asyncio.get_running_loop().time()

    def _check_stop(self, grace_s: float = 0.0) -> None:
        """Raise StoppedError when a stop came, and what may go on after it, and the grace, are over."""
        if self._stop is None or not self._stop.is_set():
            return
        at = asyncio.get_running_loop().time()
        self._stopped_at = at if self._stopped_at is None else self._stopped_at
        if at - self._stopped_at >= self._finish_s + grace_s:
            raise StoppedError

    async def do(self, action: Callable[[str], Awaitable[T]]) -> T:
        """Do it on the leader, again after whatever goes away with an election.

        Raises:
            StoppedError: it was stopped first.
            ClusterError: no progress within the patience, or an error that another try does not mend.
        """
        loop = asyncio.get_running_loop()
        pause, why = _FIRST_PAUSE_S, "no leader is known"
        while True:
            self._check_stop()
            leader = self._leader_of()
            if leader is not None:
                try:
                    result = await self._watched(action, leader)
                except RETRYABLE as error:
                    why = str(error)
                else:
                    self._progress_at = loop.time()
                    return result
            waited = loop.time() - self._progress_at
            if waited > self._patience_s:
                raise ClusterError(f"the cluster took nothing for {waited:.0f} s: {why}")
            await self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _watched(self, action: Callable[[str], Awaitable[T]], leader: str) -> T:
        """The action's result; given up when another node leads, because a paused one never answers, and after a
        stop."""
        task = asyncio.ensure_future(action(leader))
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                self._check_stop(_GRACE_S)
                if self._is_lost(leader):
                    raise NoLeaderError("the leader was lost with a request under way")
            return task.result()
        finally:
            task.cancel()

    def _is_lost(self, leader: str) -> bool:
        """Whether its answer need not be waited for: another node leads, or none does and there is no time left. A
        slow cluster may be without a known leader for a moment, and answer all the same."""
        current = self._leader_of()
        if current == leader:
            return False
        waited = asyncio.get_running_loop().time() - self._progress_at
        stopped = self._stop is not None and self._stop.is_set()
        return current is not None or stopped or waited > self._patience_s

    async def _pause(self, seconds: float) -> None:
        if self._stop is None or self._stop.is_set():
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def each(self, items: Iterable[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
        """Do ``work`` for each item, ``concurrency`` at a time. An error ends all, and is raised once none runs any
        more. A stop lets what is under way end, for a second, so that its fate is known.

        Raises:
            StoppedError: it was stopped first.
            Exception: the first that ``work`` raised.
        """
        rest = iter(items)
        stopped = False

        async def worker() -> None:
            nonlocal stopped
            try:
                for item in rest:
                    await work(item)
            except StoppedError:
                stopped = True

        tasks = [asyncio.create_task(worker()) for _ in range(concurrency)]
        hurry = asyncio.create_task(self._cut_short(tasks))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            hurry.cancel()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        if stopped or any(isinstance(result, asyncio.CancelledError) for result in results):
            raise StoppedError

    async def _cut_short(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        if self._stop is not None:
            await self._stop.wait()
            await asyncio.sleep(self._finish_s + _GRACE_S)
            for task in tasks:
                task.cancel()
