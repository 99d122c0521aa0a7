"""Many requests to the leader, a bounded number at a time, through elections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from confman_tui.cluster.client import RETRYABLE
from confman_tui.errors import ClusterError

T = TypeVar("T")

LeaderOf = Callable[[], str | None]
"""Gives the node that leads now, or None."""
Progress = Callable[[int, int], None]
"""Is told how many of how many pieces of work are done."""

PATIENCE_S = 30.0
"""Seconds without any progress after which the cluster is given up."""
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5


class StoppedError(Exception):
    """The person asked to stop."""


class Pace:
    """Repeats requests until the leader takes them; all those of one piece of work share its patience."""

    def __init__(
        self, leader_of: LeaderOf, stop: asyncio.Event | None = None, *, patience_s: float = PATIENCE_S
    ) -> None:
        """
        Args:
            leader_of: asked before each try, so that work follows the leader.
            stop: ends the work, with `StoppedError`, before its next try.
            patience_s: see `PATIENCE_S`.
        """
        self._leader_of = leader_of
        self._stop = stop
        self._patience_s = patience_s
        self._progress_at = asyncio.get_running_loop().time()

    async def do(self, action: Callable[[str], Awaitable[T]]) -> T:
        """Do it on the leader, again after whatever goes away with an election.

        Raises:
            StoppedError: it was stopped first.
            ClusterError: no progress within the patience, or an error that another try does not mend.
        """
        loop = asyncio.get_running_loop()
        pause, why = _FIRST_PAUSE_S, "no leader is known"
        while True:
            if self._stop is not None and self._stop.is_set():
                raise StoppedError
            leader = self._leader_of()
            if leader is not None:
                try:
                    result = await action(leader)
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

    async def _pause(self, seconds: float) -> None:
        if self._stop is None:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def each(self, items: Iterable[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
        """Do ``work`` for each item, ``concurrency`` at a time. The first error ends all, and is raised once none runs
        any more."""
        rest = iter(items)

        async def worker() -> None:
            for item in rest:
                await work(item)

        tasks = [asyncio.create_task(worker()) for _ in range(concurrency)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            # An error of the cluster says more than that the others were stopped.
            raise next((error for error in errors if not isinstance(error, StoppedError)), errors[0])
