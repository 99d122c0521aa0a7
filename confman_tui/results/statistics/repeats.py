"""Repeated runs of one scenario: their figures, how far they spread, and what they are together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import get_args

from confman_tui.cluster.elections import Verification
from confman_tui.results.model import Measure, Repetition, ScenarioResult, Spread
from confman_tui.results.statistics.noise import spread

MEASURES: tuple[Measure, ...] = get_args(Measure)
MOST_BROKEN_KEYS = 1000
VERDICT_COUNTS = ("acknowledged", "refused", "unknown", "lost", "stale", "recovered", "phantom", "checked")
_MORE_COUNTS = ("diverged", "not_caught_up", "unproven", "late", "unread", "by_probe")
"""Those that documents of early versions may lack."""


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
        verification=added_verdicts((earlier.verification, latest.verification)),
        watch=latest.watch.with_more(earlier.watch) if latest.watch and earlier.watch else latest.watch,
        generator_bound=latest.generator_bound or earlier.generator_bound,
        outcome=replace(latest.outcome, invalid=latest.outcome.invalid or earlier.outcome.invalid),
    )


def added_verdicts(verdicts: Iterable[Verification | None]) -> Verification | None:
    """The verdict on all writes together, with the first 1,000 keys of broken promises, and the nodes of the run that
    read the fewest; None when nothing was verified."""
    given = [verdict for verdict in verdicts if verdict is not None]
    if not given:
        return None
    # a run in which nothing was read back has no nodes to tell of
    read = [verdict for verdict in given if verdict.checked] or given
    fewest = min(read, key=lambda verdict: verdict.nodes_read - verdict.nodes)
    return Verification(
        nodes_read=fewest.nodes_read,
        nodes=fewest.nodes,
        asked=any(verdict.asked for verdict in given),
        **{name: sum(getattr(verdict, name) for verdict in given) for name in (*VERDICT_COUNTS, *_MORE_COUNTS)},
        seconds=sum(verdict.seconds for verdict in given),
        broken=tuple(chain.from_iterable(verdict.broken for verdict in given))[:MOST_BROKEN_KEYS],
        note="; ".join(dict.fromkeys(verdict.note for verdict in given if verdict.note)),
        without=tuple(dict.fromkeys(chain.from_iterable(verdict.without for verdict in given))),
    )


def values_of(result: ScenarioResult, measure: str) -> list[float]:
    """One figure of each run that lasted its whole time; of all runs when none did. Runs without it are left out."""
    runs = [run for run in runs_of(result) if not run.stopped_early] or list(runs_of(result))
    return [value for run in runs if (value := getattr(run, measure)) is not None]


def spreads(result: ScenarioResult) -> dict[str, Spread]:
    """The spread of each figure over the runs; empty when the scenario ran once."""
    if len(result.repeats) < 2:
        return {}
    values = {measure: values_of(result, measure) for measure in MEASURES}
    return {measure: spread(of_runs) for measure, of_runs in values.items() if of_runs}


def typical(result: ScenarioResult, measure: str) -> float | None:
    """The median over the runs of one figure; the figure itself of a single run; None when there is none."""
    values = values_of(result, measure)
    return spread(values).median if values else None
