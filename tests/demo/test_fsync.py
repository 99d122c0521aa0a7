"""With ``--demo-fsync`` what a node stores is on the disk before anybody is told of it; without, nothing is synced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from confman_tui.demo import disk
from confman_tui.demo.journal import NodeJournal
from confman_tui.demo.log_matching import Message
from confman_tui.demo.raft import RaftNode
from confman_tui.demo.raft_model import RaftSettings, WriteResult
from confman_tui.demo.snapshot import Snapshots
from confman_tui.demo.store import Store
from tests.support.demo_snapshots import command, written
from tests.support.waiting import until

TIMEOUTS_S = (0.05, 0.1)


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written, synced and told, in order; the real thing is done, too."""
    events: list[str] = []

    def noting(what: str, function: Callable[..., None]) -> Callable[..., None]:
        def work(*arguments: Any) -> None:
            function(*arguments)
            events.append(what)

        return work

    for name, what in (("write_all", "written"), ("sync_file", "synced"), ("sync_folder", "folder synced")):
        monkeypatch.setattr(disk, name, noting(what, getattr(disk, name)))
    return events


def test_entries_are_synced_once_for_all_that_came_together(tmp_path: Path, happened: list[str]) -> None:
    journal = NodeJournal(tmp_path, fsync=True)
    happened.clear()
    for index in range(1, 4):
        journal.add(command("v"), index, 1)
    assert journal.unsynced
    journal.sync()
    assert happened == ["written", "written", "written", "synced"]
    journal.sync()
    assert len(happened) == 4, "there was nothing to do"


def test_term_and_vote_are_synced_before_the_call_returns(tmp_path: Path, happened: list[str]) -> None:
    journal = NodeJournal(tmp_path, fsync=True)
    happened.clear()
    journal.setCurrentTerm(2, "node-1")
    assert happened == ["written", "synced", "folder synced"]


def test_the_mark_never_runs_ahead_of_the_disk(tmp_path: Path, happened: list[str]) -> None:
    """A loss of power takes an entry that was not synced: the file without it must be a whole one."""
    journal = NodeJournal(tmp_path, fsync=True)
    journal.add(command("a"), 1, 1)
    journal.sync()
    size = journal.size
    journal.add(command("b"), 2, 1)
    file = tmp_path / "journal"
    file.write_bytes(file.read_bytes()[:size])
    assert [entry[1] for entry in NodeJournal(tmp_path, fsync=True)[:]] == [1]


def test_a_shortened_journal_is_synced_before_it_takes_the_old_ones_place(tmp_path: Path, happened: list[str]) -> None:
    journal = NodeJournal(tmp_path, fsync=True)
    for index in range(1, 6):
        journal.add(command("v"), index, 1)
    journal.sync()
    happened.clear()
    journal.deleteEntriesTo(2)
    assert happened[-2:] == ["synced", "folder synced"]
    happened.clear()
    journal.deleteEntriesFrom(2)
    assert happened == ["synced"], "the mark goes back before the file becomes shorter"


async def test_a_snapshot_is_synced_before_it_takes_the_old_ones_place(tmp_path: Path, happened: list[str]) -> None:
    store = Store()
    store._COMMANDS["put_entry"](store, "n", "k", "v", "string", "t", "me")
    snapshots = Snapshots(store, tmp_path / "s", fsync=True)
    snapshots.serialize((None, (command("y"), 2, 1), (command("x"), 1, 1), None), 1)
    await written(snapshots)
    assert happened == ["synced", "folder synced"]
    data = (tmp_path / "s").read_bytes()
    happened.clear()
    assert not snapshots.setTransmissionData((data, 0, False))
    assert snapshots.setTransmissionData((b"", len(data), True))
    assert happened == ["synced", "folder synced"]


