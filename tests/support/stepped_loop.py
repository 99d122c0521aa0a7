"""An event loop whose time is a value: it moves when nothing is left to do, and then at once to the next timer.

What runs on it may take as long as it likes: on a busy machine, too, a timer rings at its very moment. Only for servers
and clients on the same loop: what another process does takes no time here.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SETTLE_S = 0.02
"""Real seconds without an event after which nothing is under way any more between two sockets of this loop."""


class _Selector(selectors.DefaultSelector):
    """Never waits for a timer, but says by how much the time has to move for it."""

    move: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(SETTLE_S)
        if not ready:
            self.move(timeout)
        return ready


class SteppedLoop(asyncio.SelectorEventLoop):
    """`time` begins at 1,000 s."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        selector = _Selector()
        selector.move = self._move
        super().__init__(selector)

    def time(self) -> float:
        """Seconds, which only waiting moves."""
        return self._seconds

    def _move(self, seconds: float) -> None:
        self._seconds += seconds


def run_stepped(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on such a loop."""
    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        return runner.run(main)
