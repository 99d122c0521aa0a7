"""The event log: which events get a line, and in which words. Plain text only."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.results.tables.sentences import comparison_line
from confman_tui.results.tables.series_table import verdict_of
from confman_tui.session.events import (
    DeferredRunDropped,
    DrillEnded,
    DrillRound,
    DrillRoundEnded,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    LeftoversFound,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    RateChanged,
    RunDeferred,
    ScenarioEnded,
    ScenarioStarted,
    SeriesEnded,
    VerificationEnded,
    WindowClosed,
)
from confman_tui.tui import numbers
from confman_tui.tui.node_names import name_of
from confman_tui.tui.text import clean

MOST_LINES = 2_000
"""Lines kept; older ones are in the files."""


class Topic(StrEnum):
    """What a line is about; the log can be narrowed to one of them."""

    CLUSTER = "cluster"
    FAULTS = "faults"
    RUNS = "runs"
    PROBLEMS = "problems"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log."""

    at: float
    glyph: str
    text: str
    topic: Topic
    level: Level = Level.INFO

    @property
    def shown_at(self) -> int:
        """The time as it is shown, in hundredths of a second: what comes at one moment keeps its order."""
        return round(self.at * 1000) // 10

    @property
    def plain(self) -> str:
        """The whole line as it is copied."""
        return f"{numbers.time_of_day(self.at)} {self.glyph} {self.text}"


class EventLog:
    """The lines by their time, oldest first, bounded.

    Some are told late (a loss is known when a poll's deadline is over, a run's figures when its writes are verified):
    each stands where its time puts it, among those of the same time in the order in which they were told.
    """

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque(maxlen=MOST_LINES)
        self.total = 0
        """Lines ever told."""

    def add(self, line: LogLine) -> None:
        """A new line."""
        self.total += 1
        place = len(self.lines)
        while place and self.lines[place - 1].shown_at > line.shown_at:
            place -= 1
        if place == len(self.lines):
            self.lines.append(line)
            return
        if len(self.lines) == self.lines.maxlen:
            if place == 0:
                return
            self.lines.popleft()
            place -= 1
        self.lines.insert(place, line)

    def copy(self) -> EventLog:
        """A log that stays as it is while this one goes on."""
        kept = EventLog()
        kept.lines.extend(self.lines)
        kept.total = self.total
        return kept

    def newest_first(self, topic: Topic | None) -> tuple[LogLine, ...]:
        """All lines, or those of one topic (problems: also any line that is more than news), newest first."""
        if topic is None:
            return tuple(reversed(self.lines))
        problems = topic is Topic.PROBLEMS
        return tuple(
            line for line in reversed(self.lines) if line.topic is topic or (problems and line.level is not Level.INFO)
        )


