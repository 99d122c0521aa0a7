"""What a series shows: which steps count, the knee of its throughput, the slope of its latencies."""

from __future__ import annotations

from confman_tui.results.model import Series, SeriesKind, SeriesPoint
from confman_tui.results.statistics.curve import Line, knee_of_decline, knee_of_growth, line_through
from confman_tui.results.statistics.repeats import typical


def whole_points(series: Series) -> tuple[SeriesPoint, ...]:
    """The steps whose runs lasted their time and had a success: those that curves are drawn through."""
    return tuple(
        point
        for point in series.points
        if len(point.results) == len(series.scenarios)
        and all(not result.outcome.stopped_early and result.outcome.rps > 0 for result in point.results)
    )


def knee_of(series: Series) -> SeriesPoint | None:
    """The step at the knee of throughput: of users, from which on more of them bring little
    (`curve.knee_of_growth`); of payloads, up to which size costs little (`curve.knee_of_decline`). None without one,
    and for entries, whose cost is given as a slope."""
    points = whole_points(series)
    if series.kind is SeriesKind.ENTRIES or not points:
        return None
    values = [float(point.value) for point in points]
    rates = [typical_rps(point) for point in points]
    rule = knee_of_growth if series.kind is SeriesKind.USERS else knee_of_decline
    found = rule(values, rates)
    return None if found is None else points[found]


def typical_rps(point: SeriesPoint) -> float:
    """The median throughput of a step's first scenario."""
    return typical(point.results[0], "rps") or 0.0


def slope_of(series: Series, scenario: str, measure: str = "p50_us") -> Line | None:
    """The straight line of least squares through a latency in ms against the entries there were, in thousands: its
    slope is ms per 1,000 entries. None with fewer than two sizes."""
    pairs = [
        (result.entries_before / 1000, value / 1000)
        for point in whole_points(series)
        for result in point.results
        if result.name == scenario and (value := typical(result, measure)) is not None
    ]
    return line_through([x for x, _ in pairs], [y for _, y in pairs]) if len(pairs) > 1 else None
