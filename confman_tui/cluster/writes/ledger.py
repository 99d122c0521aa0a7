"""Every write of a run, booked in few bytes, so that what became of it can be verified afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from threading import Lock

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.writes.gaps import Drained, WriteStream
from confman_tui.cluster.writes.spill import Spilled, SpillFile

_ACKNOWLEDGED = WriteOutcome.ACKNOWLEDGED
_HEX_DIGITS = 12
_RECORD = Struct("<6sQddHBB")
"""Key's 12 hex digits, digest, start, end, node, outcome, prefix of the key: 34 bytes."""
_OUTCOME_AT = Struct("<6sQddH").size
_CHUNK_BYTES = 1 << 20
_ODD = 255
"""Prefix number of a key that does not end in 12 hex digits; its six bytes number it among the odd ones."""


_Row = tuple[str, str, int, float, float, str, WriteOutcome, float | None]
"""The arguments of `WriteObserver.ended`."""


@dataclass(frozen=True, slots=True)
class BookedWrite:
    """One write as it was booked."""

    key: str
    digest: int
    """`value_digest` of the value sent."""
    started: float
    ended: float
    node: str
    outcome: WriteOutcome


class _NamespaceWrites:
    """The writes of one namespace."""

    __slots__ = ("_spill", "chunks", "extend", "room")

    def __init__(self, spill: SpillFile) -> None:
        self._spill = spill
        self.chunks: list[bytearray | Spilled] = []
        self.begin_chunk()

    def begin_chunk(self) -> None:
        """Begin a new chunk, and move the full one to the disk: nobody reads it before the run's end, and an hour of
        5,000 writes a second would take 600 MB of memory."""
        self.room = bytearray()
        self.chunks.append(self.room)
        self.extend: Callable[[bytes], None] = self.room.extend
        if len(self.chunks) >= 2:
            # on a full disk it stays where it is
            with suppress(OSError):
                self.chunks[-2] = self._spill.put(bytes(self.chunks[-2]))


