"""A timer of the hub that is late by microseconds.

gevent's own timers wait in ``epoll_wait``, which counts whole milliseconds: half a millisecond late in the middle,
which a schedule of requests would add to each latency. A timerfd (Linux) is a file that becomes readable at a given
nanosecond, 40 µs late in the middle.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from typing import Any, Protocol

_CLOCK_MONOTONIC = 1
_READ = 1


class HubTimer(Protocol):
    """Calls its function once per `set`, in the hub itself: the function must not block."""

    def set(self, seconds: float) -> None:
        """Call in this many seconds; 0 or less is as soon as possible. An earlier setting is forgotten."""

    def close(self) -> None:
        """Never call again."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Interval(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (("every", _Timespec), ("first", _Timespec))


class TimerFile:
    """A `HubTimer` on a timerfd. OSError or AttributeError where there is none."""

    def __init__(self, loop: Any, call: Callable[[], None]) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._settime = library.timerfd_settime
        self._file = library.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._interval = _Interval()
        self._pointer = ctypes.byref(self._interval)
        self._call = call
        self._watcher = loop.io(self._file, _READ)
        self._watcher.start(self._on_time)

    def set(self, seconds: float) -> None:
        """See `HubTimer.set`."""
        # no time at all would switch it off
        whole, parts = divmod(max(1, int(seconds * 1e9)), 1_000_000_000)
        first = self._interval.first
        first.seconds = whole
        first.nanoseconds = parts
        self._settime(self._file, 0, self._pointer, None)

    def _on_time(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:
            return  # set anew since it became readable
        self._call()

    def close(self) -> None:
        """See `HubTimer.close`."""
        if self._file < 0:
            return
        self._watcher.stop()
        self._watcher.close()
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file = -1


class LoopTimer:
    """A `HubTimer` on a timer of gevent's, for systems without timerfd."""

    def __init__(self, loop: Any, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._timer: Any = None

    def set(self, seconds: float) -> None:
        """See `HubTimer.set`."""
        self.close()
        self._timer = self._loop.timer(max(0.0, seconds))
        self._timer.start(self._call, update=True)

    def close(self) -> None:
        """See `HubTimer.close`."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


def make_timer(loop: Any, call: Callable[[], None]) -> HubTimer:
    """The most exact timer that this system has, on gevent's event loop ``loop``."""
    try:
        return TimerFile(loop, call)
    except (OSError, AttributeError):
        return LoopTimer(loop, call)
