"""The one clock of the program."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Gives now, in seconds since the epoch. Injected wherever time matters, so that a test's time is a value."""


def steady_clock() -> Clock:
    """A clock that reads as seconds since the epoch but never steps.

    One reading of the wall clock anchors the monotonic clock, so differences between two readings are exact even
    when the machine's wall clock is set meanwhile.
    """
    anchor = time.time() - time.monotonic()
    monotonic = time.monotonic
    return lambda: anchor + monotonic()


now: Clock = steady_clock()
"""The program's clock: every room stamps with this one, so that all stamps of a run can be compared."""
