"""What each event changes in the screen's state."""

from __future__ import annotations

from collections.abc import Sequence

from confman_tui.cluster.elections import BrokenKey
from confman_tui.cluster.node_names import short_names
from confman_tui.results.late_phantoms import result_with_late
from confman_tui.results.tables.series_table import verdict_of
from confman_tui.session.events import (
    ClusterChanged,
    ConfigurationChanged,
    DeferredRunDropped,
    DrillEnded,
    DrillRoundEnded,
    ElectionAdvanced,
    ElectionMeasured,
    Event,
    FaultCaused,
    GeneratorLimitReached,
    GeneratorWatched,
    LateWritesFound,
    LeftoversFound,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    RateChanged,
    RunDeferred,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    SeriesEnded,
    SeriesStepEnded,
    VerificationEnded,
    WatchModeChanged,
    WritesAcknowledged,
)
from confman_tui.tui import verdict
from confman_tui.tui.log import describe, election_line
from confman_tui.tui.rows import DRILL, RowStatus
from confman_tui.tui.state import UiState

MOST_ELECTIONS = 500


def asked(state: UiState, names: Sequence[str]) -> None:
    """A person asked for these scenarios: their rows say so until they begin."""
    for name in names:
        row = state.rows.get(name)
        if row is not None and row.status is not RowStatus.RUNNING:
            row.status = RowStatus.QUEUED
            state.queue.append(name)


def note_ended(state: UiState, name: str, sentence: str) -> None:
    """Keep what came of a run; an earlier one of its name makes room."""
    state.ended.pop(name, None)
    state.ended[name] = sentence


def _forget_queue(state: UiState) -> None:
    for name in state.queue:
        row = state.rows[name]
        row.status = RowStatus.DONE if row.result else RowStatus.NEVER
    state.queue.clear()
    state.deferred = ()


def apply(state: UiState, event: Event, now: float) -> bool:
    """Take ``event`` into ``state``. True when a person should see it at once, False for a gauge."""
    if isinstance(event, ClusterChanged):
        state.view = event.view
        state.loop_lag_s = event.loop_lag_s
        if state.ended_by_itself:
            answered = {node.node: node.last_answer or 0.0 for node in event.view.nodes}
            state.ended_by_itself = {
                node: told for node, told in state.ended_by_itself.items() if answered.get(node, 0.0) <= told.at
            }
        if tuple(state.names) != (nodes := tuple(view.node for view in event.view.nodes)):
            state.names = short_names(nodes)
        return event.news
    if isinstance(event, WritesAcknowledged):
        _acknowledged(state, event)
        return False
    if isinstance(event, ProgressMade):
        state.progress = event
        return False
    if isinstance(event, WatchModeChanged):
        state.watch = event
        return False
    if isinstance(event, GeneratorWatched):
        state.generator = event.sample
        return False
    if isinstance(event, ElectionAdvanced):
        state.election_now = event.election
        state.log.add(election_line(event.election, state.names, ongoing=True))
        return True
    line = describe(event, state.names, {election.origin for election in state.elections}, now)
    if line is not None:
        state.log.add(line)
    state.events += 1
    _change(state, event)
    return not isinstance(event, SampleRecorded)


