"""Free memory goes back to the system.

glibc keeps what was freed below the end of its heap, so a node with large values stayed as large as it had ever been.
Having it map large blocks one by one (``M_MMAP_THRESHOLD``) would give them back at once, and made writes of 1 MB cost
twice the processor time; trimming the heap now and then costs next to nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

TRIM_AFTER_BYTES = 32 * 1024 * 1024
"""The heap is trimmed when what a node holds has grown and shrunk by so much in all since it was last trimmed …"""
TRIM_EVERY_S = 3.0
"""… and no more often than this."""


def _glibc_trim() -> None:
    """Give the heap's free pages back; does nothing where the C library is another than glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class HeapTrimmer:
    """Told again and again how much a node holds; trims the heap when that has changed enough."""

    def __init__(self, trim: Callable[[], None] = _glibc_trim) -> None:
        self._trim = trim
        self._held = 0
        self._changed = 0
        self._next = float("-inf")

    def tick(self, held: int, now: float) -> None:
        """``held``: bytes of the values and of the journal now; ``now`` in seconds of any clock that goes on."""
        self._changed += abs(held - self._held)
        self._held = held
        if self._changed >= TRIM_AFTER_BYTES and now >= self._next:
            self._changed, self._next = 0, now + TRIM_EVERY_S
            self._trim()
