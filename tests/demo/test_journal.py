"""The journal against a plain list, through kills at any moment; and its agreement with a snapshot."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from confman_tui.demo.journal import NodeJournal, RaftEntry
from confman_tui.demo.snapshot import Snapshots, align_journal
from confman_tui.demo.store import Store

commands = st.binary(max_size=40)


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
        record = NodeJournal._record((data.draw(commands), self.next, 1))
        part = data.draw(st.integers(0, len(record) - 1))
        with (self.folder / "journal").open("ab") as file:
            file.write(record[:part])
        self.journal = NodeJournal(self.folder)

    @invariant()
    def holds_what_was_added(self) -> None:
        if not hasattr(self, "journal"):
            return
        assert self.journal[:] == self.entries
        assert len(self.journal) == len(self.entries)
        assert self.journal.getCurrentTerm() == self.term
        assert self.journal.getVotedForNodeId() == self.vote
        last = self.entries[-1][1] if self.entries else 1
        assert 1 <= self.journal.getRaftCommitIndex() <= max(last, 1)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_commit_index_is_kept_by_the_timer(tmp_path: Path) -> None:
    journal = NodeJournal(tmp_path)
    for index in range(1, 6):
        journal.add(b"c", index, 1)
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
            journal.add(b"c%d" % index, index, 1)
        term = 2 if other_term else 1
        previous, last = ((b"c%d" % index, index, term) for index in (snapshot_at, snapshot_at + 1))
        Snapshots(Store()).write(str(folder / "snapshot"), (last, previous, None))
        align_journal(journal, folder / "snapshot")
        inside = begins <= snapshot_at and snapshot_at + 1 < begins + length and not other_term
        first = snapshot_at if inside else begins
        assert [entry[1] for entry in journal[:]] == list(range(first, begins + length))


def test_a_snapshot_holds_everything(tmp_path: Path) -> None:
    store = Store()
    do = store._COMMANDS
    do["put_namespace"](store, "a", None, "o", "t1")
    for number in range(5):
        do["put_entry"](store, "a", f"k{number % 3}", "v" * number, "string", f"t{number}", "me")
    do["put_entry"](store, "stray", "k", "naïve \ud800", "t", "t9", "me")
    do["delete_entry"](store, "a", "k0")
    entries = [(b"x", 9, 3), (b"y", 10, 3)]
    Snapshots(store).write(str(tmp_path / "s"), (entries[1], entries[0], None))
    copy = Store()
    assert Snapshots(copy).read(str(tmp_path / "s")) == (entries[1], entries[0], ())
    assert copy.entries() == store.entries()
    assert copy.namespaces() == store.namespaces()
    assert copy.entries_of("a") == store.entries_of("a")
    assert do["delete_namespace"](copy, "a")
    assert [row[:2] for row in copy.entries()] == [("stray", "k")]


def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"PK")
    with pytest.raises(ValueError, match="not a snapshot"):
        Snapshots(Store()).read(str(tmp_path / "s"))
