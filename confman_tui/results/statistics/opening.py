"""A run's first seconds (connection set-up, the server's warm-up) against the rest."""

from __future__ import annotations

from confman_tui.results.model import ScenarioResult


def opening_matters(result: ScenarioResult) -> bool:
    """Whether the first seconds differ from the rest: throughput by a tenth, the median latency by a fifth, or a p99
    of twice the rest's."""
    first = result.outcome.opening
    if first is None:
        return False

    def beyond(one: int | None, other: int | None, ratio: float) -> bool:
        return one is not None and other is not None and other > 0 and one > ratio * other

    slower = first.rest_rps > 0 and abs(first.rps / first.rest_rps - 1) > 0.1
    return slower or beyond(first.p50_us, first.rest_p50_us, 1.2) or beyond(first.p99_us, first.rest_p99_us, 2.0)
