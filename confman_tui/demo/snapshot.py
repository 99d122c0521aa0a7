"""A node's snapshot file: the state as of one log entry, so that the log before it can be dropped.

Written by this process in one go, without PySyncObj's fork and gzip: packing 10,000 entries of 1 KB with gzip costs a
core about a second on each node, which a benchmark would measure as the cluster's.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

from confman_tui.demo.journal import NodeJournal, RaftEntry
from confman_tui.demo.store import Store

_MAGIC = b"confman-demo-snapshot-1\n"
_SIZE = struct.Struct("<Q")


class Snapshots:
    """Writes and reads the snapshot file in the shapes PySyncObj's `serializer` and `deserializer` ask for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, file_name: str, raft: tuple[RaftEntry, RaftEntry, Any]) -> None:
        """Write the state and the last two entries it holds. PySyncObj renames the file into place afterwards."""
        last, previous, _ = raft
        head = pickle.dumps((last, previous), protocol=5)
        with Path(file_name).open("wb") as file:
            file.write(_MAGIC + _SIZE.pack(len(head)) + head)
            file.write(self._store.dump())

    def read(self, file_name: str) -> tuple[RaftEntry, RaftEntry, tuple[()]]:
        """Load the state, and give the last two entries it holds and no cluster (membership is fixed)."""
        data = Path(file_name).read_bytes()
        last, previous, state_at = _head(data)
        self._store.load(data[state_at:])
        return last, previous, ()


def _head(data: bytes) -> tuple[RaftEntry, RaftEntry, int]:
    if not data.startswith(_MAGIC):
        raise ValueError("not a snapshot of the demo cluster")
    at = len(_MAGIC) + _SIZE.size
    (size,) = _SIZE.unpack_from(data, len(_MAGIC))
    last, previous = pickle.loads(data[at : at + size])
    return last, previous, at + size


def align_journal(journal: NodeJournal, file: Path) -> None:
    """Let the journal begin where the snapshot ends, before PySyncObj sees either.

    A kill between writing a snapshot and shortening the journal leaves a journal that begins earlier. PySyncObj takes
    that for a foreign journal and empties it, and with it the acknowledged entries after the snapshot.
    """
    if not file.exists() or not len(journal):
        return
    last, previous, _ = _head(file.read_bytes())
    at = previous[1] - journal[0][1]
    if at > 0 and journal[at : at + 2] == [previous, last]:
        journal.deleteEntriesTo(at)
