"""The sides of `watch_cost`: the stock command, and the program with and without its screen, one run each."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from confman_tui.load.histogram import decode
from confman_tui.settings.scenarios import Scenario, Target, by_name
from tests.benchmarks.cluster_under_test import KEY_VARIABLE, NAMESPACES, SIZE, ClusterUnderTest
from tests.benchmarks.observer_effect import in_terminal, wait
from tests.benchmarks.processor_time import ProcessorTime
from tests.support.demo_client import connect

ROOT = Path(__file__).resolve().parents[2]
_SETTLE_S = 1.0
"""Between the cleaning of one side and the next: what the cluster still has to flush and compact is no side's."""


@dataclass(frozen=True)
class Length:
    """How long a run is."""

    seconds: int
    warmup_s: int


@dataclass(frozen=True)
class Figures:
    """What one side measured once."""

    rps: float
    p99_ms: float
    failures: int
    per_thousand: dict[str, float]
    """Seconds of CPU per 1,000 requests: nodes, poller, load, rest."""
    polls: float | None
    """Added per second, as the program says; None where nothing says it. Likewise in the next."""
    probe_writes: float | None
    seen_writes: float | None
    """Probe writes per second that the cluster itself holds."""
    per_node: dict[str, int]
    latencies_ms: list[float]
    """All of them where they are few (`FEW`): one run's p99 is then hardly more than its slowest request, and runs have
    to be taken together. Else none."""


FEW = 1000


def nearest_rank(values: list[float], percent: float) -> float:
    """The smallest value that at least that many per cent are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _kept_environment(cluster: ClusterUnderTest, folder: Path) -> dict[str, str]:
    """Without anything of the developer's settings; the key in it, never in a command line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONFMAN_", "BENCH_", "XDG_"))}
    homes = {f"XDG_{name}": str(folder / name.lower()) for name in ("CONFIG_HOME", "STATE_HOME", "CACHE_HOME")}
    return {**kept, **homes, "PYTHONPATH": str(ROOT), KEY_VARIABLE: cluster.key, "WATCH_COST_KEY": cluster.key}


@contextlib.contextmanager
def _observed(cluster: ClusterUnderTest, root: int) -> Iterator[ProcessorTime]:
    connection = connect(cluster.nodes[0])
    try:
        with ProcessorTime(cluster.pids, root, lambda: cluster.probe_writes(connection)) as observed:
            yield observed
    finally:
        connection.close()


