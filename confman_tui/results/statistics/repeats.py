"""Repeated runs of one scenario: their figures, how far they spread, and how they compare with the kept run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from confman_tui.cluster.elections import Verification
from confman_tui.results.model import Change, Comparison, Repetition, ScenarioResult, Spread
from confman_tui.results.plain import count, finite, from_iso, iso, rounded, sensible
from confman_tui.results.statistics.noise import spread

MEASURES = ("rps", "p50_us", "p95_us", "p99_us", "max_us")
"""The figures whose spread is told."""
_WORDS = {"rps": "req/s", "p50_us": "p50 ms", "p95_us": "p95 ms", "p99_us": "p99 ms", "max_us": "max ms"}
_ADDED_UP = ("acknowledged", "refused", "unknown", "lost", "stale", "recovered", "phantom", "checked")
MOST_LOST_KEYS = 1000


def repetition_of(result: ScenarioResult, number: int = 1) -> Repetition:
    """The figures of a single run."""
    outcome = result.outcome
    return Repetition(
        number=number,
        started=outcome.started,
        duration_s=result.duration_s,
        entries_before=result.entries_before,
        requests=outcome.requests,
        failures=outcome.failures,
        rps=outcome.rps,
        p50_us=outcome.p50_us,
        p95_us=outcome.p95_us,
        p99_us=outcome.p99_us,
        max_us=outcome.max_us,
        stopped_early=outcome.stopped_early,
    )


def runs_of(result: ScenarioResult) -> tuple[Repetition, ...]:
    """All runs that a result stands for: at least one."""
    return result.repeats or (repetition_of(result),)


def combined(earlier: ScenarioResult, latest: ScenarioResult) -> ScenarioResult:
    """The latest run with those before it: its own outcome and files, the elections of all, the verdict on the writes
    of all and what makes any run's figures worth less, so that nothing bad of any run is forgotten."""
    before = runs_of(earlier)
    return replace(
        latest,
        repeats=(*before, repetition_of(latest, len(before) + 1)),
        elections=(*earlier.elections, *latest.elections),
        verification=_added(earlier.verification, latest.verification),
        watch=latest.watch.with_more(earlier.watch) if latest.watch and earlier.watch else latest.watch,
        generator_bound=latest.generator_bound or earlier.generator_bound,
        outcome=replace(latest.outcome, invalid=latest.outcome.invalid or earlier.outcome.invalid),
    )


def _added(one: Verification | None, other: Verification | None) -> Verification | None:
    if one is None or other is None:
        return one or other
    sums: dict[str, int] = {name: getattr(one, name) + getattr(other, name) for name in _ADDED_UP}
    notes = dict.fromkeys(note for note in (one.note, other.note) if note)
    return Verification(
        **sums,
        seconds=one.seconds + other.seconds,
        lost_keys=(*one.lost_keys, *other.lost_keys)[:MOST_LOST_KEYS],
        note="; ".join(notes),
        without=tuple(dict.fromkeys((*one.without, *other.without))),
    )


def values_of(result: ScenarioResult, measure: str) -> list[float]:
    """One figure of each run that lasted its whole time; of all runs when none did. Runs without it are left out."""
    runs = [run for run in runs_of(result) if not run.stopped_early] or list(runs_of(result))
    return [value for run in runs if (value := getattr(run, measure)) is not None]


def spreads(result: ScenarioResult) -> dict[str, Spread]:
    """The spread of each figure over the runs; empty when the scenario ran once."""
    if len(result.repeats) < 2:
        return {}
    told = {measure: values_of(result, measure) for measure in MEASURES}
    return {measure: spread(values) for measure, values in told.items() if values}


def typical(result: ScenarioResult, measure: str) -> float | None:
    """The median over the runs of one figure; the figure itself of a single run; None when there is none."""
    values = values_of(result, measure)
    return spread(values).median if values else None


# -- against the kept run


def change_words(change: Change) -> str:
    """``req/s 3.1 % more, within the noise (± 5.0 %)``."""
    name = _WORDS[change.measure].removesuffix(" ms")
    more, less = ("more", "less") if change.measure == "rps" else ("longer", "shorter")
    size = f"{abs(change.change) * 100:.1f} % {more if change.change >= 0 else less}"
    if change.noise is None:
        return f"{name} {size}"
    word = "within" if abs(change.change) <= change.noise else "more than"
    return f"{name} {size}, {word} the noise (± {change.noise * 100:.1f} %)"


def comparison_line(result: ScenarioResult, *, short: bool = False) -> str:
    """How a result compares with the kept run, in words; empty when there is nothing to compare. In short: throughput
    alone, and only where the noise is known."""
    held = result.comparison
    if held is None:
        return ""
    if short:
        told = [change_words(change) for change in held.changes if change.noise is not None]
        return f"against the kept run: {told[0]}" if told else ""
    when = datetime.fromtimestamp(held.kept_at).strftime("%Y-%m-%d %H:%M")
    runs = f"{held.runs_before} run{'s' if held.runs_before != 1 else ''}"
    line = f"{result.name} against the kept run of {when} ({runs}, {held.entries_before:,} entries before): "
    line += "; ".join(change_words(change) for change in held.changes)
    if all(change.noise is None for change in held.changes):
        line += "; one run each can't tell such a difference from noise: --repeat 5 can"
    return line


