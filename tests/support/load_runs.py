"""Plans, runs and observers for the tests of the load room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import RunOutcome, RunPlan, SecondSample
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.settings.scenarios import Reads, Target
from tests.support.keys import ADMIN
from tests.support.waiting import DEADLINE_S, wait_for

API_KEY = ADMIN
KEYS = tuple((f"bench-small-{i % 3:03d}", f"key-{i:012x}") for i in range(20))
NAMESPACES = ("bench-small-000", "bench-small-001", "bench-small-002")


def plan(
    *,
    users: int = 4,
    seconds: float | None = 0.3,
    write_share: float = 1.0,
    target: Target = Target.LEADER,
    wait_s: tuple[float, float] = (0.0, 0.0),
    payload: int = 100,
    csv_prefix: Path | None = None,
    rate: float | None = None,
    warmup_s: float = 0.0,
    reads: Reads = Reads.ALL,
) -> RunPlan:
    """A short run."""
    return RunPlan(
        "test",
        users,
        seconds,
        target,
        write_share,
        wait_s,
        payload,
        NAMESPACES,
        KEYS,
        API_KEY,
        csv_prefix,
        rate=rate,
        warmup_s=warmup_s,
        reads=reads,
    )


def second_of(
    start: float,
    end: float,
    *,
    reads: Iterable[int] = (),
    writes: Iterable[int] = (),
    node: str = "http://127.0.0.1:1",
    **fields: Any,
) -> SecondCounts:
    """A second in which one node answered reads and writes after these numbers of µs; failures are of no node."""
    second = SecondCounts(start, end, by_node={node: NodeCounts(Counter(reads), Counter(writes))}, **fields)
    second.sum_up()
    return second


class Book:
    """A `WriteObserver` that keeps everything."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.intended: list[float | None] = []
        self.ends: list[tuple[str, str, int, float, float, str, WriteOutcome]] = []

    def started(self, at: float) -> None:
        self.starts.append(at)

    def ended(
        self,
        namespace: str,
        key: str,
        digest: int,
        started: float,
        ended: float,
        node: str,
        outcome: WriteOutcome,
        intended: float | None = None,
    ) -> None:
        self.intended.append(intended)
        self.ends.append((namespace, key, digest, started, ended, node, outcome))

    def outcomes(self) -> set[WriteOutcome]:
        return {end[-1] for end in self.ends}


def run(
    engine: Engine, the_plan: RunPlan, *, observer: Book | None = None, samples: list[SecondSample] | None = None
) -> RunOutcome:
    """Run it to its end."""
    kept = samples if samples is not None else []
    return engine.run(the_plan, on_sample=kept.append, observer=observer).result(DEADLINE_S)


def wait_until(condition: Callable[[], bool], seconds: float = DEADLINE_S) -> None:
    """Wait for a condition; fails when it does not come true in time."""
    wait_for(condition, deadline_s=seconds)


__all__ = ["API_KEY", "KEYS", "NAMESPACES", "Book", "plan", "replace", "run", "second_of", "wait_until"]
