"""Where a curve bends and how steeply it rises, for two to many steps, with and without noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.results.statistics.curve import knee_of_decline, knee_of_growth, line_through

_USERS = st.lists(st.integers(1, 10_000), min_size=2, max_size=30, unique=True).map(sorted)


@pytest.mark.parametrize(
    ("users", "rates", "knee"),
    [
        ([1, 10, 50, 100], [1500, 3000, 3100, 3050], 10),
        ([1, 10, 50, 100], [150, 1500, 7400, 14_800], None),
        ([1, 2, 4, 8, 16, 32], [100, 198, 390, 760, 800, 790], 8),
        ([1, 2, 4, 8, 16, 32], [100, 198, 390, 500, 300, 200], 8),
        ([1, 10, 50], [900, 880, 870], 1),
        ([1, 10, 50], [900, 900, 900], 1),
        ([1, 10], [900, 900], None),
        ([1, 10], [900, 5000], None),
        ([10], [900], None),
        ([1, 10], [0, 0], None),
    ],
)
def test_knees_of_growth(users: list[float], rates: list[float], knee: int | None) -> None:
    found = knee_of_growth(users, rates)
    assert (None if found is None else users[found]) == knee


@given(_USERS, st.integers(0, 2**32), st.floats(0.1, 1e4))
def test_linear_growth_has_no_knee_whatever_noise_of_a_twentieth(users: list[int], seed: int, each: float) -> None:
    chance = random.Random(seed)
    assert knee_of_growth(users, [each * user * chance.uniform(0.95, 1.05) for user in users]) is None


@given(st.integers(2, 6), st.integers(0, 2**32), st.floats(1, 1e4))
def test_a_limit_is_found_where_it_is_reached(before: int, seed: int, each: float) -> None:
    """Users double at each step; after `before` steps the cluster gives no more."""
    chance = random.Random(seed)
    users = [2**step for step in range(before + 3)]
    limit = users[before]
    rates = [each * min(user, limit) * chance.uniform(0.98, 1.02) for user in users]
    assert knee_of_growth(users, rates) in (before, before + 1)


@given(_USERS, st.lists(st.floats(1, 1e6), min_size=30, max_size=30), st.floats(1e-3, 1e3))
def test_units_do_not_move_the_knee(users: list[int], rates: list[float], unit: float) -> None:
    some = rates[: len(users)]
    found = knee_of_growth(users, some)
    scaled = knee_of_growth([user * 8 for user in users], [rate * 4 for rate in some])
    assert found == scaled
    assert found is None or 0 <= found < len(users)


@pytest.mark.parametrize(
    ("sizes", "rates", "knee"),
    [
        ([10, 1024, 102_400, 1_048_576], [400, 390, 100, 12], 1024),
        ([10, 1024, 102_400, 1_048_576], [400, 405, 398, 402], None),
        ([10, 1024, 102_400, 1_048_576], [300, 305, 309, 137], 102_400),
        ([10, 1_048_576], [400, 10], None),
        ([10, 1_048_576], [400, 395], None),
        ([10], [400], None),
        ([10, 100], [0, 0], None),
    ],
)
def test_knees_of_decline(sizes: list[float], rates: list[float], knee: int | None) -> None:
    found = knee_of_decline(sizes, rates)
    assert (None if found is None else sizes[found]) == knee


@given(
    st.lists(st.integers(1, 100_000), min_size=2, max_size=20, unique=True),
    st.floats(-10, 10),
    st.floats(-100, 100),
)
def test_a_straight_line_is_found_again(xs: list[int], slope: float, start: float) -> None:
    thousands = [x / 1000 for x in xs]
    line = line_through(thousands, [start + slope * x for x in thousands])
    assert line is not None
    assert line.slope == pytest.approx(slope, rel=1e-6, abs=1e-5)
    assert line.start == pytest.approx(start, rel=1e-6, abs=1e-3)
    assert 0 <= line.fit <= 1


def test_lines_that_cannot_be_and_their_fit() -> None:
    assert line_through([1.0], [2.0]) is None
    assert line_through([1.0, 1.0], [2.0, 3.0]) is None
    level = line_through([0.0, 1.0], [2.0, 2.0])
    assert level is not None
    assert (level.slope, level.start, level.fit, level.within) == (0.0, 2.0, 1.0, None)
    noisy = line_through([0.0, 1.0, 2.0, 3.0], [0.0, 3.0, 1.0, 4.0])
    assert noisy is not None
    assert noisy.slope == pytest.approx(1.0)
    assert noisy.fit == pytest.approx(0.5)
    # t(2) = 4.303, SSE = 5, Sxx = 5
    assert noisy.within == pytest.approx(4.3027 * (5 / 2 / 5) ** 0.5, rel=1e-4)


def test_the_interval_of_a_slope_covers_the_true_one_19_times_in_20() -> None:
    chance = random.Random(8)
    xs = [0.1, 1.0, 5.0, 10.0]
    covered = 0
    for _ in range(1000):
        line = line_through(xs, [2 + 0.7 * x + chance.gauss(0, 0.3) for x in xs])
        assert line is not None
        assert line.within is not None
        covered += abs(line.slope - 0.7) <= line.within
    assert covered / 1000 == pytest.approx(0.95, abs=0.02)
