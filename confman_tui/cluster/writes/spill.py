"""Booked writes that wait on the disk, in a temporary file, until the verification reads them once."""

from __future__ import annotations

import os
import tempfile
import weakref
from threading import Lock


class Spilled:
    """A block that lies in the file."""

    __slots__ = ("_file", "_length", "_offset")

    def __init__(self, file: SpillFile, offset: int, length: int) -> None:
        self._file = file
        self._offset = offset
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        """The block, read anew each time. Raises OSError."""
        return self._file.read(self._offset, self._length)


class SpillFile:
    """Blocks one behind the other in a temporary file without a name, which goes with its last holder or with the
    process, however that ends. Thread-safe."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._end = 0
        self._lock = Lock()

    def put(self, block: bytes | bytearray) -> Spilled:
        """Move a block to the file. Raises OSError when it can't be written whole; nothing is lost then."""
        with self._lock:
            if self._descriptor is None:
                with tempfile.TemporaryFile() as file:
                    self._descriptor = os.dup(file.fileno())
                weakref.finalize(self, os.close, self._descriptor)
            offset, written = self._end, 0
            view = memoryview(block)
            try:
                while written < len(block):
                    written += os.pwrite(self._descriptor, view[written:], offset + written)
            finally:
                view.release()
            self._end = offset + written
        return Spilled(self, offset, written)

    def read(self, offset: int, length: int) -> bytes:
        """A block's bytes."""
        assert self._descriptor is not None
        data = os.pread(self._descriptor, length, offset)
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes are left of a temporary file")
        return data
