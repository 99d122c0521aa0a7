"""How far figures of repeated runs spread, and whether two of them differ by more than that: pure arithmetic.

Each run gives one figure (its throughput, its p99); the runs are the sample, never the requests within a run, because
requests of one run share the state of the cluster and of the machine and so are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median, stdev, variance

from confman_tui.results.model import Spread

CONFIDENCE = 0.95


def t_probability(t: float, freedom: int) -> float:
    """The probability that a Student's t with ``freedom`` degrees of freedom lies within ±t.

    Exact, as the finite sums of Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.3 (odd degrees)
    and 26.7.4 (even ones).
    """
    theta = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(theta), math.sin(theta)
    if freedom % 2:
        term, total = cosine, 0.0
        for k in range(1, (freedom - 1) // 2 + 1):
            total += term
            term *= cosine * cosine * (2 * k) / (2 * k + 1)
        return 2 / math.pi * (theta + sine * total)
    term, total = 1.0, 0.0
    for k in range(1, freedom // 2 + 1):
        total += term
        term *= cosine * cosine * (2 * k - 1) / (2 * k)
    return sine * total


@lru_cache(maxsize=256)
def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t within whose ± a Student's t with ``freedom`` degrees of freedom lies with that probability.

    Found by halving, to 1e-9. ValueError when there is no degree of freedom, or the probability is not within 0 to 1.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError("at least one degree of freedom, and a probability between 0 and 1")
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < confidence:
        high *= 2
    while high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        if t_probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def spread(values: Sequence[float]) -> Spread:
    """Median, range, mean, standard deviation (of the sample, n - 1), median absolute deviation, and the 95 %
    confidence interval of the mean: mean ± t(n - 1) * stdev / sqrt(n).

    The interval says where the mean of any number of such runs lies, if runs differ about normally. With one value
    there is no deviation and no interval (None). ValueError without any value.
    """
    if not values:
        raise ValueError("no values")
    mean, middle = fmean(values), median(values)
    deviation = low = high = None
    if len(values) > 1:
        deviation = stdev(values)
        half = t_quantile(len(values) - 1) * deviation / math.sqrt(len(values))
        low, high = mean - half, mean + half
    return Spread(
        runs=len(values),
        median=middle,
        min=min(values),
        max=max(values),
        mean=mean,
        stdev=deviation,
        mad=median(abs(value - middle) for value in values),
        ci95_low=low,
        ci95_high=high,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the mean of some runs lies from the mean of earlier ones."""

    change: float
    """As a share of the earlier mean: 0.03 is 3 % more."""
    noise: float | None
    """The largest change that the runs' own spread explains, as such a share; None with one run on each side."""

    @property
    def within_noise(self) -> bool:
        """Whether the change is no larger than the noise; False when the noise is not known."""
        return self.noise is not None and abs(self.change) <= self.noise


def difference(before: Sequence[float], after: Sequence[float]) -> Difference | None:
    """Compare the means of two sets of runs; None when one is empty or the earlier mean is not above zero.

    Welch's t-test at 95 % (B. L. Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34, 1947): the noise is t(f) * sqrt(va/na + vb/nb), with the degrees of freedom
    f of Welch and Satterthwaite, rounded down. A single run on one side is taken to spread as the runs on the other do:
    its noise is t(n - 1) * s * sqrt(1 + 1/n).
    """
    if not before or not after or fmean(before) <= 0:
        return None
    old, new = fmean(before), fmean(after)
    change = (new - old) / old
    sides = [(variance(values) / len(values), len(values)) for values in (before, after) if len(values) > 1]
    if not sides:
        return Difference(change, None)
    if len(sides) == 1:
        share, count = sides[0]
        # v/n of the one side, and v of the single run on the other
        return Difference(change, t_quantile(count - 1) * math.sqrt(share + share * count) / old)
    error = sum(share for share, _ in sides)
    below = sum(share * share / (count - 1) for share, count in sides)
    # the ratio lies between the lesser and the sum of the two degrees of freedom, whatever rounding makes of it
    fewest, most = min(count for _, count in sides) - 1, sum(count - 1 for _, count in sides)
    freedom = most if below == 0 else min(max(int(error * error / below + 1e-9), fewest), most)
    return Difference(change, t_quantile(freedom) * math.sqrt(error) / old)
