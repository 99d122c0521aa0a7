"""What stands in a node's folder is whole, or the node says what is not: files damaged at any byte, cut anywhere, made
by somebody who would have the node run something."""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysyncobj.config import SERIALIZER_STATE

from confman_tui.demo import commands, journal_file, meta
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.journal import NodeJournal
from confman_tui.demo.journal_file import HEAD_BYTES, MAGIC, RaftEntry, mark_of, record
from confman_tui.demo.meta import Meta
from confman_tui.demo.snapshot import Snapshots
from confman_tui.demo.snapshot_file import MAGIC as SNAPSHOT_MAGIC
from confman_tui.demo.snapshot_file import Head, Writer
from confman_tui.demo.storage import open_storage
from confman_tui.demo.store import Store
from tests.support.demo_snapshots import command, write_snapshot

sizes = st.lists(st.integers(0, 80), min_size=1, max_size=8)
flips = st.integers(1, 255)


@contextmanager
def folder_with(entries: list[RaftEntry]) -> Iterator[Path]:
    """A node's folder, its journal as a killed node leaves it."""
    with tempfile.TemporaryDirectory() as name:
        journal = NodeJournal(Path(name))
        for entry in entries:
            journal.add(*entry)
        yield Path(name)


def log_of(values: list[int]) -> list[RaftEntry]:
    return [(command("v" * size), index, 1) for index, size in enumerate(values, 1)]


