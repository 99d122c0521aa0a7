"""What booking every write costs: memory for ten million writes, CPU time per write, and speed of the load engine.

    python -m tests.benchmarks.booking [--writes 10000000] [--pairs 7] [--engine-pairs 8] [--seconds 4]

The limits of the design: 600 MB for ten million writes, and a run that is no more than 3 % slower. The second is shown
twice: as CPU time per write against an observer that does nothing, and as the number of writes that ten users without
a pause get done against a server that answers at once, in pairs of runs with the book and without any booking.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import psutil

from confman_tui.cluster.elections import WriteObserver, WriteOutcome
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.core.clock import now
from tests.support.keys import ADMIN

NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))
NAMESPACES = tuple(f"bench-xlarge-{n:03d}" for n in range(20))
DRAIN_EVERY = 1000


class NoObserver:
    """Takes what an observer takes and does nothing."""

    def started(self, at: float) -> None:
        """Nothing."""

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
        """Nothing."""


def book_writes(observer: WriteObserver, writes: int, rate: float, drain: Callable[[float], object] | None) -> float:
    """``writes`` writes at ``rate`` per second of made-up time; returns the CPU seconds that booking them took."""
    begun = time.thread_time()
    outcome = WriteOutcome.ACKNOWLEDGED
    at = 1_700_000_000.0
    step = 1.0 / rate
    for number in range(writes):
        at += step
        observer.started(at)
        observer.ended(
            NAMESPACES[number % 20], f"key-{number:012x}", number * 7919, at, at + 0.011, NODES[number % 3], outcome
        )
        if drain is not None and number % DRAIN_EVERY == 0:
            drain(at)
    return time.thread_time() - begun


def memory(writes: int) -> bool:
    """Resident memory before and after booking."""
    process = psutil.Process()
    before = process.memory_info().rss
    book = WriteBook()
    peak = before

    def drain(at: float) -> None:
        nonlocal peak
        book.drain(at)
        peak = max(peak, process.memory_info().rss)

    book_writes(book, writes, 5000.0, drain)
    after = process.memory_info().rss
    print(f"memory: {writes:,} writes, {book.ledger.bytes_held() / 1e6:.0f} MB of records")
    print(f"  resident memory grew by {(after - before) / 1e6:.0f} MB, at its peak {(peak - before) / 1e6:.0f} MB")
    kept = (peak - before) / writes <= 60
    print(f"  limit 600 MB for ten million: {'kept' if kept else 'BROKEN'}")
    return kept


def cost(pairs: int, writes: int = 200_000) -> None:
    """Cost of one write's booking, from pairs of a run with the book and one with an observer that does nothing."""
    differences = []
    for _ in range(pairs):
        book = WriteBook()
        with_book = book_writes(book, writes, 5000.0, book.drain)
        without = book_writes(NoObserver(), writes, 5000.0, None)
        differences.append((with_book - without) / writes * 1e6)
    middle = statistics.median(differences)
    print(f"cost: {middle:.2f} µs a write (median of {pairs} pairs; {min(differences):.2f} to {max(differences):.2f})")
    for rate in (100, 1000, 5000, 8000):
        share = middle * rate / 1e6
        print(f"  at {rate:>5,} writes/s: {share:.2%} of one core {'(limit 3 %)' if share <= 0.03 else '(over 3 %)'}")


def engine_runs(pairs: int, seconds: float) -> bool:
    """Writes per second of the load engine with the book and without; whether the limit is kept."""
    from confman_tui.load.engine import Engine
    from confman_tui.load.run_model import RunPlan
    from confman_tui.settings.scenarios import Target
    from tests.support.confman_server import Server

    plan = RunPlan("booking", 10, seconds, Target.LEADER, 1.0, (0.0, 0.0), 1024, NAMESPACES[:5], (), ADMIN)

    def run(engine: Engine, book: WriteBook | None) -> tuple[float, float]:
        cpu = time.process_time()
        # without a book nothing is reported and no digest is made
        future = engine.run(plan, on_sample=lambda sample: None, observer=book)
        while not future.done():
            time.sleep(0.2)
            if book is not None:
                book.drain(now())
        outcome = future.result()
        if outcome.failures or not outcome.writes_ok:
            raise SystemExit(f"the runs can't be compared: {outcome.failures} failures")
        used = time.process_time() - cpu
        return outcome.writes_ok / (outcome.ended - outcome.started), used / outcome.writes_ok * 1e6

    engine = Engine()
    engine.start()
    speeds, costs, rates = [], [], []
    try:
        with Server() as server:
            engine.set_targets(server.url, (server.url,))
            run(engine, None)
            for number in range(pairs):
                if number % 2:
                    with_book, without = run(engine, WriteBook()), run(engine, None)
                else:
                    without, with_book = run(engine, None), run(engine, WriteBook())
                speeds.append(with_book[0] / without[0])
                costs.append(with_book[1] / without[1])
                rates.append(without)
    finally:
        engine.close(10.0)
    rate, cost_us = (statistics.median(one[which] for one in rates) for which in (0, 1))
    print(f"engine: {pairs} pairs of {seconds:g} s; without booking {rate:,.0f} writes/s, {cost_us:.0f} µs of CPU each")
    for what, ratios in (("CPU a write", costs), ("writes/s (limit 0.97)", speeds)):
        print(f"  {what} with the book: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return statistics.median(speeds) >= 0.97


def main() -> int:
    """Measures both and prints them; 0 when the limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=10_000_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--engine-pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one run of the engine")
    options = parser.parse_args()
    fast = engine_runs(options.engine_pairs, options.seconds) if options.engine_pairs else True
    cost(options.pairs)
    small = memory(options.writes)
    return 0 if fast and small else 1


if __name__ == "__main__":
    sys.exit(main())
