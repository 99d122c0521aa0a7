"""A snapshot's file: a head and the entries in slices, each with its length and a checksum that goes on from one to the
next, so that no part can be damaged, missing or of another file without being seen. All of it is MessagePack of known
shapes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec

from confman_tui.demo import commands, disk
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.journal_file import RaftEntry

MAGIC = b"confman-demo-snapshot-2\n"
_KIND = b"confman-demo-snapshot-"
"""What the files of all versions begin with."""
_FRAME = struct.Struct("<II")
"""Length of what follows, and the checksum up to its end."""

NamespaceRow = tuple[str, str | None, str, str]
"""Path, description, owner, time."""
EntryRow = tuple[str, str, str, str, int, str, str]
"""Namespace and key, then the fields of `store.Entry`."""


class Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What stands first in a snapshot."""

    last: RaftEntry
    previous: RaftEntry
    """The last two log entries in it."""
    namespaces: list[NamespaceRow]
    rows: Annotated[int, msgspec.Meta(ge=0)]
    """How many entries of the store follow."""


_head = msgspec.msgpack.Decoder(Head).decode
_slice = msgspec.msgpack.Decoder(list[EntryRow]).decode


class Writer:
    """Writes a snapshot into an open file. Raises OSError."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._crc = zlib.crc32(MAGIC)
        file.write(MAGIC)
        self._write(head)

    def rows(self, rows: Sequence[Any]) -> None:
        """The next entries."""
        self._write(rows)

    def _write(self, data: Any) -> None:
        payload = commands.encoded(data)
        size = len(payload).to_bytes(4, "little")
        self._crc = zlib.crc32(payload, zlib.crc32(size, self._crc))
        self._file.write(_FRAME.pack(len(payload), self._crc))
        self._file.write(payload)


class Reader:
    """Reads a snapshot from the beginning to the end, once. Raises DamagedError, and OSError when it can't be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.fdopen(disk.open_plain(path, os.O_RDONLY), "rb")
        try:
            self._left = os.fstat(self._file.fileno()).st_size
            self._crc = zlib.crc32(MAGIC)
            self._at = 0
            begin = self._take(len(MAGIC))
            if begin != MAGIC:
                other = begin.startswith(_KIND)
                raise DamagedError(
                    path, "another version of this program wrote it" if other else "it is no snapshot", 0
                )
            self.head: Head = self._next(_head)
            for command, index, _ in (self.head.previous, self.head.last):
                self._check(command, index)
        except BaseException:
            self._file.close()
            raise

    def _check(self, command: bytes, index: int) -> None:
        try:
            commands.check(command)
        except ValueError as error:
            raise DamagedError(self._path, f"entry {index} can't be used: {error}", len(MAGIC)) from None

    def entries(self) -> Iterator[EntryRow]:
        """All rows; closes the file."""
        with self._file:
            missing = self.head.rows
            while missing:
                rows: list[EntryRow] = self._next(_slice)
                missing -= len(rows)
                if missing < 0 or not rows:
                    raise DamagedError(
                        self._path, f"it holds other entries than the {self.head.rows} of its head", self._at
                    )
                yield from rows
            if self._left:
                raise DamagedError(self._path, f"{self._left} bytes stand behind its end", self._at)

    def _next(self, decode: Any) -> Any:
        begin = self._at
        size, crc = _FRAME.unpack(self._take(_FRAME.size))
        payload = self._take(size)
        self._crc = zlib.crc32(payload, zlib.crc32(size.to_bytes(4, "little"), self._crc))
        if self._crc != crc:
            raise DamagedError(self._path, "what stands there is not as it was written", begin)
        try:
            return decode(payload)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise DamagedError(self._path, f"what stands there is no part of a snapshot ({error})", begin) from None

    def _take(self, size: int) -> bytes:
        if size > self._left:
            raise DamagedError(self._path, f"it ends {size - self._left} bytes too soon", self._at + self._left)
        data = self._file.read(size)
        if len(data) != size:
            raise DamagedError(self._path, "it became shorter while it was read", self._at + len(data))
        self._left -= size
        self._at += size
        return data
