"""What a booked write demands of the cluster, what a read of its key shows, and what the nodes' answers prove. Pure.

Raft commits a write once it stands on a majority of the *configured* nodes, and acknowledges it then (Ongaro,
Ousterhout: In Search of an Understandable Consensus Algorithm, 5.3 and 5.4): so a majority is counted of those, not of
the nodes that could be read. With n configured nodes and a majority of m = n // 2 + 1 of them, an acknowledged write of
which g nodes show the value and b nodes that have caught up do not (nothing, or another value) is

- lost when b >= m: a majority lacks it, whatever the unread nodes hold, and can elect a leader without it.
- diverged when 0 < b < m: a node that is in step with the leader and still lacks it differs for good. That it is not
  lost is not said: on the unread nodes it may be missing, too.
- not caught up when b = 0 and only nodes that are behind lack it: they may get it yet.
- kept when b = 0 and g >= m: it stands on a majority.
- unproven when b = 0 and g < m: the unread nodes decide.

What a node shows proves that much even where few are read, so lost, diverged and phantom writes count however much was
read; *kept* needs a majority. A node that is behind proves nothing by what it lacks, but by what it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from confman_tui.cluster.elections import Breach, BrokenKey, WriteOutcome, majority
from confman_tui.cluster.writes.ledger import BookedWrite


class KeyState(Enum):
    """What one node holds for a key, measured by what was written."""

    GOOD = "good"
    """A value that may stand there."""
    ABSENT = "absent"
    """Nothing, where an acknowledged write must stand."""
    OTHER = "other"
    """Another value, where an acknowledged write must stand."""
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
        if not self.must_exist:
            return KeyState.NOTHING
        return KeyState.ABSENT if digest is None else KeyState.OTHER


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


class Fate(Enum):
    """What the nodes' answers prove of an acknowledged write; see above."""

    KEPT = "kept"
    LOST = "lost"
    DIVERGED = "diverged"
    NOT_CAUGHT_UP = "not caught up"
    UNPROVEN = "unproven"


def suspicious(wanted: Demand, seen: KeyState) -> bool:
    """Whether it is not what it must be, and reading again might show something better: a follower may lag behind."""
    return wanted.must_exist and seen is not KeyState.GOOD


def fate_of(nodes: int, shown: Mapping[str, KeyState], behind: Collection[str] = ()) -> Fate:
    """What became of an acknowledged write.

    Args:
        nodes: how many are configured.
        shown: what each node that was read shows.
        behind: those of them that have not caught up.
    """
    good = list(shown.values()).count(KeyState.GOOD)
    if good == len(shown):  # nearly always, for each of a million keys
        return Fate.KEPT if good >= majority(nodes) else Fate.UNPROVEN
    wrong = sum(state is not KeyState.GOOD and node not in behind for node, state in shown.items())
    if wrong >= majority(nodes):
        return Fate.LOST
    return Fate.DIVERGED if wrong else Fate.NOT_CAUGHT_UP


BROKEN_KEPT = 1000
"""Keys of broken promises that are kept by name."""

_WORDS = {
    KeyState.GOOD: "as written",
    KeyState.ABSENT: "nothing",
    KeyState.NOTHING: "nothing",
    KeyState.OTHER: "another value",
    KeyState.PHANTOM: "a refused value",
}
_BREACHES = {Fate.LOST: Breach.LOST, Fate.DIVERGED: Breach.DIVERGED}


def broken_key(
    namespace: str,
    key: str,
    breach: Breach,
    configured: Iterable[str],
    shown: Mapping[str, KeyState],
    behind: Collection[str] = (),
) -> BrokenKey:
    """A broken promise about a key, with what each configured node holds in words."""
    holds = {}
    for node in configured:
        words = _WORDS[shown[node]] if node in shown else "not read"
        late = node in shown and node in behind and shown[node] is not KeyState.GOOD
        holds[node] = words + " (not caught up)" * late
    return BrokenKey(f"{namespace}/{key}", breach, holds)


@dataclass(slots=True)
class VerificationCounts:
    """What was found so far."""

    configured: Sequence[str]
    """Base URLs of all nodes that the cluster has."""
    checked: int = 0
    lost: int = 0
    diverged: int = 0
    stale: int = 0
    not_caught_up: int = 0
    unproven: int = 0
    recovered: int = 0
    phantom: int = 0
    broken: list[BrokenKey] = field(default_factory=list)
    phantoms: set[str] = field(default_factory=set)
    """``namespace/key`` of each phantom."""

    def count(
        self,
        namespace: str,
        key: str,
        wanted: Demand,
        shown: Mapping[str, KeyState],
        behind: Collection[str] = (),
        *,
        healed: bool = False,
    ) -> Fate | None:
        """Take what the nodes that could be read show of one key, at least one of them. Gives its fate where a write
        to it was acknowledged.

        Args:
            namespace: where the key stands.
            key: the key.
            wanted: what its writes demand.
            shown: what each node shows at last.
            behind: nodes that have not caught up.
            healed: whether a node showed something else at first.
        """
        self.checked += 1
        states = shown.values()
        fate = fate_of(len(self.configured), shown, behind) if wanted.must_exist else None
        breach = _BREACHES.get(fate) if fate is not None else None
        if KeyState.PHANTOM in states:
            self.phantom += 1
            self.phantoms.add(f"{namespace}/{key}")
            breach = breach or Breach.PHANTOM
        self.lost += fate is Fate.LOST
        self.diverged += fate is Fate.DIVERGED
        self.not_caught_up += fate is Fate.NOT_CAUGHT_UP
        self.unproven += fate is Fate.UNPROVEN
        self.stale += healed and fate in (Fate.KEPT, Fate.UNPROVEN)
        if wanted.outcome is WriteOutcome.UNKNOWN and KeyState.GOOD in states:
            self.recovered += 1
        if breach is not None and len(self.broken) < BROKEN_KEPT:
            self.broken.append(broken_key(namespace, key, breach, self.configured, shown, behind))
        return fate
