"""The journal's file: how a record looks, and what to make of a file that does not end as it should.

The file begins with a head: its kind, and the mark, which is where the last whole record ends that anybody may have
been told of. The mark is moved when a record is whole, by a store into mapped memory, which survives SIGKILL as a write
does and costs no system call. So there is no guessing:

- What is damaged or missing before the mark is damage, and the node must not start: others count on these entries.
- What is no whole record after the mark is what a kill or a loss of power left of a record that nobody had an answer
  about, cut short, zeros or garbage alike: it is cut off. Only where whole records follow it (the mark itself may be
  old after a loss of power) it is damage.

A record is a head (tag, length, index, term, checksum of the command), the head's own checksum, and the command. With a
checksum of its own for the length a damaged length can't look like a record that was cut short.
"""

from __future__ import annotations

import binascii
import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from confman_tui.demo import commands, disk
from confman_tui.demo.disk import DamagedError

RaftEntry = tuple[bytes, int, int]
"""Command, index, term: the shape that PySyncObj passes around."""

MAGIC = b"confman-demo-journal-2\n\0"
_KIND = b"confman-demo-journal-"
"""What the files of all versions begin with."""
HEAD_BYTES = len(MAGIC) + 8
"""The kind and the mark."""

_TAG = b"\xc5REC"
"""Where a record may begin; found fast in what is damaged."""
_HEAD = struct.Struct("<4sIQQI")
_CHECK = struct.Struct("<I")
_RECORD_HEAD = _HEAD.size + _CHECK.size


def mark_of(end: int) -> int:
    """The mark for this end: 48 bits of offset and 16 of checksum, in one word, which no kill can halve."""
    return end << 16 | binascii.crc_hqx(end.to_bytes(6, "little"), 0xFFFF)


class Mark:
    """The mark of an open journal. Raises OSError where the file can't be written."""

    def __init__(self, path: Path, fd: int) -> None:
        self._words: memoryview | None = None
        self._fd = -1
        try:
            self._words = memoryview(mmap.mmap(fd, HEAD_BYTES)).cast("Q")
        except OSError:
            # Some network file systems map nothing. Not `fd`: what that one writes is appended.
            self._fd = disk.open_plain(path, os.O_WRONLY)

    def set(self, end: int) -> None:
        """All before this byte is whole."""
        if self._words is not None:
            self._words[len(MAGIC) // 8] = mark_of(end)
        else:
            os.pwrite(self._fd, struct.pack("=Q", mark_of(end)), len(MAGIC))

    def close(self) -> None:
        """Give it up; the file stays as it is."""
        if self._words is not None:
            self._words.release()
        else:
            os.close(self._fd)


def new_head() -> bytes:
    """The beginning of a journal without entries."""
    return MAGIC + struct.pack("=Q", mark_of(HEAD_BYTES))


def record(entry: RaftEntry) -> bytes:
    """One entry as it stands in the file."""
    command, index, term = entry
    head = _HEAD.pack(_TAG, len(command), index, term, zlib.crc32(command))
    return head + _CHECK.pack(zlib.crc32(head)) + command


class Contents(NamedTuple):
    """A journal that was read."""

    entries: list[RaftEntry]
    ends: list[int]
    """Where each entry's record ends in the file."""
    cut: str
    """What stands behind the last of them and must be cut off, in words; empty when nothing does."""


class _BadRecordError(Exception):
    """There is no whole record at this place; says why."""

    def __init__(self, why: str, *, short: bool) -> None:
        super().__init__(why)
        self.short = short
        """It is whole as far as the file goes."""


def read(data: bytes, path: Path) -> Contents:
    """Take a journal's file apart. Raises DamagedError."""
    mark = _mark(data, path)
    entries: list[RaftEntry] = []
    ends: list[int] = []
    at = HEAD_BYTES
    while at < len(data):
        try:
            entry, end = _record_at(data, at)
        except _BadRecordError as bad:
            _check_may_be_cut(data, path, at, mark, entries, bad)
            return Contents(entries, ends, _tail(data, at, bad))
        if entries and entry[1] != entries[-1][1] + 1:
            raise DamagedError(path, f"entry {entry[1]} follows entry {entries[-1][1]}", at)
        try:
            commands.check(entry[0])
        except ValueError as error:
            raise DamagedError(path, f"entry {entry[1]} can't be used: {error}", at) from None
        entries.append(entry)
        ends.append(end)
        at = end
    if at < mark:
        raise DamagedError(path, f"it ends there, {mark - at} bytes too soon, {_after(entries)}", at)
    return Contents(entries, ends, "")


def _mark(data: bytes, path: Path) -> int:
    if not data.startswith(MAGIC):
        if data.startswith(_KIND):
            raise DamagedError(path, "another version of this program wrote it, and this one does not read it", 0)
        raise DamagedError(path, "it does not begin as a journal of the demo cluster does", 0)
    if len(data) < HEAD_BYTES:
        raise DamagedError(path, "it ends within its head", len(data))
    (word,) = struct.unpack_from("=Q", data, len(MAGIC))
    mark: int = word >> 16
    if mark_of(mark) != word:
        raise DamagedError(path, "the mark of its end is not as it was written", len(MAGIC))
    return mark


def _record_at(data: bytes, at: int) -> tuple[RaftEntry, int]:
    if len(data) - at < _RECORD_HEAD:
        raise _BadRecordError("a record's head is cut short", short=True)
    if not _is_head(data, at):
        raise _BadRecordError("a record's head is not as it was written", short=False)
    _, size, index, term, crc = _HEAD.unpack_from(data, at)
    begin = at + _RECORD_HEAD
    end = begin + size
    if end > len(data):
        raise _BadRecordError(f"entry {index} is cut short", short=True)
    command = data[begin:end]
    if zlib.crc32(command) != crc:
        raise _BadRecordError(f"entry {index} is not as it was written", short=False)
    return (command, index, term), end


def _is_head(data: bytes, at: int) -> bool:
    if len(data) - at < _RECORD_HEAD:
        return False
    (check,) = _CHECK.unpack_from(data, at + _HEAD.size)
    return data.startswith(_TAG, at) and zlib.crc32(data[at : at + _HEAD.size]) == check


def _check_may_be_cut(
    data: bytes, path: Path, at: int, mark: int, entries: list[RaftEntry], bad: _BadRecordError
) -> None:
    """Raise DamagedError unless what begins at this byte is the rest of a record that nobody had an answer about."""
    if at < mark:
        raise DamagedError(path, f"{bad}, {_after(entries)}", at)
    if bad.short:
        return
    later = data.find(_TAG, at + 1)
    while later >= 0:
        if _is_head(data, later):
            raise DamagedError(path, f"{bad}, {_after(entries)}, and further records follow at byte {later}", at)
        later = data.find(_TAG, later + 1)


def _after(entries: list[RaftEntry]) -> str:
    return f"after entry {entries[-1][1]}" if entries else "before its first entry"


def _tail(data: bytes, at: int, bad: _BadRecordError) -> str:
    rest = data[at:]
    what = "all zero" if not rest.strip(b"\0") else str(bad)
    return f"the last {len(rest)} bytes, from byte {at} on: {what}"
