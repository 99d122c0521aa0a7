"""The plan of every size: nothing exceeds the screen, nothing that must stand is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.tui.layout import LEAST_GRAPH, LEAST_HEIGHT, LEAST_WIDTH, CardStyle, plan


@given(st.integers(20, 300), st.integers(6, 120), st.integers(1, 9), st.integers(1, 12))
def test_no_plan_exceeds_the_screen(width: int, height: int, nodes: int, scenarios: int) -> None:
    made = plan(width, height, nodes, scenarios)
    assert made.total <= height
    assert made.header >= 1
    if height >= nodes + 4:
        assert made.timeline >= nodes + 2
        assert made.running or made.table
    if made.graph_count:
        frames = 2 if made.framed else 0
        rows = made.graphs if made.graphs_beside else made.graphs // made.graph_count
        assert rows - frames >= LEAST_GRAPH


@given(st.integers(LEAST_WIDTH, 300), st.integers(LEAST_HEIGHT, 120), st.integers(1, 3))
def test_from_the_least_size_on_all_that_matters_stands(width: int, height: int, nodes: int) -> None:
    made = plan(width, height, nodes, 6)
    assert made.cards >= 1
    assert made.graph_count >= 1
    assert made.keys >= 1
    assert made.log or made.last_event


@pytest.mark.parametrize("nodes", range(1, 10))
def test_every_node_has_a_card_and_a_lane_on_the_least_screen(nodes: int) -> None:
    made = plan(LEAST_WIDTH, LEAST_HEIGHT, nodes, 6)
    assert made.card_style in (CardStyle.LINE, CardStyle.CHIP)
    assert made.cards * made.card_columns >= nodes
    assert made.timeline == nodes + 2


def test_the_sketch_of_120_columns() -> None:
    made = plan(120, 40, 3, 6)
    assert (made.card_style, made.card_columns) == (CardStyle.FULL, 3)
    assert made.graph_count == 2
    assert made.graphs_beside
    assert made.log_beside
    assert made.total == 40


def test_the_sketch_of_80_columns() -> None:
    made = plan(80, 24, 3, 6)
    assert (made.card_style, made.cards) == (CardStyle.LINE, 3)
    assert (made.graph_count, made.table, made.running, made.last_event) == (1, 0, 2, 1)
    assert made.total == 24
