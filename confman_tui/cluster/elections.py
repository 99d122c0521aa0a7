"""The values that an election and a verification end as (`Election`, `Verification`): plain and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol
from zlib import adler32, crc32

from confman_tui.settings.fault_kinds import FaultKind as FaultKind

NO_BYTES_DIGEST = 1 << 32
"""`bytes_digest` of nothing: CRC-32 begins with 0 and Adler-32 with 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing done to one node, by us."""

    kind: FaultKind
    node: str
    at: float
    """When the signal was sent or the link cut."""
    by: str = "you"
    """Who asked for it: ``you`` (a key), ``drill``, ``exit``."""


@dataclass(frozen=True, slots=True)
class WriteWindow:
    """A stretch of time in which no write was acknowledged."""

    start: float
    """The last acknowledgement before."""
    end: float | None
    """The first acknowledgement after; None while it lasts."""
    uncertainty_s: float
    """How much shorter or longer than `seconds` writes may have been impossible: half of what the attempts at both
    edges leave open, and what another client may see more; see `WriteStream`."""
    intended: int = 0
    """Writes started within the window."""
    longest_wait_s: float = 0.0
    """The longest time that a write which succeeded in the end had waited."""
    likely_s: float | None = None
    """The middle between the shortest and the longest time for which writes can have been impossible."""
    from_poll: bool = False
    """Nobody tried to write before: ``start`` is the last poll that showed the leader well."""

    @property
    def seconds(self) -> float | None:
        """For how long writes were impossible, ± ``uncertainty_s``; None while it lasts. It is less than from ``start``
        to ``end``, which also holds the time until the next attempt at either edge."""
        if self.end is None:
            return None
        return self.end - self.start if self.likely_s is None else self.likely_s


@dataclass(frozen=True, slots=True)
class Election:
    """One election, or a stall of the leader without one (`stalled`), each step in seconds from its origin. None: that
    step was not seen."""

    origin: float
    """The fault's time or, without one of ours, the last moment at which the old leader was seen well."""
    fault: Fault | None
    old_leader: str | None
    new_leader: str | None
    term_before: int | None
    term_after: int | None
    rounds: int
    """Terms used up: term_after minus term_before."""
    lost_s: float | None
    """Until the old leader was lost: the asking time of the first poll that showed it."""
    term_s: float | None
    """Until the first higher term was seen."""
    claim_s: float | None
    """Until a node named itself or was named as the new leader."""
    serving_s: float | None
    """Until a node said that it leads."""
    agree_s: float | None
    """Until all live nodes named the new leader."""
    first_write_s: float | None
    """Until the first acknowledged write."""
    without_writes_s: float | None
    """For how long writes were impossible (`WriteWindow.seconds`), or None where it does not count as a window. What
    an independent client sees lies within this ± ``write_uncertainty_s``."""
    uncertainty_s: float
    """Of the steps seen by polling, in seconds."""
    write_uncertainty_s: float
    """Of ``without_writes_s``, in seconds: half of the interval in which it lies."""
    detected_s: float | None = None
    """Until the loss could be known: that poll's answer had come, or its deadline had passed. What an observer needs to
    notice, where `lost_s` says when it happened."""
    intended_writes: int = 0
    longest_wait_s: float = 0.0
    reads_ok: int = 0
    """Reads served between origin and the first acknowledged write."""
    reads_failed: int = 0
    recover90_s: float | None = None
    """Until throughput was back at 90 % of what it was before, in seconds from the origin."""
    writes_missed: float | None = None
    """Writes not served until then, against the rate before."""
    writes_from_poll: bool = False
    """``without_writes_s`` counts from the last poll that showed the old leader well, because nobody had tried to
    write."""

    @property
    def stalled(self) -> bool:
        """The old leader leads on in its term: it was lost for a while, and nobody was elected."""
        return self.new_leader is not None and self.term_after is not None and self.term_after == self.term_before


@dataclass(frozen=True, slots=True)
class UnreadNode:
    """A node whose answers did not count in a verification."""

    node: str
    why: str
    """In words, such as ``not ready for 30 s``."""


class Breach(StrEnum):
    """How the cluster broke its promise about one key."""

    LOST = "lost"
    DIVERGED = "diverged"
    PHANTOM = "phantom"
    LATE_PHANTOM = "late phantom"
    """Absent when the run was verified, there when the refused writes were read once more."""


