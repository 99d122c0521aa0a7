"""Waiting for a condition. Deadlines only end a test that would hang: no test is about how soon they are met."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 90.0
"""Generous for a machine that is busy with other things."""


def wait_for(
    condition: Callable[[], T | None], what: str | Callable[[], str] = "the condition", deadline_s: float = DEADLINE_S
) -> T:
    """Wait until the condition gives something true, and give that; AssertionError with ``what`` after the deadline."""
    end, pause = time.monotonic() + deadline_s, 0.005
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline_s} s: {what() if callable(what) else what}"
        # ever less often: what is waited for needs the processor, too
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)


async def until(condition: Callable[[], object], what: str = "the condition", deadline_s: float = DEADLINE_S) -> None:
    """The same on an event loop, which goes on meanwhile."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.01)
