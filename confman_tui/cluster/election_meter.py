"""Elections in figures. Pure: facts, faults, the stream of writes and moments come in, `Election` values go out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from confman_tui.cluster.elections import Election, Fault
from confman_tui.cluster.faults.attribution import SLACK_S, FaultHistory
from confman_tui.cluster.states import NO_ANSWER_STATES, ClusterView, Fact, FactKind
from confman_tui.cluster.writes.gaps import BINS_PER_SECOND, SETTLE_S, WriteStream

RECOVERED_SHARE = 0.9
"""Throughput counts as back at this share of what it was before."""
BEFORE_S = 5.0
"""What it was before: the mean over so many seconds before the outage, less when the load or an earlier election
began within them."""
LEAST_BEFORE_S = 1.0
"""With less than this to compare with, recovery is not judged."""
EXPECTED_WRITES = 10
"""Throughput is taken over 1 s, or over the time in which so many writes are expected, at most 5 s: over less, chance
decides."""
MOST_SPAN_S = 5.0
RECOVERY_LIMIT_S = 60.0
"""Not back by then: left unknown."""
FOLLOWING_LIMIT_S = 10.0
"""So long after the new leader serves, the agreement of the others and the first write are waited for."""

_READS_KEPT = 12_000
"""Ten minutes of stretches of 50 ms."""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    uncertainty: float


@dataclass(slots=True)
class _Open:
    """The election that is being measured, in absolute times."""

    fault: Fault | None
    origin: float
    old_leader: str
    term_before: int | None
    lost: _Seen
    lost_seen: float
    term: _Seen | None = None
    claim: _Seen | None = None
    serving: _Seen | None = None
    serving_seen: float = 0.0
    agree: _Seen | None = None
    new_leader: str | None = None
    term_after: int | None = None
    told: Election | None = None
    before_from: float = 0.0


class ElectionMeter:
    """Measures each election from its cause to the recovery of the throughput.

    An election begins when the leader is lost and is over when a node serves as leader, a write was acknowledged and
    all live nodes agree. Its origin is our fault, where one explains it: one on the old leader, or one that left too
    few nodes for a majority. Otherwise it is the last moment at which the old leader was seen well. A leader that
    comes back by itself is told too (new leader = old leader): a disruption, with or without a new term. A leader that
    falls before any write was acknowledged under it belongs to the same election, as does a second fault in it.

    Recovery to 90 %: the first moment T, in steps of 100 ms and not before the first acknowledged write, from which on
    the acknowledgements within the next second make up at least 90 % of the mean rate before. (Where the rate is below
    10/s, the time for 10 writes is taken instead of the second, at most 5 s.) Writes missed: the rate before, times
    the time from the origin to T, less the acknowledgements within it.

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
        self._advanced: deque[tuple[_Seen, int]] = deque(maxlen=64)
        self._open: _Open | None = None
        self._agreed: tuple[str, float] | None = None
        self._reads: deque[tuple[float, float, int, int]] = deque(maxlen=_READS_KEPT)
        self._load_since = float("-inf")
        self._calm_since = float("-inf")

    @property
    def under_way(self) -> bool:
        """Whether an election is going on: the leader is lost, and not yet all is as it was."""
        return self._open is not None and self._open.told is None

    def fault(self, fault: Fault) -> None:
        """We did something to a node."""
        self._causes.add(fault)
        opened = self._open
        # Told of the fault only after its effect was seen.
        if opened is not None and opened.fault is None and opened.told is None:
            self._explain(opened)

    def load_changed(self, at: float) -> None:
        """Writers start, stop or change their number: throughput before and after can't be compared."""
        self._load_since = at
        if self._open is not None and self._open.told is not None:
            self._open = None
        elif self._open is not None:
            self._open.before_from = at

    def reads(self, start: float, end: float, ok: int, failed: int) -> None:
        """Reads that ended within [start, end). A stretch counts for its share of an election's time."""
        self._reads.append((start, end, ok, failed))

    def agreed(self, on: str | None, since: float | None) -> None:
        """Whom all answering nodes name in the highest term, serving or not, and since when: `ViewMachine.agreed_on`
        and `agreed_since`, after each poll. Without it, agreement is told by its fact, which waits until that node
        serves."""
        if not self._causes.isolated:
            self._agreed = None if on is None or since is None else (on, since)
            self._note_agreement()

    def viewed(self, view: ClusterView) -> None:
        """The view after a poll: while a node is isolated, which answers but agrees with nobody, it tells the agreement
        of the others."""
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
        seen = _Seen(fact.at, fact.uncertainty_s)
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
        if opened.told is None:
            return self._end(opened, now) if self._over(opened, now) else ()
        return self._recover(opened, now)

    def unfinished(self) -> Election | None:
        """The election that is not over, as far as it is known: for what ends in the middle of one."""
        return self._figures(self._open) if self._open is not None and self._open.told is None else None

    # How an election goes

    def _on_lost(self, fact: Fact, node: str, seen: _Seen) -> tuple[Election, ...]:
        ended: tuple[Election, ...] = ()
        opened = self._open
        if opened is not None and opened.told is None:
            if opened.serving is None or not self._written(opened):
                opened.serving = opened.agree = opened.new_leader = opened.term_after = None
                return ()
            ended = self._end(opened, seen.at)
        known = fact.term if fact.term is not None else self._term
        lost_seen = max(fact.at, fact.seen)
        self._open = opened = _Open(None, seen.at - seen.uncertainty, node, known, seen, lost_seen)
        opened.before_from = max(self._load_since, self._calm_since)
        self._explain(opened)
        return ended

    def _explain(self, opened: _Open) -> None:
        opened.fault = self._causes.take(opened.old_leader, opened.lost.at)
        if opened.fault is not None:
            opened.origin = opened.fault.at
        for seen, term in self._advanced:
            if seen.at >= opened.origin - SLACK_S:
                self._on_term(seen, term)

    def _on_term(self, seen: _Seen, term: int) -> None:
        opened = self._open
        if opened is not None and opened.told is None and opened.term is None and term > (opened.term_before or -1):
            opened.term = seen

    def _on_claim(self, seen: _Seen, term: int | None) -> None:
        opened = self._open
        if opened is None or opened.told is not None:
            return
        opened.claim = opened.claim or seen
        if term is not None:
            self._on_term(seen, term)

    def _on_serving(self, fact: Fact, seen: _Seen) -> None:
        self._leader, self._term = fact.node, fact.term
        opened = self._open
        if opened is None or opened.told is not None:
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
            opened.agree = _Seen(since, opened.serving.uncertainty)

    def _written(self, opened: _Open) -> bool:
        """Whether a write was acknowledged, and judged, since the new leader was seen to serve."""
        until = self._writes.judged_until
        return opened.serving is not None and until is not None and until > opened.serving.at

    def _over(self, opened: _Open, now: float) -> bool:
        given_up = now - opened.serving_seen > FOLLOWING_LIMIT_S
        tried = self._writes.last_started
        unwritten = tried is None or tried < opened.origin - SLACK_S
        quiet = unwritten and now - opened.serving_seen > 1.0
        settled = opened.agree is not None or bool(self._causes.isolated)
        return given_up or (settled and (quiet or self._written(opened)))

    def _end(self, opened: _Open, now: float) -> tuple[Election, ...]:
        opened.told = self._figures(opened)
        first = opened.told.first_write_s
        self._calm_since = now if first is None else opened.origin + first
        return (opened.told,)

    # What it comes to

    def _figures(self, opened: _Open) -> Election:
        serving = opened.serving
        steps = (opened.lost, opened.term, opened.claim, serving, opened.agree)

        def since(step: _Seen | None) -> float | None:
            # A poll asked just before the fault can be the first to feel it.
            return None if step is None else max(0.0, step.at - opened.origin)

        gap = self._writes.longest_gap(opened.origin, serving.at) if serving is not None else None
        window, counts = gap if gap is not None and self._written(opened) else (None, False)
        first = None if window is None or window.end is None else max(0.0, window.end - opened.origin)
        rounds = 0
        if opened.term_before is not None and opened.term_after is not None:
            rounds = max(0, opened.term_after - opened.term_before)
        until = opened.origin + first if first is not None else serving.at if serving is not None else opened.lost.at
        reads_ok, reads_failed = self._reads_between(opened.origin, until)
        return Election(
            origin=opened.origin,
            fault=opened.fault,
            old_leader=opened.old_leader,
            new_leader=opened.new_leader,
            term_before=opened.term_before,
            term_after=opened.term_after,
            rounds=rounds,
            lost_s=since(opened.lost),
            term_s=since(opened.term) if rounds else None,
            claim_s=since(opened.claim),
            serving_s=since(serving),
            agree_s=since(opened.agree),
            first_write_s=first,
            without_writes_s=window.seconds if window is not None and counts else None,
            uncertainty_s=max(step.uncertainty for step in steps if step is not None),
            write_uncertainty_s=window.uncertainty_s if window is not None else 0.0,
            detected_s=max(0.0, opened.lost_seen - opened.origin),
            writes_from_poll=window is not None and window.from_poll,
            intended_writes=window.intended if window is not None and counts else 0,
            longest_wait_s=window.longest_wait_s if window is not None and counts else 0.0,
            reads_ok=reads_ok,
            reads_failed=reads_failed,
        )

    def _reads_between(self, since: float, until: float) -> tuple[int, int]:
        ok = failed = 0.0
        for start, end, some_ok, some_failed in self._reads:
            length = end - start
            within = min(end, until) - max(start, since)
            share = within / length if length > 0 else float(since <= start <= until)
            if share > 0:
                ok += some_ok * share
                failed += some_failed * share
        return round(ok), round(failed)

    def _recover(self, opened: _Open, now: float) -> tuple[Election, ...]:
        told = opened.told
        assert told is not None
        first = told.first_write_s
        if first is None or now - (opened.origin + first) > RECOVERY_LIMIT_S + MOST_SPAN_S:
            self._open = None
            return ()
        rate = self._rate_before(opened, first - (told.without_writes_s or 0.0))
        if rate is None:
            self._open = None
            return ()
        span = min(max(1.0, EXPECTED_WRITES / rate), MOST_SPAN_S)
        known = now - SETTLE_S
        step = ceil((opened.origin + first) * BINS_PER_SECOND) - 1
        while (at := step / BINS_PER_SECOND) + span <= known:
            if self._writes.acknowledged_between(at, at + span) >= RECOVERED_SHARE * rate * span:
                return (self._recovered(opened, max(at, opened.origin + first), rate),)
            step += 1
        return ()

    def _rate_before(self, opened: _Open, outage_s: float) -> float | None:
        """Acknowledgements per second before the outage, None when too little is known."""
        until = opened.origin + min(0.0, outage_s)
        until = int(until * BINS_PER_SECOND) / BINS_PER_SECOND
        start = ceil(max(until - BEFORE_S, opened.before_from) * BINS_PER_SECOND) / BINS_PER_SECOND
        if until - start < LEAST_BEFORE_S - 1e-6:
            return None
        count = self._writes.acknowledged_between(start, until)
        return count / (until - start) if count else None

    def _recovered(self, opened: _Open, at: float, rate: float) -> Election:
        self._open = None
        missed = rate * (at - opened.origin) - self._writes.acknowledged_between(opened.origin, at)
        return replace(self._figures(opened), recover90_s=at - opened.origin, writes_missed=max(0.0, missed))
