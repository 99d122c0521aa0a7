"""How fast the nodes answered the watch, for the time in which no request was made: pure, no screen, no plotext."""

from __future__ import annotations

from confman_tui.tui.charts.axis import TimeAxis
from confman_tui.tui.charts.graphs import LEFT, LegendItem, has_half_blocks, spread_labels, time_ticks
from confman_tui.tui.charts.spec import GraphSpec, Layer
from confman_tui.tui.charts.ticks import LogScale, headroom, log_ticks, milliseconds_label
from confman_tui.tui.history.history import History
from confman_tui.tui.node_names import name_of

_LABELS_FROM = 46
_MOST_NODES = 5
"""More lines than that can't be followed."""


class HealthPlot:
    """A line per node: each second's slowest answer to ``/health/ready``, in milliseconds on a logarithmic axis."""

    TITLE = "nodes' health answers · ms, log, slowest a second"

    def __init__(self) -> None:
        self.legend: tuple[LegendItem, ...] = ()
        self._scale = LogScale()

    def spec(
        self, axis: TimeAxis, history: History, names: dict[str, str], width: int, height: int
    ) -> GraphSpec | None:
        """The graph to draw; None when no node answered in this stretch."""
        found = {
            node: [
                (at + 0.5 - axis.start, seconds * 1000)
                for at, seconds in history.health_seconds(node, axis.start, axis.end)
            ]
            for node in history.nodes[:_MOST_NODES]
        }
        found = {node: points for node, points in found.items() if points}
        if not found:
            self.legend = ()
            return None
        shown = {node: name_of(node, names) for node in found}
        right = max(map(len, shown.values())) + 1 if width >= _LABELS_FROM else 0
        columns, rows = max(width - LEFT - right, 4), max(height - 2, 1)
        spec = GraphSpec(width, height, axis.span, 0.0, 1.0, log=True, solid=has_half_blocks())
        spec.x_ticks = time_ticks(axis, columns)
        values = [value for points in found.values() for _, value in points]
        low, high = self._scale.fit(max(min(values), 0.01), max(values), axis.now)
        spec.y_ticks = [
            (value, milliseconds_label(value).rjust(LEFT - 1)) for value in log_ticks(low, high, max(rows // 2, 2))
        ]
        spec.y_low, spec.y_high = low, low * (high / low) ** headroom(rows)
        leader = history.leader_of(history.last_term) if history.last_term is not None else None
        lasts: list[tuple[float, str]] = []
        roles = {node: "good" if node == leader else ("text", "dim")[at % 2] for at, node in enumerate(found)}
        for node, points in found.items():
            spec.layers.append(Layer("line", roles[node], _stretches(points)))
            lasts.append((points[-1][1], node))
        if right:
            lasts.sort(reverse=True)
            labels = spread_labels(lasts, spec.y_low, spec.y_high, rows)
            spec.right = [(y, f" {shown[node]}", roles[node]) for y, _, node in labels]
        self.legend = tuple(("★" if node == leader else "○", shown[node], roles[node]) for node in found)
        return spec


def _stretches(points: list[tuple[float, float]]) -> list[tuple[list[float], list[float]]]:
    """(xs, ys) of each stretch of seconds without a gap."""
    runs: list[tuple[list[float], list[float]]] = []
    last: float | None = None
    for x, y in points:
        if last is None or x - last > 1.6:
            runs.append(([], []))
        runs[-1][0].append(round(x, 3))
        runs[-1][1].append(round(y, 3))
        last = x
    return runs
