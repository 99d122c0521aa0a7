"""What reaches into PySyncObj's private names: all in one place, checked when a node starts. Written for 0.3.17.

PySyncObj does not show when its election timer ends nor whether a leader's first entry is committed, and makes its
journal and its snapshots itself. Each entry becomes unnecessary once PySyncObj has a public name for it.

The methods that its `Transport` and `Journal` have for their subclasses stand with these (`links`, `journal`), private
names or not.
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

from confman_tui.demo import commands
from confman_tui.demo.journal import NodeJournal
from confman_tui.demo.snapshot import Snapshots

# PySyncObj puts a function that works on Windows only in the place of this one. Unnecessary once it does so there only.
socket.inet_ntop = _socket.inet_ntop

CHECKED_VERSION = "0.3.17"
"""The version these names and the rules in `log_matching` were read from."""

clock = monotonic
"""The clock of PySyncObj's deadlines, in seconds."""


def use(journal: NodeJournal, snapshots: Snapshots) -> None:
    """Make the next `SyncObj` of this process use this journal and these snapshots instead of making its own, and our
    form of commands instead of pickles.

    Unnecessary once `SyncObj` takes them as arguments.
    """
    for name in ("createJournal", "Serializer", "pickle", "_COMMAND_TYPE"):
        if not hasattr(pysyncobj.syncobj, name):
            raise RuntimeError(_missing(name))
    kinds = pysyncobj.syncobj._COMMAND_TYPE
    if (kinds.REGULAR, kinds.NO_OP) != (commands.REGULAR, commands.NO_OP):
        raise RuntimeError(_missing("command type of these numbers"))
    pysyncobj.syncobj.pickle = commands
    pysyncobj.syncobj.createJournal = lambda _file: journal
    pysyncobj.syncobj.Serializer = lambda *_settings: snapshots


def _missing(name: str) -> str:
    return f"PySyncObj {VERSION} has no {name}; the demo cluster was written against {CHECKED_VERSION}"


class SyncObjInternals:
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
        for name in (*(f"_SyncObj__{name}" for name in self._NAMES), "_isLeader", "_getLeader"):
            if not hasattr(core, name):
                raise RuntimeError(_missing(name.removeprefix("_SyncObj__")))
        self._core: Any = core

    @property
    def is_leader(self) -> bool:
        """Whether this node is the leader of its term."""
        leads: bool = self._core._isLeader()
        return leads

    @property
    def leader(self) -> Node | None:
        """The node that this one takes for the leader."""
        node: Node | None = self._core._getLeader()
        return node

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
