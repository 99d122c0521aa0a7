"""What this program and its machine used in a run, for the details."""

from __future__ import annotations

from collections.abc import Mapping

from confman_tui.load.generator_use import Used, gauges_of
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.model import ScenarioResult
from confman_tui.tui.node_names import name_of
from confman_tui.tui.rows import Row
from confman_tui.tui.screens.sheet import Sheet
from confman_tui.tui.text import clean

_CPU = "%"
_GAUGE_WORDS = (
    ("engine_cpu", "cpu load's thread", _CPU),
    ("engine_wait", "no core for it", _CPU),
    ("program_cpu", "cpu whole program", _CPU),
    ("machine_cpu", "cpu all cores", _CPU),
    ("hub_lag_ms", "lag load's loop", "ms"),
    ("conductor_lag_ms", "lag polling's loop", "ms"),
    ("screen_lag_ms", "lag screen's loop", "ms"),
    ("in_flight", "in flight", ""),
    ("oldest_in_flight_s", "oldest in flight", "s"),
)


def _figure(value: float, unit: str) -> str:
    if unit == _CPU:
        return f"{value * 100:>7.0f}"
    return f"{value:>7.1f}" if unit != "s" else f"{value:>7.2f}"


def _figures(used: Used, unit: str) -> str:
    return f"{_figure(used.mean, unit)} {_figure(used.max, unit)} {unit}".rstrip()


def bound_lines(sheet: Sheet, bound: GeneratorBound | None) -> None:
    """How the generator became the limit, if it did."""
    if bound is None:
        return
    warn = f"bold {sheet.look.warn}"
    sheet.heading("Generator-bound: not the cluster's limit")
    sheet.entry("seconds", str(bound.seconds), warn)
    sheet.paragraph("why", clean(bound.reason), warn)
    if bound.advice:
        sheet.paragraph("try", clean(bound.advice), warn)


def live_lines(sheet: Sheet, row: Row, names: Mapping[str, str]) -> None:
    """What is used now."""
    sample, watched = row.sample, row.generator
    if sample is None:
        return
    sheet.heading("Generator, last second")
    gauges = gauges_of(sample, watched)
    for name, words, unit in _GAUGE_WORDS:
        if (value := gauges[name]) is not None:
            sheet.entry(words, f"{_figure(value, unit)} {unit}".rstrip())
    for worker, cpu in sorted(sample.worker_cpu.items()):
        sheet.entry(f"cpu {clean(worker, 14)}", f"{_figure(cpu, _CPU)} {_CPU}")
    for node, cpu in sorted(watched.node_cpu.items() if watched is not None else ()):
        sheet.entry(f"cpu {name_of(node, names)}", f"{_figure(cpu, _CPU)} {_CPU}")


def use_lines(sheet: Sheet, result: ScenarioResult, names: Mapping[str, str]) -> None:
    """Mean and maximum over a run that ended."""
    use = result.generator
    if use is None:
        return
    sheet.heading("Generator, mean and max")
    for name, words, unit in _GAUGE_WORDS:
        if (used := use.gauges.get(name)) is not None:
            sheet.entry(words, _figures(used, unit))
    for worker, used in sorted(use.worker_cpu.items()):
        sheet.entry(f"cpu {clean(worker, 14)}", _figures(used, _CPU))
    for node, used in sorted(use.node_cpu.items()):
        sheet.entry(f"cpu {name_of(node, names)}", _figures(used, _CPU))
