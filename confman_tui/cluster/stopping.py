"""Waiting for a node no longer than a person wants to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from confman_tui.cluster.leader_requests import StoppedError

_T = TypeVar("_T")

GRACE_S = 0.5
"""After a stop, what is under way may still end for so long: most answers come within it, and are not lost then."""
LETS_GO_WITHIN_S = 0.7
"""How long what was cancelled may take to close its connections, or to take back what it has written."""


async def unless_stopped(work: Awaitable[_T], stop: asyncio.Event, grace_s: float = GRACE_S) -> _T:
    """What the work gives; given up when a stop comes and it has not ended a moment later.

    Args:
        work: a coroutine, or a future, which is cancelled when it is given up.
        stop: asks for the stop.
        grace_s: how long the work may go on after it, in seconds.

    Raises:
        StoppedError: it was given up.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=grace_s)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=LETS_GO_WITHIN_S)
            raise StoppedError
        return task.result()
    finally:
        stopped.cancel()
        task.cancel()
