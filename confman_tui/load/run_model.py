"""What a run is and what it gives: plain frozen values, without Locust.

Times are seconds since the epoch on the program's steady clock; latencies are whole microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.core.clock import now
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S, Reads, Target


class Cause(StrEnum):
    """Why a request failed; one row each in tables and files."""

    REFUSED = "refused"
    """Nobody listens: the request was not sent."""
    RESET = "reset"
    """The connection was closed or reset before the whole answer had come."""
    TIMEOUT = "timeout"
    """No whole answer in time."""
    NO_LEADER = "no_leader"
    """503 "No leader available"."""
    NOT_REPLICATED = "not_replicated"
    """503 "Replication failed": the write's fate is unknown."""
    REDIRECTED_AGAIN = "redirected_again"
    """Redirected by the node that a redirect had led to: an elected node that does not serve yet does so."""
    REDIRECTED_AWAY = "redirected_away"
    """Redirected to none of the configured nodes, or in a way that is not followed: the request went nowhere else."""
    WRONG_ANSWER = "wrong_answer"
    """200 with something else than the entry that was asked for or written."""
    TOO_LARGE = "too_large"
    """The answer was larger than an entry can be; the rest of it was not read."""
    OUT_OF_FILES = "out_of_files"
    """No connection could be opened: this process, or the machine, is out of file descriptors."""
    OTHER = "other"


CAUSE_WORDS: dict[Cause, str] = {
    Cause.REFUSED: "refused",
    Cause.RESET: "reset",
    Cause.TIMEOUT: "timeout",
    Cause.NO_LEADER: "503 no leader",
    Cause.NOT_REPLICATED: "503 not replicated",
    Cause.REDIRECTED_AGAIN: "redirected again",
    Cause.REDIRECTED_AWAY: "redirected away",
    Cause.WRONG_ANSWER: "wrong answer",
    Cause.TOO_LARGE: "too large",
    Cause.OUT_OF_FILES: "out of file descriptors",
    Cause.OTHER: "other",
}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All that the engine needs to know of one run."""

    scenario: str
    users: int
    duration_s: float | None
    """None: until it is stopped."""
    target: Target
    write_share: float
    wait_s: tuple[float, float]
    payload_bytes: int
    namespaces: tuple[str, ...]
    """Namespaces that writes go to."""
    keys: tuple[tuple[str, str], ...]
    """Seeded (namespace, key) pairs that reads choose from."""
    api_key: str = field(repr=False)
    csv_prefix: Path | None = None
    """Prefix of Locust's four CSV files, or None to write none."""
    rate: float | None = None
    """Requests per second that all users together begin, whatever the answers do (open loop). None: closed loop, each
    user waits for its answer and then for ``wait_s``."""
    warmup_s: float = 0.0
    """Seconds before ``duration_s`` begins whose requests count for the samples, but not for the outcome."""
    workers: int = 0
    """Processes of their own that make the load; 0: the engine's thread makes it."""
    reads: Reads = Reads.ALL
    """Where the requests go of a plan whose target is `Target.ANY`."""
    request_timeout_s: float = REQUEST_TIMEOUT_S
    """How long a request may take until its whole answer is there."""
    seeded_bytes: int = 0
    """Size of the values under ``keys``, which this program made (`confman_tui.cluster.seeded_values`); 0: not known,
    and a read counts whatever value it gives."""
    tls: TlsOptions = MACHINE_CAS
    """Which certificates of nodes are taken."""
    full_history: bool = False
    """Whether Locust's ``_stats_history.csv`` has rows for each kind of request (`CsvFiles`)."""


