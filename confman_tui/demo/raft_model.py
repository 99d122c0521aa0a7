"""The values that a Raft node takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GapError(Exception):
    """The node knows that it lacks entries, and has no way yet to get them: it must not answer as if it had all."""


@dataclass(frozen=True, slots=True)
class RaftStatus:
    """What a node knows of the cluster at this moment."""

    term: int
    leader: str | None
    """Name of the node it takes for the leader (itself, perhaps); None when it knows none."""
    serving: bool
    """It leads and its first entry of this term is committed: only then are writes taken."""


class WriteResult(Enum):
    FOUND = "found"
    """Committed, and it changed something."""
    MISSING = "missing"
    """Committed, but there was nothing to change."""
    UNKNOWN = "unknown"
    """Not committed in time; it may be later."""


@dataclass(frozen=True, slots=True)
class RaftSettings:
    name: str
    peers: tuple[str, ...]
    election_timeout_s: tuple[float, float]
    compact_after: int
    """Entries in the log before it is replaced by a snapshot; more when there are more entries in the store."""
    first_election: bool
    """The whole cluster starts now: elect as soon as all nodes see one another, instead of after a timeout."""
    fsync: bool = False
    """Journal, term, vote and snapshot are on the disk before they count, not only with the kernel."""
