"""What the users of one process met in one second, exactly: the seconds of several processes add up without loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from confman_tui.load.run_model import Cause


@dataclass(slots=True)
class NodeCounts:
    """The requests of a second that one node was sent."""

    reads: Counter[int] = field(default_factory=Counter)
    """As `SecondCounts.reads`; likewise the writes."""
    writes: Counter[int] = field(default_factory=Counter)
    reads_failed: int = 0
    writes_failed: int = 0

    @property
    def requests(self) -> int:
        """How many ended, in whatever way."""
        return self.reads.total() + self.writes.total() + self.reads_failed + self.writes_failed

    def add(self, other: NodeCounts) -> None:
        """Count those of another second too."""
        self.reads.update(other.reads)
        self.writes.update(other.writes)
        self.reads_failed += other.reads_failed
        self.writes_failed += other.writes_failed


@dataclass(slots=True)
class SecondCounts:
    """The requests that ended in [start, end), counted. It has one holder at a time, who may change it."""

    start: float
    end: float
    users: int = 0
    reads: Counter[int] = field(default_factory=Counter)
    """Of the reads that succeeded: how many took each number of µs, from the intended start of each (see `RunOutcome`).
    Those of ``by_node`` together (see `sum_up`)."""
    writes: Counter[int] = field(default_factory=Counter)
    """Likewise of the writes."""
    uncorrected: Counter[int] = field(default_factory=Counter)
    """Open loop: likewise of both, from the actual start; empty in a closed loop."""
    read_marks: list[int] = field(default_factory=list)
    """The reads more finely, in groups of four: from, to (ms since ``start``), succeeded and failed between them."""
    failures: list[tuple[bool, Cause, str]] = field(default_factory=list)
    """Whether it was a write, why it failed, and the normalised text."""
    redirects: Counter[int] = field(default_factory=Counter)
    """Of the requests that succeeded after redirects: for how many the redirects took each number of µs."""
    redirected: int = 0
    """Requests that were redirected, whatever became of them."""
    by_node: dict[str, NodeCounts] = field(default_factory=dict)
    """What each node (base URL) was sent."""
    in_flight: int = 0
    oldest_in_flight_s: float = 0.0
    engine_cpu: float = 0.0
    hub_lag_s: float = 0.0
    not_started: int = 0
    """Open loop: requests due by the second's end that have not begun; while the run lasts, those of its last 10 ms are
    not among them."""
    schedule_lag_s: float = 0.0
    rate: float = 0.0
    """Open loop: requests per second asked for at the second's end; 0 in a closed loop."""
    worker_cpu: dict[str, float] = field(default_factory=dict)
    worker_wait: dict[str, float] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Sequence[SecondCounts]) -> SecondCounts:
        """What several processes counted in one second as one: counts add up, ages and lags are the greatest.

        ``engine_cpu`` and ``hub_lag_s`` are the greatest too; the caller sets those of its own thread.
        """
        whole = cls(min(part.start for part in parts), max(part.end for part in parts))
        for part in parts:
            whole.users += part.users
            for node, counts in part.by_node.items():
                whole.node(node).add(counts)
            whole.uncorrected.update(part.uncorrected)
            whole.read_marks += _moved(part.read_marks, part.start - whole.start)
            whole.failures += part.failures
            whole.redirects.update(part.redirects)
            whole.redirected += part.redirected
            whole.in_flight += part.in_flight
            whole.oldest_in_flight_s = max(whole.oldest_in_flight_s, part.oldest_in_flight_s)
            whole.engine_cpu = max(whole.engine_cpu, part.engine_cpu)
            whole.hub_lag_s = max(whole.hub_lag_s, part.hub_lag_s)
            whole.not_started += part.not_started
            whole.schedule_lag_s = max(whole.schedule_lag_s, part.schedule_lag_s)
            whole.rate += part.rate
            whole.worker_cpu.update(part.worker_cpu)
            whole.worker_wait.update(part.worker_wait)
        whole.sum_up()
        return whole

    def node(self, node: str) -> NodeCounts:
        """The counts of one node, made when there are none yet."""
        counts = self.by_node.get(node)
        if counts is None:
            counts = self.by_node[node] = NodeCounts()
        return counts

    def sum_up(self) -> None:
        """Make ``reads`` and ``writes`` those of all nodes."""
        self.reads, self.writes = Counter(), Counter()
        for counts in self.by_node.values():
            self.reads.update(counts.reads)
            self.writes.update(counts.writes)

    @property
    def per_node(self) -> dict[str, int]:
        """Requests sent per node (base URL)."""
        return {node: counts.requests for node, counts in self.by_node.items()}

    @property
    def requests(self) -> int:
        """How many ended, in whatever way."""
        return self.reads.total() + self.writes.total() + len(self.failures)

    def begin_at(self, start: float) -> None:
        """Give it another start; what was marked within it stays at its time."""
        self.read_marks = _moved(self.read_marks, self.start - start)
        self.start = start

    def reads_within(self) -> tuple[tuple[float, float, int, int], ...]:
        """``read_marks`` in absolute time: (from, to, succeeded, failed)."""
        marks = iter(self.read_marks)
        return tuple(
            (self.start + since / 1000, self.start + until / 1000, ok, failed)
            for since, until, ok, failed in zip(marks, marks, marks, marks, strict=True)
        )


def _moved(marks: list[int], seconds: float) -> list[int]:
    """Marks whose times count from another start, which lies ``seconds`` earlier."""
    by = round(seconds * 1000)
    return [value + by if at % 4 < 2 else value for at, value in enumerate(marks)] if by else marks
