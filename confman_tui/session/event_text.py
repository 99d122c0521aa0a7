"""The text of each event's line ("leader lost", "leads", "election", "run done" …), for the screen and headless runs.

Plain text as it comes, from servers too: the screen cleans it before it shows it. Which node is named how is the front
end's matter, since a log names nodes by their whole address and the screen by their port.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from confman_tui.cluster.elections import Election, Fault, Verification
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.core.errors import EXIT_UNJUDGED
from confman_tui.results.late_phantoms import late_words
from confman_tui.results.model import ScenarioResult
from confman_tui.results.tables.sentences import (
    acknowledged_words,
    comparison_line,
    nodes_words,
    reads_words,
    timeout_note,
)
from confman_tui.results.tables.series_table import verdict_of
from confman_tui.session import figures
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
    LateWritesFound,
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
    SweepRefused,
    VerificationEnded,
    WindowClosed,
)

Name = Callable[[str | None], str]
"""How a front end names a node (base URL); None: one that nobody knows."""


class Topic(StrEnum):
    """What a line is about; the screen's log can be narrowed to one of them."""

    CLUSTER = "cluster"
    FAULTS = "faults"
    RUNS = "runs"
    PROBLEMS = "problems"


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event in words."""

    at: float
    """When it happened."""
    glyph: str
    text: str
    topic: Topic
    level: Level = Level.INFO


def line_of(event: Event, name: Name, known: Collection[float], now: float) -> EventLine | None:
    """The line of an event; None for one that is no news to read (a sample, a progress, a gauge).

    Args:
        event: what happened.
        name: how to name a node.
        known: the origins of the elections that had a line before: theirs is about the recovery then.
        now: stands in where an event has no time of its own.
    """
    match event:
        case FactObserved(fact):
            return _fact(fact, name)
        case FaultCaused(fault):
            return EventLine(fault.at, "⚑", fault_words(fault, name), Topic.FAULTS, Level.WARNING)
        case WindowClosed(window) if window.end is not None:
            wanted = f" ({figures.count(window.intended)} wanted)" if window.intended else ""
            text = f"writes again after {figures.short_seconds(window.end - window.start)} without{wanted}"
            return EventLine(window.end, "↻", text, Topic.CLUSTER, Level.WARNING)
        case ElectionMeasured(election):
            return _recovery(election) if election.origin in known else _election(election, name)
        case VerificationEnded(scenario, result):
            return _verification(scenario, result, now)
        case LateWritesFound(scenario, at, keys):
            return EventLine(at, "✗", late_words(scenario, keys), Topic.PROBLEMS, Level.ERROR)
        case NoticeGiven():
            glyph = {Level.INFO: "·", Level.WARNING: "▲", Level.ERROR: "✗"}[event.level]
            topic = Topic.RUNS if event.level is Level.INFO else Topic.PROBLEMS
            return EventLine(event.at, glyph, event.text, topic, event.level)
        case PhaseChanged(phase=Phase.OFFLINE):
            return EventLine(event.at, "✗", event.detail or "no cluster", Topic.PROBLEMS, Level.ERROR)
        case LeftoversFound(namespaces) if namespaces:
            some = "1 namespace" if len(namespaces) == 1 else f"{len(namespaces)} namespaces"
            return EventLine(now, "▲", f"leftovers of an earlier run: {some}", Topic.RUNS, Level.WARNING)
        case _:
            return _run_line(event, name, now)


def _run_line(event: Event, name: Name, now: float) -> EventLine | None:
    """The line of an event about what runs."""
    match event:
        case ScenarioStarted():
            return EventLine(event.at, "▸", _started(event), Topic.RUNS)
        case RunDeferred() | DeferredRunDropped():
            return EventLine(event.at, "·", deferred_words(event), Topic.RUNS)
        case RateChanged():
            text = f"rate {figures.asked(event.rate)}, was {figures.asked(event.before)}"
            return EventLine(event.at, "⇅", text, Topic.RUNS)
        case ScenarioEnded(result):
            return _scenario_ended(result)
        case GeneratorLimitReached(scenario, at, bound):
            text = f"{scenario}: generator-bound, not the cluster's limit: {bound.reason}"
            tip = f"; try {bound.advice}" if bound.advice else ""
            return EventLine(at, "▲", text + tip, Topic.PROBLEMS, Level.WARNING)
        case DrillRoundEnded(ended):
            return _round(ended, name, now)
        case DrillEnded():
            level = Level.INFO if event.exit_code == 0 else Level.ERROR
            level = Level.WARNING if event.exit_code == EXIT_UNJUDGED else level
            return EventLine(now, "◆", f"drill over: {event.verdict}", Topic.RUNS, level)
        case SweepRefused():
            return EventLine(event.at, "▲", refused_words(event), Topic.PROBLEMS, Level.WARNING)
        case SeriesEnded(series):
            words = "; ".join(verdict_of(series)) or "nothing to compare"
            return EventLine(now, "◆", f"series over: {words}", Topic.RUNS)
        case _:
            return None


def deferred_words(event: RunDeferred | DeferredRunDropped) -> str:
    """``write-10u starts when the data is there``, or that it won't start."""
    one = len(event.names) == 1
    what = event.names[0] if one else f"{len(event.names)} scenarios"
    if isinstance(event, DeferredRunDropped):
        return f"{what} will not start: {event.why}"
    return f"{what} {'starts' if one else 'start'} when the data is there"


