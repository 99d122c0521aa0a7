"""Opens what a node has stored, journal and snapshot together, and refuses what is not whole.

PySyncObj takes any journal and any snapshot, alone or not fitting one another, and goes on with what is left. A node
that has lost what others count on must not vote or acknowledge by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from confman_tui.demo.disk import DamagedError
from confman_tui.demo.journal import JOURNAL, META, NodeJournal
from confman_tui.demo.snapshot import LastEntries, Snapshots
from confman_tui.demo.store import Store

SNAPSHOT = "snapshot"


class Storage(NamedTuple):
    """What a node has stored; the store is loaded as of the snapshot."""

    journal: NodeJournal
    snapshots: Snapshots


def open_storage(folder: Path, store: Store, *, fsync: bool) -> Storage:
    """Load the snapshot into the store and open the journal. Raises DamagedError, and OSError when a file can't be
    read or written."""
    snapshots = Snapshots(store, folder / SNAPSHOT, fsync=fsync)
    held = snapshots.load()
    journal_file = folder / JOURNAL
    if not journal_file.exists() and (held is not None or (folder / META).exists()):
        raise DamagedError(journal_file, "it is missing, and other files of the node are there")
    journal = NodeJournal(folder, fsync=fsync)
    if held is not None:
        align_journal(journal, held)
    _check(folder, journal, held)
    return Storage(journal, snapshots)


def align_journal(journal: NodeJournal, held: LastEntries) -> None:
    """Let the journal begin where the snapshot ends, before PySyncObj sees either.

    A kill between writing a snapshot and shortening the journal leaves a journal that begins earlier. PySyncObj takes
    that for the journal of another cluster and empties it, and with it the acknowledged entries after the snapshot.
    """
    if not len(journal):
        return
    at = held.previous[1] - journal[0][1]
    if at > 0 and journal[at : at + 2] == list(held):
        journal.deleteEntriesTo(at)


def _check(folder: Path, journal: NodeJournal, held: LastEntries | None) -> None:
    """Raise DamagedError when journal, snapshot and ``meta.json`` leave a gap between them."""
    path = folder / JOURNAL
    upto = held.last[1] if held is not None else 1  # the entry that every log begins with
    if len(journal):
        first = journal[0][1]
        if held is None and first > 1:
            raise DamagedError(folder / SNAPSHOT, f"it is missing, and the journal begins with entry {first}")
        if held is not None and first > held.previous[1]:
            raise DamagedError(folder / SNAPSHOT, f"it ends with entry {upto}, and the journal begins with {first}")
        upto = max(upto, journal[-1][1])
        newest = max(term for _, _, term in journal[:])
        if newest > journal.getCurrentTerm():
            raise DamagedError(
                folder / META, f"it says term {journal.getCurrentTerm()}, and the journal has entries of term {newest}"
            )
    elif held is None and journal.getCurrentTerm():
        raise DamagedError(path, f"it has no entry, and the node has been in term {journal.getCurrentTerm()}")
    if upto < journal.stored_commit:
        raise DamagedError(path, f"it ends with entry {upto}, and entry {journal.stored_commit} was committed here")
