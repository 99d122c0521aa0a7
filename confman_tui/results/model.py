"""What a finished scenario leaves behind: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from confman_tui.cluster.elections import Election, Fault, Verification
from confman_tui.cluster.watch_mode import WatchUse
from confman_tui.core.errors import ExitReason, exit_code_of
from confman_tui.load.generator_use import GeneratorUse
from confman_tui.load.run_model import RunOutcome
from confman_tui.load.saturation import GeneratorBound
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S, Reads

Measure = Literal["rps", "p50_us", "p95_us", "p99_us", "max_us"]
"""The figures whose spread between repeated runs is computed, by their names in files."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """An open loop's rate was changed while it ran."""

    after_s: float
    """Seconds from the run's start; below 0 in its warm-up."""
    rate: float
    """Requests per second from then on."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How one figure differs between repeated runs."""

    runs: int
    median: float
    min: float
    max: float
    mean: float
    stdev: float | None
    """Standard deviation of the sample; None with one run."""
    mad: float
    """Median absolute deviation from the median."""
    ci95_low: float | None
    ci95_high: float | None
    """95 % confidence interval of the mean; None with one run."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """The figures of one of several runs of a scenario."""

    number: int
    """From 1."""
    started: float
    duration_s: float
    entries_before: int
    requests: int
    failures: int
    rps: float
    """Successful requests per second."""
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    max_us: int | None
    stopped_early: bool
    """It counts for none of the spreads then."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure against the kept run's."""

    measure: Measure
    before: float
    after: float
    """Means over the runs of each side."""
    change: float
    """As a share of the earlier one: 0.03 is 3 % more."""
    noise: float | None
    """The largest change that the runs' own spread explains, as such a share; None when there was one run on each
    side."""

    @property
    def within_noise(self) -> bool | None:
        """Whether the runs' own spread explains the change; None when it is not known."""
        return None if self.noise is None else abs(self.change) <= self.noise


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scenario against the run of it that was kept in the output folder, under the same settings."""

    kept_at: float
    """When the kept run ended."""
    runs_before: int
    runs_after: int
    entries_before: int
    """What the cluster held before the kept run."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario's figures, as they stand in the table, in ``--json`` and in ``_summary.json``."""

    name: str
    """Of what ran: that of the scenario, with the number of users that it had (``read-50u``)."""
    tier: str
    users: int
    duration_s: float
    """Measured, from the first user's start to the last request's end."""
    payload_bytes: int
    entries_before: int
    """Entries that the cluster held before the scenario."""
    outcome: RunOutcome
    elections: tuple[Election, ...]
    verification: Verification | None
    files: tuple[str, ...]
    """Paths of the files written for it."""
    note: str = ""
    """Why it ended early or counts for less; empty when there is nothing to say."""
    rate: float | None = None
    """Requests per second that an open loop was started with. None: closed loop."""
    rate_changes: tuple[RateChange, ...] = ()
    warmup_s: float = 0.0
    """Seconds before the run that count for none of its figures."""
    repeats: tuple[Repetition, ...] = ()
    """All runs of a scenario that was repeated, in order; empty when it ran once. ``outcome`` and ``files`` are then
    the last run's, ``elections`` and ``verification`` those of all."""
    comparison: Comparison | None = None
    """None when no earlier run under the same settings was kept."""
    generator: GeneratorUse | None = None
    """What the generator and its machine used; None where nobody watched (results of stock Locust)."""
    watch: WatchUse | None = None
    """How closely the cluster was watched meanwhile, and what that added; None where nobody watched."""
    generator_bound: GeneratorBound | None = None
    """The generator, not the cluster, was the limit; None when it was not, or nobody watched."""
    reads: Reads | None = None
    """Where its reads went; None for a scenario that only writes, and where nobody knows (results of stock Locust)."""
    request_timeout_s: float = REQUEST_TIMEOUT_S
    """How long a request could be without an answer before it was a timeout."""
    scenario: str = ""
    """The name of the scenario in the catalogue, where that is another; see `of_scenario`."""
    fsync: bool | None = None
    """Whether the demo cluster's nodes waited for their disks (``--demo-fsync``); None on any other cluster."""

    @property
    def of_scenario(self) -> str:
        """The name of the scenario in the catalogue."""
        return self.scenario or self.name


@dataclass(frozen=True, slots=True)
class DrillRound:
    """One round of an election drill."""

    number: int
    total: int
    fault: Fault | None
    judged: bool
    reason: str
    """Why it could not be judged; empty when it was."""
    election: Election | None
    ok_per_tenth: tuple[tuple[float, int], ...] = ()
    """(seconds from the fault, acknowledged writes in that tenth of a second): the round's small graph."""
    return_s: float | None = None
    """From the end of the fault (resumed, healed, restarted) until the node had caught up: ready, naming the leader, in
    its term; to one poll, in seconds. None when that was not seen."""
    no_return: str = ""
    """Why the node was not back within the time allowed, such as ``did not come back: not ready for 30 s``; empty when
    it was, or was not waited for."""


@dataclass(frozen=True, slots=True)
class DrillEnded:
    """A drill is over."""

    rounds: tuple[DrillRound, ...]
    verification: Verification | None
    verdict: str
    """One sentence."""
    reasons: tuple[ExitReason, ...] = ()
    """Why it failed; empty when it did not."""

    @property
    def exit_code(self) -> int:
        """The exit code that it calls for."""
        return exit_code_of(self.reasons)


class SeriesKind(StrEnum):
    """What changes from step to step."""

    USERS = "users"
    PAYLOAD = "payload"
    """Bytes of a value."""
    ENTRIES = "entries"
    """Entries that the cluster holds."""


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One step of a series."""

    value: int
    """Users, bytes, or entries that were aimed at (`ScenarioResult.entries_before` is what there were)."""
    results: tuple[ScenarioResult, ...]
    """Of each of the series' scenarios that ran, in order."""


@dataclass(frozen=True, slots=True)
class Series:
    """Runs of the same scenarios that differ in one thing."""

    kind: SeriesKind
    scenarios: tuple[str, ...]
    tier: str
    step_s: float
    """Length of each run, in seconds."""
    wanted: tuple[int, ...]
    """The values asked for, in order."""
    points: tuple[SeriesPoint, ...]
    """Those that were measured."""
    stopped_early: bool = False
    files: tuple[str, ...] = ()
