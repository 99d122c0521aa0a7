"""Spread, confidence and noise: against published tables and by what must hold of any sample."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.results.statistics.noise import difference, spread, t_probability, t_quantile

_VALUES = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228), (29, 2.045), (120, 1.980)],
)
def test_t_as_in_the_published_table(freedom: int, table: float) -> None:
    assert t_quantile(freedom) == pytest.approx(table, abs=0.0005)


def test_other_confidences_and_the_normal_limit() -> None:
    assert t_quantile(4, 0.99) == pytest.approx(4.604, abs=0.0005)
    assert t_quantile(10, 0.90) == pytest.approx(1.812, abs=0.0005)
    assert t_quantile(20_000) == pytest.approx(1.960, abs=0.001)


@pytest.mark.parametrize(("freedom", "confidence"), [(0, 0.95), (-1, 0.95), (3, 0.0), (3, 1.0)])
def test_what_has_no_quantile(freedom: int, confidence: float) -> None:
    with pytest.raises(ValueError):
        t_quantile(freedom, confidence)


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(0.01, 30))
def test_the_probability_is_the_integral_of_the_density(freedom: int, t: float) -> None:
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    steps = 2000
    width = t / steps
    # Simpson's rule over half of it
    total = 0.0
    for i in range(steps + 1):
        weight = 1 if i in (0, steps) else 4 if i % 2 else 2
        total += weight * (1 + (i * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
    assert t_probability(t, freedom) == pytest.approx(2 * scale * total * width / 3, abs=1e-6)


@given(_VALUES)
def test_a_spread_holds_its_sample(values: list[float]) -> None:
    found = spread(values)
    assert (found.runs, found.min, found.max) == (len(values), min(values), max(values))
    assert found.min <= found.median <= found.max
    assert found.mad <= found.max - found.min
    if len(values) == 1:
        assert (found.stdev, found.ci95_low, found.ci95_high) == (None, None, None)
    else:
        assert found.ci95_low is not None
        assert found.ci95_high is not None
        assert found.ci95_low <= found.mean * (1 + 1e-9)
        assert found.ci95_high >= found.mean * (1 - 1e-9)


def test_a_spread_by_hand() -> None:
    found = spread([98.0, 100.0, 102.0, 110.0, 90.0])
    assert (found.median, found.mean, found.mad) == (100.0, 100.0, 2.0)
    assert found.stdev == pytest.approx(math.sqrt(52))
    assert found.ci95_high == pytest.approx(100 + 2.7764 * math.sqrt(52 / 5), abs=0.001)
    with pytest.raises(ValueError):
        spread([])


def test_the_interval_covers_the_true_mean_19_times_in_20() -> None:
    chance = random.Random(6)
    trials = 2000
    covered = 0
    for _ in range(trials):
        found = spread([chance.gauss(200, 10) for _ in range(5)])
        assert found.ci95_low is not None
        assert found.ci95_high is not None
        covered += found.ci95_low <= 200 <= found.ci95_high
    assert covered / trials == pytest.approx(0.95, abs=0.015)


def test_equal_systems_differ_beyond_the_noise_once_in_20_and_others_always() -> None:
    chance = random.Random(7)

    def runs(mean: float) -> list[float]:
        return [chance.gauss(mean, 4) for _ in range(5)]

    alike = [difference(runs(200), runs(200)) for _ in range(1000)]
    apart = [difference(runs(200), runs(240)) for _ in range(200)]
    assert sum(not found.within_noise for found in alike if found) / len(alike) == pytest.approx(0.05, abs=0.02)
    assert not any(found.within_noise for found in apart if found)


def test_a_welch_test_by_hand() -> None:
    found = difference([100.0, 102.0, 98.0], [110.0, 113.0, 107.0, 114.0])
    assert found is not None
    assert found.change == pytest.approx(0.11)
    error = math.sqrt(4 / 3 + 10 / 4)
    # 4.98 degrees of freedom by Welch and Satterthwaite, rounded down
    assert found.noise == pytest.approx(t_quantile(4) * error / 100)
    assert not found.within_noise


def test_a_single_run_is_judged_by_the_spread_of_the_others() -> None:
    found = difference([100.0, 104.0, 96.0], [103.0])
    assert found is not None
    assert found.noise == pytest.approx(4.3027 * 4 * math.sqrt(4 / 3) / 100, rel=1e-4)
    assert found.within_noise
    alone = difference([100.0], [103.0])
    assert alone is not None
    assert alone.noise is None
    assert not alone.within_noise


@given(_VALUES, _VALUES)
def test_any_two_sets_of_runs_can_be_compared(before: list[float], after: list[float]) -> None:
    found = difference(before, after)
    assert found is not None
    assert found.change == pytest.approx(fmean(after) / fmean(before) - 1, abs=1e-6)
    assert (found.noise is None) == (len(before) == len(after) == 1)
    assert found.noise is None or found.noise >= 0


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([1.0], []), ([0.0], [1.0])])
def test_nothing_to_compare(before: list[float], after: list[float]) -> None:
    assert difference(before, after) is None