# -- as text


def spread_rows(result: ScenarioResult) -> list[tuple[str, ...]]:
    """Heading and a row per figure for the table; empty when the scenario ran once."""
    told = spreads(result)
    if not told:
        return []
    runs = next(iter(told.values())).runs
    rows: list[tuple[str, ...]] = [
        (f"{result.name}, {runs} runs", "median", "min", "max", "mad", "mean", "95 % confidence", "±")
    ]
    for measure, item in told.items():
        by = 1 if measure == "rps" else 1000
        cells = [sensible(value / by) for value in (item.median, item.min, item.max, item.mad, item.mean)]
        if item.ci95_low is None or item.ci95_high is None:
            rows.append((f"  {_WORDS[measure]}", *cells, "-", "-"))
            continue
        within = f"{sensible(item.ci95_low / by)} … {sensible(item.ci95_high / by)}"
        half = (item.ci95_high - item.ci95_low) / 2
        rows.append((f"  {_WORDS[measure]}", *cells, within, f"{half / item.mean * 100:.1f} %" if item.mean else "-"))
    return rows


# -- as JSON


def repeats_document(result: ScenarioResult) -> dict[str, Any]:
    """``repeats`` (a list, the figures of each run) and ``repeated`` (the spread of each figure), both empty for a
    scenario that ran once; ``comparison`` with the kept run, or None.

    Latencies are in µs; ``stdev`` and ``ci95_…`` are None with one whole run. Runs that were stopped early stand in
    ``repeats`` but count for no spread.
    """
    held = result.comparison
    return {
        "warmup_s": rounded(result.warmup_s, 3),
        "repeats": [
            {
                item.name: iso(run.started, "microseconds") if item.name == "started" else _plain(run, item.name)
                for item in fields(Repetition)
            }
            for run in result.repeats
        ],
        "repeated": {
            measure: {item.name: _plain(told, item.name) for item in fields(Spread)}
            for measure, told in spreads(result).items()
        },
        "comparison": None
        if held is None
        else {
            "kept_at": iso(held.kept_at, "microseconds"),
            "runs_before": held.runs_before,
            "runs_after": held.runs_after,
            "entries_before": held.entries_before,
            "changes": [
                {
                    "measure": change.measure,
                    "before": rounded(change.before, 3),
                    "after": rounded(change.after, 3),
                    "change": rounded(change.change),
                    "noise": rounded(change.noise),
                    "within_noise": None if change.noise is None else abs(change.change) <= change.noise,
                }
                for change in held.changes
            ],
        },
    }


def _plain(item: object, name: str) -> Any:
    value = getattr(item, name)
    return rounded(value, 3) if isinstance(value, float) else value


def repeats_from(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `ScenarioResult` that `repeats_document` wrote; KeyError, ValueError or TypeError for anything
    else. A document without them is one of an earlier version."""
    held = document.get("comparison")
    return {
        "warmup_s": finite(document.get("warmup_s", 0.0)),
        "repeats": tuple(_repetition(item) for item in document.get("repeats", ())),
        "comparison": None if held is None else _comparison(held),
    }


def _repetition(item: Mapping[str, Any]) -> Repetition:
    def latency(name: str) -> int | None:
        return None if item[name] is None else count(item[name])

    return Repetition(
        number=count(item["number"]),
        started=from_iso(item["started"]),
        duration_s=finite(item["duration_s"]),
        entries_before=count(item["entries_before"]),
        requests=count(item["requests"]),
        failures=count(item["failures"]),
        rps=finite(item["rps"]),
        p50_us=latency("p50_us"),
        p95_us=latency("p95_us"),
        p99_us=latency("p99_us"),
        max_us=latency("max_us"),
        stopped_early=bool(item["stopped_early"]),
    )


def _comparison(item: Mapping[str, Any]) -> Comparison:
    changes: Sequence[Mapping[str, Any]] = item["changes"]
    return Comparison(
        kept_at=from_iso(item["kept_at"]),
        runs_before=count(item["runs_before"]),
        runs_after=count(item["runs_after"]),
        entries_before=count(item["entries_before"]),
        changes=tuple(
            Change(
                measure=_known(change["measure"]),
                before=finite(change["before"]),
                after=finite(change["after"]),
                change=finite(change["change"]),
                noise=None if change["noise"] is None else finite(change["noise"]),
            )
            for change in changes
        ),
    )


def _known(measure: Any) -> str:
    if measure not in MEASURES:
        raise ValueError("no such measure")
    return str(measure)
