"""A node's snapshot: the state as of one log entry, so that the log before it can be dropped.

Takes the place of PySyncObj's `Serializer`, which packs everything with gzip in a forked process: a core's work for a
third of a second on each node with 10,000 entries of 1 KB, which a benchmark would measure as the cluster's. Here the
event loop writes a slice at a time between requests, so that no pause is longer than a few milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pysyncobj.config import SERIALIZER_STATE

from confman_tui.demo.journal import NodeJournal, RaftEntry
from confman_tui.demo.log_matching import PlainUnpickler
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
_MAGIC = b"confman-demo-snapshot-1\n"

Part = tuple[bytes, int, bool]
"""Bytes of a snapshot file, their offset in it, and whether the file ends before them (they are none, then)."""


class _Writing(NamedTuple):
    file: BinaryIO
    slices: Iterator[list[tuple[Any, ...]]]


class Snapshots:
    """Writes, reads, sends and takes snapshots, in the shapes in which PySyncObj calls its `Serializer`."""

    def __init__(self, store: Store, file: Path) -> None:
        self._store = store
        self._file = file
        self._fresh = file.with_suffix(".new")
        self._incoming_file = file.with_suffix(".incoming")
        self._writing: _Writing | None = None
        self._state: int = SERIALIZER_STATE.NOT_SERIALIZING
        self._entry_id: int | None = None
        self._retry_at = 0.0
        self._outgoing: dict[Hashable, BinaryIO] = {}
        self._incoming: BinaryIO | None = None

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
            file = self._fresh.open("wb")
            file.write(_MAGIC)
            pickle.dump((last, previous, namespaces), file, protocol=5)
        except OSError as error:
            self._failed(error)
            return
        self._writing = _Writing(file, _slices(entries))
        self._state = SERIALIZER_STATE.SERIALIZING
        loop.call_later(SLICE_PAUSE_S, self._write_slice, self._writing)

    def _write_slice(self, writing: _Writing) -> None:
        if writing is not self._writing:
            return
        try:
            rows = next(writing.slices, None)
            pickle.dump(rows, writing.file, protocol=5)
            if rows is not None:
                asyncio.get_running_loop().call_later(SLICE_PAUSE_S, self._write_slice, writing)
                return
            writing.file.close()
            self._fresh.replace(self._file)
        except OSError as error:
            self._failed(error)
        else:
            self._writing = None
            self._state = SERIALIZER_STATE.SUCCESS

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

    def deserialize(self) -> tuple[None, RaftEntry, RaftEntry, tuple[()]]:
        """Load the state; gives the last two entries in it, and no cluster (membership is fixed)."""
        with self._file.open("rb") as file:
            last, previous, namespaces = _head(file)
            self._store.load(namespaces, _rows(file))
        return None, last, previous, ()

    # -- sending and taking

    def getTransmissionData(self, transmissionID: Hashable) -> Part | None:
        """The next part for a node. PySyncObj looks at the last item only."""
        file = self._outgoing.get(transmissionID)
        if file is None:
            if not self._file.exists():
                return None
            file = self._outgoing[transmissionID] = self._file.open("rb")
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
            self._incoming = self._incoming_file.open("wb")
        if self._incoming is None or self._incoming.tell() != offset:
            # A part got lost with a link. Without an answer the leader finds out, and begins anew.
            self._drop_incoming()
            return False
        self._incoming.write(part)
        if not ended:
            return False
        self._drop_incoming()
        # What is being written here is older now, and must not replace it.
        self._give_up_writing()
        self._state = SERIALIZER_STATE.NOT_SERIALIZING
        self._incoming_file.replace(self._file)
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


def _head(file: BinaryIO) -> tuple[RaftEntry, RaftEntry, list[tuple[Any, ...]]]:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(f"{file.name} is not a snapshot of the demo cluster")
    last, previous, namespaces = PlainUnpickler(file).load()
    return last, previous, namespaces


def _rows(file: BinaryIO) -> Iterator[tuple[Any, ...]]:
    while (rows := PlainUnpickler(file).load()) is not None:
        yield from rows


def align_journal(journal: NodeJournal, snapshot: Path) -> None:
    """Let the journal begin where the snapshot ends, before PySyncObj sees either.

    A kill between writing a snapshot and shortening the journal leaves a journal that begins earlier. PySyncObj takes
    that for the journal of another cluster and empties it, and with it the acknowledged entries after the snapshot.
    """
    if not snapshot.exists() or not len(journal):
        return
    with snapshot.open("rb") as file:
        last, previous, _ = _head(file)
    at = previous[1] - journal[0][1]
    if at > 0 and journal[at : at + 2] == [previous, last]:
        journal.deleteEntriesTo(at)
