"""Booking keeps every write, from two threads at once."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteObserver, WriteOutcome, value_digest
from confman_tui.cluster.writes import ledger as ledger_module
from confman_tui.cluster.writes.ledger import BookedWrite, WriteBook, WriteLedger
from confman_tui.cluster.writes.spill import Spilled, SpillFile

NODES = ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
OUTCOMES = tuple(WriteOutcome)

keys = st.one_of(
    st.builds("{}{:012x}".format, st.sampled_from(["key-", "probe-", ""]), st.integers(0, 2**48 - 1)),
    st.text(max_size=20),
    st.text("0123456789abcdefABCDEF \t-", min_size=10, max_size=16),
)
booked = st.builds(
    BookedWrite,
    keys,
    st.integers(0, 2**64 - 1),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
    st.sampled_from(NODES),
    st.sampled_from(OUTCOMES),
)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), booked)))
def test_what_was_booked_is_read_back(writes: list[tuple[str, BookedWrite]]) -> None:
    ledger = WriteLedger()
    for namespace, write in writes:
        ledger.book(namespace, write.key, write.digest, write.started, write.ended, write.node, write.outcome)
    for namespace in ("a", "b"):
        theirs = [write for name, write in writes if name == namespace]
        assert list(ledger.writes(namespace)) == theirs
        assert ledger.count(namespace) == len(theirs)
        assert ledger.outcomes(namespace) == tuple(sum(w.outcome is kind for w in theirs) for kind in OUTCOMES)
    assert len(ledger) == len(writes)


@given(st.lists(st.lists(st.tuples(st.sampled_from(["a", "b"]), booked))))
def test_many_at_once_are_booked_as_one_by_one(parts: list[list[tuple[str, BookedWrite]]]) -> None:
    one, other = WriteLedger(), WriteLedger()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger_module, "_CHUNK_BYTES", 100)
        for part in parts:
            rows = [(name, w.key, w.digest, w.started, w.ended, w.node, w.outcome, None) for name, w in part]
            one.book_all(rows)
            for row in rows:
                other.book(*row[:7])
    assert one.namespaces == other.namespaces
    for namespace in one.namespaces:
        assert list(one.writes(namespace)) == list(other.writes(namespace))


def test_two_threads_that_tell_the_book_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_CHUNK_BYTES", 1000)
    book = WriteBook()

    def report(number: int) -> None:
        for n in range(10_000):
            book.ended("shared", f"key-{number:04x}{n:08x}", n, 1.0, 2.0, NODES[number], WriteOutcome.ACKNOWLEDGED)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        book.drain(3.0)
    for thread in threads:
        thread.join()
    found = {write.key: write.digest for write in book.ledger.writes("shared")}
    assert len(book.ledger) == 20_000
    assert found == {f"key-{number:04x}{n:08x}": n for number in range(2) for n in range(10_000)}


def test_a_full_disk_keeps_the_writes_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_CHUNK_BYTES", 1000)
    put, calls = SpillFile.put, iter(range(10**6))

    def sometimes(self: SpillFile, block: bytes | bytearray) -> Spilled:
        if next(calls) % 3 == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, block)

    monkeypatch.setattr(SpillFile, "put", sometimes)
    ledger = WriteLedger()
    fill(ledger, 0)
    kinds = {type(chunk) for chunk in ledger._namespaces["shared"].chunks}
    assert kinds == {bytearray, Spilled}
    assert [write.digest for write in ledger.writes("shared")] == list(range(10_000))
    assert ledger.outcomes() == (10_000, 0, 0)


def test_spilled_blocks_come_back_and_their_file_goes() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    file = SpillFile()
    blocks = [file.put(bytes([number]) * number * 1000) for number in range(5)]
    assert [bytes(block) for block in blocks] == [bytes([number]) * number * 1000 for number in range(5)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    del blocks, file
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def fill(ledger: WriteLedger, number: int) -> None:
    for n in range(10_000):
        ledger.book("shared", f"key-{number:04x}{n:08x}", n, 1.0, 2.0, NODES[number], WriteOutcome.ACKNOWLEDGED)


def test_a_write_can_be_booked_while_another_is_read() -> None:
    ledger = WriteLedger()
    fill(ledger, 0)
    reading = ledger.writes("shared")
    next(reading)
    ledger.book("shared", "key-0000ffffffff", 1, 1.0, 2.0, NODES[0], WriteOutcome.UNKNOWN)
    assert sum(1 for _ in reading) >= 9_999
    assert len(ledger) == 10_001


def test_the_book_tells_stream_and_ledger_and_turns_its_page() -> None:
    book = WriteBook()
    observer: WriteObserver = book
    for n, outcome in enumerate(OUTCOMES):
        observer.started(100.0 + n)
        observer.ended("bench", f"key-{n:012x}", value_digest("v"), 100.0 + n, 100.5 + n, NODES[0], outcome)
    drained = book.drain(200.0)
    assert drained.counts == ((100.5, 1),)
    finished = book.hand_over_ledger()
    assert finished.outcomes() == (1, 1, 1)
    assert len(book.ledger) == 0
    observer.ended("bench", "key-0000000000ff", 1, 1.0, 2.0, NODES[0], WriteOutcome.ACKNOWLEDGED)
    assert len(finished) == 3
    assert len(book.ledger) == 1


def test_what_the_loads_thread_settles_is_booked_once() -> None:
    book = WriteBook()
    for n in range(10):
        book.ended("bench", f"key-{n:012x}", n, 1.0 + n, 2.0 + n, NODES[0], WriteOutcome.ACKNOWLEDGED)
        book.settle()
    book.ended("bench", f"key-{10:012x}", 10, 11.0, 12.0, NODES[0], WriteOutcome.UNKNOWN)
    assert book.drain(200.0).counts[0] == (2.0, 1)
    assert [write.digest for write in book.hand_over_ledger().writes("bench")] == list(range(11))
