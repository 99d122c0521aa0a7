"""Results to which late phantoms are added: refused writes that appeared after their run was verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from confman_tui.cluster.elections import BrokenKey, Verification
from confman_tui.core.errors import EXIT_LOST, ExitReason
from confman_tui.results.model import DrillEnded, ScenarioResult, Series, SeriesKind
from confman_tui.results.statistics.repeats import MOST_BROKEN_KEYS


def step_stem(kind: SeriesKind, scenario: str, value: int) -> str:
    """What the files of one step of a series are named by, beside the tier."""
    return f"sweep-{scenario}-{value}" if kind is SeriesKind.ENTRIES else f"{scenario}-{kind}-{value}"


def late_words(run: str, keys: Sequence[BrokenKey]) -> str:
    """What appeared late, in a sentence."""
    count = len(keys)
    some = "1 refused write is" if count == 1 else f"{count:,} refused writes are"
    more = f" and {count - 1:,} more" if count > 1 else ""
    return f"{run}: {some} there after all, late: {keys[0].key}{more}"


def late_reason(run: str, keys: Sequence[BrokenKey]) -> ExitReason:
    """The exit code that late phantoms call for, and why."""
    return ExitReason(EXIT_LOST, late_words(run, keys))


def verdict_with_late(verdict: Verification | None, keys: Sequence[BrokenKey]) -> Verification:
    """A run's verdict with late phantoms of it."""
    verdict = verdict or Verification()
    return replace(
        verdict,
        phantom=verdict.phantom + len(keys),
        late=verdict.late + len(keys),
        broken=(*verdict.broken, *keys)[:MOST_BROKEN_KEYS],
    )


def result_with_late(result: ScenarioResult, keys: Sequence[BrokenKey]) -> ScenarioResult:
    """A run's result with late phantoms of it."""
    return replace(result, verification=verdict_with_late(result.verification, keys))


def series_with_late(series: Series, stem: str, keys: Sequence[BrokenKey]) -> Series:
    """A series in which the step whose files have that stem has late phantoms."""
    points = [
        replace(
            point,
            results=tuple(
                result_with_late(result, keys)
                if step_stem(series.kind, result.of_scenario, point.value) == stem
                else result
                for result in point.results
            ),
        )
        for point in series.points
    ]
    return replace(series, points=tuple(points))


def drill_with_late(ended: DrillEnded, keys: Sequence[BrokenKey]) -> DrillEnded:
    """A drill whose load has late phantoms."""
    reason = late_reason("drill", keys)
    return replace(
        ended,
        verification=verdict_with_late(ended.verification, keys),
        verdict=f"{ended.verdict.rstrip('.')}; {reason.text.removeprefix('drill: ')}",
        reasons=(*ended.reasons, reason),
    )
