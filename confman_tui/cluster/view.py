"""The view of the cluster: a pure state machine from polls to states and facts. No clock, no network.

What the answers prove, `confman_tui.cluster.leadership` decides; here each change of it becomes one fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from confman_tui.cluster.leadership import ClusterRecord, NodeRecord
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import FAILED_STATES, ClusterView, Fact, FactKind, NodeState, Poll, PollKind

_FAILURE_FACTS: dict[NodeState, FactKind] = {
    NodeState.REFUSED: FactKind.NODE_DOWN,
    NodeState.SILENT: FactKind.NOT_ANSWERING,
    NodeState.NOT_CONFMAN: FactKind.NODE_WRONG,
    NodeState.WRONG: FactKind.NODE_WRONG,
}


class ViewMachine:
    """Takes polls in the order in which they ended, keeps what is known, gives each change once, as a `Fact`."""

    def __init__(self, nodes: Sequence[str]) -> None:
        """
        Args:
            nodes: base URLs of the configured nodes, at least one.
        """
        self._order = tuple(nodes)
        self._known = ClusterRecord(self._order)
        self._short = short_names(self._order)
        self._elected: set[tuple[str, int]] = set()
        """Elections, split claims and stale leaders whose facts were given already."""
        self._split: set[tuple[str, int]] = set()
        self._stale: set[str] = set()
        self._agreed = False
        self._agreed_on: str | None = None
        self._agreed_since: float | None = None
        self._facts: list[Fact] = []
        self.changed = False
        """Whether the last poll changed what a person sees: who leads, the terms, the states; not the latencies."""
        self._shown = self._what_shows()

    def _what_shows(self) -> tuple[object, ...]:
        known = self._known
        views = (known.nodes[node].view for node in self._order)
        return known.leader, known.term, *((view.state, view.term) for view in views)

    @property
    def last_good(self) -> float | None:
        """Asking time of the last answer in which the present or last leader said that it leads: the origin of an
        election that nobody caused. None before the first leader."""
        return self._known.last_good

    @property
    def agreed_on(self) -> str | None:
        """Whom every answering node names as leader in the highest term, serving or not; None while they differ."""
        return self._agreed_on

    @property
    def agreed_since(self) -> float | None:
        """Since when they do; None while they differ."""
        return self._agreed_since

    @property
    def leader_term(self) -> int | None:
        """The term of the present leader. `ClusterView.term` may be higher, when a node stands for election alone."""
        return self._known.leader_term if self._known.leader is not None else None

    def view(self, at: float) -> ClusterView:
        """What is known, stamped with ``at``."""
        known = self._known
        since = known.leader_since if known.leader is not None else None
        views = tuple(known.nodes[node].view for node in self._order)
        return ClusterView(at, views, known.leader, known.term, since)

    def apply(self, poll: Poll) -> tuple[Fact, ...]:
        """Take one poll; the changes that it shows, in the order of their cause.

        A poll of a node that is not configured, or one asked no later than another of its node that was taken
        already, changes nothing.
        """
        known = self._known
        self.changed = False
        if poll.node not in known.nodes or not known.in_order(poll):
            return ()
        self._facts = []
        node = known.nodes[poll.node]
        uncertainty = max(0.0, poll.sent - node.poll.sent) if node.poll is not None else 0.0
        term, leader, leader_term, last_good = known.term, known.leader, known.leader_term, known.last_good
        if known.take(poll):
            self._elected.clear()
            self._split.clear()
        self._note_answer(node, poll, uncertainty)
        if known.term is not None and term is not None and known.term > term:
            self._emit(FactKind.TERM_ADVANCED, poll, uncertainty, node.url, known.term, f"after {term}")
        if known.settle_leader(node, poll):
            if leader is not None:
                since_good = poll.sent - last_good if last_good is not None else 0.0
                why = self._why_lost(known.nodes[leader])
                self._emit(FactKind.LEADER_LOST, poll, max(0.0, since_good), leader, leader_term, why)
            if known.leader is not None:
                self._emit(FactKind.LEADER_SERVING, poll, uncertainty, known.leader, known.leader_term)
        self._settle_states(node, poll, uncertainty)
        self._note_elected(node, poll, uncertainty)
        self._note_claims(node, poll, uncertainty)
        self._note_agreement(poll, uncertainty)
        before, self._shown = self._shown, self._what_shows()
        self.changed = self._shown != before
        return tuple(self._facts)

    def _emit(
        self, kind: FactKind, poll: Poll, uncertainty: float, node: str | None, term: int | None, detail: str = ""
    ) -> None:
        self._facts.append(Fact(kind, poll.sent, node, term, detail, uncertainty, poll.answered))

    def _name(self, node: str | None) -> str:
        return "nobody" if node is None else self._short.get(node, node)

    def _note_answer(self, node: NodeRecord, poll: Poll, uncertainty: float) -> None:
        """The asked node's own answer goes into its view; a fact says when it began or ceased to answer."""
        before = node.view.state
        if poll.kind is PollKind.ANSWER:
            node.view = replace(
                node.view,
                term=poll.term,
                ready=poll.ready,
                names_leader=node.names,
                latency_s=max(0.0, poll.answered - poll.sent),
                last_answer=poll.sent,
                detail="",
            )
            if before in FAILED_STATES:
                self._emit(FactKind.NODE_BACK, poll, uncertainty, node.url, poll.term)
            return
        node.view = replace(node.view, ready=False, detail=poll.detail)
        fact = _FAILURE_FACTS[self._known.state(node)]
        if fact is not _FAILURE_FACTS.get(before):
            self._emit(fact, poll, uncertainty, node.url, node.view.term, poll.detail)

    def _why_lost(self, node: NodeRecord) -> str:
        poll, known = node.poll, self._known
        if poll is None or poll.kind is not PollKind.ANSWER:
            return poll.detail if poll is not None else ""
        if known.says_leading(node):
            if node.term < known.proven:
                return f"term {known.proven} has begun"
            if known.deserted(node):
                return "no majority follows it"
            return f"says that it leads term {node.term}" if node.jumped else f"leads term {node.term} now"
        if not node.ready or node.names is None:
            return "knows no leader"
        return "stepped down, still names itself" if node.names == node.url else f"follows {self._name(node.names)}"

    def _settle_states(self, asked: NodeRecord, poll: Poll, uncertainty: float) -> None:
        known = self._known
        if known.stands(asked):
            asked.idle_since = None
        elif asked.idle_since is None or asked.idle_since > poll.sent:
            asked.idle_since = poll.sent
        for node in known.nodes.values():
            state = known.state(node)
            if state is node.view.state:
                continue
            before, node.view = node.view.state, replace(node.view, state=state, since=poll.sent)
            own = uncertainty if node is asked else 0.0
            if state is NodeState.FOLLOWER_OF_DEAD:
                names = f"still names {self._name(node.names)}"
                self._emit(FactKind.FOLLOWS_DEAD_LEADER, poll, own, node.url, node.term, names)
            elif state is NodeState.FORMER_LEADER and before is not NodeState.LEADER:
                # one that led until now has been reported as lost
                self._emit(FactKind.FORMER_LEADER, poll, own, node.url, node.term, "names itself")

    def _note_elected(self, node: NodeRecord, poll: Poll, uncertainty: float) -> None:
        known, term = self._known, node.term
        named = known.nodes.get(node.names or "")
        if named is None or not node.answering or term != known.term or (named.url, term) in self._elected:
            return
        if named.led_term == term or (known.leader is not None and known.leader_term >= term):
            return
        if named is node:
            if node.claims or node.view.state is not NodeState.ELECTED:
                return
            how = "names itself"
        else:
            # The old leader's name beside a new term is a remnant; a node never asked may have led for long.
            asked = named.poll is not None and named.view.state not in FAILED_STATES
            if named.url == known.last_leader or not asked or not node.ready:
                return
            how = f"named by {self._name(node.url)}"
        self._elected.add((named.url, term))
        self._emit(FactKind.ELECTED, poll, uncertainty, named.url, term, how)

    def _note_claims(self, asked: NodeRecord, poll: Poll, uncertainty: float) -> None:
        """Nodes that say "leader" and do not lead: two in one term, or one of an older term."""
        known = self._known
        for node in known.nodes.values():
            if node.view.state is not NodeState.STALE_LEADER or node.poll is None:
                self._stale.discard(node.url)
                continue
            own = uncertainty if node is asked else 0.0
            if known.leader is not None and node.term == known.leader_term:
                if (node.url, node.term) not in self._split:
                    self._split.add((node.url, node.term))
                    other = f"{self._name(known.leader)} leads this term"
                    self._emit(FactKind.SPLIT_CLAIM, poll, own, node.url, node.term, other)
                self._stale.add(node.url)
            elif node.url not in self._stale:
                superseded = node.term < known.proven
                # Asked before the higher term was known, its word was news of then and no claim against it.
                if superseded and node.poll.sent <= known.proven_since:
                    continue
                self._stale.add(node.url)
                against = f"term {known.proven} has begun" if superseded else "others name another leader"
                if not superseded and known.deserted(node):
                    against = "no majority follows it"
                self._emit(FactKind.STALE_LEADER, poll, own, node.url, node.term, against)

    def _note_agreement(self, poll: Poll, uncertainty: float) -> None:
        known = self._known
        live = [node for node in known.nodes.values() if node.answering]
        named = {(node.names if node.ready else None, node.term) for node in live}
        on, term = next(iter(named)) if len(named) == 1 else (None, -1)
        all_asked = all(node.poll is not None for node in known.nodes.values())
        if term != known.term or not all_asked:
            on = None
        if on != self._agreed_on:
            self._agreed_on, self._agreed_since = on, None if on is None else poll.sent
        agreed = on is not None and on == known.leader and term == known.leader_term
        if agreed and not self._agreed:
            # A poll asked earlier can be the last to answer; nobody agrees on a leader before it is one.
            at = min(max(poll.sent, known.leader_since), poll.answered)
            self._facts.append(Fact(FactKind.ALL_AGREE, at, on, term, "", uncertainty, poll.answered))
        self._agreed = agreed
