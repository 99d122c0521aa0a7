"""What the screen knows: a plain model. No Textual, no clock, no thread; `updates` changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification, WriteWindow
from confman_tui.cluster.states import ClusterView
from confman_tui.core.errors import EXIT_NO_CLUSTER
from confman_tui.load.run_model import SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.model import DrillEnded, DrillRound, ScenarioResult, Series
from confman_tui.session.events import ConfigurationChanged, NoticeGiven, Phase, ProgressMade, WatchModeChanged
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.settings.fault_kinds import HURTING
from confman_tui.settings.scenarios import Scenario
from confman_tui.tui.log import EventLog
from confman_tui.tui.rows import DRILL, Row

BUSY = frozenset(
    {
        *(Phase.GATHERING, Phase.SEEDING, Phase.WAITING, Phase.RUNNING, Phase.STOPPING),
        *(Phase.DRILLING, Phase.VERIFYING, Phase.CLEANING),
    }
)
"""Phases in which something runs that a person would not want to lose by accident."""

DOWN_BY_US = frozenset(HURTING)


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
    ended_by_itself: dict[str, NoticeGiven] = field(default_factory=dict)
    """What was told of each node that nobody ended, until it answers again."""
    elections: list[Election] = field(default_factory=list)
    election_now: Election | None = None
    """The one that goes on, as far as it is known."""
    verification: Verification | None = None
    drill_rounds: tuple[DrillRound, ...] = ()
    """Of the last drill, while it runs and afterwards."""
    drill_ended: DrillEnded | None = None
    """The last drill's verdict; None while one runs."""
    ended: dict[str, str] = field(default_factory=dict)
    """What ran so far, by name, in a sentence each, the latest last."""
    last: ScenarioResult | None = None
    """Of the last run, until something new runs."""
    series: Series | None = None
    """The last series, as far as it has come."""
    leftovers: tuple[str, ...] = ()
    log: EventLog = field(default_factory=EventLog)
    found: bool = False
    """Whether a cluster was ever found."""
    exit_reasons: ExitReasons = field(default_factory=ExitReasons)
    """Why the program will end with another exit code than 0."""
    events: int = 0
    """Events of the history so far (gauges don't count): what a held view lags behind."""

    @property
    def exit_code(self) -> int:
        """What quitting now would give."""
        return self.exit_reasons.code if self.found else self.exit_reasons.code_with(EXIT_NO_CLUSTER)

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
    def shown_rows(self) -> tuple[Row, ...]:
        """The rows of the table: each scenario's, and the drill's once there was one."""
        drills = (self.drill_row,) if self.drill_row.started is not None else ()
        return (*self.rows.values(), *drills)

    @property
    def last_span(self) -> tuple[float, float] | None:
        """(start, end) of the last run, its warm-up included."""
        if self.last is None:
            return None
        row = self.row(self.last.of_scenario)
        began = row.started.at if row is not None and row.started is not None else self.last.outcome.started
        return began, self.last.outcome.ended

    @property
    def last_drill(self) -> DrillEnded | None:
        """The drill whose load the last run was; None when it was a scenario."""
        return self.drill_ended if self.last is not None and self.last.name == DRILL.name else None

    @property
    def ack_rate(self) -> int:
        """Acknowledged writes in the last second known of."""
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
            ended_by_itself=dict(self.ended_by_itself),
            log=self.log.copy(),
        )


def initial(catalogue: Sequence[Scenario], *, strict: bool = False) -> UiState:
    """The state before the first event; ``strict``: see `ExitReasons`."""
    rows = {scenario.name: Row(scenario) for scenario in catalogue}
    return UiState(rows=rows, exit_reasons=ExitReasons(strict=strict))
