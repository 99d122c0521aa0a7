"""The one definition of a percentile, against a sort and exact fractions, for any number of values."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.core.percentiles import is_greatest, nearest_rank, nearest_ranks, percentile

percents = st.sampled_from([0.0, 50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0]) | st.integers(0, 10**6).map(
    lambda parts: parts / 10_000
)


@given(percents, st.integers(1, 10**12))
def test_a_rank_is_exact_for_any_number_of_values(percent: float, count: int) -> None:
    exact = Fraction(round(percent * 10_000), 10_000)
    assert nearest_rank(percent, count) == max(1, ceil(exact * count / 100))


def test_floating_point_misleads_nobody() -> None:
    assert nearest_rank(99.9, 1000) == 999
    assert nearest_rank(99.9, 10**8) == 99_900_000
    assert nearest_rank(95, 20) == 19


@given(st.lists(st.integers(0, 10**8) | st.integers(0, 5), min_size=1, max_size=300), percents)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[int], percent: float) -> None:
    found = percentile(values, percent)
    exact = Fraction(round(percent * 10_000), 10_000) / 100
    enough = [value for value in sorted(values) if sum(other <= value for other in values) >= exact * len(values)]
    assert found == enough[0]
    assert nearest_ranks(Counter(values), [percent]) == [found]


@given(st.integers(1, 60))
def test_fewer_than_twenty_values_have_no_95th_percentile_of_their_own(count: int) -> None:
    assert is_greatest(95, count) is (count < 20)
    assert (percentile(range(count), 95) == count - 1) is (count < 20)


def test_no_values_have_no_percentiles() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
    with pytest.raises(ValueError, match="no values"):
        nearest_ranks(Counter(), [50])
