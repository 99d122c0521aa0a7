"""The cluster's timeline as rows of cells: a lane per node, one for writes, a line of terms. Pure, no screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.states import ALARMING_STATES, NodeState
from confman_tui.cluster.watch_mode import PROBE_IDLE_S
from confman_tui.tui.charts.axis import TimeAxis
from confman_tui.tui.charts.palette import FAULT_GLYPH, LANE_GLYPHS, MENDED_GLYPH, term_role
from confman_tui.tui.charts.strips import Row, row_of
from confman_tui.tui.charts.ticks import LinearScale
from confman_tui.tui.history.history import History

_BLOCKS = " ▁▂▃▄▅▆▇█"
_MENDING = frozenset({FaultKind.RESUME, FaultKind.HEAL, FaultKind.RESTART})
UNPROBED_GLYPH = "·"
UNPROBED_TEXT = "\u00a0not\u00a0probed\u00a0"

Number = Callable[[str], int]
"""Gives the number of a role."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells' places in time. They lie at whole multiples of a cell's length since the epoch, so that a cell's
    content is the same wherever on the screen it moves."""

    start: float
    cell_s: float
    """Seconds per cell."""
    cells: int

    @classmethod
    def of(cls, axis: TimeAxis, cells: int) -> Grid:
        """The grid that shows this axis with this many cells."""
        cell = axis.span / cells
        last = math.ceil(axis.end / cell - 1e-6)
        return cls((last - cells) * cell, cell, cells)

    @property
    def end(self) -> float:
        """The right edge of the last cell."""
        return self.start + self.cells * self.cell_s

    def cell(self, at: float) -> int:
        """The cell that holds this moment; may lie outside."""
        return math.floor((at - self.start) / self.cell_s + 1e-6)

    def middle(self, cell: int) -> float:
        """The moment in the middle of a cell."""
        return self.start + (cell + 0.5) * self.cell_s


@dataclass(slots=True)
class Lanes:
    """Draws the timeline; keeps the height of the writes' scale from one picture to the next."""

    scale: LinearScale = field(default_factory=LinearScale)
    _view: object = None

    def rows(
        self,
        axis: TimeAxis,
        history: History,
        names: Mapping[str, str],
        width: int,
        number: Number,
        cursor: int | None = None,
    ) -> list[Row]:
        """The rows, ``width`` cells each: the nodes' in their order, writes, terms. ``cursor``: a cell to stand out."""
        labels = label_width(names, width)
        grid = Grid.of(axis, max(width - labels, 1))
        lines = [(fit_label(names.get(node, node), labels), *_node_lane(grid, history, node)) for node in history.nodes]
        lines.append((fit_label("writes", labels), *self._writes_lane(grid, axis, history)))
        lines.append((fit_label("term", labels), *_term_line(grid, history, names)))
        return [_row(label, cells, roles, number, cursor) for label, cells, roles in lines]

    def _writes_lane(self, grid: Grid, axis: TimeAxis, history: History) -> tuple[list[str], list[str]]:
        counts = history.acks(grid.start, grid.cell_s, grid.cells)
        current = grid.cell(axis.now)
        if 0 <= current < grid.cells:
            # The cell that time is in: shown as if it went on like this, once there is enough of it.
            part = (axis.now - grid.start) / grid.cell_s - current
            counts[current] = counts[current] / part if part > 0.4 else 0.0
        rate = max(counts, default=0.0) / grid.cell_s
        if axis.view != self._view:
            self._view = axis.view
            self.scale.forget()
        top = self.scale.fit(rate, 10, axis.now) * grid.cell_s
        cells = [_BLOCKS[min(math.ceil(count / top * 8 - 1e-9), 8)] if count > 0 else " " for count in counts]
        roles = ["good"] * grid.cells
        _mark_unprobed(cells, roles, grid, history.first, axis.now)
        windows = history.windows(grid.start, grid.end, axis.now)
        for begin, end, _ in windows:
            _shade(cells, roles, *_window_cells(grid, begin, end))
        for begin, end, seconds in windows:
            text, at = _window_text(grid, begin, end, seconds)
            # Reversed, so that the window stays a block; with blanks that are part of it and no gaps.
            for offset, character in enumerate(text.replace(" ", "\u00a0")):
                cells[at + offset], roles[at + offset] = character, "band bold reverse"
        return cells, roles


