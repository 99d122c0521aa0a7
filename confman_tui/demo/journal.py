"""The Raft log of one node on disk, and beside it its term, its vote and its commit index.

PySyncObj's own journal is replaced for two reasons, both found by reading it (0.3.17). After a snapshot it empties the
file and writes the remaining entries again, so a SIGKILL in between loses them; and at a start with a snapshot newer
than the journal's beginning (killed between the two) it throws the whole journal away, acknowledged entries included.
Here entries are only ever appended, cut off at the end, or carried over to a new file that replaces the old one in one
rename.

Everything is with the kernel before any message about it is sent: that survives SIGKILL of all nodes at once. With
``fsync`` it is on the disk before (`sync` is called), term and vote too, which survives a loss of power as well.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import overload

from pysyncobj.journal import Journal

from confman_tui.demo import disk, journal_file, meta
from confman_tui.demo.journal_file import HEAD_BYTES, Mark, record
from confman_tui.demo.journal_file import RaftEntry as RaftEntry

log = logging.getLogger(__name__)

JOURNAL, META = "journal", "meta.json"
_PART_BYTES = 1024 * 1024
"""The entries that are kept go to a new file in parts of this size."""


class NodeJournal(Journal):  # type: ignore[misc]  # the library has no types
    """PySyncObj's journal interface on an append-only file.

    Raises DamagedError when what stands there is not whole (see `journal_file`), and OSError when the disk takes no
    more; the node must then end, because it can't keep its promises.
    """

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._path = folder / JOURNAL
        self._meta_path = folder / META
        self._fsync = fsync
        self.on_largest: Callable[[int], None] = lambda _bytes: None
        """Called with the size of the largest command in it, before one that is larger than all is there to be sent."""
        self._meta = meta.load(self._meta_path)
        self._meta_saved = True
        if not self._path.exists() and not self._path.is_symlink():
            self._make()
        self._fd = disk.open_plain(self._path, os.O_RDWR | os.O_APPEND)
        contents = journal_file.read(disk.read_plain(self._path), self._path)
        self._entries = contents.entries
        self._ends = contents.ends
        """Where each entry's record ends in the file."""
        self._largest = max((len(command) for command, _, _ in self._entries), default=0)
        if contents.cut:
            log.warning("%s: cut off %s", self._path.absolute(), contents.cut)
            os.ftruncate(self._fd, self.size)
        self._mark = Mark(self._path, self._fd)
        self._unsynced = fsync
        """There may be entries that are not on the disk yet."""
        self.sync()
        self._mark.set(self.size)

    def _make(self) -> None:
        """A new file, whole from the beginning."""
        fresh = self._path.with_suffix(".new")
        fd = disk.create(fresh)
        try:
            disk.write_all(fd, journal_file.new_head())
            if self._fsync:
                disk.sync_file(fd)
        finally:
            os.close(fd)
        self._replace_with(fresh)

    def _replace_with(self, fresh: Path) -> None:
        fresh.replace(self._path)
        if self._fsync:
            disk.sync_folder(self._path.parent)

    # -- entries

    def add(self, command: bytes, idx: int, term: int) -> None:
        """Append one entry."""
        entry = (command, idx, term)
        data = record(entry)
        disk.write_all(self._fd, data)
        end = (self._ends[-1] if self._ends else HEAD_BYTES) + len(data)
        self._ends.append(end)
        if self._fsync:
            self._unsynced = True
        else:
            self._mark.set(end)
        if len(command) > self._largest:
            self._note_largest(len(command))
        self._entries.append(entry)

    def sync(self) -> None:
        """With ``fsync``: wait until all entries are on the disk. To be called before anybody is told of one."""
        if self._unsynced:
            disk.sync_file(self._fd)
            self._unsynced = False
            self._mark.set(self.size)

    @property
    def unsynced(self) -> bool:
        """Whether `sync` has something to do."""
        return self._unsynced

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._ends[-1] if self._ends else HEAD_BYTES

    @property
    def largest(self) -> int:
        """Bytes of the largest command, of those that are there or were until the journal was last shortened."""
        return self._largest

    def _note_largest(self, size: int) -> None:
        self._largest = size
        self.on_largest(size)

    def clear(self) -> None:
        """Drop every entry (before those of a snapshot from the leader are added)."""
        self._cut_to(HEAD_BYTES, 1)
        self._entries.clear()
        self._ends.clear()

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        """Drop the entries at and after this position: they are in conflict with the leader's."""
        if entryFrom >= len(self._entries):
            return
        first = self._entries[0][1]
        self._cut_to(self._ends[entryFrom - 1] if entryFrom else HEAD_BYTES, max(1, first + entryFrom - 1))
        del self._entries[entryFrom:]
        del self._ends[entryFrom:]

    def _cut_to(self, end: int, last_index: int) -> None:
        """Cut the file off behind this byte. What is stored elsewhere must never speak of more than the file has: a
        shorter one counts as damaged."""
        if self._meta.commit > last_index:
            self._meta.commit = last_index
            self._save_meta()
        self.sync()
        self._mark.set(end)
        if self._fsync:
            disk.sync_file(self._fd)
        os.ftruncate(self._fd, end)
        self._unsynced = self._fsync

    def deleteEntriesTo(self, entryTo: int) -> None:
        """Drop the entries before this position: a snapshot holds what they did."""
        if entryTo <= 0:
            return
        kept = self._entries[entryTo:]
        fresh = self._path.with_suffix(".new")
        fd = disk.create(fresh, os.O_APPEND)
        disk.write_all(fd, journal_file.new_head())
        ends, part, size = [], bytearray(), HEAD_BYTES
        for entry in kept:
            part += record(entry)
            ends.append(size + len(part))
            if len(part) >= _PART_BYTES:
                disk.write_all(fd, part)
                size, part = size + len(part), bytearray()
        disk.write_all(fd, part)
        mark = Mark(fresh, fd)
        if self._fsync:
            disk.sync_file(fd)
        mark.set(ends[-1] if ends else HEAD_BYTES)
        self._replace_with(fresh)
        self._close_file()
        self._fd, self._mark, self._unsynced = fd, mark, False
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
        self.sync()
        self._close_file()

    def _close_file(self) -> None:
        self._mark.close()
        os.close(self._fd)

    # -- term, vote, commit index

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:
        """Stored before it returns: a vote must not be forgotten once it was sent (Raft, section 5.2)."""
        self._meta.term = term
        self._meta.vote = votedForNodeId
        self._save_meta()

    def getCurrentTerm(self) -> int:
        return self._meta.term

    def getVotedForNodeId(self) -> str | None:
        return self._meta.vote

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        if self._meta.commit != raftCommitIndex:
            self._meta.commit = raftCommitIndex
            self._meta_saved = False

    @property
    def stored_commit(self) -> int:
        """The commit index as it is stored."""
        return self._meta.commit

    def getRaftCommitIndex(self) -> int:
        """The last stored commit index, never beyond the log: what isn't in the log must not count as committed."""
        last = self._entries[-1][1] if self._entries else 1
        return max(1, min(self._meta.commit, last))

    def onOneSecondTimer(self) -> None:
        """The commit index may lag on disk: the leader sends it again."""
        if not self._meta_saved:
            self._save_meta()

    def _save_meta(self) -> None:
        # It must not speak of an entry that a loss of power would take.
        self.sync()
        meta.save(self._meta_path, self._meta, fsync=self._fsync)
        self._meta_saved = True
