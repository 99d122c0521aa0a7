"""One Raft node: PySyncObj driven from the server's event loop, and what the HTTP side asks of it.

PySyncObj's own tick thread makes a write wait for up to three ticks, so it is either slow or busy. Here a tick happens
when there is something to do (a message, a write, a deadline), which gives a quick answer and an idle process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from pathlib import Path
from typing import Any

from pysyncobj import SyncObj, SyncObjConf
from pysyncobj.node import Node

from confman_tui.demo import log_matching, pysyncobj_hacks
from confman_tui.demo.allocator import HeapTrimmer
from confman_tui.demo.journal import JOURNAL
from confman_tui.demo.leading import Leading
from confman_tui.demo.links import Links
from confman_tui.demo.log_matching import Message
from confman_tui.demo.node_contract import EXIT_DISK
from confman_tui.demo.pending_writes import Done, PendingWrites
from confman_tui.demo.prevote import PreVote
from confman_tui.demo.pysyncobj_hacks import SyncObjInternals, clock
from confman_tui.demo.raft_model import GapError, RaftSettings, RaftStatus, WriteResult
from confman_tui.demo.reads import ReadBarrier
from confman_tui.demo.storage import SNAPSHOT, open_storage
from confman_tui.demo.store import Store

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.1
"""Between a leader's signs of life, at most."""
MESSAGE_BYTES = 4 * 1024 * 1024
"""About as much is sent to a follower in one message: each node holds what is on its way. It grows with the largest
entry, because it must be more than that has: PySyncObj sends a larger one in parts, and marks the last part wrongly."""
JOURNAL_BYTES = 64 * 1024 * 1024
"""A journal of so many bytes, and of half as many as the values have, is shortened: each node holds all of it."""
STALL_S = 0.5
"""A node that didn't run for this long was paused or starved: its timers say nothing about the others."""


