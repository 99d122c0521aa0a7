"""The journal against a plain list, through kills at any moment; and its agreement with a snapshot."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pysyncobj.config import SERIALIZER_STATE

from confman_tui.demo.disk import DamagedError
from confman_tui.demo.journal import NodeJournal, RaftEntry
from confman_tui.demo.journal_file import record
from confman_tui.demo.snapshot import SLICE_CHARACTERS, SLICE_ROWS, LastEntries, Snapshots, _slices
from confman_tui.demo.storage import align_journal
from confman_tui.demo.store import Store
from tests.support.demo_snapshots import command, write_snapshot, written

X, Y = (command("x"), 1, 1), (command("y"), 2, 1)
"""The last two log entries in a snapshot."""
commands = st.binary(max_size=20).map(lambda value: command(value.hex()))


class JournalMachine(RuleBasedStateMachine):
    """What PySyncObj does to a journal, with kills in between: the file is opened again without having been closed."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.journal = NodeJournal(self.folder)
        self.entries: list[RaftEntry] = []
        self.term, self.next = 0, 1
        self.vote: str | None = None

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.journal._destroy()
            shutil.rmtree(self.folder)

    @rule(command=commands, term=st.integers(0, 2**40))
    def add(self, command: bytes, term: int) -> None:
        self.journal.add(command, self.next, term)
        self.entries.append((command, self.next, term))
        self.next += 1

    @rule(at=st.integers(0, 30))
    def cut_the_end(self, at: int) -> None:
        self.journal.deleteEntriesFrom(at)
        del self.entries[at:]
        self.next = self.entries[-1][1] + 1 if self.entries else self.next

    @rule(at=st.integers(0, 30))
    def drop_the_beginning(self, at: int) -> None:
        self.journal.deleteEntriesTo(at)
        del self.entries[:at]

    @rule()
    def clear(self) -> None:
        self.journal.clear()
        self.entries.clear()

    @rule(term=st.integers(0, 2**40), vote=st.sampled_from([None, "node-1", "node-2"]))
    def vote_for(self, term: int, vote: str | None) -> None:
        self.journal.setCurrentTerm(term, vote)
        self.term, self.vote = term, vote

    @rule(index=st.integers(1, 100))
    def commit(self, index: int) -> None:
        self.journal.setRaftCommitIndex(index)

    @rule()
    def kill_and_start_again(self) -> None:
        self.journal = NodeJournal(self.folder)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def kill_while_an_entry_is_written(self, data: st.DataObject) -> None:
        """Only a beginning of the next record got into the file."""
        whole = record((data.draw(commands), self.next, 1))
        part = data.draw(st.integers(0, len(whole) - 1))
        with (self.folder / "journal").open("ab") as file:
            file.write(whole[:part])
        self.journal = NodeJournal(self.folder)

    @invariant()
    def holds_what_was_added(self) -> None:
        if not hasattr(self, "journal"):
            return
        assert self.journal[:] == self.entries
        assert len(self.journal) == len(self.entries)
        assert self.journal.size == (self.folder / "journal").stat().st_size
        assert self.journal.largest >= max((len(command) for command, _, _ in self.entries), default=0)
        assert self.journal.getCurrentTerm() == self.term
        assert self.journal.getVotedForNodeId() == self.vote
        last = self.entries[-1][1] if self.entries else 1
        assert 1 <= self.journal.getRaftCommitIndex() <= max(last, 1)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_commit_index_is_kept_by_the_timer(tmp_path: Path) -> None:
    journal = NodeJournal(tmp_path)
    for index in range(1, 6):
        journal.add(command("v"), index, 1)
    journal.setRaftCommitIndex(4)
    journal.onOneSecondTimer()
    assert NodeJournal(tmp_path).getRaftCommitIndex() == 4


