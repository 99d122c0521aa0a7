"""The curve through a series of measurements: where it bends, and how steeply it rises. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import StatisticsError, linear_regression

from confman_tui.results.statistics.noise import t_quantile

LEAST_POINTS = 3
"""Two points lie on a straight line, which has no bend: a knee needs at least one between the first and the last."""
LEAST_BEND = 0.15
"""A curve that lies less than this share of its height away from the straight line has no knee, but noise."""


def knee_of_growth(users: Sequence[float], rates: Sequence[float]) -> int | None:
    """The index of the step from which on more users bring little: the knee; None when throughput grows on steadily.

    Kneedle (V. Satopää, J. Albrecht, D. Irwin, B. Raghavan: "Finding a 'Kneedle' in a Haystack: Detecting Knee Points
    in System Behavior", ICDCS Workshops 2011) in its offline form, with its sensitivity S = 1: users and throughput are
    scaled to 0 … 1; the knee is where the curve lies highest above the straight line of linear growth, if by at least
    S / (n - 1), n the number of points. Two things are our own: no users with no throughput is a point too, so that the
    first step can be the knee; and the curve must lie at least `LEAST_BEND` above the line, so that the noise of many
    steps is none. Only the highest knee counts, and fewer than `LEAST_POINTS` steps have none.

    ``users`` ascend and are above zero.
    """
    if len(users) < LEAST_POINTS or max(rates) <= 0:
        return None
    xs = [user / users[-1] for user in users]
    ys = [rate / max(rates) for rate in rates]
    return _highest([y - x for x, y in zip(xs, ys, strict=True)])


def knee_of_decline(sizes: Sequence[float], rates: Sequence[float]) -> int | None:
    """The index of the greatest size that costs little: beyond it throughput falls; None when it does not fall, or
    falls steadily from the first step on.

    The same rule as `knee_of_growth` for a curve that bends downwards: the sizes are scaled by their logarithm, and the
    knee is where throughput lies highest above the straight line down to nothing at the greatest size.

    ``sizes`` ascend and are above zero.
    """
    if len(sizes) < LEAST_POINTS or max(rates) <= 0:
        return None
    span = math.log(sizes[-1] / sizes[0])
    xs = [math.log(size / sizes[0]) / span for size in sizes]
    top = max(rates)
    above = [rate / top + x - 1 for x, rate in zip(xs, rates, strict=True)]
    found = _highest(above)
    # the curve is as high at its end: nothing fell
    return None if found == len(sizes) - 1 else found


def _highest(above: Sequence[float]) -> int | None:
    """Index of the highest point above the line, the first of several; None when it is not high enough."""
    best = max(range(len(above)), key=lambda index: (above[index], -index))
    enough = max(1 / len(above), LEAST_BEND)
    return best if above[best] >= enough * (1 - 1e-9) else None


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through measurements."""

    slope: float
    """How much y rises for each x."""
    start: float
    """y where x is 0."""
    fit: float
    """The coefficient of determination R²: the share of y's variance that the line explains, 0 to 1."""
    within: float | None
    """Half the 95 % confidence interval of the slope; None with two points, through which any line goes."""


def line_through(xs: Sequence[float], ys: Sequence[float]) -> Line | None:
    """The straight line of least squares; None with fewer than two different xs.

    The slope's interval is t(n - 2) * sqrt(SSE / (n - 2) / Sxx), as in any textbook of regression (Draper & Smith,
    Applied Regression Analysis, 1.4).
    """
    try:
        slope, start = linear_regression(xs, ys)
    except StatisticsError:
        return None
    mean = sum(ys) / len(ys)
    whole = sum((y - mean) ** 2 for y in ys)
    left = sum((y - start - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    within = None
    if len(xs) > 2:
        middle = sum(xs) / len(xs)
        spread = sum((x - middle) ** 2 for x in xs)
        within = t_quantile(len(xs) - 2) * math.sqrt(left / (len(xs) - 2) / spread)
    return Line(slope, start, 1.0 if whole == 0 else max(0.0, 1 - left / whole), within)
