"""What a booked write demands of the cluster, and what a read of its key shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.writes.ledger import BookedWrite


class KeyState(Enum):
    """What one node holds for a key, measured by what was written."""

    GOOD = "good"
    """A value that may stand there."""
    BAD = "bad"
    """Nothing, or another value, where an acknowledged write must stand."""
    NOTHING = "nothing"
    """Nothing, and nothing must stand there."""
    PHANTOM = "phantom"
    """The value of a write that was refused for certain."""


@dataclass(frozen=True, slots=True)
class Demand:
    """All writes of one key, as a rule one.

    Written once, a key must hold that value if it was acknowledged, may hold it if its fate is unknown, and must not
    if it was refused for certain. Written more than once, it must hold the value of an acknowledged write that no
    later acknowledged one replaced (one that was started after it ended), or of one whose fate is unknown, since that
    may have happened at any time: a register's linearizable histories, but for the order of concurrent writes.
    """

    outcome: WriteOutcome
    """Under what it is counted: acknowledged if any was, else unknown if any is, else refused."""
    allowed: tuple[int, ...]
    """Digests that may stand there."""
    forbidden: tuple[int, ...]
    """Digests of refused writes that no other write had."""

    @property
    def must_exist(self) -> bool:
        """Whether something must stand there."""
        return self.outcome is WriteOutcome.ACKNOWLEDGED

    def see(self, digest: int | None) -> KeyState:
        """What a read shows; None: there is no such key."""
        if digest is not None:
            if digest in self.allowed:
                return KeyState.GOOD
            if digest in self.forbidden:
                return KeyState.PHANTOM
        return KeyState.BAD if self.must_exist else KeyState.NOTHING


def demand(writes: Iterable[BookedWrite]) -> Demand:
    """What all writes of one key together demand."""
    every = tuple(writes)
    acknowledged = [write for write in every if write.outcome is WriteOutcome.ACKNOWLEDGED]
    latest_start = max((write.started for write in acknowledged), default=0.0)
    allowed = {write.digest for write in acknowledged if write.ended >= latest_start}
    unknown = {write.digest for write in every if write.outcome is WriteOutcome.UNKNOWN}
    written = {write.digest for write in acknowledged} | unknown
    refused = {write.digest for write in every if write.outcome is WriteOutcome.REFUSED}
    kind = WriteOutcome.ACKNOWLEDGED if acknowledged else WriteOutcome.UNKNOWN if unknown else WriteOutcome.REFUSED
    # tuples, because there are millions of these and nearly all hold one digest
    return Demand(kind, tuple(allowed | unknown), tuple(refused - written))


LOST_KEYS_KEPT = 1000


@dataclass(slots=True)
class VerificationCounts:
    """What was found so far."""

    checked: int = 0
    lost: int = 0
    stale: int = 0
    recovered: int = 0
    phantom: int = 0
    keys: list[str] = field(default_factory=list)

    def count(self, namespace: str, key: str, wanted: Demand, seen: Iterable[KeyState]) -> None:
        """Take what the nodes that could be read show of one key, at least one of them."""
        shown = tuple(seen)
        bad = sum(one in (KeyState.BAD, KeyState.PHANTOM) for one in shown) if wanted.must_exist else 0
        self.checked += 1
        if KeyState.PHANTOM in shown:
            self.phantom += 1
        if 2 * bad > len(shown):
            self.lost += 1
        elif bad:
            self.stale += 1
        if wanted.outcome is WriteOutcome.UNKNOWN and KeyState.GOOD in shown:
            self.recovered += 1
        if (KeyState.PHANTOM in shown or 2 * bad > len(shown)) and len(self.keys) < LOST_KEYS_KEPT:
            self.keys.append(f"{namespace}/{key}")


def suspicious(wanted: Demand, seen: KeyState) -> bool:
    """Whether reading again might show something better: a follower may lag behind."""
    return wanted.must_exist and seen is not KeyState.GOOD
