"""What the screen knows: a plain model, and the one function that changes it. No Textual, no clock, no thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification, WriteWindow
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import ClusterView
from confman_tui.core.errors import EXIT_LOST, EXIT_NO_CLUSTER, EXIT_OK
from confman_tui.load.run_model import SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.model import Series
from confman_tui.session.events import (
    ClusterChanged,
    ConfigurationChanged,
    DeferredRunDropped,
    DrillEnded,
    DrillRound,
    DrillRoundEnded,
    ElectionMeasured,
    Event,
    FaultCaused,
    GeneratorLimitReached,
    GeneratorWatched,
    LeftoversFound,
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
from confman_tui.settings.scenarios import Scenario
from confman_tui.tui.log import EventLog, describe
from confman_tui.tui.rows import DRILL, Row, RowStatus

BUSY = frozenset(
    {
        *(Phase.GATHERING, Phase.SEEDING, Phase.WAITING, Phase.RUNNING, Phase.STOPPING),
        *(Phase.DRILLING, Phase.VERIFYING, Phase.CLEANING),
    }
)
"""Phases in which something runs that a person would not want to lose by accident."""

MOST_ELECTIONS = 500


@dataclass(slots=True)
class Drill:
    """The last drill, while it runs and afterwards."""

    rounds: list[DrillRound] = field(default_factory=list)
    ended: DrillEnded | None = None


@dataclass(slots=True)
class UiState:
    """Everything that is shown, apart from the history that the graphs draw from."""

    rows: dict[str, Row]
    """By scenario name, in the catalogue's order."""
    drill_row: Row = field(default_factory=lambda: Row(DRILL))
    """The load of a drill; it has no place among the scenarios."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The keys in force by action, where the settings file remaps them."""
    phase: Phase = Phase.STARTING
    phase_detail: str = ""
    phase_since: float = 0.0
    config: ConfigurationChanged | None = None
    view: ClusterView | None = None
    names: dict[str, str] = field(default_factory=dict)
    """Short names by base URL."""
    watch: WatchModeChanged | None = None
    """How closely the cluster is watched now."""
    loop_lag_s: float = 0.0
    progress: ProgressMade | None = None
    """Of the present phase only."""
    running: str | None = None
    """Name of the scenario that runs."""
    rate: float | None = None
    """Requests per second that the run which goes on is asked for; None: closed loop, or none goes on."""
    queue: list[str] = field(default_factory=list)
    """Scenarios asked for that have not begun."""
    deferred: tuple[str, ...] = ()
    """Those of them that begin when the data is there."""
    sample: SecondSample | None = None
    """The last second of the run that goes on."""
    generator: GeneratorSample | None = None
    """The last reading of what this program and its machine use."""
    limit: GeneratorBound | None = None
    """Of the stretch in which this program has been the limit of the run until now; None when it isn't."""
    open_window: WriteWindow | None = None
    """The stretch without writes that lasts now."""
    last_ack: float | None = None
    """Start of the last slot with an acknowledged write."""
    ack_slots: list[tuple[float, int]] = field(default_factory=list)
    """The last two seconds' slots."""
    ack_at: float = 0.0
    """Time of the last event about acknowledged writes."""
    done_to: dict[str, Fault] = field(default_factory=dict)
    """What was last done to each node."""
    elections: list[Election] = field(default_factory=list)
    verification: Verification | None = None
    drill: Drill = field(default_factory=Drill)
    series: Series | None = None
    """The last series, as far as it has come."""
    leftovers: tuple[str, ...] = ()
    log: EventLog = field(default_factory=EventLog)
    found: bool = False
    """Whether a cluster was ever found."""
    exit_code: int = EXIT_NO_CLUSTER
    """What quitting now would give."""
    events: int = 0
    """Events of the history so far (gauges don't count): what a held view lags behind."""

    @property
    def busy(self) -> bool:
        """Whether something runs that would be lost."""
        return self.phase in BUSY

    @property
    def steady(self) -> bool:
        """Whether a run goes on, a node leads and writes go through: nothing that a person would watch by the tenth
        of a second."""
        leads = self.view is not None and self.view.leader is not None
        return self.phase is Phase.RUNNING and leads and self.open_window is None

    @property
    def loads_here(self) -> bool:
        """Whether a thread of this process makes load now: not where workers do."""
        workers = self.sample is not None and bool(self.sample.worker_cpu)
        return self.running is not None and self.phase in (Phase.RUNNING, Phase.DRILLING) and not workers

    @property
    def running_row(self) -> Row | None:
        """The row of what runs."""
        return self.row(self.running) if self.running is not None else None

    def row(self, name: str) -> Row | None:
        """The row of that name, the drill's too."""
        return self.drill_row if name == DRILL.name else self.rows.get(name)

    @property
    def ack_rate(self) -> int:
        """Acknowledged writes in the last second that was told of."""
        return sum(acknowledged for start, acknowledged in self.ack_slots if start >= self.ack_at - 1.0)

    def touched(self, kinds: frozenset[FaultKind]) -> tuple[str, ...]:
        """Nodes to which one of ``kinds`` was the last thing done."""
        return tuple(node for node, fault in self.done_to.items() if fault.kind in kinds)

    def copy(self) -> UiState:
        """A state that stays as it is while this one goes on: what a held view shows."""
        return replace(
            self,
            rows={name: row.copy() for name, row in self.rows.items()},
            drill_row=self.drill_row.copy(),
            names=dict(self.names),
            queue=list(self.queue),
            done_to=dict(self.done_to),
            drill=Drill(list(self.drill.rounds), self.drill.ended),
            log=self.log.copy(),
        )


