"""How late the screen's own loop runs: a busy screen would disturb the load and belie the latencies."""

from __future__ import annotations

import asyncio
from collections import deque


class LagMeter:
    """Asks the loop for a wake-up every 200 ms and keeps how late each came, for one second."""

    INTERVAL_S = 0.2

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=5)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        loop = asyncio.get_running_loop()
        self._handle = loop.call_at(loop.time() + self.INTERVAL_S, self._fire, loop.time() + self.INTERVAL_S)

    def _fire(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._late.append(max(0.0, now - due))
        following = now + self.INTERVAL_S
        self._handle = loop.call_at(following, self._fire, following)

    def stop(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()

    def worst(self) -> float:
        """The worst of the last second, in seconds."""
        return max(self._late, default=0.0)