class WriteLedger:
    """Books writes: 34 bytes each, one sequence of chunks per namespace, those that are full in a temporary file.

    It belongs to one thread; `WriteBook` is what others report their writes to.

    Keys are those this program makes: a prefix (such as ``key-``) and 12 lower-case hex digits; other keys are kept
    whole, at the cost of their text.
    """

    def __init__(self) -> None:
        self._namespaces: dict[str, _NamespaceWrites] = {}
        self._spill = SpillFile()
        self._nodes: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._odd: dict[str, int] = {}

    def book(
        self, namespace: str, key: str, digest: int, started: float, ended: float, node: str, outcome: WriteOutcome
    ) -> None:
        """Books one write; the arguments are those of `WriteObserver.ended`."""
        part = self._namespaces.get(namespace) or self._namespaces.setdefault(namespace, _NamespaceWrites(self._spill))
        try:
            digits = bytes.fromhex(key[-12:])
            packed = _RECORD.pack(digits, digest, started, ended, self._nodes[node], outcome, self._prefixes[key[:-12]])
            # fromhex takes blanks and capitals too, which would not come back as they were.
            if len(digits) != 6 or not key.islower():
                packed = self._pack_unusual(key, digest, started, ended, node, outcome)
        except (KeyError, ValueError):
            packed = self._pack_unusual(key, digest, started, ended, node, outcome)
        part.extend(packed)
        if len(part.room) > _CHUNK_BYTES:
            part.begin_chunk()

    def book_all(self, rows: Iterable[_Row]) -> None:
        """Books many writes at once: half the time of as many calls of `book`."""
        parts, nodes, prefixes = self._namespaces, self._nodes, self._prefixes
        pack, digits_of = _RECORD.pack, bytes.fromhex
        extends = {namespace: part.extend for namespace, part in parts.items()}
        for namespace, key, digest, started, ended, node, outcome, _intended in rows:
            try:
                digits = digits_of(key[-12:])
                if len(digits) == 6 and key.islower():
                    extends[namespace](pack(digits, digest, started, ended, nodes[node], outcome, prefixes[key[:-12]]))
                    continue
            except (KeyError, ValueError):
                pass
            self.book(namespace, key, digest, started, ended, node, outcome)
            extends[namespace] = parts[namespace].extend
        for part in parts.values():
            if len(part.room) > _CHUNK_BYTES:
                part.begin_chunk()

    def _pack_unusual(
        self, key: str, digest: int, started: float, ended: float, node: str, outcome: WriteOutcome
    ) -> bytes:
        """The first write to a node, the first key of a prefix, or a key of another form."""
        tail = key[-_HEX_DIGITS:]
        usual = len(tail) == _HEX_DIGITS and all(letter in "0123456789abcdef" for letter in tail)
        number = self._nodes.setdefault(node, len(self._nodes))
        if usual and (key[:-_HEX_DIGITS] in self._prefixes or len(self._prefixes) < _ODD):
            prefix = self._prefixes.setdefault(key[:-_HEX_DIGITS], len(self._prefixes))
            return _RECORD.pack(bytes.fromhex(tail), digest, started, ended, number, outcome, prefix)
        odd = self._odd.setdefault(key, len(self._odd))
        return _RECORD.pack(odd.to_bytes(6, "little"), digest, started, ended, number, outcome, _ODD)

    def __len__(self) -> int:
        """Writes booked."""
        return sum(self.count(namespace) for namespace in self.namespaces)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces with at least one booked write, in the order of their first."""
        return tuple(self._namespaces)

    def count(self, namespace: str) -> int:
        """Writes booked in one namespace."""
        part = self._namespaces.get(namespace)
        return 0 if part is None else sum(len(chunk) for chunk in part.chunks) // _RECORD.size

    def bytes_held(self) -> int:
        """Bytes of all records, wherever they are."""
        return sum(len(chunk) for part in self._namespaces.values() for chunk in part.chunks)

    def writes(self, namespace: str) -> Iterator[BookedWrite]:
        """The writes of one namespace, in the order of booking."""
        nodes, prefixes, odd = tuple(self._nodes), tuple(self._prefixes), tuple(self._odd)
        for key, digest, started, ended, node, outcome, prefix in self._records(namespace):
            text = odd[int.from_bytes(key, "little")] if prefix == _ODD else prefixes[prefix] + key.hex()
            yield BookedWrite(text, digest, started, ended, nodes[node], WriteOutcome(outcome))

    def writes_that_ended(self, namespace: str, outcome: WriteOutcome) -> Iterator[BookedWrite]:
        """The writes of one namespace with that outcome, in the order of booking; the others are not unpacked."""
        nodes, prefixes, odd = tuple(self._nodes), tuple(self._prefixes), tuple(self._odd)
        wanted = bytes((outcome,))
        for chunk in self._chunks(namespace):
            column = chunk[_OUTCOME_AT :: _RECORD.size]
            at = column.find(wanted)
            while at >= 0:
                key, digest, started, ended, node, _, prefix = _RECORD.unpack_from(chunk, at * _RECORD.size)
                text = odd[int.from_bytes(key, "little")] if prefix == _ODD else prefixes[prefix] + key.hex()
                yield BookedWrite(text, digest, started, ended, nodes[node], outcome)
                at = column.find(wanted, at + 1)

    def outcomes(self, namespace: str | None = None) -> tuple[int, int, int]:
        """Acknowledged, refused and unknown writes, of one namespace or of all."""
        acknowledged = refused = unknown = 0
        for name in self.namespaces if namespace is None else (namespace,):
            for column in self._outcome_columns(name):
                acknowledged += column.count(WriteOutcome.ACKNOWLEDGED)
                refused += column.count(WriteOutcome.REFUSED)
                unknown += column.count(WriteOutcome.UNKNOWN)
        return acknowledged, refused, unknown

    def each_outcome(self, namespace: str) -> Iterator[int]:
        """The outcomes of one namespace's writes, in the order of `writes`; far cheaper than those."""
        for column in self._outcome_columns(namespace):
            yield from column

    def _outcome_columns(self, namespace: str) -> Iterator[bytes]:
        """The outcomes of each chunk: every 34th byte, cut out without unpacking ten million records."""
        for chunk in self._chunks(namespace):
            yield chunk[_OUTCOME_AT :: _RECORD.size]

    def _records(self, namespace: str) -> Iterator[tuple[bytes, int, float, float, int, int, int]]:
        for chunk in self._chunks(namespace):
            yield from _RECORD.iter_unpack(chunk)

    def _chunks(self, namespace: str) -> Iterator[bytes]:
        part = self._namespaces.get(namespace)
        for chunk in () if part is None else tuple(part.chunks):
            # A copy: while a view of a bytearray is out, it can't grow, and a booking would fail.
            yield bytes(chunk)