def refused_words(event: SweepRefused) -> str:
    """``no sweep: the cluster holds 5,812 entries, 100 of them seeded, and 5,000 were the most asked for``."""
    return (
        f"no sweep: the cluster holds {figures.count(event.held)} entries, {figures.count(event.seeded)} of them "
        f"seeded, and {figures.count(event.largest)} were the most asked for"
    )


def fault_words(fault: Fault, name: Name) -> str:
    """``kill :6100 (you)``."""
    return f"{fault.kind} {name(fault.node)} ({fault.by})"


def _fact(fact: Fact, name: Name) -> EventLine:
    node = name(fact.node)
    term = f", term {fact.term}" if fact.term is not None else ""
    detail = f" ({fact.detail})" if fact.detail else ""
    news, bad = Level.INFO, Level.WARNING
    glyph, text, level = {
        FactKind.LEADER_LOST: ("✕", f"{node} lost as leader{term}{detail}", bad),
        FactKind.TERM_ADVANCED: ("↑", f"term {fact.term}{detail}", news),
        FactKind.ELECTED: ("☆", f"{node} elected{term}, not serving yet{detail}", news),
        FactKind.LEADER_SERVING: ("★", f"{node} leads{term}{detail}", news),
        FactKind.ALL_AGREE: ("●", f"all agree on {node}{term}{detail}", news),
        FactKind.FOLLOWS_DEAD_LEADER: ("◌", f"{node} follows a dead leader{detail}", bad),
        FactKind.FORMER_LEADER: ("◒", f"{node} was leader, not yet a follower{detail}", news),
        FactKind.STALE_LEADER: ("⚠", f"{node} is a stale leader{term}{detail}", bad),
        FactKind.SPLIT_CLAIM: ("⚠", f"two nodes claim to lead{term}{detail}", bad),
        FactKind.NODE_DOWN: ("✕", f"{node} down{detail}", bad),
        FactKind.NOT_ANSWERING: ("…", f"{node} not answering{detail}", bad),
        FactKind.NODE_WRONG: ("⚠", f"{node} answers, but not as Confman{detail}", bad),
        FactKind.NODE_BACK: ("○", f"{node} back{term}{detail}", news),
    }[fact.kind]
    # A resumed node answers at once what was asked while it slept: it is back when it answers.
    at = max(fact.at, fact.seen) if fact.kind is FactKind.NODE_BACK else fact.at
    return EventLine(at, glyph, text, Topic.CLUSTER, level)


def _election(election: Election, name: Name) -> EventLine:
    steps = (election.lost_s, election.serving_s, election.agree_s, election.first_write_s)
    at = election.origin + max((after for after in steps if after is not None), default=0.0)
    if election.new_leader is None:
        return EventLine(at, "◔", "election without a winner", Topic.CLUSTER, Level.WARNING)
    serving, first = election.serving_s, election.first_write_s
    known = []
    # A write can be acknowledged before the next poll shows who took it.
    if serving is not None and (first is None or serving < first):
        known.append(f"serving after {figures.short_seconds(serving)}")
    if first is not None:
        known.append(f"writing after {figures.short_seconds(first)}")
    leader = name(election.new_leader)
    what = f"{leader} leads on in term {election.term_after}" if election.stalled else f"election of {leader}"
    text = f"{what}: {', '.join(known)}".removesuffix(": ")
    return EventLine(at, "◔", text, Topic.CLUSTER)