@given(
    length=st.integers(3, 20),
    snapshot_at=st.integers(1, 25),
    begins=st.integers(1, 10),
    other_term=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_journal_keeps_what_is_after_the_snapshot(
    length: int, snapshot_at: int, begins: int, other_term: bool
) -> None:
    """The node was killed after the snapshot was in place and before the journal was shortened."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = NodeJournal(folder)
        for index in range(begins, begins + length):
            journal.add(command(f"{index}"), index, 1)
        term = 2 if other_term else 1
        previous, last = ((command(f"{index}"), index, term) for index in (snapshot_at, snapshot_at + 1))
        align_journal(journal, LastEntries(previous, last))
        inside = begins <= snapshot_at and snapshot_at + 1 < begins + length and not other_term
        first = snapshot_at if inside else begins
        assert [entry[1] for entry in journal[:]] == list(range(first, begins + length))


def test_a_snapshot_holds_everything(tmp_path: Path) -> None:
    store = Store()
    do = store._COMMANDS
    do["put_namespace"](store, "a", None, "o", "t1")
    for number in range(5):
        do["put_entry"](store, "a", f"k{number % 3}", "v" * number, "string", f"t{number}", "me")
    do["put_entry"](store, "stray", "k", "naïve", "t", "t9", "me")
    do["delete_entry"](store, "a", "k0")
    last, previous = (command("y"), 10, 3), (command("x"), 9, 3)
    write_snapshot(store, tmp_path / "s", last, previous)
    copy = Store()
    assert Snapshots(copy, tmp_path / "s").deserialize() == (None, last, previous, ())
    assert copy.entries() == store.entries()
    assert copy.namespaces() == store.namespaces()
    assert copy.entries_of("a") == store.entries_of("a")
    assert do["delete_namespace"](copy, "a")
    assert [row[:2] for row in copy.entries()] == [("stray", "k")]


def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"PK")
    with pytest.raises(DamagedError, match="ends 22 bytes too soon"):
        Snapshots(Store(), tmp_path / "s").load()


def filled(count: int) -> Store:
    store = Store()
    for number in range(count):
        store._COMMANDS["put_entry"](store, "n", f"k{number}", "v" * 100, "string", "t", "me")
    return store


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put_entry", "put_entry", "delete_entry", "put_namespace", "delete_namespace"]),
            st.sampled_from("ab"),
            st.sampled_from("kl"),
            st.text(max_size=5),
        ),
        max_size=40,
    )
)
def test_a_store_knows_how_much_it_holds(commands: list[tuple[str, str, str, str]]) -> None:
    store, copy = Store(), Store()
    for name, space, key, value in commands:
        arguments = {
            "put_entry": (space, key, value, "string", "t", "me"),
            "delete_entry": (space, key),
            "put_namespace": (space, None, "me", "t"),
            "delete_namespace": (space,),
        }[name]
        store._COMMANDS[name](store, *arguments)
        assert store.characters == sum(len(entry.value) for _, _, entry in store.entries())
    namespaces, entries = store.rows()
    copy.load(namespaces, [(*place, *entry) for place, entry in entries])
    assert copy.characters == store.characters


def test_a_slice_of_a_snapshot_is_no_larger_than_a_node_can_spare() -> None:
    """200 values of 1 MB in one slice would silence a node until the others elect another leader."""
    store = Store()
    for number in range(12):
        store._COMMANDS["put_entry"](store, "n", f"k{number}", "v" * (SLICE_CHARACTERS // 3), "string", "t", "me")
    slices = list(_slices(store.rows()[1]))
    assert [row[1] for rows in slices for row in rows] == [f"k{number}" for number in range(12)]
    assert max(map(len, slices)) == 4, "up to the value that reaches the limit"
    assert [len(rows) for rows in _slices(filled(SLICE_ROWS + 1).rows()[1])] == [SLICE_ROWS, 1]


async def test_writes_meanwhile_are_not_in_the_snapshot(tmp_path: Path) -> None:
    store = filled(3 * SLICE_ROWS)
    snapshots = Snapshots(store, tmp_path / "s")
    snapshots.serialize((None, Y, X, None), 1)
    for number in range(3 * SLICE_ROWS):
        store._COMMANDS["delete_entry"](store, "n", f"k{number}")
    store._COMMANDS["put_entry"](store, "n", "late", "v", "string", "t", "me")
    await written(snapshots)
    copy = Store()
    Snapshots(copy, tmp_path / "s").deserialize()
    assert copy.entries() == filled(3 * SLICE_ROWS).entries()


async def test_a_snapshot_travels_in_parts_and_a_lost_part_spoils_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confman_tui.demo.snapshot.PART_BYTES", 1000)
    sender = Snapshots(filled(100), tmp_path / "s")
    assert sender.getTransmissionData("node") is None, "there is none yet"
    sender.serialize((None, Y, X, None), 1)
    await written(sender)
    copy = Store()
    taker = Snapshots(copy, tmp_path / "t")

    def send(lose: int) -> bool:
        number, whole, ended = 0, False, False
        while not ended:
            part = sender.getTransmissionData("node")
            assert part is not None
            ended = part[2]
            if number != lose:
                whole = taker.setTransmissionData(part)
            number += 1
        return whole

    for lost in (0, 3):
        assert not send(lose=lost)
        assert not (tmp_path / "t").exists()
    # Its own, begun before, is older than the one that comes.
    taker.serialize((None, Y, X, None), 1)
    assert send(lose=-1)
    await written(taker)
    taker.deserialize()
    assert copy.entries() == filled(100).entries()


async def test_a_snapshot_that_can_not_be_written_is_tried_again_later(tmp_path: Path) -> None:
    snapshots = Snapshots(filled(1), tmp_path / "nowhere" / "s")
    data = (None, Y, X, None)
    snapshots.serialize(data, 1)
    assert snapshots.checkSerializing()[0] == SERIALIZER_STATE.FAILED
    (tmp_path / "nowhere").mkdir()
    snapshots.serialize(data, 1)
    assert snapshots.checkSerializing()[0] == SERIALIZER_STATE.NOT_SERIALIZING, "not at once"
    snapshots._retry_at = 0.0
    snapshots.serialize(data, 1)
    assert snapshots.checkSerializing()[0] == SERIALIZER_STATE.SERIALIZING