@dataclass(frozen=True, slots=True)
class BrokenKey:
    """A key about which the cluster broke its promise."""

    key: str
    """``namespace/key``."""
    breach: Breach
    holds: dict[str, str] = field(default_factory=dict)
    """What each configured node holds, in words, by its base URL: ``as written``, ``nothing``, ``another value``, ``a
    refused value``, ``not read``; ``(not caught up)`` where it proves nothing."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the acknowledged writes. `confman_tui.cluster.writes.rules` says what each count proves."""

    acknowledged: int = 0
    refused: int = 0
    """Refused for certain: the write cannot have happened."""
    unknown: int = 0
    """No clear answer: the write may or may not have happened."""
    lost: int = 0
    """Acknowledged, but absent or different on a majority of the configured nodes."""
    stale: int = 0
    """Acknowledged, absent or different on a node at first, and right within 5 s."""
    recovered: int = 0
    """Unknown, but present."""
    phantom: int = 0
    """Refused for certain, but present; the late ones too."""
    checked: int = 0
    """Writes that were read back, whatever their outcome was."""
    seconds: float = 0.0
    broken: tuple[BrokenKey, ...] = ()
    """Each lost, diverged or phantom write (the first 1,000)."""
    note: str = ""
    """Why there is no verdict, what was left unchecked, and which nodes were left out, in words."""
    without: tuple[UnreadNode, ...] = ()
    """The configured nodes that were left out of it."""
    unread: int = 0
    """Writes that were to be read back and were not: it was stopped, or no node was left to read from."""
    asked: bool = True
    """False: nobody wanted it (``--verify off``)."""
    by_probe: int = 0
    """Those of ``acknowledged`` that the probe wrote, not the scenario: the run's own figures leave them out."""
    diverged: int = 0
    """Acknowledged, and absent or different for good on a node that has caught up, but not on a majority."""
    not_caught_up: int = 0
    """Acknowledged, and absent or different on nodes alone that had not caught up: nothing is proven."""
    unproven: int = 0
    """Acknowledged, right on each node that was read, and these were fewer than a majority."""
    late: int = 0
    """Those of ``phantom`` that were not there yet when the run was verified."""
    nodes_read: int = 0
    """Nodes whose answers counted, of all that was read back; over several runs the fewest."""
    nodes: int = 0
    """Configured nodes; 0: not known (results of early versions)."""

    @property
    def lost_keys(self) -> tuple[str, ...]:
        """``namespace/key`` of each lost, diverged or phantom write (the first 1,000)."""
        return tuple(one.key for one in self.broken)

    @property
    def majority_read(self) -> bool:
        """Whether a majority of the configured nodes was read, as far as is known."""
        return self.nodes_read >= majority(self.nodes) or not self.nodes

    @property
    def judged(self) -> bool:
        """Whether there is a verdict: something was acknowledged, all was read back that was to be, from a majority of
        the configured nodes, and none that differs had fallen behind."""
        open_ = self.unread + self.unproven + self.not_caught_up
        return self.checked > 0 and self.acknowledged > 0 and open_ == 0 and self.majority_read

    @property
    def missed(self) -> bool:
        """Whether there ought to be a verdict and is none: it was asked for, and writes had been started."""
        started = self.acknowledged + self.refused + self.unknown > 0
        return self.asked and started and not self.judged

    @property
    def failed(self) -> bool:
        """Whether something was lost, differs for good or appeared from nowhere, however much was read."""
        return self.lost > 0 or self.diverged > 0 or self.phantom > 0

    @property
    def passed(self) -> bool:
        """True when there was something to judge and nothing was lost, differs nor appeared from nowhere."""
        return self.judged and not self.failed


def majority(nodes: int) -> int:
    """The least number of nodes that is more than half of them."""
    return nodes // 2 + 1


class WriteOutcome(IntEnum):
    """What is known of a write's fate."""

    ACKNOWLEDGED = 0
    """200: it happened, and must be kept."""
    REFUSED = 1
    """Refused for certain (connection refused, 401, 403, 503 "No leader available"): it did not happen."""
    UNKNOWN = 2
    """Timeout, reset, cut short, 503 "Replication failed", anything else: it may or may not have happened."""


class WriteObserver(Protocol):
    """Takes every write, scenario's and probe's alike. Called on the engine's and on the session's thread;
    each call must cost no more than a microsecond or two."""

    def started(self, at: float) -> None:
        """A write is sent now."""

    def ended(
        self,
        namespace: str,
        key: str,
        digest: int,
        started: float,
        ended: float,
        node: str,
        outcome: WriteOutcome,
        intended: float | None = None,
    ) -> None:
        """A write ended. ``digest`` is `value_digest` of the value sent; ``node`` the base URL it was sent to, or the
        one that acknowledged it after a redirect.
        ``started`` is when it was sent, ``intended`` when it was due in an open loop: since then the client waited."""


def value_digest(value: str) -> int:
    """What the booking of writes keeps instead of the value: see `bytes_digest`."""
    return bytes_digest(value.encode())


def bytes_digest(data: bytes, before: int = NO_BYTES_DIGEST) -> int:
    """64 bits: CRC-32 (ISO 3309) and, above it, Adler-32 (RFC 1950) of the bytes.

    A cluster that alters a value does not forge checksums, so that no cryptographic digest is needed; this one costs
    a fifth of BLAKE2b's time for each write.

    Args:
        data: the bytes.
        before: the digest of the bytes before them, so that a common beginning is summed up once.
    """
    return crc32(data, before & 0xFFFFFFFF) | adler32(data, before >> 32) << 32