def describe(event: Event, names: Mapping[str, str], told: Collection[float], now: float) -> LogLine | None:
    """The line that ``event`` gets, if any.

    ``told`` holds the origins of elections told before; ``now`` stands in where an event has no time of its own.
    """
    match event:
        case FactObserved(fact):
            return _fact(fact, names)
        case FaultCaused(fault):
            return LogLine(fault.at, "⚑", fault_words(fault, names), Topic.FAULTS, Level.WARNING)
        case ScenarioStarted():
            people = "1 user" if event.users == 1 else f"{event.users} users"
            if event.rate is not None:
                people += f", {numbers.asked(event.rate)}"
            span = "until stopped" if event.duration_s is None else f"{event.duration_s:.0f} s"
            entries = f"{numbers.count(event.entries_before)} entries"
            more = f", {clean(event.step, 60)}" if event.step else ""
            more += f", run {event.run} of {event.runs}" if event.runs > 1 else ""
            more += f", after {event.warmup_s:g} s of warm-up" if event.warmup_s else ""
            text = f"{clean(event.name, 40)} started: {people}, {span}, {entries}{more}"
            return LogLine(event.at, "▸", text, Topic.RUNS)
        case RunDeferred() | DeferredRunDropped():
            return LogLine(event.at, "·", deferred_words(event), Topic.RUNS)
        case RateChanged():
            text = f"rate {numbers.asked(event.rate)}, was {numbers.asked(event.before)}"
            return LogLine(event.at, "⇅", text, Topic.RUNS)
        case ScenarioEnded(result):
            outcome = result.outcome
            word = "stopped" if outcome.stopped_early else "done"
            failed = f"{numbers.count(outcome.failures)} failed" if outcome.failures else "none failed"
            text = (
                f"{clean(result.name, 40)} {word}: {numbers.rate(outcome.rps)} req/s, "
                f"p99 {numbers.milliseconds(outcome.p99_us)} ms, {failed}"
            )
            if outcome.not_started:
                text += f", {numbers.count(outcome.not_started)} never began"
            note = f" · {clean(result.note)}" if result.note else ""
            note += f" · {clean(line, 300)}" if (line := comparison_line(result, short=True)) else ""
            if result.generator_bound is not None:
                note += f" · generator-bound for {result.generator_bound.seconds} s"
            level = Level.INFO if outcome.reads_ok + outcome.writes_ok else Level.ERROR
            if level is Level.INFO and outcome.not_started:
                level = Level.WARNING
            return LogLine(outcome.ended, "■", text + note, Topic.RUNS, level)
        case GeneratorLimitReached(scenario, at, bound):
            text = f"{clean(scenario, 40)}: generator-bound, not the cluster's limit: {clean(bound.reason)}"
            tip = f"; try {clean(bound.advice)}" if bound.advice else ""
            return LogLine(at, "▲", text + tip, Topic.PROBLEMS, Level.WARNING)
        case WindowClosed(window) if window.end is not None:
            blocked = f" ({numbers.count(window.intended)} wanted)" if window.intended else ""
            text = f"writes again after {numbers.short_seconds(window.end - window.start)} without{blocked}"
            return LogLine(window.end, "↻", text, Topic.CLUSTER, Level.WARNING)
        case ElectionMeasured(election):
            return _election(election, names, election.origin in told)
        case VerificationEnded(scenario, result):
            return _verification(scenario, result, now)
        case DrillRoundEnded(ended):
            return _round(ended, names, now)
        case DrillEnded():
            level = Level.INFO if event.exit_code == 0 else Level.ERROR
            return LogLine(now, "◆", f"drill over: {clean(event.verdict)}", Topic.RUNS, level)
        case SeriesEnded(series):
            words = "; ".join(verdict_of(series)) or "nothing to tell"
            return LogLine(now, "◆", clean(f"series over: {words}", 300), Topic.RUNS)
        case LeftoversFound(namespaces) if namespaces:
            some = "1 namespace" if len(namespaces) == 1 else f"{len(namespaces)} namespaces"
            return LogLine(
                now,
                "▲",
                f"leftovers of an earlier run: {some}; 'remove leftovers' takes them away",
                Topic.RUNS,
                Level.WARNING,
            )
        case NoticeGiven():
            glyph = {Level.INFO: "·", Level.WARNING: "▲", Level.ERROR: "✗"}[event.level]
            topic = Topic.RUNS if event.level is Level.INFO else Topic.PROBLEMS
            return LogLine(event.at, glyph, clean(event.text), topic, event.level)
        case PhaseChanged(phase=Phase.OFFLINE):
            return LogLine(event.at, "✗", clean(event.detail) or "no cluster", Topic.PROBLEMS, Level.ERROR)
        case _:
            return None


def deferred_words(event: RunDeferred | DeferredRunDropped, stop_key: str = "") -> str:
    """``write-10u starts when the data is there``, and which key forgets it; or that it won't start."""
    one = len(event.names) == 1
    what = clean(event.names[0], 40) if one else f"{len(event.names)} scenarios"
    if isinstance(event, DeferredRunDropped):
        return f"{what} will not start: {clean(event.why, 80)}"
    told = f"{what} {'starts' if one else 'start'} when the data is there"
    return f"{told}; {stop_key} forgets {'it' if one else 'them'}" if stop_key else told


_FAULT_VERBS = {
    FaultKind.KILL: "kill",
    FaultKind.PAUSE: "pause",
    FaultKind.RESUME: "resume",
    FaultKind.ISOLATE: "isolate",
    FaultKind.HEAL: "heal",
    FaultKind.RESTART: "restart",
}


def fault_words(fault: Fault, names: Mapping[str, str]) -> str:
    """``kill :6100 (you)``."""
    return f"{_FAULT_VERBS[fault.kind]} {name_of(fault.node, names)} ({clean(fault.by, 20)})"


