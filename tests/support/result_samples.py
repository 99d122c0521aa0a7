"""Results, their parts and the settings they were made with, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.states import ClusterView, NodeState, NodeView
from confman_tui.load.run_model import Cause, NodeOutcome, Opening, RunOutcome, SecondSample
from confman_tui.results.model import ScenarioResult, Series, SeriesKind, SeriesPoint
from confman_tui.results.statistics.repeats import combined
from confman_tui.settings import Settings, resolve

NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")
CLUSTER: dict[str, Any] = {"nodes": list(NODES), "leader": NODES[1], "term": 7}
START = 1_795_449_600.25
SECRET = "s3cret-of-the-test"


def settings_for(output_dir: object, **flags: str) -> Settings:
    """Settings with a secret key and that output folder."""
    said = {"output-dir": str(output_dir), "api-key": SECRET, **{k.replace("_", "-"): v for k, v in flags.items()}}
    return resolve("bench", said, {}).settings


def election(**changes: Any) -> Election:
    """A leader's kill."""
    base = Election(
        origin=START + 5,
        fault=Fault(FaultKind.KILL, NODES[0], START + 5, "drill"),
        old_leader=NODES[0],
        new_leader=NODES[1],
        term_before=6,
        term_after=7,
        rounds=1,
        lost_s=0.125,
        detected_s=0.124,
        term_s=1.2,
        claim_s=1.21,
        serving_s=1.43,
        agree_s=1.5,
        first_write_s=1.6,
        without_writes_s=1.62,
        uncertainty_s=0.1,
        write_uncertainty_s=0.02,
        intended_writes=30,
        longest_wait_s=1.1,
        reads_ok=5,
        reads_failed=2,
        recover90_s=2.5,
        writes_missed=140.5,
    )
    return replace(base, **changes)


def outcome(**changes: Any) -> RunOutcome:
    """A run of 15 s with some failures."""
    base = RunOutcome(
        started=START,
        ended=START + 15,
        requests=1332,
        failures=12,
        failures_by_cause={Cause.REFUSED: 8, Cause.NO_LEADER: 4},
        error_texts={"connection refused": 8},
        reads_ok=0,
        writes_ok=1320,
        p50_us=34_120,
        p90_us=61_000,
        p95_us=81_250,
        p99_us=110_400,
        p999_us=250_000,
        p9999_us=260_000,
        max_us=1_630_123,
        histogram="SElTVA==",
        read_histogram="",
        write_histogram="SElTVA==",
        per_node={NODES[0]: 500, NODES[1]: 832},
        redirected=3,
        files=(),
        stopped_early=False,
        by_node=(
            NodeOutcome(NODES[0], 0, 494, 0, 6, 30_000, 90_111),
            NodeOutcome(NODES[1], 0, 826, 0, 6, 36_000, 120_222),
        ),
    )
    return replace(base, **changes)


def read_by_node() -> RunOutcome:
    """A run in which the first node was read from three times as often as the last, which failed now and then."""
    by_node = (
        NodeOutcome(NODES[0], 900, 0, 0, 0, 2_000, 9_000),
        NodeOutcome(NODES[1], 0, 40, 0, 0, 30_000, 60_000),
        NodeOutcome(NODES[2], 290, 0, 10, 0, 4_000, 12_000),
    )
    counts = {"requests": 1240, "failures": 10, "failures_by_cause": {Cause.REFUSED: 10}, "reads_ok": 1190}
    return outcome(by_node=by_node, per_node={held.node: held.requests for held in by_node}, writes_ok=40, **counts)


def result(name: str = "write-10u", tier: str = "small", **changes: Any) -> ScenarioResult:
    """A finished scenario."""
    base = ScenarioResult(
        name=name,
        tier=tier,
        users=10,
        duration_s=15.0,
        payload_bytes=1024,
        entries_before=1000,
        outcome=outcome(),
        elections=(election(),),
        verification=Verification(
            acknowledged=1320, refused=8, unknown=4, lost=0, stale=0, recovered=1, checked=1320, seconds=2.5
        ),
        files=("results/small-write-10u_stats.csv",),
    )
    return replace(base, **changes)


def sample(second: int = 0, **changes: Any) -> SecondSample:
    """One second of a run."""
    base = SecondSample(
        start=START + second,
        end=START + second + 1,
        users=10,
        reads_ok=3,
        writes_ok=85,
        failed={Cause.TIMEOUT: 2},
        p50_us=34_120,
        p95_us=81_250,
        p99_us=110_400,
        max_us=160_000,
        in_flight=4,
        oldest_in_flight_s=0.75,
        per_node={NODES[0]: 90},
        engine_cpu=0.31,
        hub_lag_s=0.0004,
    )
    return replace(base, **changes)


def view(states: tuple[NodeState, ...] = (NodeState.LEADER, NodeState.FOLLOWER, NodeState.REFUSED)) -> ClusterView:
    """The cluster at one moment."""
    nodes = tuple(NodeView(node, state) for node, state in zip(NODES, states, strict=True))
    return ClusterView(START, nodes, NODES[0], 6)


def opening(**changes: Any) -> Opening:
    """First seconds that were slower than the rest."""
    base = Opening(
        seconds=2.0,
        ok=100,
        failures=3,
        p50_us=22_000,
        p99_us=191_000,
        max_us=220_000,
        left_out=False,
        rest_rps=88.0,
        rest_p50_us=8_000,
        rest_p99_us=27_000,
    )
    return replace(base, **changes)


def run(rate: float, name: str = "read-10u", *, p99_us: int | None = 9_000, **changes: Any) -> ScenarioResult:
    """A run of 15 s without failures, at that many requests per second."""
    requests = round(rate * 15)
    totals = outcome(
        requests=requests,
        failures=0,
        failures_by_cause={},
        error_texts={},
        reads_ok=requests,
        writes_ok=0,
        p50_us=None if p99_us is None else p99_us // 3,
        p95_us=None if p99_us is None else p99_us // 2,
        p99_us=p99_us,
        max_us=None if p99_us is None else p99_us * 3,
        **changes,
    )
    return result(name, outcome=totals, elections=(), verification=None)


def repeated(rates: Sequence[float], name: str = "read-10u") -> ScenarioResult:
    """Runs of one scenario, one after the other."""
    runs = [run(rate, name) for rate in rates]
    return reduce(combined, runs)


def user_series(rates: Mapping[int, float], **changes: Any) -> Series:
    """read-10u with more and more users, of 5 s each."""
    points = tuple(SeriesPoint(users, (replace(run(rate), users=users),)) for users, rate in rates.items())
    base = Series(SeriesKind.USERS, ("read-10u",), "small", 5.0, tuple(rates), points)
    return replace(base, **changes)


def sweep(sizes: Sequence[int] = (100, 1000, 5000, 10_000)) -> Series:
    """A sweep over a cluster whose reads grow by 0.6 ms per 1,000 entries at the median, and whose writes don't."""
    points = []
    for size in sizes:
        read = replace(run(300, "read-1u", p99_us=round(6_000 + 1.8 * size)), users=1, entries_before=size)
        write = replace(run(13, "write-1u", p99_us=24_000), users=1, entries_before=size)
        points.append(SeriesPoint(size, (read, write)))
    return Series(SeriesKind.ENTRIES, ("read-1u", "write-1u"), "small", 5.0, tuple(sizes), tuple(points))
