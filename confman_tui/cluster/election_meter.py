"""Measures each election: facts, faults, writes and moments come in, `Election` values go out. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from confman_tui.cluster.elections import Election, Fault
from confman_tui.cluster.faults.attribution import SLACK_S, FaultHistory
from confman_tui.cluster.open_election import OpenElection, Step
from confman_tui.cluster.recovery import MOST_SPAN_S, back_at, rate_before
from confman_tui.cluster.states import NO_ANSWER_STATES, ClusterView, Fact, FactKind
from confman_tui.cluster.writes.gaps import SETTLE_S, WriteStream

RECOVERY_LIMIT_S = 60.0
"""Not back by then: left unknown."""
FOLLOWING_LIMIT_S = 10.0
"""This long after the new leader serves, the agreement of the others and the first write are waited for."""

_READS_KEPT = 12_000
"""Ten minutes of stretches of 50 ms."""


class ElectionMeter:
    """Measures each election from its cause to the recovery of the throughput.

    An election begins when the leader is lost and is over when a node serves as leader, a write was acknowledged and
    all live nodes agree. Its origin is our fault, where one explains it: one on the old leader, or one that left too
    few nodes for a majority. Otherwise it is the last moment at which the old leader was seen well. A leader that
    comes back by itself counts too (new leader = old leader): a disruption, with or without a new term. A leader that
    falls before any write was acknowledged under it belongs to the same election, as does a second fault in it.

    Writes missed: the rate before, times the time from the origin to the recovery (`recovery`), less the
    acknowledgements within it.

    All methods belong to one thread. `fact` and `tick` give the elections that became known, each once when it is
    over and once more when its recovery is known.
    """

    def __init__(self, nodes: Sequence[str], writes: WriteStream) -> None:
        """
        Args:
            nodes: the configured nodes.
            writes: the stream of writes, drained before each `tick`.
        """
        self._writes = writes
        self._causes = FaultHistory(len(nodes))
        self._leader: str | None = None
        self._term: int | None = None
        self._advanced: deque[tuple[Step, int]] = deque(maxlen=64)
        self._open: OpenElection | None = None
        self._agreed: tuple[str, float] | None = None
        self._reads: deque[tuple[float, float, int, int]] = deque(maxlen=_READS_KEPT)
        self._load_since = float("-inf")
        self._calm_since = float("-inf")

    @property
    def under_way(self) -> bool:
        """Whether an election is going on: the leader is lost, and not yet all is as it was."""
        return self._open is not None and self._open.ended is None

    def fault(self, fault: Fault) -> None:
        """We did something to a node."""
        self._causes.add(fault)
        opened = self._open
        # The fault may come to be known only after its effect was seen.
        if opened is not None and opened.fault is None and opened.ended is None:
            self._explain(opened)

    def load_changed(self, at: float) -> None:
        """Writers start, stop or change their number: throughput before and after can't be compared."""
        self._load_since = at
        if self._open is not None and self._open.ended is not None:
            self._open = None
        elif self._open is not None:
            self._open.load_since = at

    def reads(self, start: float, end: float, ok: int, failed: int) -> None:
        """Reads that ended within [start, end). A stretch counts for its share of an election's time."""
        self._reads.append((start, end, ok, failed))

    def agreed(self, on: str | None, since: float | None) -> None:
        """Whom all answering nodes name in the highest term, serving or not, and since when: `ViewMachine.agreed_on`
        and `agreed_since`, after each poll. Without it, agreement is known by its fact, which waits until that node
        serves."""
        if not self._causes.isolated:
            self._agreed = None if on is None or since is None else (on, since)
            self._note_agreement()

    def viewed(self, view: ClusterView) -> None:
        """The view after a poll: while a node is isolated, which answers but agrees with nobody, it shows the
        agreement of the others."""
        isolated = self._causes.isolated
        if not isolated:
            return
        others = [
            node
            for node in view.nodes
            if node.node not in isolated and node.last_answer is not None and node.state not in NO_ANSWER_STATES
        ]
        words = {(node.names_leader if node.ready else None, node.term) for node in others}
        on = next(iter(words))[0] if len(words) == 1 else None
        if on is None or on in isolated:
            self._agreed = None
        elif self._agreed is None or self._agreed[0] != on:
            self._agreed = (on, max(node.last_answer or 0.0 for node in others))
        self._note_agreement()

    def fact(self, fact: Fact) -> tuple[Election, ...]:
        """The cluster changed."""
        seen = Step(fact.at, fact.uncertainty_s)
        ended: tuple[Election, ...] = ()
        if fact.kind is FactKind.LEADER_LOST and fact.node is not None:
            ended = self._on_lost(fact, fact.node, seen)
        elif fact.kind is FactKind.TERM_ADVANCED and fact.term is not None:
            self._advanced.append((seen, fact.term))
            self._on_term(seen, fact.term)
        elif fact.kind is FactKind.ELECTED:
            self._on_claim(seen, fact.term)
        elif fact.kind is FactKind.LEADER_SERVING:
            self._on_serving(fact, seen)
        elif fact.kind is FactKind.ALL_AGREE and self._open is not None and fact.node == self._open.new_leader:
            self._open.agree = self._open.agree or seen
        return ended

    def tick(self, now: float) -> tuple[Election, ...]:
        """Time goes on: after each `WriteStream.drain`."""
        opened = self._open
        if opened is None or opened.serving is None:
            return ()
        if opened.ended is None:
            return self._end(opened, now) if self._over(opened, now) else ()
        return self._recover(opened, now)

    def unfinished(self) -> Election | None:
        """The election that is not over, as far as it is known: for what ends in the middle of one."""
        opened = self._open
        return opened.figures(self._writes, self._reads) if opened is not None and opened.ended is None else None

    # How an election goes

    def _on_lost(self, fact: Fact, node: str, seen: Step) -> tuple[Election, ...]:
        ended: tuple[Election, ...] = ()
        opened = self._open
        if opened is not None and opened.ended is None:
            if opened.serving is None or not opened.is_written(self._writes):
                opened.serving = opened.agree = opened.new_leader = opened.term_after = None
                return ()
            ended = self._end(opened, seen.at)
        known = fact.term if fact.term is not None else self._term
        lost_seen = max(fact.at, fact.seen)
        self._open = opened = OpenElection(None, seen.at - seen.uncertainty, node, known, seen, lost_seen)
        opened.load_since = max(self._load_since, self._calm_since)
        self._explain(opened)
        return ended

    def _explain(self, opened: OpenElection) -> None:
        opened.fault = self._causes.take(opened.old_leader, opened.lost.at)
        if opened.fault is not None:
            opened.origin = opened.fault.at
        for seen, term in self._advanced:
            if seen.at >= opened.origin - SLACK_S:
                self._on_term(seen, term)

    def _on_term(self, seen: Step, term: int) -> None:
        opened = self._open
        if opened is not None and opened.ended is None and opened.term is None and term > (opened.term_before or -1):
            opened.term = seen

    def _on_claim(self, seen: Step, term: int | None) -> None:
        opened = self._open
        if opened is None or opened.ended is not None:
            return
        opened.claim = opened.claim or seen
        if term is not None:
            self._on_term(seen, term)

    def _on_serving(self, fact: Fact, seen: Step) -> None:
        self._leader, self._term = fact.node, fact.term
        opened = self._open
        if opened is None or opened.ended is not None:
            return
        self._on_claim(seen, fact.term)
        opened.serving, opened.serving_seen = seen, fact.seen or fact.at
        opened.new_leader, opened.term_after = fact.node, fact.term
        self._note_agreement()

    def _note_agreement(self) -> None:
        opened = self._open
        if opened is None or self._agreed is None or opened.new_leader is None or opened.serving is None:
            return
        on, since = self._agreed
        if on != opened.new_leader or since < opened.lost.at:
            return
        if opened.agree is None:
            opened.agree = Step(since, opened.serving.uncertainty)

    def _over(self, opened: OpenElection, now: float) -> bool:
        given_up = now - opened.serving_seen > FOLLOWING_LIMIT_S
        tried = self._writes.last_started
        unwritten = tried is None or tried < opened.origin - SLACK_S
        quiet = unwritten and now - opened.serving_seen > 1.0
        settled = opened.agree is not None or bool(self._causes.isolated)
        return given_up or (settled and (quiet or opened.is_written(self._writes)))

    def _end(self, opened: OpenElection, now: float) -> tuple[Election, ...]:
        opened.ended = opened.figures(self._writes, self._reads)
        first = opened.ended.first_write_s
        self._calm_since = now if first is None else opened.origin + first
        return (opened.ended,)

    def _recover(self, opened: OpenElection, now: float) -> tuple[Election, ...]:
        ended = opened.ended
        assert ended is not None
        first = ended.first_write_s
        if first is None or now - (opened.origin + first) > RECOVERY_LIMIT_S + MOST_SPAN_S:
            self._open = None
            return ()
        history = self._writes.history
        outage = opened.origin + min(0.0, first - (ended.without_writes_s or 0.0))
        rate = rate_before(history, outage, opened.load_since)
        if rate is None:
            self._open = None
            return ()
        at = back_at(history, opened.origin + first, rate, now - SETTLE_S)
        if at is None:
            return ()
        self._open = None
        seconds = at - opened.origin
        missed = rate * seconds - history.between(opened.origin, at)
        figures = opened.figures(self._writes, self._reads)
        return (replace(figures, recover90_s=seconds, writes_missed=max(0.0, missed)),)
