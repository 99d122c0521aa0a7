"""How long the session's end waits for what may never come: as long as it gets on, and less for who asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from confman_tui.core.clock import Clock

STALLED_S = 10.0
"""A person who asked for the end waits no longer than this for a cleaning that does not get on: longer than an election
takes."""
HURRIED_S = 0.8
"""One who asks for it during the cleaning, no longer than this."""
LOOK_S = 0.1
"""How often it is looked whether the cleaning gets on."""


class Patience:
    """Belongs to the session's loop."""

    def __init__(self, clock: Clock) -> None:
        self.hurried = asyncio.Event()
        """A person asked for the end while it was on its way already."""
        self._clock = clock
        self._progressed_at = clock()
        self._hurried_at: float | None = None

    def progressed(self) -> None:
        """Something got on."""
        self._progressed_at = self._clock()

    def hurry(self) -> None:
        """Somebody waits for the end that is on its way."""
        self._hurried_at = self._clock()
        self.hurried.set()

    async def while_it_gets_on(self, work: Coroutine[Any, Any, object], within_s: float, *, asked: bool) -> str:
        """Do the work; give it up when it takes too long in all, or does not get on while somebody waits for the end.

        Args:
            work: what is to be done; it says so by `progressed` when it gets on.
            within_s: the most seconds in all.
            asked: whether a person asked for the end.

        Returns:
            Why it was given up, in words; empty when it is done. What the work raises is raised.
        """
        began = self._clock()
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_S))[0]:
                now = self._clock()
                if now - began >= within_s:
                    return f"not done within {within_s:g} s"
                still_since = max(began, self._progressed_at)
                if self._hurried_at is not None and now - max(still_since, self._hurried_at) >= HURRIED_S:
                    return "stopped"
                if asked and now - still_since >= STALLED_S:
                    return f"no answer for {STALLED_S:g} s"
            await task
            return ""
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=LOOK_S)