def label_width(names: Mapping[str, str], width: int) -> int:
    """Cells of the label column, the blank after it included."""
    longest = max((len(name) for name in names.values()), default=0)
    return min(max(longest, len("writes")), max(width // 5, 6)) + 1


def fit_label(text: str, width: int) -> str:
    """A label in its column; of a long one the end counts, where the port is."""
    shown = "".join(character if character.isprintable() and ord(character) < 0x300 else "?" for character in text)
    room = width - 1
    if len(shown) > room:
        shown = "…" + shown[len(shown) - room + 1 :]
    return shown.ljust(width)


def _row(label: str, cells: list[str], roles: list[str], number: Number, cursor: int | None) -> Row:
    solid = None
    if cursor is not None and 0 <= cursor < len(cells):
        if cells[cursor] == " ":
            cells[cursor] = "│"
        roles[cursor] += " reverse"
        solid = number(roles[cursor])
    return row_of([*label, *cells], [number("text")] * len(label) + [number(role) for role in roles], solid)


def _node_lane(grid: Grid, history: History, node: str) -> tuple[list[str], list[str]]:
    cells, roles = [" "] * grid.cells, ["dim"] * grid.cells
    weights = [0.0] * grid.cells
    for begin, end, (state, term) in history.states(node, grid.start, grid.end):
        first, last = (begin - grid.start) / grid.cell_s, (end - grid.start) / grid.cell_s
        # A short outage must not vanish in a cell that was well for most of its time.
        favour = 4.0 if state in ALARMING_STATES else 1.5 if state in (NodeState.LEADER, NodeState.NOT_READY) else 1.0
        for cell in range(max(math.floor(first), 0), min(math.ceil(last), grid.cells)):
            weight = (min(last, cell + 1) - max(first, cell)) * favour
            if weight > weights[cell]:
                weights[cell] = weight
                cells[cell], roles[cell] = LANE_GLYPHS[state], _state_role(state, term)
    for fault in history.faults(grid.start, grid.end):
        if fault.node == node and 0 <= (cell := grid.cell(fault.at)) < grid.cells:
            mended = fault.kind in _MENDING
            cells[cell], roles[cell] = (MENDED_GLYPH, "good bold") if mended else (FAULT_GLYPH, "warn bold")
    return cells, roles


def _state_role(state: NodeState, term: int | None) -> str:
    if state in ALARMING_STATES:
        return "alarm"
    if state in (NodeState.NOT_READY, NodeState.UNKNOWN):
        return "dim"
    return f"{term_role(term)} bold" if state in (NodeState.LEADER, NodeState.ELECTED) else term_role(term)


def _window_cells(grid: Grid, begin: float, end: float) -> tuple[int, int]:
    """(first, after the last) cell of a window: those it covers by half, and at least one."""
    first = math.floor((begin - grid.start) / grid.cell_s + 0.5)
    after = max(math.floor((end - grid.start) / grid.cell_s + 0.5), first + 1)
    return max(first, 0), min(after, grid.cells)


def _shade(cells: list[str], roles: list[str], first: int, after: int) -> None:
    for cell in range(first, after):
        cells[cell], roles[cell] = "▒", "band"


def _mark_unprobed(cells: list[str], roles: list[str], grid: Grid, first: float | None, now: float) -> None:
    """Where nobody tried to write, nothing is known of writes: that must not look like an outage, nor like success.

    An idle cluster is probed once a second, so that an acknowledgement speaks for the cells up to the next one.
    """
    if first is None:
        return
    spoken = math.ceil(PROBE_IDLE_S * 1.5 / grid.cell_s)
    begin, end = max(grid.cell(first), 0), min(grid.cell(now), grid.cells)
    last: int | None = None
    silent: list[int] = []
    for cell in range(begin, end):
        if cells[cell] != " ":
            last = cell
        elif last is not None and cell - last < spoken:
            cells[cell] = _BLOCKS[1]
        else:
            cells[cell], roles[cell] = UNPROBED_GLYPH, "dim"
            silent.append(cell)
    for stretch in _stretches(silent):
        at = stretch[0] + (len(stretch) - len(UNPROBED_TEXT)) // 2
        if len(stretch) >= len(UNPROBED_TEXT) + 2:
            cells[at : at + len(UNPROBED_TEXT)] = UNPROBED_TEXT


def _stretches(numbers: list[int]) -> list[list[int]]:
    """Runs of consecutive numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _window_text(grid: Grid, begin: float, end: float, seconds: float) -> tuple[str, int]:
    """A window's length in words, as long as there is room for in it, and where it starts; empty when there is no room:
    a label must not hide writes that were served."""
    first, after = _window_cells(grid, begin, end)
    length = f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    for text in (f" no write for {length} ", f" no write {length} ", length, f"{seconds:.1f}s"):
        if len(text) <= after - first:
            return text, first + (after - first - len(text)) // 2
    return "", 0


def _term_line(grid: Grid, history: History, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    cells, roles = [" "] * grid.cells, ["dim"] * grid.cells
    spans = history.terms(grid.start, min(grid.end, history.known_until or grid.end))
    for index, (begin, _, term) in enumerate(spans):
        at = max(grid.cell(begin), 0)
        following = grid.cell(spans[index + 1][0]) if index + 1 < len(spans) else grid.cells
        leader = history.leader_of(term)
        texts = [f"{term}"]
        if leader is not None:
            texts.insert(0, f"{term} ★ {fit_label(names.get(leader, leader), 25).rstrip()}")
        for text in texts:
            # A blank before the next term, but none is needed at the right edge.
            if at + len(text) < following + (index + 1 == len(spans)):
                for offset, character in enumerate(text):
                    cells[at + offset], roles[at + offset] = character, f"{term_role(term)} bold"
                break
    return cells, roles
