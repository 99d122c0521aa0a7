"""What watching a cluster costs it: stock ``locust`` against this program, on the same cluster, in turn.

    python -m tests.benchmarks.watch_cost [--nodes URL,URL,URL] [--repeat 5] [--seconds 4] [--scenarios read-1u,…]

`observer_effect` asks what the program costs the load that it makes; its server costs nothing and so can't show what
polls and probe writes cost a cluster. This one can: its nodes do for each of them what a cluster does. Without
``--nodes`` it starts the embedded cluster; a key for others is taken from CONFMAN_BENCH_API_KEY (default: Confman's
development key). ``--nodes`` are listed with the entry first.

Sides:
  stock     ``locust --headless`` with a plain `FastHttpUser` (`spread_file.py`), users in turn over the nodes from the
            first on, or all on the leader in scenarios that write only: what the ratios are taken to
  headless  ``confman-tui --headless``
  screen    ``confman-tui`` in a pseudo-terminal of 120×40
  quiet     as headless, without a probe and with a poll each second (not in the default)
  workers1  as screen, with ``--workers 1`` (not in the default)

Each side seeds the same number of entries of the same kind and size right before its run and removes them and its own
writes after it; each run has a warm-up that its figures leave out. The cluster is warmed before the first run. Each
repetition runs all sides in turn, beginning with another one; ratios are to the stock command of the same repetition,
and the median of the repetitions is what counts. The stock command's p99 is the nearest rank of all its latencies.
Where runs have fewer than 1,000 requests, p99 is taken of all repetitions together.

CPU is what `psutil` says of the processes, in seconds per 1,000 requests: nodes (where they are on this machine), the
process that polls, the thread that makes the load, and all the rest of the program: session, screen, graphs. Polls and
probe writes per second are what the program's result says; "seen" are the writes to the probe's namespace that the
cluster itself has counted, as versions of its entries.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from confman_tui.settings.scenarios import names
from tests.benchmarks.cluster_under_test import ClusterUnderTest, cluster_under_test
from tests.benchmarks.watch_sides import DEFAULT_SIDES, SIDES, Figures, Length, idle_shares, nearest_rank, run_side

SCENARIOS = ("read-1u", "read-10u", "write-1u", "write-10u", "mixed-10u")
BOUNDS = {
    "embedded": {"headless": (0.97, 1.10), "screen": (0.95, 1.15), "writes": (0.97, 1.15)},
    # a cluster of servers that share the cores with the load: the noise is larger
    "given": {"headless": (0.93, 1.20), "screen": (0.90, 1.20), "writes": (0.97, 1.15)},
}
"""Least ratio of requests/s and largest of p99, by the kind of cluster, then by side in scenarios that only read."""
IDLE_LIMITS = {"calm": {"poller": 0.03, "all": 0.05}, "alert": {"poller": 0.15}}
"""Shares of a core that an idle program with a screen may use."""
IDLE_ARGUMENTS: dict[str, tuple[str, ...]] = {"calm": (), "alert": ("--poll", "50ms", "--probe", "50ms")}
"""Alert's pace is set for good here, since no fault must be caused in a cluster that was given."""
CALM_WRITES_S = 0.05
"""Probe writes a second above which it is not calm: one alert in a run is more than this."""

Results = dict[str, list[Figures]]


def measure(cluster: ClusterUnderTest, name: str, sides: Sequence[str], repeat: int, length: Length) -> Results:
    """Every side once per repetition, in an order that moves on each time."""
    found: Results = {side: [] for side in sides}
    for number in range(repeat):
        for side in [*sides[number % len(sides) :], *sides[: number % len(sides)]]:
            figures = run_side(side, cluster, name, length)
            found[side].append(figures)
            print(f"  {number + 1}/{repeat} {side:9s} {_told(figures)}", flush=True)
    return found


def _told(figures: Figures) -> str:
    cpu = " ".join(f"{role} {seconds:.3f}" for role, seconds in figures.per_thousand.items())
    nodes = " ".join(f"{node.rpartition(':')[2]}:{count}" for node, count in sorted(figures.per_node.items()))
    return (
        f"{figures.rps:7.1f} req/s  p99 {figures.p99_ms:6.2f} ms  failures {figures.failures}  added/s: "
        f"polls {_rate(figures.polls)}, probe writes {_rate(figures.probe_writes)} (seen {_rate(figures.seen_writes)})"
        f"  CPU s/1000: {cpu}{'  by node ' + nodes if nodes else ''}"
    )


