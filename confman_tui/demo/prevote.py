"""Asking before standing for election, which PySyncObj does not do (Raft's pre-vote; Confman's Raft has it).

Without it a node whose links come back after an isolation, or one that was slow, starts an election in a higher term
and so brings down a leader that is well. A node stands only when a majority says that it, too, has had no message of a
leader for the shortest election timeout, and that the asker's log is no worse than its own (Ongaro's thesis, section
9.6). Terms don't climb either while a majority is away.
"""

from __future__ import annotations

from pysyncobj.node import Node

from confman_tui.demo.links import Links
from confman_tui.demo.log_matching import Message
from confman_tui.demo.pysyncobj_hacks import SyncObjInternals

ASK_AGAIN_S = 0.1


class PreVote:
    """Holds PySyncObj's elections back on one node, by its election deadline, until a majority agrees."""

    def __init__(self, internals: SyncObjInternals, links: Links, election_timeout_s: tuple[float, float]) -> None:
        self._internals = internals
        self._links = links
        self._shortest, self._longest = election_timeout_s
        self._leader_sent_at = float("-inf")
        self._held: float | None = None
        """The deadline that was set to hold an election back; None while the leader's time is not over."""
        self._round = 0
        self._ask_at = 0.0
        self._agreeing: set[str] = set()

    @property
    def standing(self) -> bool:
        """The leader has been silent for the election timeout: it is given up, and others are being asked."""
        return self._held is not None and self._held == self._internals.election_deadline

    def on_leader(self, now: float) -> None:
        """A leader has sent something."""
        self._leader_sent_at = now

    def before_tick(self, now: float) -> None:
        """Decide whether this tick may start an election. Not to be called on a leader."""
        if not self.standing:
            # The leader's word or a vote that was given has set a new deadline, or none was set yet.
            self._held = None
            if self._internals.election_deadline > now:
                return
            self._ask_at = now
        if 1 + len(self._agreeing) > (1 + len(self._links.peers)) / 2:
            self._agreeing.clear()
            self._held = None
            self._internals.election_deadline = now - 1.0
            return
        if now >= self._ask_at:
            self._ask_at = now + ASK_AGAIN_S
            self._ask()
        self._held = self._internals.election_deadline = now + self._longest

    def next_tick(self) -> float:
        """When to tick for this at the latest."""
        return self._ask_at if self.standing else self._internals.election_deadline

    def _ask(self) -> None:
        self._round += 1
        self._agreeing.clear()
        _, index, term = self._internals.log[-1]
        for node in self._links.peers.values():
            self._links.send(node, {"type": "pre_vote", "round": self._round, "index": index, "term": term})

    def on_question(self, node: Node, message: Message, now: float, *, leads: bool) -> None:
        """Another node would stand for election."""
        _, index, term = self._internals.log[-1]
        silent = not leads and now - self._leader_sent_at >= self._shortest
        if silent and (message["term"], message["index"]) >= (term, index):
            self._links.send(node, {"type": "pre_vote_granted", "round": message["round"]})

    def on_granted(self, node: Node, message: Message) -> None:
        """Another node agrees."""
        if message["round"] == self._round and self.standing:
            self._agreeing.add(node.id)
