"""What the screen remembers: samples, node states, acknowledged writes and marks, bounded, by time.

No clock, no screen: everything comes in as the session's events, in their order. All times are seconds since the epoch
on the program's steady clock. The files of a run keep every sample; here, old ones are merged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confman_tui.cluster.elections import Fault, WriteWindow
from confman_tui.cluster.states import NO_ANSWER_STATES, ClusterView, FactKind, NodeState
from confman_tui.session import events
from confman_tui.tui.history.acks import AckStore
from confman_tui.tui.history.moments import WARMUP, LeaderChange, Moment, ScenarioSpan
from confman_tui.tui.history.samples import SampleStore, SecondsBucket, merge_buckets
from confman_tui.tui.history.track import Track

HEALTH_S = 600
"""Seconds of which each node's slowest poll is kept."""


@dataclass(slots=True)
class _Health:
    """The slowest poll of each second, for one node."""

    done: deque[tuple[int, float | None]]
    """(second, its slowest poll)."""
    second: int = 0
    worst: float | None = None
    unanswered: bool = False


class History:
    """The memory behind the timeline and the graphs."""

    MARKS = 5_000
    """Most leader changes, windows, faults and scenario spans kept of each."""

    def __init__(self) -> None:
        self.nodes: tuple[str, ...] = ()
        """Base URLs in the configured order."""
        self.first: float | None = None
        """The first moment anything is known of."""
        self.known_until: float | None = None
        """Up to when the nodes' states are known."""
        self._samples = SampleStore()
        self._acks = AckStore()
        self._states: dict[str, Track[tuple[NodeState, int | None]]] = {}
        self._leader: Track[str | None] = Track()
        self._term: Track[int] = Track()
        self._health: dict[str, _Health] = {}
        self._changes: deque[LeaderChange] = deque(maxlen=self.MARKS)
        self._led: tuple[str, int | None] | None = None
        self._led_terms: dict[int, str] = {}
        self._windows: deque[WriteWindow] = deque(maxlen=self.MARKS)
        self._open_window: WriteWindow | None = None
        self._faults: deque[Fault] = deque(maxlen=self.MARKS)
        self._scenarios: deque[ScenarioSpan] = deque(maxlen=self.MARKS)
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.ConfigurationChanged: self._configuration_changed,
            events.ClusterChanged: self._cluster_changed,
            events.FactObserved: self._fact_observed,
            events.SampleRecorded: self._sample_recorded,
            events.WritesAcknowledged: self._writes_acknowledged,
            events.WindowClosed: self._window_closed,
            events.FaultCaused: self._fault_caused,
            events.ScenarioStarted: self._scenario_started,
            events.ScenarioEnded: self._scenario_ended,
        }

    def apply(self, event: events.Event) -> None:
        """Take one event; those that leave no trace in time are ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    # What comes in

    def _note_start(self, at: float) -> None:
        if self.first is None or at < self.first:
            self.first = at

    def _configuration_changed(self, event: events.ConfigurationChanged) -> None:
        if event.nodes:
            self.nodes = event.nodes

    def _cluster_changed(self, event: events.ClusterChanged) -> None:
        view = event.view
        self._note_start(view.at)
        if not self.nodes or set(self.nodes) != {node.node for node in view.nodes}:
            self.nodes = tuple(node.node for node in view.nodes)
        for node in view.nodes:
            if node.state is NodeState.UNKNOWN:
                continue
            track = self._states.setdefault(node.node, Track())
            value = (node.state, node.term)
            last = track.last
            if last != value:
                # The state's own start when the state is what changed; a new term in the same state starts now.
                began = (
                    node.since if node.since is not None and (last is None or last[0] is not node.state) else view.at
                )
                track.set(min(began, view.at), value)
            self._note_latency(node.node, view.at, None if node.state in NO_ANSWER_STATES else node.latency_s)
        self._note_leader(view)
        if view.term is not None and self._term.last != view.term:
            self._term.set(view.at, view.term)
        self.known_until = view.at if self.known_until is None else max(self.known_until, view.at)

    def _note_leader(self, view: ClusterView) -> None:
        if view.leader is not None and view.term is not None:
            self._note_term_leader(view.leader, view.term)
        if self._leader.last == view.leader and len(self._leader):
            return
        began = view.leader_since if view.leader is not None and view.leader_since is not None else view.at
        self._leader.set(min(began, view.at), view.leader)

    def _note_term_leader(self, node: str, term: int) -> None:
        self._led_terms[term] = node
        if len(self._led_terms) > self.MARKS:
            del self._led_terms[next(iter(self._led_terms))]

    def _note_latency(self, node: str, at: float, latency: float | None) -> None:
        health = self._health.setdefault(node, _Health(deque(maxlen=HEALTH_S), second=int(at)))
        if int(at) > health.second:
            health.done.append((health.second, None if health.unanswered else health.worst))
            health.second, health.worst, health.unanswered = int(at), None, False
        if latency is None:
            health.unanswered = True
        else:
            health.worst = latency if health.worst is None else max(health.worst, latency)

    def _fact_observed(self, event: events.FactObserved) -> None:
        fact = event.fact
        self._note_start(fact.at)
        if fact.kind is FactKind.TERM_ADVANCED and fact.term is not None:
            self._term.set(fact.at, fact.term)
        elif fact.kind is FactKind.LEADER_LOST:
            self._leader.set(fact.at, None)
        elif fact.kind is FactKind.LEADER_SERVING and fact.node is not None:
            self._leader.set(fact.at, fact.node)
            led = (fact.node, fact.term)
            if fact.term is not None:
                self._note_term_leader(fact.node, fact.term)
            if self._led is not None and self._led != led:
                self._changes.append(LeaderChange(fact.at, fact.node, fact.term))
            self._led = led

    def _sample_recorded(self, event: events.SampleRecorded) -> None:
        self._note_start(event.sample.start)
        self._samples.add(SecondsBucket.of(event.sample, WARMUP if event.sample.warmup else event.scenario))

    def _writes_acknowledged(self, event: events.WritesAcknowledged) -> None:
        for start, count in event.counts:
            self._acks.add(start, count)
            self._note_start(start)
        self._open_window = event.open_window

    def _window_closed(self, event: events.WindowClosed) -> None:
        if event.window.end is not None:
            self._windows.append(event.window)
            if self._open_window is not None and self._open_window.start <= event.window.start:
                self._open_window = None

    def _fault_caused(self, event: events.FaultCaused) -> None:
        self._faults.append(event.fault)

    def _scenario_started(self, event: events.ScenarioStarted) -> None:
        begins = event.at + event.warmup_s
        if event.warmup_s:
            self._scenarios.append(ScenarioSpan(WARMUP, event.at, begins))
        self._scenarios.append(ScenarioSpan(event.name, begins, None))

    def _scenario_ended(self, event: events.ScenarioEnded) -> None:
        if self._scenarios and self._scenarios[-1].end is None:
            span = self._scenarios.pop()
            ended = event.result.outcome.ended
            # stopped in its warm-up, it never began
            if ended > span.start:
                self._scenarios.append(ScenarioSpan(span.name, span.start, ended))

    # What is asked

    def health(self, node: str) -> tuple[float | None, ...]:
        """The slowest poll of each of the last 60 whole seconds, in seconds; None where it did not answer."""
        health = self._health.get(node)
        return tuple(worst for _, worst in list(health.done)[-60:]) if health is not None else ()

    def health_seconds(self, node: str, start: float, end: float) -> list[tuple[float, float]]:
        """(second, slowest poll in seconds) of the seconds within this stretch in which the node answered."""
        health = self._health.get(node)
        if health is None:
            return []
        return [(float(at), worst) for at, worst in health.done if worst is not None and start <= at < end]

    @property
    def last_term(self) -> int | None:
        """The highest term seen."""
        return self._term.last

    @property
    def last_ack(self) -> float | None:
        """Start of the last 50 ms slot in which a write was acknowledged."""
        return self._acks.last

    def samples(self, start: float, end: float, seconds: float = 1.0) -> list[SecondsBucket]:
        """The samples that touch this stretch, merged to buckets of at least that many seconds."""
        found = self._samples.between(start, end)
        return found if seconds <= 1.0 else merge_buckets(found, seconds)

    def acks(self, start: float, width: float, cells: int) -> list[float]:
        """Acknowledged writes per cell of ``width`` seconds."""
        return self._acks.spread(start, width, cells)

    def states(self, node: str, start: float, end: float) -> list[tuple[float, float, tuple[NodeState, int | None]]]:
        """(start, end, (state, term)) of a node within this stretch, as far as known."""
        track = self._states.get(node)
        if track is None or self.known_until is None:
            return []
        return track.between(start, min(end, self.known_until))

    def terms(self, start: float, end: float) -> list[tuple[float, float, int]]:
        """(start, end, highest term seen) within this stretch."""
        return self._term.between(start, end)

    def leader_of(self, term: int) -> str | None:
        """The last node that was seen to lead in this term."""
        return self._led_terms.get(term)

    def changes(self, start: float, end: float) -> tuple[LeaderChange, ...]:
        """Changes of leader within this stretch; the first leader seen is none."""
        return tuple(change for change in self._changes if start <= change.at < end)

    def faults(self, start: float, end: float) -> tuple[Fault, ...]:
        """What was done to nodes within this stretch."""
        return tuple(fault for fault in self._faults if start <= fault.at < end)

    def scenarios(self, start: float, end: float) -> tuple[ScenarioSpan, ...]:
        """Scenarios that touch this stretch."""
        return tuple(span for span in self._scenarios if span.start < end and (span.end is None or span.end > start))

    def warmups(self, start: float, end: float, now: float) -> list[tuple[float, float]]:
        """(start, end) of the warm-ups that touch this stretch, as far as they have passed."""
        return [
            (span.start, min(now, span.end))
            for span in self.scenarios(start, end)
            if span.name == WARMUP and span.end is not None and span.start < now
        ]

    def windows(self, start: float, end: float, now: float) -> list[tuple[float, float, float]]:
        """(start, end, seconds) of the windows without writes that touch this stretch, uncut; an open one ends now.
        ``seconds`` is for how long writes were impossible, as elections have it (`WriteWindow.seconds`)."""
        spans = [
            (window.start, window.end, window.seconds or 0.0) for window in self._windows if window.end is not None
        ]
        if self._open_window is not None:
            begin = self._open_window.start
            spans.append((begin, max(now, begin), max(now - begin, 0.0)))
        return [span for span in spans if span[1] > start and span[0] < end]

    def outages(self, start: float, end: float, now: float) -> list[tuple[float, float, float]]:
        """(start, end, seconds) of the stretches without a leader or without writes that touch this one, joined where
        they overlap. ``seconds`` is the longest window without writes in it or, when there was none, how long nobody
        led; it does not change while the stretch leaves the picture."""
        until = self.known_until if self.known_until is not None else start
        windows = self.windows(start, end, now)
        earliest = min((begin for begin, _, _ in windows), default=start)
        led = self._leader.between(min(earliest, start) - 3600.0, until)
        spans = [(begin, stop, 0.0) for begin, stop, leader in led if leader is None]
        spans += windows
        joined: list[tuple[float, float, float]] = []
        for begin, stop, seconds in sorted(spans):
            if joined and begin <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], stop), max(joined[-1][2], seconds))
            elif stop > begin:
                joined.append((begin, stop, seconds))
        return [
            (begin, stop, seconds or stop - begin) for begin, stop, seconds in joined if stop > start and begin < end
        ]

    def longest_without_writes(self, start: float, end: float, now: float | None = None) -> float | None:
        """The longest window without writes that touches this stretch, in seconds; None when there was none."""
        spans = self.windows(start, end, end if now is None else now)
        return max((seconds for _, _, seconds in spans), default=None)

    def moment(self, at: float, now: float) -> Moment:
        """What was at that moment, as known now."""
        # Between two polls the last one still holds.
        known = self.known_until is not None and at <= self.known_until + 1.0
        states: dict[str, NodeState] = {}
        if known:
            for node in self.nodes:
                track = self._states.get(node)
                value = track.at(at) if track is not None else None
                if value is not None:
                    states[node] = value[0]
        buckets = [bucket for bucket in self._samples.between(at, at + 1e-3) if bucket.start <= at < bucket.end]
        covering = [seconds for begin, stop, seconds in self.windows(at, at + 1e-3, now) if begin <= at < stop]
        return Moment(
            at=at,
            leader=self._leader.at(at) if known else None,
            term=self._term.at(at) if known else None,
            states=states,
            acks_per_s=sum(self._acks.spread(at - 0.5, 0.5, 2)),
            bucket=buckets[0] if buckets else None,
            without_writes_s=max(covering, default=None),
            faults=self.faults(at - 0.5, at + 0.5),
        )