@asynccontextmanager
async def raft_node(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, fsync: bool, peers: tuple[str, ...] = ()
) -> AsyncIterator[RaftNode]:
    """A real node in this process; its peers are not there."""
    monkeypatch.chdir(folder)
    node = RaftNode(RaftSettings("node-1", peers, TIMEOUTS_S, 1000, True, fsync), Store())
    await node.open()
    try:
        yield node
    finally:
        node.close()


@pytest.fixture
def told(happened: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same with what the node sends to `node-2`, which takes everything."""
    from confman_tui.demo.links import Links

    def send(links: Links, node: object, message: Message) -> bool:
        links.before_sending(message)
        happened.append(message["type"])
        return True

    monkeypatch.setattr(Links, "send", send)
    return happened


@pytest.mark.parametrize("fsync", [True, False])
async def test_a_write_is_answered_after_the_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happened: list[str], fsync: bool
) -> None:
    async with raft_node(tmp_path, monkeypatch, fsync=fsync) as node:
        await until(lambda: node.status.serving, "the only node leads")
        happened.clear()
        for number in range(3):
            assert await node.write("put_entry", "n", f"k{number}", "v", "t", "now", "me") is WriteResult.FOUND
            happened.append("answered")
        entries = [event for event in happened if event != "folder synced"]
    if fsync:
        assert "written answered" not in " ".join(entries)
        assert entries.count("synced") >= 3
        for at, event in enumerate(entries):
            assert event != "answered" or entries[at - 1] == "synced"
    else:
        assert "synced" not in happened


@pytest.mark.parametrize("fsync", [True, False])
async def test_a_follower_syncs_before_it_answers_and_before_it_votes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], fsync: bool
) -> None:
    async with raft_node(tmp_path, monkeypatch, fsync=fsync, peers=("node-2", "node-3")) as node:
        leader = node._links.peers["node-2"]
        told.clear()
        vote = {"type": "request_vote", "term": 5, "last_log_index": 1, "last_log_term": 0}
        node._on_message(leader, vote)
        voted = list(told)
        told.clear()
        entries = [(command(f"v{index}"), index, 5) for index in (2, 3, 4)]
        message = {"type": "append_entries", "term": 5, "commit_index": 1, "prevLogIdx": 1, "prevLogTerm": 0}
        node._on_message(leader, {**message, "entries": entries})
        answered = list(told)
    if fsync:
        stored = ["written", "synced", "folder synced"]
        assert voted == [*stored, *stored, "response_vote"], "the higher term, then the vote"
        assert answered == ["written"] * 3 + ["synced", "next_node_idx"]
    else:
        assert voted == ["written", "written", "response_vote"]
        assert answered == ["written"] * 3 + ["next_node_idx"]


async def test_a_node_that_could_not_take_the_leaders_snapshot_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    import httpx

    from confman_tui.demo.api import application
    from tests.support.demo_client import ADMIN

    async with raft_node(tmp_path, monkeypatch, fsync=False, peers=("node-2", "node-3")) as node:
        monkeypatch.setattr(node, "_tick", lambda: None)  # it would give up the leader, which is silent
        leader = node._links.peers["node-2"]
        head = {"type": "append_entries", "term": 5, "commit_index": 1}
        names = {name: f"http://{name}" for name in ("node-1", "node-2", "node-3")}
        transport = httpx.ASGITransport(application(node, node._store, names))
        path = "/api/v1/namespaces/n/config/k"
        async with httpx.AsyncClient(transport=transport, base_url="http://node-1", headers=ADMIN) as client:
            node._on_message(leader, head)
            assert (await client.get("/health/ready")).status_code == 200
            node._on_message(leader, {**head, "serialized": (b"confman-demo-snapshot-2\nnonsense", 0, False)})
            node._on_message(leader, {**head, "serialized": (b"", 32, True)})
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["status"] == "not_ready"
            read = await client.get(path)
            assert (read.status_code, read.json()["title"]) == (503, "Read barrier failed")
            assert read.headers["retry-after"] == "2"
            assert (await client.put(path, json={"value": "v"})).status_code == 503