def flip(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


@given(values=sizes, by=flips, data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_damaged_byte_of_a_journal_is_named(values: list[int], by: int, data: st.DataObject) -> None:
    with folder_with(log_of(values)) as folder:
        file = folder / "journal"
        whole = file.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = flip(whole, at, by)
        file.write_bytes(damaged)
        with pytest.raises(DamagedError) as error:
            NodeJournal(folder)
        assert str(file) in str(error.value)
        assert error.value.at is not None
        assert f"at byte {error.value.at}:" in str(error.value)
        ends = [0, len(MAGIC), HEAD_BYTES, *(record_ends(values))]
        assert max(end for end in ends if end <= at) == error.value.at, "the record that begins before the byte"
        assert file.read_bytes() == damaged, "what is damaged stays as it is"
        file.write_bytes(whole)
        assert NodeJournal(folder)[:] == log_of(values)


def record_ends(values: list[int]) -> list[int]:
    ends, at = [], HEAD_BYTES
    for entry in log_of(values):
        at += len(record(entry))
        ends.append(at)
    return ends


@given(values=sizes, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_journal_that_lost_its_end_is_no_torn_tail(values: list[int], data: st.DataObject) -> None:
    """Cut anywhere, also between two records: others count on what was there."""
    with folder_with(log_of(values)) as folder:
        file = folder / "journal"
        whole = file.read_bytes()
        file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(DamagedError, match=r"journal is damaged at byte \d+"):
            NodeJournal(folder)


TAILS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut short", lambda rec: rec[:-1], "entry 4 is cut short"),
    ("a head cut short", lambda rec: rec[:9], "head is cut short"),
    ("zeros", lambda rec: bytes(len(rec)), "all zero"),
    ("more zeros", lambda rec: bytes(100_000), "all zero"),
    ("zeros in its place", lambda rec: rec[:40] + bytes(len(rec) - 40), "entry 4 is not as it was written"),
    ("garbage", lambda rec: b"\xc5REC" * 50, "head is not as it was written"),
]


@pytest.mark.parametrize(("tail", "told"), [tail[1:] for tail in TAILS], ids=[tail[0] for tail in TAILS])
def test_what_a_kill_left_behind_the_last_whole_record_is_cut(
    tail: Callable[[bytes], bytes], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    entries = log_of([5, 6, 7])
    with folder_with(entries) as folder:
        file = folder / "journal"
        whole = file.read_bytes()
        rest = tail(record((command("v" * 30), 4, 1)))
        file.write_bytes(whole + rest)
        with caplog.at_level(logging.WARNING):
            journal = NodeJournal(folder)
        assert journal[:] == entries
        assert file.read_bytes() == whole
        (line,) = caplog.messages
        assert line.startswith(f"{file}: cut off the last {len(rest)} bytes, from byte {len(whole)} on: ")
        assert told in line
        journal.add(command("next"), 4, 1)
        assert len(NodeJournal(folder)) == 4


@given(st.binary(min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_garbage_behind_the_last_whole_record_is_cut(rest: bytes) -> None:
    entries = log_of([5, 6])
    with folder_with(entries) as folder:
        with (folder / "journal").open("ab") as file:
            file.write(rest)
        assert NodeJournal(folder)[:] == entries


def test_damage_that_whole_records_follow_is_damage_whatever_the_mark_says() -> None:
    """After a loss of power the mark on the disk may be older than the entries."""
    with folder_with(log_of([5, 6, 7, 8])) as folder:
        file = folder / "journal"
        whole = file.read_bytes()
        second, third, _ = record_ends([5, 6, 7])
        old_mark = MAGIC + mark_of(second).to_bytes(8, "little")
        file.write_bytes(old_mark + whole[HEAD_BYTES:])
        assert len(NodeJournal(folder)) == 4, "what is whole counts"
        for at in (second + 5, third - 1):  # in the head, in the command
            file.write_bytes(old_mark + flip(whole, at, 1)[HEAD_BYTES:])
            with pytest.raises(DamagedError, match=rf"at byte {second}: .*further records follow at byte {third}"):
                NodeJournal(folder)


def test_where_nothing_can_be_mapped_the_mark_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems."""

    def refuse(*_: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr("confman_tui.demo.journal_file.mmap.mmap", refuse)
    with folder_with(log_of([5, 6, 7])) as folder:
        file = folder / "journal"
        journal = NodeJournal(folder)
        journal.deleteEntriesTo(1)
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(DamagedError, match="entry 3 is cut short"):
            NodeJournal(folder)
        file.write_bytes(whole)
        assert [entry[1] for entry in NodeJournal(folder)[:]] == [2, 3]


def test_a_journal_of_an_older_version_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"confman-demo-journal-1\n" + pickle.dumps("x"))
    with pytest.raises(DamagedError, match="another version of this program wrote it"):
        NodeJournal(tmp_path)


class Canary:
    """As a pickle it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (str(self.path), 0o700)


def journal_with(folder: Path, content: bytes) -> None:
    """A journal with right checksums, as only somebody who knows its form makes it."""
    data = record((content, 1, 0))
    head = MAGIC + mark_of(HEAD_BYTES + len(data)).to_bytes(8, "little")
    (folder / "journal").write_bytes(head + data)


@pytest.mark.parametrize("kind", range(5))
def test_a_crafted_folder_runs_no_code(tmp_path: Path, kind: int) -> None:
    """PySyncObj's own forms of each kind of command, a snapshot and ``meta.json`` alike."""
    canary = tmp_path / "ran"
    folder = tmp_path / "node"
    folder.mkdir()
    crafted = pickle.dumps(Canary(canary))
    journal_with(folder, bytes([kind]) + crafted)
    with pytest.raises(DamagedError, match=r"entry 1 can't be used"):
        open_storage(folder, Store(), fsync=False)
    (folder / "journal").write_bytes(journal_file.new_head())
    (folder / "meta.json").write_bytes(crafted)
    with pytest.raises(DamagedError, match=r"meta\.json is damaged"):
        open_storage(folder, Store(), fsync=False)
    (folder / "meta.json").unlink()
    size = len(crafted).to_bytes(4, "little")
    crc = zlib.crc32(crafted, zlib.crc32(size, zlib.crc32(SNAPSHOT_MAGIC)))
    (folder / "snapshot").write_bytes(SNAPSHOT_MAGIC + size + crc.to_bytes(4, "little") + crafted)
    with pytest.raises(DamagedError, match="no part of a snapshot"):
        open_storage(folder, Store(), fsync=False)
    with (folder / "snapshot").open("wb") as file:
        Writer(file, Head((bytes([kind]) + crafted, 2, 1), (command("x"), 1, 1), [], 0))
    with pytest.raises(DamagedError, match=r"entry 2 can't be used"):
        open_storage(folder, Store(), fsync=False)
    assert not canary.exists()
    pickle.loads(crafted)
    assert canary.exists(), "it was a trap"


@pytest.mark.parametrize(
    "wrong",
    [
        ("put_entry", "n", "k", "v", "t", "now"),
        ("put_entry", "n", "k", "v", "t", "now", "me", "and more"),
        ("put_entry", "n", "k", None, "t", "now", "me"),
        ("put_entry", "n", "k", 1, "t", "now", "me"),
        ("drop_all",),
        (),
        ("__class__",),
    ],
)
def test_only_the_stores_commands_pass(wrong: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="no command of the store"):
        commands.check(bytes([commands.REGULAR]) + commands.encoded(wrong))


@pytest.mark.parametrize(
    "arguments",
    [
        ("put_namespace", "a/b", None, "me", "now"),
        ("put_namespace", "a", "naïve", "me", "now"),
        ("delete_namespace", "a"),
        ("put_entry", "n", "k", "", "string", "now", "me"),
        ("delete_entry", "n", "k"),
    ],
)
def test_every_command_comes_back_as_it_was(arguments: tuple[str | None, ...]) -> None:
    data = commands.dumps((0, arguments))
    commands.check(bytes([commands.REGULAR]) + data)
    assert commands.loads(data) == (0, arguments)
    assert arguments[0] in Store._COMMANDS


def test_half_a_character_becomes_a_question_mark_as_in_every_answer() -> None:
    value = "a\ud800b"
    stored = commands.loads(commands.dumps((0, ("put_entry", "n", "k", value, "t", "now", "me"))))[1][3]
    assert stored == value.encode("utf-8", "replace").decode() == "a?b"


@pytest.mark.parametrize("name", ["journal", "meta.json", "snapshot"])
def test_no_file_of_a_folder_leads_elsewhere(tmp_path: Path, name: str) -> None:
    folder, precious = tmp_path / "node", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("mine")
    (folder / "journal").write_bytes(journal_file.new_head())
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(precious)
    with pytest.raises(DamagedError, match="a link to another file"):
        open_storage(folder, Store(), fsync=False)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(DamagedError, match="no regular file"):
        open_storage(folder, Store(), fsync=False)
    (folder / name).unlink()
    (folder / "journal").unlink(missing_ok=True)
    (folder / "meta.new").symlink_to(precious)
    (folder / "journal.new").symlink_to(precious)
    open_storage(folder, Store(), fsync=False).journal.setCurrentTerm(1, "node-1")
    assert precious.read_text() == "mine"


@given(by=flips, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_vote_does_not_change_by_itself(by: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "meta.json"
        stored = Meta(12, "node-2", 345)
        meta.save(file, stored, fsync=False)
        whole = file.read_bytes()
        file.write_bytes(flip(whole, data.draw(st.integers(0, len(whole) - 1)), by))
        with pytest.raises(DamagedError, match=r"meta\.json is damaged"):
            meta.load(file)
        file.write_bytes(whole)
        assert meta.load(file) == stored


# -- snapshots

LAST, PREVIOUS = (command("y"), 10, 3), (command("x"), 9, 3)


def filled(count: int = 500) -> Store:
    store = Store()
    store._COMMANDS["put_namespace"](store, "n", None, "me", "t")
    for number in range(count):
        store._COMMANDS["put_entry"](store, "n", f"k{number}", "v" * (number % 7), "string", "t", "me")
    return store


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("snapshot") / "snapshot"
    write_snapshot(filled(), file, LAST, PREVIOUS)
    return file.read_bytes()


@given(by=flips, data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_or_shortened_snapshot_is_never_loaded(snapshot: bytes, by: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(snapshot) - 1))
    damaged = data.draw(st.sampled_from([flip(snapshot, at, by), snapshot[:at], snapshot + b"\0" * by]))
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "snapshot").write_bytes(damaged)
        store = filled(3)
        with pytest.raises(DamagedError, match=r"snapshot is damaged at byte \d+"):
            open_storage(Path(name), store, fsync=False)
        assert store.entries() == filled(3).entries(), "nothing of it, and nothing else lost"


def test_a_snapshot_of_an_older_version_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_bytes(b"confman-demo-snapshot-1\n" + pickle.dumps("x"))
    with pytest.raises(DamagedError, match="another version of this program wrote it"):
        open_storage(tmp_path, Store(), fsync=False)


def test_a_damaged_snapshot_from_the_leader_does_not_replace_what_is_there(
    tmp_path: Path, snapshot: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "snapshot"
    write_snapshot(filled(3), file, LAST, PREVIOUS)
    store = Store()
    snapshots = Snapshots(store, file)
    snapshots.load()
    for _ in range(2):
        assert not snapshots.setTransmissionData((flip(snapshot, 2000, 1), 0, False))
        assert not snapshots.setTransmissionData((b"", len(snapshot), True))
        assert "at byte" in snapshots.refused
    assert store.entries() == filled(3).entries()
    assert len(caplog.messages) == 1, "told once"
    assert "not ready" in caplog.messages[0]
    assert not snapshots.setTransmissionData((snapshot, 0, False))
    assert snapshots.setTransmissionData((b"", len(snapshot), True))
    assert snapshots.refused == ""
    assert snapshots.deserialize() == (None, LAST, PREVIOUS, ())
    assert store.entries() == filled().entries()
    assert snapshots.checkSerializing()[0] == SERIALIZER_STATE.NOT_SERIALIZING


# -- what must fit together


def node_folder(folder: Path, *, begins: int = 1, snapshot_at: int | None = None) -> None:
    """Twenty entries of term 1 from that index on, and perhaps a snapshot up to one of them."""
    journal = NodeJournal(folder)
    journal.setCurrentTerm(1, "node-1")
    for index in range(begins, begins + 20):
        journal.add(command(f"{index}"), index, 1)
    journal.setRaftCommitIndex(begins + 19)
    journal._destroy()
    if snapshot_at is not None:
        last, previous = (
            (command(f"{snapshot_at}"), snapshot_at, 1),
            (command(f"{snapshot_at - 1}"), snapshot_at - 1, 1),
        )
        write_snapshot(Store(), folder / "snapshot", last, previous)


def test_journal_and_snapshot_that_fit_are_taken(tmp_path: Path) -> None:
    node_folder(tmp_path, begins=50, snapshot_at=60)
    storage = open_storage(tmp_path, Store(), fsync=False)
    assert [entry[1] for entry in storage.journal[:]] == list(range(59, 70))
    assert storage.journal.getRaftCommitIndex() == 69


@pytest.mark.parametrize(
    ("begins", "snapshot_at", "harm", "told"),
    [
        (50, None, lambda folder: None, r"snapshot is damaged: it is missing, and the journal begins with entry 50"),
        (50, 40, lambda folder: None, r"snapshot is damaged: it ends with entry 40, and the journal begins with 50"),
        (1, None, lambda folder: (folder / "journal").unlink(), r"journal is damaged: it is missing"),
        (1, 10, lambda folder: (folder / "meta.json").unlink(), r"meta\.json is damaged: it says term 0"),
        (1, 10, lambda folder: (folder / "journal").unlink(), r"journal is damaged: it is missing"),
        (
            1,
            10,
            lambda folder: (folder / "journal").write_bytes(journal_file.new_head()),
            "it ends with entry 10, and entry 20 was committed here",
        ),
        (1, None, lambda folder: (folder / "journal").write_bytes(journal_file.new_head()), "it has no entry"),
    ],
)
def test_a_gap_between_the_files_is_no_store(
    tmp_path: Path, begins: int, snapshot_at: int | None, harm: Callable[[Path], object], told: str
) -> None:
    node_folder(tmp_path, begins=begins, snapshot_at=snapshot_at)
    harm(tmp_path)
    with pytest.raises(DamagedError, match=told):
        open_storage(tmp_path, Store(), fsync=False)