def stock(cluster: ClusterUnderTest, scenario: Scenario, length: Length, folder: Path) -> Figures:
    """``locust --headless`` with `spread_file.py`, on data that it gets and that is removed afterwards."""
    keys = cluster.seed()
    out = folder / "stock.json"
    doing = {
        "nodes": cluster.nodes,
        "leader": cluster.leader() if scenario.target is Target.LEADER else None,
        "keys": keys,
        "namespaces": NAMESPACES,
        "pause_s": scenario.wait_s,
        "write_share": scenario.write_share,
        "payload_bytes": SIZE,
        "warmup_s": length.warmup_s,
        "out": str(out),
    }
    environment = {**_kept_environment(cluster, folder), "WATCH_COST": json.dumps(doing)}
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "tests/benchmarks/spread_file.py")),
        *("--headless", "--only-summary", "-u", str(scenario.users), "-r", str(scenario.users)),
        *("-t", f"{length.seconds + length.warmup_s}s", "Spread"),
    ]
    try:
        with (folder / "stock.log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            try:
                with _observed(cluster, process.pid) as observed:
                    process.wait(length.seconds + length.warmup_s + 60)
            finally:
                _end(process)
        if not out.exists():
            raise RuntimeError(f"the stock command measured nothing:\n{(folder / 'stock.log').read_text()[-2000:]}")
    finally:
        cluster.clean()
    content = json.loads(out.read_text())
    start, seconds, times = content["start"], content["seconds"], content["times_ms"]
    used = observed.used(start, start + seconds)
    requests = len(times) + content["failures"]
    per_thousand = {"nodes": used["nodes"], "poller": 0.0, "load": used["other"], "rest": 0.0}
    return Figures(
        rps=len(times) / seconds,
        p99_ms=nearest_rank(times, 99),
        failures=content["failures"],
        per_thousand={role: value / requests * 1000 for role, value in per_thousand.items()},
        polls=0.0,
        probe_writes=0.0,
        seen_writes=observed.rate(start, start + seconds),
        per_node={},
        latencies_ms=times if requests < FEW else [],
    )


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def command_of(cluster: ClusterUnderTest, folder: Path, *more: str) -> list[str]:
    """The program on that cluster."""
    return [
        *(sys.executable, "-m", "confman_tui", "--host", cluster.nodes[0], "--nodes", ",".join(cluster.nodes)),
        *("--output-dir", str(folder / "results"), *more),
    ]


def _timed(length: Length) -> tuple[str, ...]:
    return ("--duration", f"{length.seconds}s", "--warmup", f"{length.warmup_s}s")


def headless(cluster: ClusterUnderTest, scenario: Scenario, length: Length, folder: Path, *more: str) -> Figures:
    """The whole program without a screen."""
    command = command_of(cluster, folder, "--headless", "--scenario", scenario.name, *_timed(length), *more)
    with (folder / "program.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=_kept_environment(cluster, folder), stdout=log, stderr=log)
        try:
            with _observed(cluster, process.pid) as observed:
                code = process.wait(length.seconds + length.warmup_s + 120)
        finally:
            _end(process)
    if code:
        raise RuntimeError(f"the program ended with {code}:\n{(folder / 'program.log').read_text()[-2000:]}")
    return _from_summary(folder, scenario, observed)


def screen(cluster: ClusterUnderTest, scenario: Scenario, length: Length, folder: Path, *more: str) -> Figures:
    """The whole program in a pseudo-terminal: the scenario's key, its summary, then quit."""
    environment = _kept_environment(cluster, folder)
    with (
        in_terminal(command_of(cluster, folder, *_timed(length), *more), environment=environment) as (
            terminal,
            process,
        ),
        _observed(cluster, process.pid) as observed,
    ):
        results = folder / "results"
        wait((results / "small-key-registry.json").exists, terminal, process, 60, every_s=0.5)
        # the screen learns of the seeded data a moment after the file is there
        _read_for(terminal, process, _SETTLE_S)
        os.write(terminal, scenario.key.encode())
        # looked for rarely: looking costs the load something too
        summary = results / f"small-{scenario.name}_summary.json"
        wait(summary.exists, terminal, process, length.seconds + length.warmup_s + 60, every_s=1.0)
        leave(terminal, process)
    return _from_summary(folder, scenario, observed)


def leave(terminal: int, process: subprocess.Popen[bytes]) -> None:
    """Press ``q`` until it ends, confirming where it asks."""
    os.write(terminal, b"q")
    asked = time.monotonic()

    def left() -> bool:
        if process.poll() is None and time.monotonic() - asked > 2:
            with contextlib.suppress(OSError):
                os.write(terminal, b"y")
        return process.poll() is not None

    wait(left, terminal, process, 30, every_s=0.5)


def _read_for(terminal: int, process: subprocess.Popen[bytes], seconds: float) -> None:
    until = time.monotonic() + seconds
    wait(lambda: time.monotonic() >= until, terminal, process, seconds + 5, every_s=0.25)


def _from_summary(folder: Path, scenario: Scenario, observed: ProcessorTime) -> Figures:
    path = folder / "results" / f"small-{scenario.name}_summary.json"
    content: dict[str, Any] = json.loads(path.read_text())
    start, end = (datetime.fromisoformat(content[name]).timestamp() for name in ("start", "end"))
    used, seconds, requests = observed.used(start, end), content["duration_s"], content["requests"]
    load = min(used["other"], content["generator"]["engine_cpu"]["mean"] * seconds)
    per_thousand = {"nodes": used["nodes"], "poller": used["poller"], "load": load, "rest": used["other"] - load}
    watch = content.get("watch") or {}
    return Figures(
        rps=(requests - content["failures"]) / seconds,
        p99_ms=content["p99_us"] / 1000,
        failures=content["failures"],
        per_thousand={role: value / requests * 1000 for role, value in per_thousand.items()},
        polls=watch["polls"] / seconds if "polls" in watch else None,
        probe_writes=watch["probe_writes"] / seconds if "probe_writes" in watch else None,
        seen_writes=observed.rate(start, end),
        per_node=content["per_node"],
        latencies_ms=_latencies(content["histograms"]["all"]) if requests < FEW else [],
    )


def _latencies(histogram: str) -> list[float]:
    """Every recorded value, to the histogram's three digits."""
    recorded = decode(histogram).get_recorded_iterator()
    return [step.value_iterated_to / 1000 for step in recorded for _ in range(step.count_added_in_this_iter_step)]


def idle_shares(cluster: ClusterUnderTest, seconds: float, folder: Path, *more: str) -> dict[str, float]:
    """Shares of a core that the idle program with its screen uses: ``poller`` and ``all``."""
    environment = _kept_environment(cluster, folder)
    with (
        in_terminal(command_of(cluster, folder, *more), environment=environment) as (terminal, process),
        _observed(cluster, process.pid) as observed,
    ):
        wait((folder / "results" / "small-key-registry.json").exists, terminal, process, 60, every_s=0.5)
        _read_for(terminal, process, 3.0)
        start = time.time()
        _read_for(terminal, process, seconds)
        end = time.time()
        leave(terminal, process)
    used = observed.used(start, end)
    return {
        "poller": used["poller"] / (end - start),
        "all": (used["poller"] + used["other"]) / (end - start),
    }


Side = Callable[[ClusterUnderTest, Scenario, Length, Path], Figures]


def _with(side: Callable[..., Figures], *more: str) -> Side:
    return lambda cluster, scenario, length, folder: side(cluster, scenario, length, folder, *more)


SIDES: dict[str, Side] = {
    "stock": stock,
    "headless": headless,
    "screen": screen,
    "quiet": _with(headless, "--probe", "0", "--poll", "1000"),
    "workers1": _with(screen, "--workers", "1"),
}
DEFAULT_SIDES = ("stock", "headless", "screen")


def run_side(side: str, cluster: ClusterUnderTest, name: str, length: Length) -> Figures:
    """One run of one side; the cluster holds as many entries afterwards as before, or RuntimeError."""
    before = cluster.entries()
    with tempfile.TemporaryDirectory() as folder:
        figures = SIDES[side](cluster, by_name(name), length, Path(folder))
    after = cluster.entries()
    if after != before:
        raise RuntimeError(f"{side} left the cluster with {after} entries, it had {before}")
    time.sleep(_SETTLE_S)
    return figures