def _fact(fact: Fact, names: Mapping[str, str]) -> LogLine:
    node = name_of(fact.node, names)
    term = f", term {fact.term}" if fact.term is not None else ""
    detail = f" ({clean(fact.detail)})" if fact.detail else ""
    news, bad = Level.INFO, Level.WARNING
    glyph, text, level = {
        FactKind.LEADER_LOST: ("✕", f"{node} lost as leader{term}{detail}", bad),
        FactKind.TERM_ADVANCED: ("↑", f"term {fact.term}{detail}", news),
        FactKind.ELECTED: ("☆", f"{node} elected{term}, not serving yet{detail}", news),
        FactKind.LEADER_SERVING: ("★", f"{node} leads{term}{detail}", news),
        FactKind.ALL_AGREE: ("●", f"all agree on {node}{term}{detail}", news),
        FactKind.FOLLOWS_DEAD_LEADER: ("◌", f"{node} follows a dead leader{detail}", bad),
        FactKind.STALE_LEADER: ("⚠", f"{node} is a stale leader{term}{detail}", bad),
        FactKind.SPLIT_CLAIM: ("⚠", f"two nodes claim to lead{term}{detail}", bad),
        FactKind.NODE_DOWN: ("✕", f"{node} down{detail}", bad),
        FactKind.NOT_ANSWERING: ("…", f"{node} not answering{detail}", bad),
        FactKind.NODE_WRONG: ("⚠", f"{node} answers, but not as Confman{detail}", bad),
        FactKind.NODE_BACK: ("○", f"{node} back{term}{detail}", news),
    }[fact.kind]
    # A resumed node answers at once what was asked while it slept: it is back when it answers.
    at = max(fact.at, fact.seen) if fact.kind is FactKind.NODE_BACK else fact.at
    return LogLine(at, glyph, text, Topic.CLUSTER, level)


def _election(election: Election, names: Mapping[str, str], told: bool) -> LogLine | None:
    if told:
        if election.recover90_s is None:
            return None
        at = election.origin + election.recover90_s
        return LogLine(at, "↗", f"back at 90 % after {numbers.short_seconds(election.recover90_s)}", Topic.CLUSTER)
    steps = (election.lost_s, election.serving_s, election.agree_s, election.first_write_s)
    at = election.origin + max((after for after in steps if after is not None), default=0.0)
    if election.new_leader is None:
        return LogLine(at, "◔", "election without a winner", Topic.CLUSTER, Level.WARNING)
    serving, first = election.serving_s, election.first_write_s
    steps_told = []
    # A write can be acknowledged before the next poll shows who took it.
    if serving is not None and (first is None or serving < first):
        steps_told.append(f"serving after {numbers.short_seconds(serving)}")
    if first is not None:
        steps_told.append(f"writing after {numbers.short_seconds(first)}")
    text = f"election of {name_of(election.new_leader, names)}: {', '.join(steps_told)}".removesuffix(": ")
    return LogLine(at, "◔", text, Topic.CLUSTER)


def _verification(scenario: str, result: Verification, now: float) -> LogLine:
    about = clean(scenario, 40)
    if not result.judged:
        note = clean(result.note) or "no acknowledged write to check"
        level = Level.WARNING if result.without else Level.INFO
        return LogLine(now, "·", f"{about} not verified: {note}", Topic.RUNS, level)
    note = f"; {clean(result.note)}" if result.note else ""
    if result.passed:
        stale = f", {numbers.count(result.stale)} stale" if result.stale else ""
        read = f"{numbers.count(result.checked)} writes read back, {numbers.count(result.acknowledged)} acknowledged"
        text = f"{about} verified: {read}, 0 lost{stale}{note}"
        level = Level.WARNING if result.stale or result.without else Level.INFO
        return LogLine(now, "✓", text, Topic.RUNS, level)
    text = f"{about}: {numbers.count(result.lost)} LOST, {numbers.count(result.phantom)} phantom writes{note}"
    return LogLine(now, "✗", text, Topic.PROBLEMS, Level.ERROR)


def _round(ended: DrillRound, names: Mapping[str, str], now: float) -> LogLine:
    at = now
    head = f"drill round {ended.number} of {ended.total}"
    back = ""
    if ended.return_s is not None:
        back = f", back after {numbers.short_seconds(ended.return_s)}"
    elif ended.no_return:
        back = f"; {name_of(ended.fault.node, names) if ended.fault else 'the node'} {clean(ended.no_return)}"
    if not ended.judged:
        return LogLine(at, "◆", f"{head} not judged: {clean(ended.reason)}{back}", Topic.RUNS, Level.WARNING)
    gap = ended.election.without_writes_s if ended.election else None
    text = f"{head}: {numbers.short_seconds(gap)} without writes" if gap is not None else f"{head}: no gap in writes"
    return LogLine(at, "◆", text + back, Topic.RUNS, Level.WARNING if ended.no_return else Level.INFO)
