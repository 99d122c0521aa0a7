"""Made-up events of a three-node cluster under load with elections, as fast as they are asked for.

Input for tests and for measurements of the screen; no figure in it says anything about a real cluster.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from confman_tui.cluster.elections import Fault, FaultKind, WriteWindow
from confman_tui.cluster.states import ClusterView, Fact, FactKind, NodeState, NodeView
from confman_tui.load.run_model import Cause, RunOutcome, SecondSample
from confman_tui.results.model import ScenarioResult
from confman_tui.session import events

NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")
T0 = 1_800_000_000.0

SAMPLE = SecondSample(T0, T0 + 1, 1, 0, 10, {}, 100, 200, 300, 400, 0, 0.0, {}, 0.0, 0.0)


def view(at: float, *states: NodeState, leader: str | None = None, term: int = 6, since: float = T0) -> ClusterView:
    """The nodes in these states, in the order of `NODES`."""
    nodes = tuple(NodeView(NODES[i], state, since, term, latency_s=0.001) for i, state in enumerate(states))
    return ClusterView(at, nodes, leader, term, since if leader else None)


@dataclass(slots=True)
class _Step:
    at: float
    states: tuple[tuple[NodeState, int], ...]
    leader: str | None
    term: int
    facts: tuple[Fact, ...] = ()
    fault: Fault | None = None


class Feed:
    """Events in the order of their times, from ``start`` on."""

    def __init__(
        self,
        start: float,
        *,
        election_every: float = 23.0,
        first_election: float | None = None,
        run_s: float = 30.0,
        pause_s: float = 4.0,
        poll_s: float = 0.2,
        seed: int = 7,
    ) -> None:
        """``run_s`` and ``pause_s``: seconds that a scenario runs, and between two."""
        self._random = random.Random(seed)
        self._now = start
        self._start = start
        self._every, self._run, self._pause, self._poll = election_every, run_s, pause_s, poll_s
        self._steps: list[_Step] = []
        self._next_election = start + (election_every / 2 if first_election is None else first_election)
        self._states = [(NodeState.LEADER, 6), (NodeState.FOLLOWER, 6), (NodeState.FOLLOWER, 6)]
        self._since = [start, start, start]
        self._leader: str | None = NODES[0]
        self._term = 6
        self._led = start
        self._rounds = 0
        self._quiet_since: float | None = None
        self._last_ack = start
        self._next_poll = start
        self._next_acks = start + 0.2
        self._next_sample = start + 1
        self._scenario: str | None = None
        self._scenario_start = 0.0
        self._first = True

    def until(self, end: float) -> Iterator[events.Event]:
        """All events up to this moment that were not given yet."""
        if self._first:
            self._first = False
            yield events.ConfigurationChanged("small", 5, 20, 1024, None, None, NODES[0], NODES, True, True)
            yield events.FactObserved(Fact(FactKind.LEADER_SERVING, self._start, NODES[0], 6))
        while True:
            self._plan()
            moments = [self._next_poll, self._next_acks, self._next_sample]
            if self._steps:
                moments.append(self._steps[0].at)
            at = min(moments)
            if at > end:
                return
            self._now = at
            if self._steps and self._steps[0].at == at:
                yield from self._step(self._steps.pop(0))
            elif at == self._next_poll:
                self._next_poll = round(self._next_poll + self._poll, 6)
                yield events.ClusterChanged(self._view(), 0.0005, news=False)
            elif at == self._next_acks:
                self._next_acks = round(self._next_acks + 0.2, 6)
                yield from self._acks(at)
            else:
                self._next_sample = round(self._next_sample + 1, 6)
                yield from self._second(at)

    def _plan(self) -> None:
        """The steps of the next election, once the one before is over."""
        if self._steps or self._now < self._next_election - 1:
            return
        at = self._next_election
        self._next_election += self._every
        self._rounds += 1
        old = NODES.index(self._leader or NODES[0])
        new, other = (old + 1) % 3, (old + 2) % 3
        pause = self._rounds % 3 == 0
        delay = 2.4 if pause else 1.0 + self._random.random() * 0.6
        term = self._term + (2 if self._rounds % 4 == 0 else 1)

        def states(
            old_state: NodeState, new_state: NodeState, other_state: NodeState, of: int
        ) -> tuple[tuple[NodeState, int], ...]:
            by_index = {old: (old_state, self._term), new: (new_state, of), other: (other_state, of)}
            return tuple(by_index[index] for index in range(3))

        gone = NodeState.SILENT if pause else NodeState.REFUSED
        dead, unready = NodeState.FOLLOWER_OF_DEAD, NodeState.NOT_READY
        fault = Fault(FaultKind.PAUSE if pause else FaultKind.KILL, NODES[old], at)
        lost = Fact(FactKind.LEADER_LOST, at + 0.05, NODES[old], self._term)
        higher = Fact(FactKind.TERM_ADVANCED, at + delay, NODES[new], term)
        serving = Fact(FactKind.LEADER_SERVING, at + delay + 0.4, NODES[new], term)
        back = list(states(NodeState.FOLLOWER, NodeState.LEADER, NodeState.FOLLOWER, term))
        back[old] = (NodeState.FOLLOWER, term)
        self._steps = [
            _Step(at, tuple(self._states), self._leader, self._term, (), fault),
            _Step(at + 0.05, states(gone, dead, dead, self._term), None, self._term, (lost,)),
            _Step(at + delay - 0.3, states(gone, unready, unready, self._term), None, self._term),
            _Step(at + delay, states(gone, NodeState.ELECTED, NodeState.FOLLOWER, term), None, term, (higher,)),
            _Step(
                at + delay + 0.4, states(gone, NodeState.LEADER, NodeState.FOLLOWER, term), NODES[new], term, (serving,)
            ),
            _Step(at + 8.0, tuple(back), NODES[new], term),
        ]

    def _step(self, step: _Step) -> Iterator[events.Event]:
        if step.fault is not None:
            yield events.FaultCaused(step.fault)
            return
        for index, value in enumerate(step.states):
            if value[0] is not self._states[index][0]:
                self._since[index] = step.at
        if step.leader != self._leader:
            self._led = step.at
        self._states, self._leader, self._term = list(step.states), step.leader, step.term
        for fact in step.facts:
            yield events.FactObserved(fact)
        yield events.ClusterChanged(self._view(), 0.0005)

    def _view(self) -> ClusterView:
        nodes = []
        for index, (state, term) in enumerate(self._states):
            latency = 0.0008 + self._random.random() * 0.0006 + (0.02 if self._random.random() < 0.01 else 0)
            nodes.append(
                NodeView(NODES[index], state, self._since[index], term, latency_s=latency, last_answer=self._now)
            )
        return ClusterView(self._now, tuple(nodes), self._leader, self._term, self._led if self._leader else None)

    def _acks(self, at: float) -> Iterator[events.Event]:
        if self._leader is None:
            if self._quiet_since is None:
                self._quiet_since = self._last_ack
            yield events.WritesAcknowledged((), at, WriteWindow(self._quiet_since, None, 0.05))
            return
        if self._quiet_since is not None:
            yield events.WindowClosed(WriteWindow(self._quiet_since, at - 0.15, 0.05, 20))
            self._quiet_since = None
        base = 10 if self._scenario is not None else 1
        counts = tuple(
            (round(at - 0.2 + slot * 0.05, 6), max(0, round(self._random.gauss(base, base**0.5 / 2))))
            for slot in range(4)
        )
        self._last_ack = at
        yield events.WritesAcknowledged(counts, at, None)

    def _second(self, at: float) -> Iterator[events.Event]:
        into = (at - self._start) % (self._run + self._pause)
        if into < self._run and self._scenario is None:
            self._scenario, self._scenario_start = ("write-10u", "mixed-10u", "read-10u")[self._rounds % 3], at
            yield events.ScenarioStarted(self._scenario, at, 10, self._run, 100, 1024)
            return
        if self._scenario is None:
            return
        yield events.SampleRecorded(self._scenario, self._sample(at), self._leader, self._term)
        if into >= self._run:
            yield events.ScenarioEnded(_result(self._scenario, self._scenario_start, at))
            self._scenario = None

    def _sample(self, at: float) -> SecondSample:
        gauss = self._random.gauss
        ok = max(0, round(gauss(205, 9)))
        sample = SecondSample(
            at - 1, at, 10, 0, ok, {}, round(gauss(36_000, 1500)), round(gauss(70_000, 4000)),
            round(gauss(105_000, 9000)), round(gauss(150_000, 20_000)), 10, 0.1, {NODES[0]: ok}, 0.2, 0.001,
        )  # fmt: skip
        if self._leader is None:
            causes = (Cause.REFUSED, Cause.NO_LEADER) if self._rounds % 3 else (Cause.TIMEOUT,)
            failed = {cause: 30 + self._random.randrange(60) for cause in causes}
            return replace(sample, writes_ok=0, failed=failed, p50_us=None, p95_us=None, p99_us=None, max_us=None)
        if at - self._led < 1.2:
            return replace(sample, writes_ok=ok // 2, failed={Cause.RESET: 9}, p99_us=1_200_000, max_us=1_700_000)
        return sample


def _result(name: str, start: float, end: float) -> ScenarioResult:
    outcome = RunOutcome(
        start, end, 6000, 12, {Cause.REFUSED: 12}, {}, 0, 5988, 36_000, 60_000, 70_000, 105_000, 140_000, 150_000,
        160_000, "", "", "", {}, 0, (), False,
    )  # fmt: skip
    return ScenarioResult(name, "small", 10, end - start, 1024, 100, outcome, (), None, ())