DOWN_BY_US = frozenset({FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE})


def initial(catalogue: Sequence[Scenario]) -> UiState:
    """The state before the first event."""
    return UiState(rows={scenario.name: Row(scenario) for scenario in catalogue})


def asked(state: UiState, names: Sequence[str]) -> None:
    """A person asked for these scenarios: their rows say so until they begin."""
    for name in names:
        row = state.rows.get(name)
        if row is not None and row.status is not RowStatus.RUNNING:
            row.status = RowStatus.QUEUED
            state.queue.append(name)


def _forget_queue(state: UiState) -> None:
    for name in state.queue:
        row = state.rows[name]
        row.status = RowStatus.DONE if row.result else RowStatus.NEVER
    state.queue.clear()
    state.deferred = ()


def apply(state: UiState, event: Event, now: float) -> bool:
    """Take ``event`` into ``state``. True when a person should see it at once, False for a gauge."""
    if isinstance(event, ClusterChanged):
        before = _shape(state.view)
        state.view = event.view
        state.loop_lag_s = event.loop_lag_s
        if tuple(state.names) != (nodes := tuple(view.node for view in event.view.nodes)):
            state.names = short_names(nodes)
        return _shape(event.view) != before
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
    line = describe(event, state.names, {election.origin for election in state.elections}, now)
    if line is not None:
        state.log.add(line)
    state.events += 1
    _change(state, event)
    return not isinstance(event, SampleRecorded)


def _shape(view: ClusterView | None) -> tuple[object, ...]:
    """What of a view is news rather than a gauge's movement."""
    return () if view is None else (view.leader, view.term, *((node.state, node.term) for node in view.nodes))


def _change(state: UiState, event: Event) -> None:
    match event:
        case PhaseChanged():
            _phase(state, event)
        case ConfigurationChanged():
            state.config = event
            state.names = short_names(event.nodes)
            if state.view is None or tuple(node.node for node in state.view.nodes) != event.nodes:
                state.view = None
        case ScenarioStarted(name):
            state.running = name
            state.rate = event.rate
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
            if (row := state.row(result.name)) is not None:
                row.end(result)
        case FaultCaused(fault):
            state.done_to[fault.node] = fault
        case ElectionMeasured(election):
            state.elections = [known for known in state.elections if known.origin != election.origin]
            state.elections = [*state.elections, election][-MOST_ELECTIONS:]
        case VerificationEnded(_, result):
            state.verification = result
            if result.judged and not result.passed:
                state.exit_code = EXIT_LOST
        case DrillRoundEnded(ended):
            if state.drill.ended is not None:
                state.drill = Drill()
            state.drill.rounds.append(ended)
        case DrillEnded():
            state.drill.rounds = list(event.rounds)
            state.drill.ended = event
            state.verification = event.verification or state.verification
            if state.exit_code != EXIT_LOST:
                state.exit_code = event.exit_code
        case SeriesStepEnded(series) | SeriesEnded(series):
            state.series = series
        case LeftoversFound(namespaces):
            state.leftovers = namespaces
        case _:
            pass


def _phase(state: UiState, event: PhaseChanged) -> None:
    state.phase = event.phase
    state.phase_detail = event.detail
    state.phase_since = event.at
    state.progress = None
    if event.phase in (Phase.GATHERING, Phase.SEEDING, Phase.IDLE, Phase.RUNNING, Phase.DRILLING) and not state.found:
        state.found = True
        state.exit_code = EXIT_OK
    if event.phase is Phase.DRILLING and state.drill.ended is not None:
        state.drill = Drill()
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
