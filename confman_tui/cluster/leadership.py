"""Who leads and who is a stale leader: what the answers of all nodes together prove. Pure.

The rules behind `confman_tui.cluster.view`, which makes facts of the changes. They come from what a real Confman says
around an election (CONFMAN.md, "What it says around an election"):

- An answer counts at the time it was asked. One that was asked before what is already known of its node is dropped.
- Followers name a dead leader for seconds and say that they are ready.
- The next leader is named before it serves: only its own word ``role: leader`` makes a leader.
- A leader that was paused comes back with the word ``leader``, in its old term or even in the new leader's.
- A leader that is cut off goes on saying so. When too many others, asked later, know no leader or another one, it can
  have no majority behind it.
- A term can rise while the leader serves on: a node cut off from the others stands for election alone. So a leader
  stands while a majority names it in its term, and falls with the first claim, name or majority of a higher term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confman_tui.cluster.node_names import NodeNames
from confman_tui.cluster.states import FAILED_POLL_STATES, NodeState, NodeView, Poll, PollKind

_FIRST_HEARTBEATS_S = 0.5
"""A new leader is not held against by others that were asked before its first heartbeats can have reached them."""
_CLOCK_STEP_POLLS = 3
"""When as many polls of a node in a row, each asked after the one before ended, were all asked before what is known,
they are not late answers: the clock stepped back."""


@dataclass(slots=True)
class NodeRecord:
    """What is kept of one node."""

    view: NodeView
    poll: Poll | None = None
    """The last poll that counted."""
    names: str | None = None
    """The configured node that its present answer names as leader, or that URL itself when it is none of them."""
    naming: tuple[str | None, int] = (None, -1)
    named_since: float = 0.0
    """Asking time of the first answer of the present unbroken run that names this leader in this term."""
    idle_since: float | None = None
    """Asking time of the first poll of the present run in which it neither led nor was elected."""
    claim: int | None = None
    """Term of its last claim to lead, until it says something else or its process ends."""
    claim_since: float = 0.0
    """Asking time of the first answer of the present run of claims to this term."""
    jumped: bool = False
    """It went from leading an older term to leading this one without a word in between, as a resumed leader does."""
    jumped_until: float = 0.0
    """When the answer that showed the jump came."""
    known_term: int = 0
    """The highest term of its answers; a term never falls, so this stands while it does not answer."""
    led_term: int | None = None
    """The last term that it led."""
    dropped: Poll | None = None
    drops: int = 0

    @property
    def url(self) -> str:
        return self.view.node

    @property
    def answering(self) -> bool:
        return self.poll is not None and self.poll.kind is PollKind.ANSWER

    @property
    def term(self) -> int:
        """Of its present answer; -1 without one."""
        return self.poll.term if self.poll is not None and self.poll.term is not None else -1

    @property
    def claims(self) -> bool:
        """It says that it leads."""
        return self.poll is not None and self.poll.role == "leader"

    def asked_after(self, at: float) -> bool:
        """Whether its last poll was asked later than that."""
        return self.poll is not None and self.poll.sent > at

    @property
    def ready(self) -> bool:
        return self.poll is not None and self.poll.ready


class ClusterRecord:
    """What is known of the cluster: `take` a poll, then `settle_leader`, then ask what each node is."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes = {node: NodeRecord(NodeView(node)) for node in nodes}
        self._names = NodeNames(nodes)
        self._majority = len(self.nodes) // 2 + 1
        self.term: int | None = None
        """The highest term seen."""
        self.proven = -1
        """The highest term that a node claimed, that a leader was named in, or that a majority has reached: no leader
        of a lower term can serve."""
        self.proven_since = 0.0
        self.leader: str | None = None
        self.leader_term = -1
        self.leader_since = 0.0
        self.last_leader: str | None = None
        self.last_good: float | None = None
        """Asking time of the last answer in which the present or last leader said so."""
        self._reborn = False
        """All nodes were down at once: what comes back may be another cluster, with lower terms."""

    # Taking a poll

    def in_order(self, poll: Poll) -> bool:
        """Whether the poll was asked after what is known of its node."""
        node = self.nodes[poll.node]
        if node.poll is None or poll.sent > node.poll.sent:
            node.dropped, node.drops = None, 0
            return True
        follows = node.dropped is not None and poll.sent > node.dropped.sent and poll.sent >= node.dropped.answered
        node.drops = node.drops + 1 if follows else 1
        node.dropped = poll
        if node.drops < _CLOCK_STEP_POLLS:
            return False
        node.dropped, node.drops = None, 0
        self.proven_since = min(self.proven_since, poll.sent)
        self.leader_since = min(self.leader_since, poll.sent)
        node.named_since = min(node.named_since, poll.sent)
        return True

    def take(self, poll: Poll) -> bool:
        """Take a poll that is `in_order`; True when all that was known belonged to a cluster that is gone."""
        node = self.nodes[poll.node]
        node.poll = poll
        if poll.kind is not PollKind.ANSWER:
            node.names, node.naming = None, (None, -1)
            if poll.kind is PollKind.REFUSED:
                # No process listens: whatever answers next has started anew and remembers no leadership.
                node.claim, node.jumped = None, False
                self._reborn = self._reborn or all(
                    one.poll is not None and one.poll.kind is PollKind.REFUSED for one in self.nodes.values()
                )
            return False
        forgotten = self._reborn
        if forgotten:
            self._forget()
        if poll.role == "leader" and poll.leader is not None and self._names.match(poll.leader) is None:
            self._names.learn(poll.leader, poll.node)
        node.names = self._names.match(poll.leader) or poll.leader
        if node.naming != (node.names, node.term):
            node.naming, node.named_since = (node.names, node.term), poll.sent
        self._take_claim(node, poll)
        node.known_term = max(node.known_term, node.term)
        self.term = node.term if self.term is None else max(self.term, node.term)
        reached = sorted(one.known_term for one in self.nodes.values())[-self._majority]
        proven = max(reached, node.term if node.claims or (node.ready and node.names is not None) else -1)
        if proven > self.proven:
            self.proven, self.proven_since = proven, poll.sent
        return forgotten

    def _take_claim(self, node: NodeRecord, poll: Poll) -> None:
        if not node.claims:
            node.claim, node.jumped = None, False
            return
        if node.claim != node.term:
            node.claim_since = poll.sent
        if node.claim is not None and node.claim != node.term:
            node.jumped, node.jumped_until = node.claim < node.term, poll.answered
        node.claim = node.term

    def _forget(self) -> None:
        self._reborn = False
        self.term, self.proven = None, -1
        for node in self.nodes.values():
            node.known_term, node.led_term = 0, None

    # Who leads

    def votes(self, node: NodeRecord) -> int:
        """How many other nodes name it in its own term."""
        return sum(
            1
            for other in self.nodes.values()
            if other is not node and other.answering and other.term == node.term and other.names == node.url
        )

    def contested(self, node: NodeRecord) -> bool:
        """Whether another node names a third one, or itself, in this node's term."""
        return any(
            other is not node and other.answering and other.term == node.term and other.names not in (None, node.url)
            for other in self.nodes.values()
        )

    def deserted(self, node: NodeRecord) -> bool:
        """Whether too many others don't follow it for the rest to be a majority, itself included."""
        since = node.claim_since + _FIRST_HEARTBEATS_S
        against = sum(
            1
            for other in self.nodes.values()
            if other is not node and other.answering and other.names != node.url and other.asked_after(since)
        )
        return len(self.nodes) - against < self._majority

    def says_leading(self, node: NodeRecord) -> bool:
        """By its own word: role leader, ready, and naming itself."""
        return node.answering and node.claims and node.ready and node.names == node.url

    def _leads(self, node: NodeRecord) -> bool:
        if not self.says_leading(node) or node.term < self.proven or self.deserted(node):
            return False
        if node.term < (self.term or 0) and 1 + self.votes(node) < self._majority:
            return False
        if node.jumped:
            # A resumed leader can say "leader" with the new leader's term for some milliseconds. Its word counts
            # once it has said so again, to a question asked after the first answer, and nobody names another.
            return node.asked_after(node.jumped_until) and not self.contested(node)
        return True

    def settle_leader(self, asked: NodeRecord, poll: Poll) -> bool:
        """Decide anew who leads, after `take`; True when that changed, its term included."""
        able = [node for node in self.nodes.values() if self._leads(node)]
        present = self.nodes[self.leader] if self.leader is not None else None
        chosen: NodeRecord | None = None
        if able:
            top = max(node.term for node in able)
            able = [node for node in able if node.term == top]
            chosen = present if present is not None and present in able else able[0]
            for node in able:
                if not node.jumped and self.votes(node) > self.votes(chosen):
                    chosen = node
        if chosen is None:
            changed, self.leader = self.leader is not None, None
            return changed
        changed = chosen is not present or chosen.term != self.leader_term
        if changed:
            self.leader, self.leader_term, self.leader_since = chosen.url, chosen.term, poll.sent
        chosen.jumped = False
        chosen.led_term = chosen.term
        self.last_leader = chosen.url
        if changed or chosen is asked:
            self.last_good = chosen.poll.sent if chosen.poll is not None else None
        return changed

    # What each node is

    def state(self, node: NodeRecord) -> NodeState:
        """What the node is, as far as its present answer and those of the others show."""
        poll = node.poll
        if poll is None:
            return NodeState.UNKNOWN
        if poll.kind is not PollKind.ANSWER:
            return FAILED_POLL_STATES[poll.kind]
        if node.url == self.leader:
            return NodeState.LEADER
        led_by_other = self.leader is not None and self.leader_term >= node.term
        superseded = led_by_other or node.term < self.proven
        if node.claims:
            stale = superseded or node.names not in (None, node.url) or self.contested(node) or self.deserted(node)
            return NodeState.STALE_LEADER if stale else NodeState.ELECTED
        if not node.ready or node.names is None:
            return NodeState.NOT_READY
        if node.names == node.url:
            # A resumed old leader names itself in the new term while others name another.
            remnant = node.led_term is not None and node.led_term < node.term and self.contested(node)
            former = superseded or remnant or node.led_term == node.term
            return NodeState.FORMER_LEADER if former else NodeState.ELECTED
        return NodeState.FOLLOWER_OF_DEAD if self._names_dead(node) else NodeState.FOLLOWER

    def stands(self, node: NodeRecord) -> bool:
        """Whether it leads or is about to: elected, and not stepped down in this term."""
        state = self.state(node)
        return state is NodeState.LEADER or (state is NodeState.ELECTED and node.led_term != node.term)

    def _names_dead(self, node: NodeRecord) -> bool:
        """Whether the leader that this follower names does not answer or no longer leads.

        As of the asking: its own answer must be newer than the other's fall, and the other's answers newer than the
        naming, because a freshly named leader's older ones say nothing against it.
        """
        if node.poll is None or node.names == self.leader:
            return False
        if self.leader is not None and self.leader_term >= node.term and node.poll.sent > self.leader_since:
            return True
        named = self.nodes.get(node.names or "")
        if named is None or named.poll is None or named.idle_since is None:
            return False
        return node.named_since <= named.poll.sent and named.idle_since < node.poll.sent
