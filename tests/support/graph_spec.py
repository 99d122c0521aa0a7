"""A small graph to draw."""

from __future__ import annotations

from confman_tui.tui.charts.spec import GraphSpec, Layer


def spec(width: int = 60, height: int = 12) -> GraphSpec:
    """An area with three points, ticks on both axes."""
    graph = GraphSpec(width, height, 60.0, 0.0, 100.0)
    graph.x_ticks = [(30.0, "-30s")]
    graph.y_ticks = [(0.0, "   0"), (50.0, "  50")]
    graph.layers.append(Layer("area", "ok", [([0.0, 20.0, 40.0], [20.0, 80.0, 40.0])]))
    return graph
