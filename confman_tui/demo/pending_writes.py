"""Writes that wait for their commit on this node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pysyncobj import FAIL_REASON

from confman_tui.demo.raft_model import WriteResult
from confman_tui.demo.reads import RPC_TIMEOUT_S

Done = Callable[[bool | None, int], None]
"""PySyncObj's callback: what the command gave, and a FAIL_REASON."""


class PendingWrites:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[WriteResult]] = set()

    async def result_of(self, replicate: Callable[[Done], None]) -> WriteResult:
        """Call ``replicate`` with a callback and wait for that, for `RPC_TIMEOUT_S` at most."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[WriteResult] = loop.create_future()
        self._futures.add(future)

        def done(found: bool | None, error: int) -> None:
            if not future.done():
                if error == FAIL_REASON.SUCCESS:
                    future.set_result(WriteResult.FOUND if found else WriteResult.MISSING)
                else:
                    future.set_result(WriteResult.UNKNOWN)

        replicate(done)
        timer = loop.call_later(RPC_TIMEOUT_S, done, None, FAIL_REASON.UNKNOWN_OUTCOME)
        try:
            return await future
        finally:
            timer.cancel()
            self._futures.discard(future)

    def give_up(self) -> None:
        """The node leads no more: what waits for it waits in vain."""
        for future in self._futures:
            if not future.done():
                future.set_result(WriteResult.UNKNOWN)
