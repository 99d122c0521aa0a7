"""One number that two processes share: the one writes it, the other reads it, neither waits."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import weakref
from struct import Struct

_NUMBER = Struct("d")
"""Eight aligned bytes: the processors that Python runs on store and load them whole."""


class SharedStamp:
    """A time in seconds, 0 until it is set.

    The file behind it has no name and goes with its last process. In each process it stays open as long as somebody
    holds the stamp: a thread that still sets it when others have left must not fail.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """``descriptor`` is another process's `descriptor`, inherited; without one a new number is made."""
        self.descriptor = _anonymous_file() if descriptor is None else descriptor
        """To be inherited by a child process."""
        weakref.finalize(self, os.close, self.descriptor)
        self._map = mmap.mmap(self.descriptor, mmap.PAGESIZE)
        self._write = _NUMBER.pack_into
        self._read = _NUMBER.unpack_from

    def set(self, at: float) -> None:
        """Make it this number."""
        self._write(self._map, 0, at)

    def get(self) -> float:
        """The number as it is now."""
        number: float = self._read(self._map, 0)[0]
        return number


def _anonymous_file() -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("confman-tui-stamp")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, mmap.PAGESIZE)
    return descriptor
