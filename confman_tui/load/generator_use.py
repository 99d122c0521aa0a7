"""What the generator and its machine used over a run: CPU, waits and delays, as mean and maximum over time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from confman_tui.load.run_model import SecondSample
from confman_tui.load.saturation import GeneratorSample

_LEAST_S = 0.2
"""CPU shares of shorter samples (a run's last moment) are mostly the clock's granularity."""


@dataclass(frozen=True, slots=True)
class Used:
    """A gauge over a run, the warm-up left out."""

    mean: float
    """Over time."""
    max: float


@dataclass(frozen=True, slots=True)
class GeneratorUse:
    """What the generator and its machine used over a run. CPU of single threads and processes in cores."""

    gauges: Mapping[str, Used]
    """By the names of `gauges_of`; what was never known is left out."""
    worker_cpu: Mapping[str, Used] = field(default_factory=dict)
    """By the worker's name."""
    node_cpu: Mapping[str, Used] = field(default_factory=dict)
    """By the node's base URL."""


GAUGES = (
    "engine_cpu",
    "engine_wait",
    "worker_cpu_max",
    "worker_wait_max",
    "program_cpu",
    "machine_cpu",
    "hub_lag_ms",
    "conductor_lag_ms",
    "screen_lag_ms",
    "in_flight",
    "oldest_in_flight_s",
)
"""Names of the gauges, as they stand in files. ``machine_cpu`` is a share of all cores, the waits are of time; the
other CPU figures are in cores."""


def gauges_of(sample: SecondSample, watched: GeneratorSample | None) -> dict[str, float | None]:
    """The gauges of one second, by the names of `GAUGES`; None where one is not known."""
    screen = watched.screen_lag_s if watched is not None else None
    return {
        "engine_cpu": sample.engine_cpu,
        "engine_wait": watched.engine_wait if watched is not None else None,
        "worker_cpu_max": max(sample.worker_cpu.values(), default=None),
        "worker_wait_max": max(sample.worker_wait.values(), default=None),
        "program_cpu": watched.program_cpu if watched is not None else None,
        "machine_cpu": watched.machine_cpu if watched is not None else None,
        "hub_lag_ms": sample.hub_lag_s * 1000,
        "conductor_lag_ms": watched.conductor_lag_s * 1000 if watched is not None else None,
        "screen_lag_ms": screen * 1000 if screen is not None else None,
        "in_flight": sample.in_flight,
        "oldest_in_flight_s": sample.oldest_in_flight_s,
    }


class _Means:
    """Mean and maximum per name, weighted by time."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float, float]] = {}

    def add(self, values: Mapping[str, float | None], seconds: float) -> None:
        for name, value in values.items():
            if value is not None:
                weight, total, most = self._sums.get(name, (0.0, 0.0, value))
                self._sums[name] = (weight + seconds, total + value * seconds, max(most, value))

    def used(self) -> dict[str, Used]:
        return {name: Used(total / weight, most) for name, (weight, total, most) in self._sums.items()}


class UseTotals:
    """Adds up the gauges of a run's seconds."""

    def __init__(self) -> None:
        self._gauges, self._workers, self._nodes = _Means(), _Means(), _Means()
        self._empty = True

    def add(self, sample: SecondSample, watched: GeneratorSample | None) -> None:
        """Take the next second; those of the warm-up do not count."""
        seconds = sample.end - sample.start
        if sample.warmup or seconds <= 0 or (seconds < _LEAST_S and not self._empty):
            return
        self._empty = False
        self._gauges.add(gauges_of(sample, watched), seconds)
        self._workers.add(sample.worker_cpu, seconds)
        if watched is not None:
            self._nodes.add(watched.node_cpu, seconds)

    def use(self) -> GeneratorUse | None:
        """Of all seconds so far; None when there was none."""
        if self._empty:
            return None
        return GeneratorUse(self._gauges.used(), self._workers.used(), self._nodes.used())
