"""The read barrier: a read shows everything that was acknowledged anywhere before it was asked.

Confman's, in short: the leader reads at once while a majority answers it (its lease), a follower asks the leader for
its commit index and waits until it has applied that. Without a leader, or when it doesn't answer in time, the read goes
on with what the node has ("stale", Confman's default).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from pysyncobj.node import Node

from confman_tui.demo.links import Links
from confman_tui.demo.log_matching import Message

RPC_TIMEOUT_S = 1.5
"""Confman's: how long a read waits for the leader's word, and a write for a majority."""

_Read = asyncio.Future[None]


class RaftView(Protocol):
    """What the barrier must know of the node's Raft state, and have done by it."""

    @property
    def leads(self) -> bool:
        """It is the leader of its term, whether it serves already or not."""

    @property
    def leads_surely(self) -> bool:
        """It serves writes, and a majority has answered so lately that nobody else can."""

    @property
    def leader(self) -> str | None:
        """The name of the node it takes for the leader."""

    @property
    def applied(self) -> int:
        """Index of the last entry applied here."""

    def send_commit_index(self) -> int:
        """Leader: see to it that the followers get the commit index before anything sent later, and give it."""

    def wake(self) -> None:
        """Tick soon."""


class ReadBarrier:
    """Holds reads back on one node until they may go on."""

    def __init__(self, name: str, raft: RaftView, links: Links) -> None:
        self._name = name
        self._raft = raft
        self._links = links
        self._joining: _Read | None = None
        """Shared by the reads of this turn of the loop, and asked for together."""
        self._asked: dict[int, _Read] = {}
        """Wait for the leader's commit index, by number of the question."""
        self._last_question = 0
        self._waiting: list[tuple[int, _Read]] = []
        """Wait until this entry is applied."""
        self._own: list[_Read] = []
        """Leader: its own reads, waiting until it is sure of leading."""
        self._unanswered: list[tuple[Node, int]] = []
        """Leader: the others' questions, waiting for the same."""

    async def wait(self) -> None:
        """Hold one read back, for `RPC_TIMEOUT_S` at most."""
        if self._raft.leads_surely:
            return
        leader = self._raft.leader
        if leader is None:
            return
        if self._joining is None:
            loop = asyncio.get_running_loop()
            self._joining = loop.create_future()
            loop.call_soon(self._ask, leader)
            loop.call_later(RPC_TIMEOUT_S, _release, self._joining)
        await self._joining

    def _ask(self, leader: str) -> None:
        read, self._joining = self._joining, None
        assert read is not None
        if leader == self._name:
            self._own.append(read)
            return
        self._last_question += 1
        self._asked[self._last_question] = read
        # When the link to the leader is down the question is lost: the read waits, as on Confman, until this node
        # gives its leader up or the time is over.
        self._links.send(self._links.peers[leader], {"type": "read_index", "question": self._last_question})

    def on_question(self, node: Node, message: Message) -> None:
        """Another node asks for the commit index."""
        if self._raft.leads:
            self._unanswered.append((node, message["question"]))
            self._answer()

    def on_answer(self, message: Message) -> None:
        """The leader has answered with its commit index."""
        read = self._asked.pop(message["question"], None)
        if read is None:
            return
        if self._raft.applied >= message["index"]:
            _release(read)
        else:
            self._waiting.append((message["index"], read))
            self._raft.wake()

    def after_tick(self) -> None:
        """Let go what may go on now."""
        if self._own or self._unanswered:
            self._answer()
        if self._waiting:
            applied = self._raft.applied
            for index, read in self._waiting:
                if index <= applied:
                    _release(read)
            self._waiting = [(index, read) for index, read in self._waiting if not read.done()]
        if self._asked:
            if self._raft.leader is None:
                for read in self._asked.values():
                    _release(read)
            self._asked = {question: read for question, read in self._asked.items() if not read.done()}

    def _answer(self) -> None:
        if self._raft.leads_surely:
            index = self._raft.send_commit_index()
            for node, question in self._unanswered:
                self._links.send(node, {"type": "read_index_answer", "question": question, "index": index})
        elif self._raft.leads:
            return
        # A node that no longer leads leaves the others without an answer; they know its successor soon.
        self._unanswered.clear()
        for read in self._own:
            _release(read)
        self._own.clear()


def _release(read: _Read) -> None:
    if not read.done():
        read.set_result(None)
