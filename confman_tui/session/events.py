"""The frozen events that the session emits; both front ends (screen, headless) show these and nothing else.

All times are seconds since the epoch on the program's steady clock (`confman_tui.core.clock`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from confman_tui.cluster.elections import BrokenKey, Election, Fault, Verification, WriteWindow
from confman_tui.cluster.states import ClusterView, Fact
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.load.run_model import SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.model import DrillEnded as DrillEnded
from confman_tui.results.model import DrillRound as DrillRound
from confman_tui.results.model import ScenarioResult, Series
from confman_tui.settings.scenarios import Reads


class Phase(StrEnum):
    """What the session is doing."""

    STARTING = "starting"
    """Starting the demo cluster's processes."""
    FINDING = "finding"
    """Looking for the cluster and its leader."""
    GATHERING = "gathering"
    """Starting workers, or waiting for those from elsewhere."""
    OFFLINE = "offline"
    """No cluster, no leader, or a refused key: waits for the person to try again (never in headless runs)."""
    SEEDING = "seeding"
    IDLE = "idle"
    """Seeded, nothing runs."""
    WAITING = "waiting for a leader"
    """Something was asked for that needs one."""
    RUNNING = "running"
    STOPPING = "stopping"
    """No new requests; those in flight are waited for."""
    DRILLING = "drilling"
    VERIFYING = "verifying"
    CLEANING = "cleaning"
    CLOSED = "closed"
    """Nothing of it runs any more."""


