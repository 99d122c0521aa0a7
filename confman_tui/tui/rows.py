"""What the scenario table shows: one row per scenario, live while it runs and kept afterwards."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum

from confman_tui.load.run_model import Cause, SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.model import ScenarioResult
from confman_tui.session.events import ScenarioStarted
from confman_tui.settings.scenarios import Scenario, Target
from confman_tui.tui.charts.latency_classes import LatencyClasses

DRILL = Scenario("e", "drill", 10, 0.0, Target.LEADER, 1.0, (0.05, 0.1), in_suite=False)
"""The load under an election drill, as the table shows it while the drill goes on."""


LATEST_S = 15
"""Seconds of a run whose latencies the live histogram shows."""


class RowStatus(StrEnum):
    """Where a scenario stands in this session."""

    NEVER = "never"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Ended before its time."""


@dataclass(slots=True)
class Row:
    """One scenario's row."""

    scenario: Scenario
    status: RowStatus = RowStatus.NEVER
    started: ScenarioStarted | None = None
    sample: SecondSample | None = None
    """The last second of the run that goes on."""
    generator: GeneratorSample | None = None
    """What this program and its machine used in about that second."""
    requests: int = 0
    """Ended so far, in the run that goes on."""
    failed: Counter[Cause] = field(default_factory=Counter)
    per_node: Counter[str] = field(default_factory=Counter)
    max_us: int | None = None
    latest: deque[LatencyClasses] = field(default_factory=lambda: deque(maxlen=LATEST_S))
    """The latencies of the last seconds of the run that goes on."""
    result: ScenarioResult | None = None
    """Of the last run that ended."""
    rate: float | None = None
    """Open loop: requests per second asked for, now or at the last run's end. None: closed loop."""
    limit: GeneratorBound | None = None
    """How the generator became the limit of the run that goes on, or was that of the last one."""

    def start(self, event: ScenarioStarted) -> None:
        """A run of this scenario begins; the figures of an earlier one make room."""
        self.status = RowStatus.RUNNING
        self.started = event
        self.sample = None
        self.generator = None
        self.result = None
        self.requests = 0
        self.failed = Counter()
        self.per_node = Counter()
        self.max_us = None
        self.latest.clear()
        self.rate = event.rate
        self.limit = None

    def add(self, sample: SecondSample) -> None:
        """A second of the run."""
        self.sample = sample
        self.requests += sample.ok + sample.failures
        self.failed.update(sample.failed)
        self.per_node.update(sample.per_node)
        self.latest.append(LatencyClasses(sample.latencies))
        if sample.max_us is not None:
            self.max_us = max(self.max_us or 0, sample.max_us)

    def end(self, result: ScenarioResult) -> None:
        """The run is over and its figures are final."""
        self.status = RowStatus.STOPPED if result.outcome.stopped_early else RowStatus.DONE
        self.result = result
        self.sample = None
        self.latest.clear()
        self.limit = result.generator_bound

    def copy(self) -> Row:
        """A row that stays as it is while this one goes on."""
        return replace(
            self,
            failed=Counter(self.failed),
            per_node=Counter(self.per_node),
            latest=deque(self.latest, maxlen=LATEST_S),
        )

    @property
    def broken(self) -> bool:
        """Whether the run ended with a lost or phantom write, without any success, or with figures that are invalid."""
        if self.result is None:
            return False
        verified, outcome = self.result.verification, self.result.outcome
        unkept = verified is not None and verified.failed
        return unkept or outcome.requests == outcome.failures or bool(outcome.invalid)

    @property
    def doubtful(self) -> bool:
        """Whether the run's figures are worth less: the generator was the limit, or its writes could not be judged."""
        verified = self.result.verification if self.result is not None else None
        return self.limit is not None or (verified is not None and verified.missed)

    @property
    def failures(self) -> int:
        """Failed requests, of the run that goes on or of the last one."""
        return self.result.outcome.failures if self.result else sum(self.failed.values())