class RaftNode:
    """Runs in the event loop it is opened in; no method is thread-safe. The working directory is the node's folder.

    Raises DamagedError when what is stored there is not whole, and OSError when it can't be read or written.
    """

    def __init__(self, settings: RaftSettings, store: Store) -> None:
        low, high = settings.election_timeout_s
        self._settings = settings
        self._store = store
        self._links = Links(settings.name, settings.peers, silent_after_s=high)
        self._links.on_message = self._on_message
        self._links.before_sending = self._stamp
        self._heartbeat = min(HEARTBEAT_S, low / 5)
        self._ping_every = min(0.5, low / 2)
        self._writes = PendingWrites()
        self._heap = HeapTrimmer()
        self._reads = ReadBarrier(settings.name, self, self._links)
        self._timer: asyncio.TimerHandle | None = None
        self._tick_soon = False
        self._last_tick = clock()
        self._next_ping = 0.0
        self._first_election = settings.first_election
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

        self._journal, self._snapshots = journal, snapshots = open_storage(Path(), store, fsync=settings.fsync)
        self._links.on_cut = snapshots.cancelTransmisstion
        pysyncobj_hacks.use(journal, snapshots)
        self._core = SyncObj(
            self._links.node,
            list(self._links.peers.values()),
            SyncObjConf(
                autoTick=False,
                appendEntriesPeriod=self._heartbeat,
                raftMinTimeout=low,
                raftMaxTimeout=high,
                connectionTimeout=high,
                leaderFallbackTimeout=high,
                commandsWaitLeader=False,
                appendEntriesBatchSizeBytes=max(MESSAGE_BYTES, journal.largest + 1),
                logCompactionMinEntries=settings.compact_after,
                logCompactionMinTime=3600,
                journalFile=JOURNAL,
                fullDumpFile=SNAPSHOT,
            ),
            consumers=[store],
            transport=self._links,
        )
        self._internals = SyncObjInternals(self._core)
        journal.on_largest = self._make_room_for
        self._leading = Leading(self._core, self._internals, self._links)
        self._pre_vote = PreVote(self._internals, self._links, settings.election_timeout_s)

    async def open(self) -> None:
        """Load what was stored, listen to the other nodes and start ticking. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        await self._links.open()
        self._tick()

    def close(self) -> None:
        """Stop, and close the journal."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._core.destroy()

    def isolate(self) -> None:
        """Cut the links to the other nodes until `heal`."""
        self._links.isolate()

    def heal(self) -> None:
        self._links.heal()

    # -- what it knows

    @property
    def status(self) -> RaftStatus:
        term: int = self._core.raftCurrentTerm
        if self._internals.is_leader:
            return RaftStatus(term, self._settings.name, self._serving)
        leader = self._internals.leader
        if leader is None or self._pre_vote.standing or self._internals.election_deadline < clock() or self.gap:
            return RaftStatus(term, None, False)
        return RaftStatus(term, leader.id, False)

    @property
    def _serving(self) -> bool:
        first = self._internals.first_index_of_term
        return self.leads and first is not None and self.applied >= first

    @property
    def gap(self) -> bool:
        """It lacks entries that it could get from a snapshot only, and the one that came was damaged."""
        return bool(self._snapshots.refused)

    @property
    def leads(self) -> bool:
        """It is the leader of its term, whether it serves already or not."""
        return self._internals.is_leader

    @property
    def leads_surely(self) -> bool:
        """It serves writes, and a majority answered within the shortest election timeout: nobody else leads yet."""
        if not self._serving:
            return False
        since = clock() - self._settings.election_timeout_s[0]
        fresh = sum(1 for at in self._internals.last_response.values() if at > since)
        return 1 + fresh > (1 + len(self._links.peers)) / 2

    @property
    def leader(self) -> str | None:
        """The name of the node it takes for the leader."""
        return self.status.leader

    @property
    def applied(self) -> int:
        """Index of the last entry applied here."""
        index: int = self._core.raftLastApplied
        return index

    def send_commit_index(self) -> int:
        """Leader: see to it that the followers get the commit index before anything sent later, and give it."""
        return self._leading.send_commit_index()

    async def read_barrier(self) -> None:
        """Wait until what was acknowledged anywhere before now can be read here (see `ReadBarrier`).

        Raises GapError.
        """
        if self.gap:
            raise GapError
        await self._reads.wait()

    # -- writes

    async def write(self, command: str, *args: Any) -> WriteResult:
        """Replicate a command of the store, and wait until it is committed, for `RPC_TIMEOUT_S` at most.

        To be called only while `status.serving`.
        """

        def replicate(done: Done) -> None:
            self._store.apply(command, *args, callback=done)
            self.wake()

        return await self._writes.result_of(replicate)

    # -- messages

    def _on_message(self, node: Node, message: Message) -> None:
        try:
            self._handle(node, message)
        except OSError:
            self._die()
        except Exception:
            log.exception("a message of type %s from %s failed", message.get("type"), node.id)
        self.wake()

    def _handle(self, node: Node, message: Message) -> None:
        current = message["type"] == "append_entries" and message["term"] >= self._core.raftCurrentTerm
        if current:
            self._pre_vote.on_leader(clock())
        match message["type"]:
            case "read_index":
                self._reads.on_question(node, message)
            case "read_index_answer":
                self._reads.on_answer(message)
            case "pre_vote":
                self._pre_vote.on_question(node, message, clock(), leads=self.leads)
            case "pre_vote_granted":
                self._pre_vote.on_granted(node, message)
            case "append_entries" if current and "prevLogIdx" in message:
                self._on_entries(node, message)
            case "append_entries" if "serialized" in message:
                self._on_snapshot(node, message)
            case "snapshot_refused":
                # It was damaged on this node's disk, but not in the store.
                self._core.forceLogCompaction()
            case "next_node_idx":
                self._on_next_index(node, message)
            case _:
                self._links.hand_over(node, message)

    def _on_entries(self, node: Node, message: Message) -> None:
        deliver, reply = log_matching.without_known_entries(self._internals.log, message)
        if deliver is not None:
            self._links.hand_over(node, deliver)
        if reply is not None:
            self._links.send(node, reply)

    def _on_snapshot(self, node: Node, message: Message) -> None:
        self._links.hand_over(node, message)
        part = message["serialized"]
        if self.gap and part is not None and part[2]:
            self._links.send(node, {"type": "snapshot_refused"})

    def _stamp(self, message: Message) -> Message:
        if message["type"] == "next_node_idx":
            # The leader counts on what this says it has.
            self._journal.sync()
            return {**message, "term": self._core.raftCurrentTerm}
        return message

    def _on_next_index(self, node: Node, message: Message) -> None:
        # PySyncObj's answers carry no term: one to entries of an earlier term must not count in this one.
        if message["term"] != self._core.raftCurrentTerm or not self._internals.is_leader:
            return
        sent = self._internals.next_index.get(node, 0)
        self._links.hand_over(node, message)
        if not message["reset"]:
            # More may be under way than what was just answered: don't send it twice.
            self._internals.next_index[node] = max(sent, self._internals.next_index[node])

    # -- ticks

    def wake(self) -> None:
        """Tick soon: there is something to do."""
        if not self._tick_soon and not self._closed:
            assert self._loop is not None
            self._tick_soon = True
            self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        if self._closed:
            return
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._run_tick()
        except OSError:
            self._die()
        except Exception:
            log.exception("a tick failed")
        self._tick_soon = False
        self._timer = self._loop.call_later(self._seconds_to_next_tick(), self._tick)

    def _run_tick(self) -> None:
        now = clock()
        stalled = now - self._last_tick > STALL_S
        self._last_tick = now
        if stalled and not self.leads and not self._pre_vote.standing:
            # Messages wait unread: take first what the leader has sent meanwhile.
            self._internals.election_deadline = max(
                self._internals.election_deadline, now + self._internals.election_timeout()
            )
        if now >= self._next_ping or stalled:
            self._next_ping = now + self._ping_every
            self._links.drop_silent(forgive=stalled)
            self._links.ping()
        if self._first_election:
            self._start_first_election(now)
        if not self.leads:
            self._pre_vote.before_tick(now)
        self._core.conf.logCompactionMinEntries = self._entries_before_compaction()
        self._heap.tick(self._internals.log.size + self._store.characters, now)
        sent_at = self._internals.next_heartbeat
        # A leader counts itself for every entry in its log. Those of the last tick are on their way to the others.
        self._journal.sync()
        self._core.doTick(0)
        if self._internals.is_leader:
            if self._internals.next_heartbeat != sent_at:
                self._leading.note_sent()
            self._leading.tick(now)
        else:
            self._writes.give_up()
        self._reads.after_tick()
        if self._journal.unsynced:
            self.wake()

    def _entries_before_compaction(self) -> int:
        """In proportion to what a snapshot costs, so that the cost for each write stays the same as the data grows."""
        if self._internals.log.size > max(JOURNAL_BYTES, self._store.characters // 2):
            return 0
        return max(self._settings.compact_after, len(self._store))

    def _make_room_for(self, largest: int) -> None:
        self._core.conf.appendEntriesBatchSizeBytes = max(MESSAGE_BYTES, largest + 1)

    def _start_first_election(self, now: float) -> None:
        if self._core.raftCurrentTerm or self._internals.leader is not None:
            self._first_election = False
        elif len(self._links.connected) == len(self._links.peers):
            self._first_election = False
            if self._internals.is_leader:
                return
            self._internals.election_deadline = now + random.uniform(
                0.0, min(0.3, self._settings.election_timeout_s[0] / 2)
            )

    def _seconds_to_next_tick(self) -> float:
        now = clock()
        due = [self._heartbeat, self._next_ping - now]
        if self._internals.is_leader:
            due.append(self._internals.next_heartbeat - now)
            if self._leading.notice_at is not None:
                due.append(self._leading.notice_at - now)
        else:
            due.append(self._pre_vote.next_tick() - now)
        seconds: float = max(min(due), 0.001)
        return seconds

    def _die(self) -> None:
        log.exception("the journal can't be written: this node ends, because it can't keep what it promises")
        logging.shutdown()
        os._exit(EXIT_DISK)
