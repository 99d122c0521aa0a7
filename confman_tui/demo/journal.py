"""The Raft log of one node on disk, and beside it its term, its vote and its commit index.

PySyncObj's own journal is replaced for two reasons, both found by reading it (0.3.17). After a snapshot it empties the
file and writes the remaining entries again, so a SIGKILL in between loses them; and at a start with a snapshot newer
than the journal's beginning (killed between the two) it throws the whole journal away, acknowledged entries included.
Here entries are only ever appended, cut off at the end, or carried over to a new file that replaces the old one in one
rename.

Everything is with the kernel before any message about it is sent: that survives SIGKILL of all nodes at once.
It is not synced to the disk, so it doesn't claim to survive a loss of power.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import overload

from pysyncobj.journal import Journal

RaftEntry = tuple[bytes, int, int]
"""Command, index, term: the shape that PySyncObj passes around."""

_MAGIC = b"confman-demo-journal-1\n"
_RECORD = struct.Struct("<IIQQ")
"""Length of the command, CRC of what follows, index, term."""
_INDEX_TERM = struct.Struct("<QQ")
_PART_BYTES = 1024 * 1024
"""The entries that are kept go to a new file in parts of this size."""


class NodeJournal(Journal):  # type: ignore[misc]  # the library has no types
    """PySyncObj's journal interface on an append-only file.

    A record that was cut short by a kill is dropped when the file is opened: nobody had an answer about it.
    Raises OSError when the disk takes no more; the node must then end, because it can't keep its promises.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal"
        self._meta_path = folder / "meta.json"
        self._entries: list[RaftEntry] = []
        self._ends: list[int] = []
        """Where each entry's record ends in the file."""
        self.on_largest: Callable[[int], None] = lambda _bytes: None
        """Called with the size of the largest command in it, before one that is larger than all is there to be sent."""
        self._largest = 0
        self._meta: dict[str, int | str | None] = {"term": 0, "vote": None, "commit": 1}
        self._meta_saved = True
        if self._meta_path.exists():
            self._meta.update(json.loads(self._meta_path.read_bytes()))
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._load()

    def _load(self) -> None:
        data = self._path.read_bytes()
        if not data.startswith(_MAGIC):
            # Empty, or killed while the first bytes were written: there is no entry to lose.
            os.ftruncate(self._fd, 0)
            self._write(_MAGIC)
            return
        offset = len(_MAGIC)
        while offset + _RECORD.size <= len(data):
            size, crc, index, term = _RECORD.unpack_from(data, offset)
            end = offset + _RECORD.size + size
            command = data[offset + _RECORD.size : end]
            if end > len(data) or zlib.crc32(command, zlib.crc32(_INDEX_TERM.pack(index, term))) != crc:
                break
            self._entries.append((command, index, term))
            self._ends.append(end)
            self._largest = max(self._largest, size)
            offset = end
        if offset != len(data):
            os.ftruncate(self._fd, offset)

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    # -- entries

    @staticmethod
    def _record(entry: RaftEntry) -> bytes:
        command, index, term = entry
        crc = zlib.crc32(command, zlib.crc32(_INDEX_TERM.pack(index, term)))
        return _RECORD.pack(len(command), crc, index, term) + command

    def add(self, command: bytes, idx: int, term: int) -> None:
        """Append one entry."""
        entry = (command, idx, term)
        record = self._record(entry)
        self._write(record)
        self._ends.append((self._ends[-1] if self._ends else len(_MAGIC)) + len(record))
        if len(command) > self._largest:
            self._note_largest(len(command))
        self._entries.append(entry)

    @property
    def size(self) -> int:
        """Bytes of all records."""
        return self._ends[-1] if self._ends else len(_MAGIC)

    @property
    def largest(self) -> int:
        """Bytes of the largest command, of those that are there or were until the journal was last shortened."""
        return self._largest

    def _note_largest(self, size: int) -> None:
        self._largest = size
        self.on_largest(size)

    def clear(self) -> None:
        """Drop every entry (before those of a snapshot from the leader are added)."""
        os.ftruncate(self._fd, len(_MAGIC))
        self._entries.clear()
        self._ends.clear()

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        """Drop the entries at and after this position: they are in conflict with the leader's."""
        if entryFrom >= len(self._entries):
            return
        os.ftruncate(self._fd, self._ends[entryFrom - 1] if entryFrom else len(_MAGIC))
        del self._entries[entryFrom:]
        del self._ends[entryFrom:]

    def deleteEntriesTo(self, entryTo: int) -> None:
        """Drop the entries before this position: a snapshot holds what they did."""
        if entryTo <= 0:
            return
        kept = self._entries[entryTo:]
        fresh = self._path.with_suffix(".new")
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        old, self._fd = self._fd, fd
        self._write(_MAGIC)
        ends, part, size = [], bytearray(), len(_MAGIC)
        for entry in kept:
            part += self._record(entry)
            ends.append(size + len(part))
            if len(part) >= _PART_BYTES:
                self._write(part)
                size, part = size + len(part), bytearray()
        self._write(part)
        fresh.replace(self._path)
        os.close(old)
        self._entries, self._ends = kept, ends
        self._note_largest(max((len(command) for command, _, _ in kept), default=0))

    @overload
    def __getitem__(self, item: int) -> RaftEntry: ...
    @overload
    def __getitem__(self, item: slice) -> list[RaftEntry]: ...
    def __getitem__(self, item: int | slice) -> RaftEntry | list[RaftEntry]:
        return self._entries[item]

    def __len__(self) -> int:
        return len(self._entries)

    def _destroy(self) -> None:
        self.onOneSecondTimer()
        os.close(self._fd)

    # -- term, vote, commit index

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:
        """Stored before it returns: a vote must not be forgotten once it was sent (Raft, section 5.2)."""
        self._meta["term"] = term
        self._meta["vote"] = votedForNodeId
        self._save_meta()

    def getCurrentTerm(self) -> int:
        return int(self._meta["term"] or 0)

    def getVotedForNodeId(self) -> str | None:
        vote = self._meta["vote"]
        return None if vote is None else str(vote)

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        if self._meta["commit"] != raftCommitIndex:
            self._meta["commit"] = raftCommitIndex
            self._meta_saved = False

    def getRaftCommitIndex(self) -> int:
        """The last stored commit index, never beyond the log: what isn't in the log must not count as committed."""
        last = self._entries[-1][1] if self._entries else 1
        return max(1, min(int(self._meta["commit"] or 1), last))

    def onOneSecondTimer(self) -> None:
        """The commit index may lag on disk: the leader sends it again."""
        if not self._meta_saved:
            self._save_meta()

    def _save_meta(self) -> None:
        fresh = self._meta_path.with_suffix(".new")
        fresh.write_text(json.dumps(self._meta))
        fresh.replace(self._meta_path)
        self._meta_saved = True