def _rate(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _ratios(results: Sequence[Figures], base: Sequence[Figures]) -> tuple[list[float], list[float]]:
    """Of requests/s and of p99, each repetition's; a single one of p99 where a run has so few requests that only all
    runs' together have a p99."""
    pairs = list(zip(results, base, strict=True))
    rps = [one.rps / stock.rps for one, stock in pairs]
    if not all(figures.latencies_ms for figures in (*results, *base)):
        return rps, [one.p99_ms / stock.p99_ms for one, stock in pairs]
    ours, theirs = ([value for figures in runs for value in figures.latencies_ms] for runs in (results, base))
    return rps, [nearest_rank(ours, 99) / nearest_rank(theirs, 99)]


def report(cluster: ClusterUnderTest, name: str, found: Results) -> bool:
    """Print the ratios, each repetition's and their median; True when all bounds are kept."""
    bounds, entry = BOUNDS[cluster.kind], cluster.nodes[0]
    good = True
    for side, results in found.items():
        if side == "stock":
            continue
        least, most = bounds.get(side if name.startswith("read") else "writes", bounds["screen"])
        rps, p99 = _ratios(results, found["stock"])
        cells = []
        for what, values, sign, bound in (("requests/s", rps, "≥", least), ("p99", p99, "≤", most)):
            median = statistics.median(values)
            kept = median >= bound if sign == "≥" else median <= bound
            good &= kept
            each = " ".join(f"{value:.2f}" for value in values)
            cells.append(f"{what} {median:.2f} ({each}) {'ok' if kept else 'MISSED'} {sign} {bound}")
        added = [figures.seen_writes for figures in results if figures.seen_writes is not None]
        if added:
            calm = statistics.median(added) <= CALM_WRITES_S
            good &= calm
            cells.append(f"added writes/s {statistics.median(added):.1f} {'ok' if calm else 'MISSED'} 0")
        elsewhere = sum(name == "read-1u" and set(figures.per_node) != {entry} for figures in results)
        if elsewhere:
            good = False
            cells.append(f"{elsewhere} runs read from another node than the stock command's: NOT like for like")
        failures = sum(figures.failures for figures in results)
        if failures:
            good = False
            cells.append(f"{failures} FAILED requests")
        print(f"  {name:10s} {side:9s} " + " | ".join(cells), flush=True)
    return good


def idle(cluster: ClusterUnderTest, seconds: float) -> bool:
    """Print what the idle program uses, calm and at alert's pace; True when the limits are kept."""
    good = True
    for mode, limits in IDLE_LIMITS.items():
        with tempfile.TemporaryDirectory() as folder:
            shares = idle_shares(cluster, seconds, Path(folder), *IDLE_ARGUMENTS[mode])
        for what, share in shares.items():
            limit = limits.get(what)
            kept = limit is None or share <= limit
            good &= kept
            verdict = "" if limit is None else f" {'ok' if kept else 'MISSED'} ≤ {limit * 100:.0f} %"
            print(f"  idle, {mode:5s} {what:6s} {share * 100:5.1f} % of a core{verdict}", flush=True)
    return good


def warm(cluster: ClusterUnderTest, seconds: int) -> None:
    """Unmeasured load of both kinds, until the nodes have compiled and cached what they will."""
    for name in ("read-10u", "mixed-10u") if seconds else ():
        run_side("stock", cluster, name, Length(seconds, 1))


def _chosen(parser: argparse.ArgumentParser, flag: str, text: str, allowed: Sequence[str]) -> list[str]:
    chosen = [part for part in text.split(",") if part]
    unknown = [part for part in chosen if part not in allowed]
    if unknown or not chosen:
        parser.error(f"{flag} {text}: allowed are {', '.join(allowed)}, separated by commas")
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="", help="URLs, the entry first (default: the embedded cluster)")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each run that count")
    parser.add_argument("--warmup", type=int, default=1, help="seconds of each run that do not count")
    parser.add_argument("--warm", type=int, default=5, help="seconds of reads and of writes before everything, 0: none")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--sides", default=",".join(DEFAULT_SIDES))
    parser.add_argument("--idle", type=int, default=15, help="seconds of watching the idle program, 0: not at all")
    arguments = parser.parse_args()
    scenarios = _chosen(parser, "--scenarios", arguments.scenarios, names())
    sides = _chosen(parser, "--sides", arguments.sides, tuple(SIDES))
    if "stock" not in sides:
        parser.error("--sides must hold stock: ratios are to it")
    if arguments.seconds < 1 or arguments.warmup < 1 or arguments.repeat < 1:
        parser.error("--seconds, --warmup and --repeat are whole numbers from 1 on")
    length = Length(arguments.seconds, arguments.warmup)
    nodes = [node for node in arguments.nodes.split(",") if node]
    good, found = True, {}
    with cluster_under_test(nodes) as cluster:
        print(
            f"{cluster.kind} cluster, {', '.join(cluster.nodes)}; leader {cluster.leader()}; "
            f"{cluster.entries()} entries before; {arguments.repeat} repetitions of {arguments.warmup} + "
            f"{arguments.seconds} s; load of this machine in the last minute {os.getloadavg()[0]:.1f} (other work "
            "spoils the figures)",
            flush=True,
        )
        warm(cluster, arguments.warm)
        for name in scenarios:
            print(f"\n{name}", flush=True)
            found[name] = measure(cluster, name, sides, arguments.repeat, length)
        print("\nRatios to the stock command: median (each repetition)")
        for name, results in found.items():
            good &= report(cluster, name, results)
        if arguments.idle:
            good &= idle(cluster, arguments.idle)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
