"""What the program and a node of its demo cluster agree on: options, commands and exit codes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

EXIT_PORT_TAKEN = 98
"""EADDRINUSE's number: somebody else listens on this node's HTTP port."""
EXIT_DAMAGED = 65
"""EX_DATAERR of sysexits.h: what this node stored is not whole."""
EXIT_DISK = 74
"""EX_IOERR of sysexits.h: what it stores could not be read or written."""
EXIT_FOLDER_TAKEN = 75
"""EX_TEMPFAIL of sysexits.h: another process uses this node's folder."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a node must know; its first message."""

    name: str
    nodes: dict[str, str]
    """Base URL by name, of all nodes, this one included."""
    election_timeout_ms: tuple[int, int]
    """Shortest and longest time without a leader's message after which it stands for election."""
    compact_after: int
    """Log entries after which it writes a snapshot and starts a new log."""
    first_election: bool
    """Whether the cluster starts, so that its first election may come sooner."""
    fsync: bool = False
    """Whether everything that it stores is on the disk before it counts."""


class Isolate(msgspec.Struct, frozen=True, tag=True):
    """Cut the Raft links in both directions; HTTP goes on."""


class Heal(msgspec.Struct, frozen=True, tag=True):
    """Let the Raft links come back."""


NodeCommand = Isolate | Heal