@dataclass(frozen=True, slots=True)
class SecondSample:
    """The requests that ended within one second of a run, exactly."""

    start: float
    end: float
    """The sample covers [start, end)."""
    users: int
    reads_ok: int
    writes_ok: int
    failed: Mapping[Cause, int]
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    max_us: int | None
    """Of all requests of the second that succeeded; None when there was none."""
    in_flight: int
    oldest_in_flight_s: float
    """Age of the oldest request that has not ended; 0 when there is none."""
    per_node: Mapping[str, int]
    """Requests sent per node (base URL)."""
    engine_cpu: float
    """CPU of the engine's thread, as a share of one core."""
    hub_lag_s: float
    """The longest delay of a 50 ms timer on the hub that makes the load in this second: the engine's, or with workers
    the latest of theirs (not the master's, which only adds up)."""
    reads_failed: int = 0
    """Reads among `failed`."""
    writes_failed: int = 0
    """Writes among `failed`."""
    warmup: bool = False
    """Whether it belongs to the warm-up, which the outcome leaves out."""
    uncorrected_p50_us: int | None = None
    uncorrected_p99_us: int | None = None
    uncorrected_max_us: int | None = None
    """Open loop only, as the others from the actual start; None in a closed loop."""
    not_started: int = 0
    """Open loop: requests that were due in this second or before and have not begun at its end."""
    schedule_lag_s: float = 0.0
    """Open loop: the longest time that a request which began in this second was late, or that one which has not begun
    at its end has waited."""
    rate: float | None = None
    """Open loop: requests per second asked for at its end. None: closed loop."""
    worker_cpu: Mapping[str, float] = field(default_factory=dict)
    """CPU of each worker process, as a share of one core."""
    reads_within: tuple[tuple[float, float, int, int], ...] = ()
    """The reads more finely: (from, to, succeeded, failed) of each stretch of some 50 ms in which one ended."""
    latencies: Mapping[int, int] = field(default_factory=dict, compare=False, repr=False)
    """How many of its successful requests took each number of µs; nobody changes it any more."""
    worker_wait: Mapping[str, float] = field(default_factory=dict)
    """Share of the time in which each worker was ready to run but had no core, where its system says so (Linux
    does)."""

    @property
    def ok(self) -> int:
        """Requests that succeeded in this second."""
        return self.reads_ok + self.writes_ok

    @property
    def failures(self) -> int:
        """Requests that failed in this second."""
        return sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Opening:
    """A run's first seconds (connection set-up, the server's warm-up), shown apart from the rest.

    With a warm-up they are the warm-up and the outcome leaves them out; without one the outcome holds them too.
    """

    seconds: float
    ok: int
    """Requests that succeeded in it."""
    failures: int
    p50_us: int | None
    p99_us: int | None
    max_us: int | None
    left_out: bool
    """Whether the outcome leaves it out."""
    rest_rps: float
    """Successful requests per second after it."""
    rest_p50_us: int | None
    rest_p99_us: int | None
    """Of the requests that ended after it."""

    @property
    def rps(self) -> float:
        """Successful requests per second in it."""
        return self.ok / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Uncorrected:
    """An open loop's latencies from the actual start of each request, beside those from the intended start."""

    p50_us: int | None
    p90_us: int | None
    p95_us: int | None
    p99_us: int | None
    p999_us: int | None
    p9999_us: int | None
    max_us: int | None
    histogram: str
    """As `RunOutcome.histogram`."""


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """What one node was sent in a run, and what became of it. A request that was redirected counts for the node it was
    sent to first, with its whole time."""

    node: str
    """Base URL."""
    reads_ok: int
    writes_ok: int
    reads_failed: int
    writes_failed: int
    p50_us: int | None
    p99_us: int | None
    """Of the requests that succeeded, as those of `RunOutcome`; None when none did."""

    @property
    def ok(self) -> int:
        """Requests that succeeded."""
        return self.reads_ok + self.writes_ok

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return self.reads_failed + self.writes_failed

    @property
    def reads(self) -> int:
        """Reads, whatever became of them."""
        return self.reads_ok + self.reads_failed

    @property
    def writes(self) -> int:
        """Writes, whatever became of them."""
        return self.writes_ok + self.writes_failed

    @property
    def requests(self) -> int:
        """Requests, whatever became of them."""
        return self.ok + self.failed


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Totals of one run, from our own recorder. Latencies run from the intended start of each request; in a closed
    loop that is its actual start."""

    started: float
    ended: float
    requests: int
    failures: int
    failures_by_cause: Mapping[Cause, int]
    error_texts: Mapping[str, int]
    """Normalised texts of what went wrong, with their counts (no key, no URL path in them)."""
    reads_ok: int
    writes_ok: int
    p50_us: int | None
    p90_us: int | None
    p95_us: int | None
    p99_us: int | None
    p999_us: int | None
    p9999_us: int | None
    max_us: int | None
    histogram: str
    """HdrHistogram of successful requests (1 µs to 60 s, 3 digits), its V2 encoding in base64."""
    read_histogram: str
    write_histogram: str
    per_node: Mapping[str, int]
    redirected: int
    """Requests that a redirect was followed for."""
    files: tuple[Path, ...]
    """Locust's CSV files of this run."""
    stopped_early: bool
    """True when it was stopped before its planned duration."""
    reads_failed: int = 0
    """Reads among `failures`."""
    writes_failed: int = 0
    """Writes among `failures`."""
    redirect_p50_us: int | None = None
    """Median time that redirects took before a request was answered well; None when none was redirected."""
    redirect_max_us: int | None = None
    """The longest such time."""
    file_error: str = ""
    """Why Locust's files could not be written, one sentence; empty when they were, or none were wanted."""
    opening: Opening | None = None
    """The first seconds apart; None where the run was too short to set them apart from the rest."""
    uncorrected: Uncorrected | None = None
    """Open loop only."""
    not_started: int = 0
    """Open loop: requests that were due before the run's end and never began."""
    schedule_lag_s: float = 0.0
    """Open loop: the longest time that a request began after it was due, or waited and never began."""
    invalid: str = ""
    """Why the figures are not those that were asked for (a worker died), one sentence; empty when they are."""
    by_node: tuple[NodeOutcome, ...] = ()
    """Of each node that was sent something, by address; they add up to the run."""

    @property
    def rps(self) -> float:
        """Successful requests per second over the run."""
        seconds = self.ended - self.started
        return (self.reads_ok + self.writes_ok) / seconds if seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine did at its last tick (every 50 ms while a run lasts)."""

    at: float
    """When this was so."""
    running: bool
    stopping: bool
    """No new requests; those in flight are waited for."""
    users: int
    in_flight: int
    """Requests that have not ended."""
    oldest_in_flight_s: float
    """Age of the oldest of them; 0 when there is none."""
    engine_cpu: float
    """CPU of the engine's thread since the last full second, as a share of one core."""
    hub_lag_s: float
    """The longest delay of the 50 ms timer since the last full second, the present one included."""

    @classmethod
    def idle(cls) -> EngineHealth:
        """Nothing runs."""
        return cls(now(), False, False, 0, 0, 0.0, 0.0, 0.0)

    def as_of_now(self, tick_s: float = 0.05) -> EngineHealth:
        """The same, with the time since the last tick added: a hub that hangs does not tick."""
        since = max(0.0, now() - self.at)
        return replace(
            self,
            oldest_in_flight_s=self.oldest_in_flight_s + since if self.in_flight else 0.0,
            hub_lag_s=max(self.hub_lag_s, since - tick_s),
        )
