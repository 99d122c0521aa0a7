"""Events of a made-up session, the same each time: a run of write-10u in which the leader is killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hdrh.histogram import HdrHistogram

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification, WriteWindow
from confman_tui.cluster.states import ClusterView, Fact, FactKind, NodeState, NodeView
from confman_tui.load.run_model import Cause, NodeOutcome, RunOutcome, SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.model import ScenarioResult
from confman_tui.session.events import (
    ClusterChanged,
    ConfigurationChanged,
    DrillEnded,
    DrillRound,
    DrillRoundEnded,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    GeneratorWatched,
    Phase,
    PhaseChanged,
    RateChanged,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    VerificationEnded,
    WindowClosed,
    WritesAcknowledged,
)

START = 1_764_000_000.0
"""2025-11-24 16:00:00 UTC."""
NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))


def nodes_of(count: int) -> tuple[str, ...]:
    """Addresses of ``count`` nodes."""
    return tuple(f"http://127.0.0.1:{6100 + 100 * index}" for index in range(count))


def configuration(nodes: tuple[str, ...] = NODES, *, demo: bool = True) -> ConfigurationChanged:
    """The demo cluster, tier small."""
    return ConfigurationChanged("small", 5, 20, 1024, None, None, nodes[0], nodes, demo, demo)


def view(
    at: float, *, leader: int | None = 0, term: int = 6, states: dict[int, NodeState] | None = None,
    nodes: tuple[str, ...] = NODES, detail: str = "", since: float = START,
) -> ClusterView:  # fmt: skip
    """A view in which every node follows, but for the leader and ``states``; ``since`` is the last change."""
    shown = []
    for index, node in enumerate(nodes):
        state = NodeState.LEADER if index == leader else NodeState.FOLLOWER
        state = (states or {}).get(index, state)
        away = state in (NodeState.REFUSED, NodeState.SILENT, NodeState.NOT_CONFMAN, NodeState.WRONG)
        shown.append(
            NodeView(
                node, state, since, term - (1 if away else 0), not away and state is not NodeState.NOT_READY,
                None if leader is None else nodes[leader], None if away else 0.0008 + 0.0003 * index,
                at if not away else since - 0.1, detail if away else "",
            )
        )  # fmt: skip
    return ClusterView(at, tuple(shown), None if leader is None else nodes[leader], term, since)


def found(nodes: tuple[str, ...] = NODES, *, demo: bool = True) -> list[Event]:
    """From the start to idle."""
    return [
        PhaseChanged(Phase.STARTING, START),
        configuration(nodes, demo=demo),
        PhaseChanged(Phase.FINDING, START + 1),
        ClusterChanged(view(START + 2, nodes=nodes), 0.0004),
        FactObserved(Fact(FactKind.LEADER_SERVING, START + 2, nodes[0], 6)),
        PhaseChanged(Phase.SEEDING, START + 2),
        PhaseChanged(Phase.IDLE, START + 3),
    ]


def outcome(started: float, ended: float, *, failures: int = 0, requests: int = 3100) -> RunOutcome:
    """Totals with a histogram to draw."""
    histogram = HdrHistogram(1, 60_000_000, 3)
    for index in range(1, 800):
        histogram.record_value(15_000 + index * index // 8)
    encoded = histogram.encode().decode()
    half = requests // 2
    by_node = (
        NodeOutcome(NODES[0], 0, half - failures, 0, failures, 36_100, 101_000),
        NodeOutcome(NODES[1], 0, requests - half, 0, 0, 40_300, 131_000),
    )
    return RunOutcome(
        started, ended, requests, failures, {Cause.REFUSED: failures} if failures else {},
        {"ConnectionRefusedError(111, 'Connection refused')": failures} if failures else {},
        0, requests - failures, 38_200, 61_000, 71_500, 120_300, 410_000, 1_610_000, 1_630_000,
        encoded, "", encoded, {NODES[0]: half, NODES[1]: requests - half}, 4, (), False, by_node=by_node,
    )  # fmt: skip


def result(name: str, users: int, started: float, ended: float, **changes: object) -> ScenarioResult:
    """A finished scenario."""
    verification = Verification(acknowledged=3088, checked=3088, seconds=1.2)
    return ScenarioResult(
        name, "small", users, ended - started, 1024, 100, outcome(started, ended, **changes), (), verification,  # type: ignore[arg-type]
        ("results/small-write-10u_summary.json",),
    )  # fmt: skip


def sample(at: float, rate: int, *, failed: int = 0, slow: int = 0) -> SecondSample:
    """One second of a run, with a little unrest that repeats."""
    wobble = int(at) * 37 % 17
    return SecondSample(
        at, at + 1, 10, 0, rate + wobble if rate else 0, {Cause.REFUSED: failed} if failed else {},
        36_000 + 300 * wobble if rate else None, 66_000 + 500 * wobble if rate else None,
        110_000 + 900 * wobble if rate else None, 160_000 + 2000 * wobble + slow if rate else None,
        10, 0.03, {NODES[0]: rate}, 0.31, 0.0004, latencies=_latencies(rate + wobble, wobble) if rate else {},
    )  # fmt: skip


def _latencies(requests: int, wobble: int) -> dict[int, int]:
    """``requests`` requests by the µs that they took: most near 36 ms, one in a hundred around 110."""
    counts: dict[int, int] = {}
    for number in range(requests):
        share = (number + 0.5) / requests
        took = round(20_000 + 300 * wobble + 16_000 * (share / (1.02 - share)) ** 0.5)
        counts[took] = counts.get(took, 0) + 1
    return counts


def acknowledgements(at: float, rate: int, window: WriteWindow | None = None) -> WritesAcknowledged:
    """One second of acknowledged writes, ending at ``at``."""
    per_slot = rate // 20
    counts = tuple((at - 1 + slot * 0.05, per_slot) for slot in range(20)) if per_slot else ()
    return WritesAcknowledged(counts, at, window)


def stall(base: float) -> Iterator[tuple[float, Event]]:
    """(when, event): write-10u as an open loop, raised once, with a backlog in its last seconds."""
    yield base, PhaseChanged(Phase.RUNNING, base)
    yield base, ScenarioStarted("write-10u", base, 10, 60.0, 100, 1024, 200.0)
    for second in range(1, 31):
        at = base + second
        if second == 10:
            yield at - 0.5, RateChanged("write-10u", at - 0.5, 220.0, 200.0)
        plain = sample(at - 1, 200 if second < 28 else 80)
        late_us = 400_000 * (second - 27) if second >= 28 else 200
        assert plain.p50_us is not None
        assert plain.p95_us is not None
        assert plain.p99_us is not None
        assert plain.max_us is not None
        slowed = replace(
            plain, rate=200.0 if second < 10 else 220.0,
            p50_us=plain.p50_us + late_us, p95_us=plain.p95_us + late_us, p99_us=plain.p99_us + late_us,
            max_us=plain.max_us + late_us, uncorrected_p50_us=plain.p50_us, uncorrected_p99_us=plain.p99_us,
            uncorrected_max_us=plain.max_us, not_started=late_us * 220 // 1_000_000, schedule_lag_s=late_us / 1e6,
        )  # fmt: skip
        yield at, ClusterChanged(view(at), 0.0004, news=False)
        yield at, acknowledgements(at, 200)
        yield at, SampleRecorded("write-10u", slowed, NODES[0], 6)


def election_run(base: float) -> Iterator[tuple[float, Event]]:
    """(when, event): 30 s idle with the probe, write-1u for 15 s, then write-10u in which the leader is killed."""
    for event in found():
        yield base, event
    for second in range(1, 31):
        at = base + second
        yield at, ClusterChanged(view(at), 0.0004, news=False)
        yield at, acknowledgements(at, 20)
    yield base + 30, PhaseChanged(Phase.RUNNING, base + 30)
    yield base + 30, ScenarioStarted("write-1u", base + 30, 1, 15.0, 100, 1024)
    for second in range(31, 46):
        at = base + second
        yield at, ClusterChanged(view(at), 0.0004, news=False)
        yield at, acknowledgements(at, 40)
        yield at, SampleRecorded("write-1u", sample(at - 1, 34), NODES[0], 6)
    yield base + 45, ScenarioEnded(result("write-1u", 1, base + 30, base + 45, requests=612))
    yield base + 46, VerificationEnded("write-1u", Verification(acknowledged=612, checked=612))
    yield base + 46, ScenarioStarted("write-10u", base + 46, 10, 15.0, 712, 1024)
    down = {0: NodeState.REFUSED}
    fault = Fault(FaultKind.KILL, NODES[0], base + 50.3)
    window = WriteWindow(base + 50.3, None, 0.05)
    for second in range(47, 58):
        at = base + second
        if second == 51:
            yield at, FaultCaused(fault)
            yield at, FactObserved(Fact(FactKind.NODE_DOWN, base + 50.4, NODES[0], detail="connection refused"))
            yield at, FactObserved(Fact(FactKind.LEADER_LOST, base + 50.4, NODES[0], 6, "refused"))
        if second == 52:
            yield at, FactObserved(Fact(FactKind.TERM_ADVANCED, base + 51.5, NODES[1], 7))
            yield at, FactObserved(Fact(FactKind.ELECTED, base + 51.6, NODES[1], 7))
        if 51 <= second <= 52:
            states = down | ({2: NodeState.FOLLOWER_OF_DEAD} if second == 51 else {1: NodeState.ELECTED})
            lost = view(
                at,
                leader=None,
                term=6 if second == 51 else 7,
                states=states,
                detail="connection refused",
                since=base + 50.4,
            )
            yield at, ClusterChanged(lost, 0.0006)
            yield at, WritesAcknowledged((), at, window)
            yield at, SampleRecorded("write-10u", sample(at - 1, 0, failed=6), None, 6)
            continue
        if second == 53:
            yield at, FactObserved(Fact(FactKind.LEADER_SERVING, base + 51.8, NODES[1], 7))
            yield at, FactObserved(Fact(FactKind.ALL_AGREE, base + 51.9, NODES[1], 7))
            yield at, WindowClosed(replace(window, end=base + 51.92, intended=10, longest_wait_s=1.62))
            yield at, ElectionMeasured(election(fault, base))
        after = second >= 53
        states = down if after else {}
        leader, term, since = (1, 7, base + 51.8) if after else (0, 6, START)
        now = view(at, leader=leader, term=term, states=states, detail="connection refused", since=since)
        yield at, ClusterChanged(now, 0.0005, news=second in (47, 53))
        yield at, acknowledgements(at, 200)
        yield at, SampleRecorded("write-10u", sample(at - 1, 200), NODES[1 if after else 0], 7 if after else 6)


def saturated_run(base: float) -> Iterator[tuple[float, Event]]:
    """A run against a cluster that is faster than the generator: its thread is at its limit from the third second."""
    for event in found():
        yield base + 3, event
    begun = base + 4
    yield begun, PhaseChanged(Phase.RUNNING, begun)
    yield begun, ScenarioStarted("read-10u", begun, 10, 15.0, 100, 1024)
    reason, advice = "the load's thread used 97 % of a core", "--workers 1 or more, or fewer users"
    for second in range(1, 9):
        at = begun + second
        cpu = {node: 0.21 + 0.17 * index for index, node in enumerate(NODES)}
        watched = GeneratorSample(at, 1.0, 0.74, 1.2, 0.001, 0.002, 0.0, cpu)
        busy = replace(sample(at - 1, 9000), engine_cpu=0.97 if second > 2 else 0.88)
        bound = GeneratorBound(second - 2, reason, advice) if second >= 5 else None
        yield at, GeneratorWatched(watched)
        yield at, ClusterChanged(view(at), 0.0005, news=False)
        if bound is not None and second == 5:
            yield at, GeneratorLimitReached("read-10u", at, bound)
        yield at, SampleRecorded("read-10u", busy, NODES[0], 6, watched, bound)


def drill(at: float, rounds: int) -> list[Event]:
    """``rounds`` rounds and one that could not be judged, and the verdict."""
    done = []
    for number in range(1, rounds + 1):
        fault = Fault(FaultKind.KILL, NODES[number % 3], at + 20 * number, "drill")
        graph = tuple(
            (tenth / 10, 0 if 0 <= tenth < 16 else 20 + tenth % 3) for tenth in range(-30, 60)
        )  # fmt: skip
        done.append(DrillRound(number, rounds + 1, fault, True, "", election(fault, at), graph, 0.42 * number))
    done.append(DrillRound(rounds + 1, rounds + 1, None, False, "too few writes", None))
    verification = Verification(acknowledged=4100, checked=4100, unknown=12, recovered=4)
    verdict = f"{rounds} rounds: longest without writes 1.62 s, 0 lost"
    return [*(DrillRoundEnded(ended) for ended in done), DrillEnded(tuple(done), verification, verdict)]


def election(fault: Fault, base: float) -> Election:
    """The election after the kill."""
    return Election(
        base + 50.3, fault, NODES[0], NODES[1], 6, 7, 1, 0.1, 1.2, 1.3, 1.5, 1.6, 1.62, 1.62, 0.1, 0.05,
        intended_writes=10, longest_wait_s=1.62, recover90_s=2.4, writes_missed=310.0, detected_s=0.1,
    )  # fmt: skip