class WriteBook:
    """Takes every write of the program: for the stream that finds stretches without writes, and for the ledger that is
    verified afterwards. Implements `WriteObserver`.

    Any thread may report a write, which costs an append: in the load's thread every microsecond counts. One thread,
    the session's, drains it some times a second, and has the ledger handed over.
    """

    def __init__(
        self, times: SharedWriteTimes | None = None, on_trouble: Callable[[str], None] = lambda reason: None
    ) -> None:
        """
        Args:
            times: where the process that probes reads when writes were started and acknowledged.
            on_trouble: see `trouble`.
        """
        self.stream = WriteStream(times.set_started if times is not None else None)
        self._times = times
        self.trouble = on_trouble
        """A request of the load failed, or a write is in flight for too long: called on the load's thread with what it
        was, in words, some twenty times a second at most."""
        self._ledger = WriteLedger()
        self._reported: deque[_Row] = deque()
        self._booking = Lock()
        self._report = self._reported.append
        self.started = self.stream.started
        """A write is sent now."""
        self._acknowledged = self.stream.acknowledged

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
        """A write ended; see `WriteObserver`."""
        self._report((namespace, key, digest, started, ended, node, outcome, intended))

    def passed(self, started: float, ended: float, outcome: WriteOutcome, node: str = "") -> None:
        """A write ended that will not be verified: it counts for the stream alone."""
        if outcome is _ACKNOWLEDGED:
            self._acknowledged(ended, started, None, node)
        else:
            self.stream.evidence.failed(started, node)

    @property
    def ledger(self) -> WriteLedger:
        """The present ledger, with all that was reported by now."""
        self._book()
        return self._ledger

    def settle(self) -> None:
        """Take in what was reported; on the load's own thread, some times a second, while it runs.

        The session's thread would do it in `drain` just as well, but two threads that compute hand the interpreter
        to and fro, and the load loses twice the time that this takes.
        """
        if self._booking.acquire(blocking=False):
            try:
                self._take_in()
            finally:
                self._booking.release()

    def _book(self) -> None:
        with self._booking:
            self._take_in()

    def _take_in(self) -> None:
        take = self._reported.popleft
        rows = [take() for _ in range(len(self._reported))]
        acks = [
            (row[4], row[3], row[3] if row[7] is None else row[7], row[5]) for row in rows if row[6] is _ACKNOWLEDGED
        ]
        self.stream.acknowledged_all(acks)
        if acks and self._times is not None:
            at, started, _, _ = acks[-1]
            self._times.set_acknowledged(at, started)
        if len(acks) < len(rows):
            for row in rows:
                if row[6] is not _ACKNOWLEDGED:
                    self.stream.evidence.failed(row[3], row[5])
        self._ledger.book_all(rows)

    def drain(self, now: float) -> Drained:
        """See `WriteStream.drain`."""
        self._book()
        return self.stream.drain(now)

    def hand_over_ledger(self) -> WriteLedger:
        """Hand over the ledger and begin a new one, before the booked keys are removed from the cluster or a new
        run begins. Writes still in flight are booked in the new one."""
        finished, self._ledger = self.ledger, WriteLedger()
        return finished
