"""A few times that two processes share: the one writes them, the other reads them, neither waits."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import weakref
from struct import Struct

_NUMBER = Struct("d")
"""Eight aligned bytes: the processors that Python runs on store and load them whole."""


class SharedWriteTimes:
    """Times of the load's writes in seconds, each 0 until it is set.

    The file behind it has no name and goes with its last process. In each process it stays open as long as somebody
    holds this: a thread that still sets a time when others have left must not fail.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """``descriptor`` is another process's `descriptor`, inherited; without one new times are made."""
        self.descriptor = _anonymous_file() if descriptor is None else descriptor
        """To be inherited by a child process."""
        weakref.finalize(self, os.close, self.descriptor)
        self._map = mmap.mmap(self.descriptor, mmap.PAGESIZE)
        self._write = _NUMBER.pack_into
        self._read = _NUMBER.unpack_from

    def set_started(self, at: float) -> None:
        """A write was started then."""
        self._write(self._map, 0, at)

    def set_acknowledged(self, at: float, started: float) -> None:
        """A write that was started at ``started`` was acknowledged at ``at``."""
        self._write(self._map, _NUMBER.size, at)
        self._write(self._map, 2 * _NUMBER.size, started)

    @property
    def started(self) -> float:
        """When a write was started last."""
        return self._get(0)

    @property
    def acknowledged(self) -> float:
        """When a write was acknowledged last."""
        return self._get(1)

    @property
    def acknowledged_start(self) -> float:
        """When that write had been started."""
        return self._get(2)

    def _get(self, place: int) -> float:
        number: float = self._read(self._map, place * _NUMBER.size)[0]
        return number


def _anonymous_file() -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("confman-tui-stamp")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, mmap.PAGESIZE)
    return descriptor