def _recovery(election: Election) -> EventLine | None:
    if election.recover90_s is None:
        return None
    at = election.origin + election.recover90_s
    return EventLine(at, "↗", f"back at 90 % after {figures.short_seconds(election.recover90_s)}", Topic.CLUSTER)


def _started(event: ScenarioStarted) -> str:
    people = "1 user" if event.users == 1 else f"{event.users} users"
    if event.rate is not None:
        people += f", {figures.asked(event.rate)}"
    span = "until stopped" if event.duration_s is None else f"{event.duration_s:.0f} s"
    parts = [people, span, f"{figures.count(event.entries_before)} entries"]
    parts += [words] if (words := reads_words(event.reads)) else []
    parts += [event.step] if event.step else []
    parts += [f"run {event.run} of {event.runs}"] if event.runs > 1 else []
    parts += [f"after {event.warmup_s:g} s of warm-up"] if event.warmup_s else []
    return f"{event.name} started: {', '.join(parts)}"


def _scenario_ended(result: ScenarioResult) -> EventLine:
    outcome = result.outcome
    word = "stopped" if outcome.stopped_early else "done"
    failed = f"{figures.count(outcome.failures)} failed" if outcome.failures else "none failed"
    p99 = figures.milliseconds(outcome.p99_us)
    text = f"{result.name} {word}: {figures.rate(outcome.rps)} req/s, p99 {p99} ms, {failed}"
    if outcome.not_started:
        text += f", {figures.count(outcome.not_started)} never began"
    notes = [result.note, timeout_note(result), comparison_line(result, short=True)]
    if result.generator_bound is not None:
        notes.append(f"generator-bound for {result.generator_bound.seconds} s")
    text = " · ".join([text, *(note for note in notes if note)])
    level = Level.INFO if outcome.reads_ok + outcome.writes_ok else Level.ERROR
    if level is Level.INFO and outcome.not_started:
        level = Level.WARNING
    return EventLine(outcome.ended, "■", text, Topic.RUNS, level)


def _verification(scenario: str, result: Verification, now: float) -> EventLine:
    if result.missed and not result.failed:
        why = result.note or "nothing was read back"
        return EventLine(now, "▲", f"{scenario} NOT JUDGED: {why}", Topic.PROBLEMS, Level.WARNING)
    if not (result.judged or result.failed):
        note = result.note or "no acknowledged write to check"
        level = Level.WARNING if result.without else Level.INFO
        return EventLine(now, "·", f"{scenario} not verified: {note}", Topic.RUNS, level)
    note = f"; {result.note}" if result.note else ""
    if result.passed:
        stale = f", {figures.count(result.stale)} stale" if result.stale else ""
        read = f"{figures.count(result.checked)} writes read back {nodes_words(result)}".rstrip()
        read += f", {acknowledged_words(result)}"
        level = Level.WARNING if result.stale or result.without else Level.INFO
        return EventLine(now, "✓", f"{scenario} verified: {read}, 0 lost{stale}{note}", Topic.RUNS, level)
    diverged = f"{figures.count(result.diverged)} DIVERGED, " if result.diverged else ""
    counts = f"{figures.count(result.lost)} LOST, {diverged}{figures.count(result.phantom)} phantom writes"
    text = f"{scenario}: {counts}{', read back' * bool(result.nodes)} {nodes_words(result)}".rstrip() + note
    return EventLine(now, "✗", text, Topic.PROBLEMS, Level.ERROR)


def _round(ended: DrillRound, name: Name, now: float) -> EventLine:
    head = f"drill round {ended.number} of {ended.total}"
    back = ""
    if ended.return_s is not None:
        back = f", back after {figures.short_seconds(ended.return_s)}"
    elif ended.no_return:
        back = f"; {name(ended.fault.node) if ended.fault else 'the node'} {ended.no_return}"
    if not ended.judged:
        return EventLine(now, "◆", f"{head} not judged: {ended.reason}{back}", Topic.RUNS, Level.WARNING)
    gap = ended.election.without_writes_s if ended.election else None
    text = f"{head}: {figures.short_seconds(gap)} without writes" if gap is not None else f"{head}: no gap in writes"
    return EventLine(now, "◆", text + back, Topic.RUNS, Level.WARNING if ended.no_return else Level.INFO)