def _change(state: UiState, event: Event) -> None:
    state.exit_reasons.take(event)
    match event:
        case PhaseChanged():
            _change_phase(state, event)
        case ConfigurationChanged():
            state.config = event
            state.names = short_names(event.nodes)
            if state.view is None or tuple(node.node for node in state.view.nodes) != event.nodes:
                state.view = None
        case NoticeGiven(node=node) if node:
            state.ended_by_itself[node] = event
        case FaultCaused(fault):
            state.done_to[fault.node] = fault
        case ElectionMeasured(election):
            if state.election_now is not None and state.election_now.origin <= election.origin:
                state.election_now = None
            state.elections = [known for known in state.elections if known.origin != election.origin]
            state.elections = [*state.elections, election][-MOST_ELECTIONS:]
        case VerificationEnded(_, result):
            state.verification = result
        case LateWritesFound(name, keys=keys):
            _add_late(state, name, keys)
        case DrillRoundEnded(ended):
            before = state.drill_rounds if state.drill_ended is None else ()
            state.drill_rounds, state.drill_ended = (*before, ended), None
        case DrillEnded():
            state.drill_rounds, state.drill_ended = event.rounds, event
            state.verification = event.verification or state.verification
            load = state.drill_row.result
            note_ended(state, DRILL.name, f"drill: {event.verdict}" if load is None else verdict.plain(load, event))
        case SeriesStepEnded(series):
            state.series = series
        case SeriesEnded(series):
            state.series = series
            for name in series.scenarios:
                state.ended.pop(name, None)  # its last step
            what = f"{', '.join(series.scenarios)} against {series.kind}"
            note_ended(state, what, f"{what}: {'; '.join(verdict_of(series)) or 'nothing to compare'}")
        case LeftoversFound(namespaces):
            state.leftovers = namespaces
        case _:
            _change_run(state, event)


def _add_late(state: UiState, name: str, keys: Sequence[BrokenKey]) -> None:
    """Late phantoms of a run: its row and what is said of it tell of them."""
    for row in state.shown_rows:
        if row.result is not None and row.result.name == name:
            row.result = result_with_late(row.result, keys)
            if state.last is not None and state.last.name == name:
                state.last = row.result
            if row.result.of_scenario in state.ended and name != DRILL.name:
                note_ended(state, row.result.of_scenario, verdict.plain(row.result))


def _change_run(state: UiState, event: Event) -> None:
    """What an event changes in the run that goes on, in its row, and in those that wait."""
    match event:
        case ScenarioStarted(name):
            state.running = name
            state.rate = event.rate
            state.last = None
            if name in state.queue:
                state.queue.remove(name)
            if (row := state.row(name)) is not None:
                row.start(event)
        case RunDeferred(names):
            _forget_queue(state)
            asked(state, names)
            state.deferred = names
        case DeferredRunDropped():
            _forget_queue(state)
        case RateChanged(name, _, rate):
            state.rate = rate
            if (row := state.row(name)) is not None:
                row.rate = rate
        case SampleRecorded(name, sample):
            state.sample = sample
            state.limit = event.limit
            if (row := state.row(name)) is not None:
                row.add(sample)
                row.generator = event.generator
        case GeneratorLimitReached(name):
            if (row := state.row(name)) is not None:
                row.limit = event.bound
        case ScenarioEnded(result):
            state.running = state.rate = None
            state.sample = None
            state.limit = None
            state.last = result
            note_ended(state, result.of_scenario, verdict.plain(result))
            if (row := state.row(result.of_scenario)) is not None:
                row.end(result)
        case _:
            pass


def _change_phase(state: UiState, event: PhaseChanged) -> None:
    state.phase = event.phase
    state.phase_detail = event.detail
    state.phase_since = event.at
    state.progress = None
    if event.phase in (Phase.GATHERING, Phase.SEEDING, Phase.IDLE, Phase.RUNNING, Phase.DRILLING) and not state.found:
        state.found = True
    if event.phase is Phase.DRILLING and state.drill_ended is not None:
        state.drill_rounds, state.drill_ended = (), None
    if event.phase is Phase.IDLE and state.deferred:
        state.deferred = ()  # the data is there, and they begin now
    elif event.phase in (Phase.IDLE, Phase.OFFLINE, Phase.CLOSED):
        _forget_queue(state)
        state.running = state.rate = None


def _acknowledged(state: UiState, event: WritesAcknowledged) -> None:
    state.open_window = event.open_window
    state.ack_at = event.at
    if event.counts:
        state.last_ack = event.counts[-1][0]
    merged = [*state.ack_slots, *event.counts]
    state.ack_slots = [slot for slot in merged if slot[0] >= event.at - 2.0]
