"""A node's snapshot: the state as of one log entry, so that the log before it can be dropped.

Takes the place of PySyncObj's `Serializer`, which packs everything with gzip in a forked process: a core's work for a
third of a second on each node with 10,000 entries of 1 KB, which a benchmark would measure as the cluster's. Here the
event loop writes a slice at a time between requests, so that no pause is longer than a few milliseconds.

A snapshot takes effect only when all of it was read and found whole (`snapshot_file`): at the start, and before one
that came from the leader replaces the node's own. PySyncObj would go on with an empty store where one can't be loaded.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pysyncobj.config import SERIALIZER_STATE

from confman_tui.demo import disk
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.journal_file import RaftEntry
from confman_tui.demo.snapshot_file import Head, Reader, Writer
from confman_tui.demo.store import Entry, Store

log = logging.getLogger(__name__)

SLICE_ROWS = 200
SLICE_CHARACTERS = 512 * 1024
"""A slice has no more rows, nor more of their values but for its last one: it takes a few milliseconds at most."""
SLICE_PAUSE_S = 0.004
PART_BYTES = 1024 * 1024
"""A snapshot goes to another node in parts of this size."""
RETRY_S = 10.0
"""After a snapshot could not be written: the journal just grows meanwhile."""

Part = tuple[bytes, int, bool]
"""Bytes of a snapshot file, their offset in it, and whether the file ends before them (they are none, then)."""


class _Writing(NamedTuple):
    file: BinaryIO
    writer: Writer
    slices: Iterator[list[tuple[Any, ...]]]


class LastEntries(NamedTuple):
    """The last two log entries in a snapshot."""

    previous: RaftEntry
    last: RaftEntry


class Snapshots:
    """Writes, reads, sends and takes snapshots, in the shapes in which PySyncObj calls its `Serializer`."""

    def __init__(self, store: Store, file: Path, *, fsync: bool = False) -> None:
        self._store = store
        self._file = file
        self._fsync = fsync
        self._fresh = file.with_suffix(".new")
        self._incoming_file = file.with_suffix(".incoming")
        self._writing: _Writing | None = None
        self._state: int = SERIALIZER_STATE.NOT_SERIALIZING
        self._entry_id: int | None = None
        self._retry_at = 0.0
        self._outgoing: dict[Hashable, BinaryIO] = {}
        self._incoming: BinaryIO | None = None
        self._loaded: LastEntries | None = None
        """The store holds the file's state already: what `deserialize` has to say of it."""
        self.refused = ""
        """Why the last snapshot that the leader sent could not be taken; empty when it could. The store lacks then what
        the log no longer has, so nobody must take it for whole."""

    # -- writing

    def checkSerializing(self) -> tuple[int, int | None]:
        """How the writing goes; a result is given once."""
        state = self._state
        if state in (SERIALIZER_STATE.SUCCESS, SERIALIZER_STATE.FAILED):
            self._state = SERIALIZER_STATE.NOT_SERIALIZING
            for file in self._outgoing.values():
                file.close()
            self._outgoing.clear()
        return state, self._entry_id

    def serialize(self, data: tuple[Any, RaftEntry, RaftEntry, Any], id: int) -> None:
        """Begin to write the state as it is now; `data` holds the last two entries in it."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            return
        self._entry_id = id
        _, last, previous, _ = data
        namespaces, entries = self._store.rows()
        try:
            file = os.fdopen(disk.create(self._fresh), "wb")
            writer = Writer(file, Head(last, previous, namespaces, len(entries)))
        except OSError as error:
            self._failed(error)
            return
        self._writing = _Writing(file, writer, _slices(entries))
        self._state = SERIALIZER_STATE.SERIALIZING
        loop.call_later(SLICE_PAUSE_S, self._write_slice, self._writing)

    def _write_slice(self, writing: _Writing) -> None:
        if writing is not self._writing:
            return
        loop = asyncio.get_running_loop()
        try:
            rows = next(writing.slices, None)
            if rows is not None:
                writing.writer.rows(rows)
                loop.call_later(SLICE_PAUSE_S, self._write_slice, writing)
                return
            writing.file.flush()
        except OSError as error:
            self._failed(error)
            return
        if self._fsync:
            # Not here: a large file takes the disk long enough for the others to elect another leader.
            synced = loop.run_in_executor(None, disk.sync_file, writing.file.fileno())
            synced.add_done_callback(lambda done: self._finish(writing, done.exception()))
        else:
            self._finish(writing, None)

    def _finish(self, writing: _Writing, error: BaseException | None) -> None:
        if writing is not self._writing:
            return
        try:
            if error is not None:
                raise error
            writing.file.close()
            self._replace(self._fresh)
        except OSError as failure:
            self._failed(failure)
        else:
            self._writing = None
            self._state = SERIALIZER_STATE.SUCCESS

    def _replace(self, fresh: Path) -> None:
        fresh.replace(self._file)
        if self._fsync:
            disk.sync_folder(self._file.parent)

    def _failed(self, error: OSError) -> None:
        log.error("no snapshot could be written: %s", error)
        self._retry_at = asyncio.get_running_loop().time() + RETRY_S
        self._give_up_writing()
        self._state = SERIALIZER_STATE.FAILED

    def _give_up_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.file.close()

    # -- reading

    def load(self) -> LastEntries | None:
        """Load the state from the file, if there is one, before PySyncObj asks for it; gives the last two log entries
        in it. Raises DamagedError, and OSError when it can't be read; the store is as it was then."""
        if not self._file.exists() and not self._file.is_symlink():
            return None
        self._loaded = self._load(self._file)
        return self._loaded

    def _load(self, file: Path) -> LastEntries:
        reader = Reader(file)
        head = reader.head
        self._store.load(head.namespaces, reader.entries())
        return LastEntries(head.previous, head.last)

    def deserialize(self) -> tuple[None, RaftEntry, RaftEntry, tuple[()]]:
        """Give the last two entries in the state, which is loaded, and no cluster (membership is fixed)."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            loaded = self._load(self._file)
        return None, loaded.last, loaded.previous, ()

    # -- sending and taking

    def getTransmissionData(self, transmissionID: Hashable) -> Part | None:
        """The next part for a node. PySyncObj looks at the last item only."""
        file = self._outgoing.get(transmissionID)
        if file is None:
            if not self._file.exists():
                return None
            file = self._outgoing[transmissionID] = os.fdopen(disk.open_plain(self._file, os.O_RDONLY), "rb")
        offset = file.tell()
        data = file.read(PART_BYTES)
        if not data:
            self.cancelTransmisstion(transmissionID)
        return data, offset, not data

    def cancelTransmisstion(self, id: Hashable) -> None:
        """Begin anew with this node next time. The name is PySyncObj's."""
        file = self._outgoing.pop(id, None)
        if file is not None:
            file.close()

    def setTransmissionData(self, data: Part | None) -> bool:
        """Take a part from the leader; True when the snapshot is whole and in place."""
        if data is None:
            return False
        part, offset, ended = data
        if offset == 0:
            self._drop_incoming()
            self._incoming = os.fdopen(disk.create(self._incoming_file), "wb")
        if self._incoming is None or self._incoming.tell() != offset:
            # A part got lost with a link. Without an answer the leader finds out, and begins anew.
            self._drop_incoming()
            return False
        self._incoming.write(part)
        if not ended:
            return False
        if self._fsync:
            self._incoming.flush()
            disk.sync_file(self._incoming.fileno())
        self._drop_incoming()
        try:
            loaded = self._load(self._incoming_file)
        except DamagedError as error:
            # Without an answer the leader sends it again.
            if not self.refused:
                log.error("not ready, because the snapshot that the leader sent can't be taken: %s", error)
            self.refused = str(error)
            return False
        # What is being written here is older now, and must not replace it.
        self._give_up_writing()
        self._state = SERIALIZER_STATE.NOT_SERIALIZING
        self._replace(self._incoming_file)
        self._loaded, self.refused = loaded, ""
        return True

    def _drop_incoming(self) -> None:
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None


def _slices(entries: list[tuple[tuple[str, str], Entry]]) -> Iterator[list[tuple[Any, ...]]]:
    rows: list[tuple[Any, ...]] = []
    characters = 0
    for place, entry in entries:
        rows.append((*place, *entry))
        characters += len(entry.value)
        if len(rows) == SLICE_ROWS or characters >= SLICE_CHARACTERS:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows
