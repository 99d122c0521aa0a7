"""The names inside PySyncObj that the demo cluster needs, all in one place and checked when a node starts.

PySyncObj tells neither when its election timer ends nor whether a leader's first entry is committed, and makes its
journal and its snapshots itself.
"""

from __future__ import annotations

import _socket
import socket
from typing import Any

import pysyncobj.syncobj
from pysyncobj import SyncObj
from pysyncobj.monotonic import monotonic
from pysyncobj.node import Node
from pysyncobj.version import VERSION

from confman_tui.demo.journal import NodeJournal
from confman_tui.demo.snapshot import Snapshots

# PySyncObj puts a function that works on Windows only in the place of this one.
socket.inet_ntop = _socket.inet_ntop

CHECKED_VERSION = "0.3.17"
"""The version these names and the rules in `log_matching` were read from."""

clock = monotonic
"""The clock of PySyncObj's deadlines, in seconds."""


def use(journal: NodeJournal, snapshots: Snapshots) -> None:
    """Make the next `SyncObj` of this process use this journal and these snapshots instead of making its own."""
    for name in ("createJournal", "Serializer"):
        if not hasattr(pysyncobj.syncobj, name):
            raise RuntimeError(_missing(name))
    pysyncobj.syncobj.createJournal = lambda _file: journal
    pysyncobj.syncobj.Serializer = lambda *_settings: snapshots


def _missing(name: str) -> str:
    return f"PySyncObj {VERSION} has no {name}; the demo cluster was written against {CHECKED_VERSION}"


class Insides:
    """Reads and sets what a `SyncObj` keeps to itself."""

    _NAMES = (
        "raftLog",
        "raftElectionDeadline",
        "raftNextIndex",
        "raftMatchIndex",
        "lastResponseTime",
        "noopIDx",
        "newAppendEntriesTime",
        "sendAppendEntries",
        "generateRaftTimeout",
    )

    def __init__(self, core: SyncObj) -> None:
        for name in self._NAMES:
            if not hasattr(core, f"_SyncObj__{name}"):
                raise RuntimeError(_missing(name))
        self._core: Any = core

    @property
    def log(self) -> NodeJournal:
        journal: NodeJournal = self._core._SyncObj__raftLog
        return journal

    @property
    def election_deadline(self) -> float:
        """When this node gives its leader up and stands for election, on `clock`."""
        deadline: float = self._core._SyncObj__raftElectionDeadline
        return deadline

    @election_deadline.setter
    def election_deadline(self, deadline: float) -> None:
        self._core._SyncObj__raftElectionDeadline = deadline

    @property
    def next_index(self) -> dict[Node, int]:
        """Leader: the next entry to send to each node."""
        index: dict[Node, int] = self._core._SyncObj__raftNextIndex
        return index

    @property
    def last_response(self) -> dict[Node, float]:
        """Leader: when each node last answered, on `clock`."""
        times: dict[Node, float] = self._core._SyncObj__lastResponseTime
        return times

    @property
    def first_index_of_term(self) -> int | None:
        """The entry that a leader appends when elected; it leads once that one is committed."""
        index: int | None = self._core._SyncObj__noopIDx
        return index

    @property
    def next_heartbeat(self) -> float:
        """Leader: when it sends next by itself, on `clock`."""
        at: float = self._core._SyncObj__newAppendEntriesTime
        return at

    def send_entries(self) -> None:
        """Leader: send what each node lacks, and the commit index, now."""
        self._core._SyncObj__sendAppendEntries()

    def election_timeout(self) -> float:
        """A fresh random election timeout, in seconds."""
        seconds: float = self._core._SyncObj__generateRaftTimeout()
        return seconds