class Level(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The session began something else."""

    phase: Phase
    at: float
    detail: str = ""
    """Plain text, one sentence: why, or what it waits for."""


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """The view of the cluster after a poll. A gauge: newer ones replace older ones."""

    view: ClusterView
    loop_lag_s: float
    """The session's own loop: how late its last timer fired, in seconds."""
    news: bool = True
    """Whether who leads, a term or a state has changed since the event before, not only latencies."""


@dataclass(frozen=True, slots=True)
class WatchModeChanged:
    """The watch became alert, or calm again."""

    alert: bool
    at: float
    reason: str
    """The first sign, in words."""
    pace: WatchPace
    """How often it polls and probes in each."""


@dataclass(frozen=True, slots=True)
class FactObserved:
    """The cluster changed. Each change once."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class ProgressMade:
    """A bounded piece of work moved on (seeding, verifying, cleaning, waiting for a leader)."""

    activity: Phase
    done: int
    total: int
    rate: float
    """Per second, lately."""
    left_s: float | None
    """Seconds left at this rate; None when nobody can know."""


@dataclass(frozen=True, slots=True)
class WritesAcknowledged:
    """Acknowledged writes since the last such event, from the scenario and the probe alike; about 5 times a second."""

    counts: tuple[tuple[float, int], ...]
    """(start of a slot of 50 ms, acknowledgements in it), in order, empty slots left out."""
    at: float
    open_window: WriteWindow | None = None
    """The stretch without writes that lasts now, if any."""


@dataclass(frozen=True, slots=True)
class ScenarioStarted:
    """A scenario's first users start."""

    name: str
    at: float
    users: int
    duration_s: float | None
    entries_before: int
    """Entries that the cluster held before it."""
    payload_bytes: int
    rate: float | None = None
    """Requests per second of an open loop; None: closed loop."""

    warmup_s: float = 0.0
    """Seconds from ``at`` on that count for none of its figures; ``duration_s`` begins after them."""
    run: int = 1
    """Which of the scenario's repeated runs it is, from 1."""
    runs: int = 1
    step: str = ""
    """The step of a series that it is, in words such as ``step 3 of 4``; empty: of none."""
    reads: Reads | None = None
    """Where its reads go; None: it only writes."""


@dataclass(frozen=True, slots=True)
class RunDeferred:
    """Scenarios that were asked for while the data was not there yet begin when it is. Takes the place of an earlier
    such event."""

    names: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class DeferredRunDropped:
    """The scenarios of the last `RunDeferred` will not begin by themselves."""

    names: tuple[str, ...]
    at: float
    why: str
    """In a few words: ``stopped``, or what went wrong."""


@dataclass(frozen=True, slots=True)
class RateChanged:
    """A running open loop goes on at another rate."""

    scenario: str
    at: float
    rate: float
    """Requests per second from now on."""
    before: float
    """Until now."""


@dataclass(frozen=True, slots=True)
class SampleRecorded:
    """One second of a running scenario. History: never dropped."""

    scenario: str
    sample: SecondSample
    leader: str | None
    term: int | None
    generator: GeneratorSample | None = None
    """What this program and its machine used in about that second."""
    limit: GeneratorBound | None = None
    """Of the stretch in which the generator has been the limit until now; None when it isn't."""


@dataclass(frozen=True, slots=True)
class GeneratorWatched:
    """What this program and its machine used in the last second. A gauge: newer ones replace older ones."""

    sample: GeneratorSample


@dataclass(frozen=True, slots=True)
class GeneratorLimitReached:
    """This program, not the cluster, has been the limit of a run for 3 s. Once per run."""

    scenario: str
    at: float
    bound: GeneratorBound


@dataclass(frozen=True, slots=True)
class ScenarioEnded:
    """A scenario's figures are final and its files are written."""

    result: ScenarioResult


@dataclass(frozen=True, slots=True)
class FaultCaused:
    """Something was done to a node."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """Writes are acknowledged again after a stretch without any."""

    window: WriteWindow


@dataclass(frozen=True, slots=True)
class ElectionAdvanced:
    """An election goes on, and a step of it was seen."""

    election: Election
    """As far as it is known."""


@dataclass(frozen=True, slots=True)
class ElectionMeasured:
    """An election is over and its figures are known. Emitted again when recovery to 90 % is known too."""

    election: Election


@dataclass(frozen=True, slots=True)
class VerificationEnded:
    """The acknowledged writes were read back."""

    scenario: str
    result: Verification


@dataclass(frozen=True, slots=True)
class LateWritesFound:
    """Refused writes of a run were absent when it was verified, and are there now: phantoms, late."""

    scenario: str
    at: float
    keys: tuple[BrokenKey, ...]
    """At least one."""


@dataclass(frozen=True, slots=True)
class DrillRoundEnded:
    """A drill's round is over."""

    round: DrillRound


@dataclass(frozen=True, slots=True)
class SeriesStepEnded:
    """A step of a series is measured."""

    series: Series
    """As far as it has come."""


@dataclass(frozen=True, slots=True)
class SeriesEnded:
    """A series is over, or was stopped, and its files are written."""

    series: Series


@dataclass(frozen=True, slots=True)
class SweepRefused:
    """A sweep can't measure at any size asked for: the cluster holds more entries already."""

    held: int
    """Entries on the cluster."""
    seeded: int
    """Those of them that were seeded: what is left when the data has been put back."""
    largest: int
    """The largest size asked for."""
    at: float


@dataclass(frozen=True, slots=True)
class LeftoversFound:
    """Session data of an earlier run that did not clean up."""

    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """Tier, payload, users or duration for the next runs changed, or the cluster was found."""

    tier: str
    namespaces: int
    keys_per_namespace: int
    payload_bytes: int
    users: int | None
    """Override for the next runs; None: the scenario's own."""
    duration_s: float | None
    entry: str
    nodes: tuple[str, ...]
    demo: bool
    faults_allowed: bool
    rate: float | None = None
    """Requests per second of the next runs; None: closed loop."""
    user_steps: tuple[int, ...] = ()
    """The users of each step of a series; empty: ``users`` holds."""
    payload_steps: tuple[int, ...] = ()
    """The payloads of each step of a series; empty: ``payload_bytes`` holds."""
    warmup_s: float = 0.0
    repeat: int = 1
    reads: Reads = Reads.ALL
    """Where the reads of the next runs go."""
    fsync: bool = False
    """The demo cluster's nodes wait for their disks (``--demo-fsync``)."""
    insecure: bool = False
    """Whether any certificate of a node is taken."""


@dataclass(frozen=True, slots=True)
class NoticeGiven:
    """Something a person should know. Plain text, never markup."""

    level: Level
    text: str
    at: float
    calls_for: int = 0
    """The exit code that it gives the program, unless something worse happens; 0: none."""
    node: str = ""
    """The node (base URL) that has ended by itself; empty: it is of none."""
    word: str = ""
    """Why that node has, in a word or two."""


Event = (
    PhaseChanged
    | ClusterChanged
    | WatchModeChanged
    | FactObserved
    | ProgressMade
    | WritesAcknowledged
    | ScenarioStarted
    | RunDeferred
    | DeferredRunDropped
    | RateChanged
    | SampleRecorded
    | GeneratorWatched
    | GeneratorLimitReached
    | ScenarioEnded
    | FaultCaused
    | WindowClosed
    | ElectionAdvanced
    | ElectionMeasured
    | VerificationEnded
    | LateWritesFound
    | DrillRoundEnded
    | DrillEnded
    | SeriesStepEnded
    | SeriesEnded
    | SweepRefused
    | LeftoversFound
    | ConfigurationChanged
    | NoticeGiven
)

Sink = Callable[[Event], None]
"""Takes events, on the session's thread; must return at once."""
