"""How late the screen's own loop runs: a busy screen would disturb the load and belie the latencies.

The pauses that a drawing makes for the load's sake (`confman_tui.tui.yield_cpu`) are left out: they disturb nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque

from confman_tui.tui.yield_cpu import paused_s


class LagMeter:
    """Asks the loop for a wake-up every 200 ms and keeps how late each came, for one second."""

    INTERVAL_S = 0.2

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=5)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self.INTERVAL_S
        self._handle = loop.call_at(due, self._fire, due, paused_s())

    def _fire(self, due: float, paused_before: float) -> None:
        loop = asyncio.get_running_loop()
        now, paused = loop.time(), paused_s()
        self._late.append(max(0.0, now - due - (paused - paused_before)))
        following = now + self.INTERVAL_S
        self._handle = loop.call_at(following, self._fire, following, paused)

    def stop(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()

    def worst(self) -> float:
        """The worst of the last second, in seconds."""
        return max(self._late, default=0.0)
