"""Which regions stand on a screen of a given size, and how many rows each gets. Arithmetic only, no Textual."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

LEAST_WIDTH, LEAST_HEIGHT = 60, 20
"""Below this only header, lanes and the running row stand."""

WIDE = 110
"""From this width on, graphs stand side by side, and so do table and log."""

CARD_WIDTH = 26
LINE_WIDTH = 52
CHIP_WIDTH = 19
ROOMY_WIDTH, ROOMY_HEIGHT = 160, 46
"""From this size on, the latency histogram and the last elections have panes of their own."""
ELECTIONS = 5
"""Rows of the last elections, their frame included."""
LEAST_GRAPH = 6
"""Rows that a graph needs inside its frame."""


class CardStyle(StrEnum):
    """How much a node's card shows."""

    FULL = "full"
    LINE = "line"
    CHIP = "chip"
    """Glyph, name, word: for many nodes on a small screen."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows per region, top to bottom; a region of 0 rows is not shown. Together they never exceed the screen."""

    header: int
    cards: int
    card_style: CardStyle
    card_columns: int
    card_lines: int
    """Rows of one card, its frame included."""
    timeline: int
    framed: bool
    """Whether timeline and graphs have a frame."""
    graphs: int
    graph_count: int
    """How many are seen at once: 0, 1 or 2."""
    graphs_beside: bool
    table: int
    """Rows of the scenario table with its frame; 0: the running row stands in."""
    running: int
    log: int
    """Rows of the event log with its frame."""
    log_beside: bool
    """Whether the log stands to the right of the table."""
    last_event: int
    keys: int
    elections: int = 0
    """Rows of the last elections with their frame."""
    histogram: bool = False
    """Whether the latency histogram stands beside the graphs."""

    @property
    def total(self) -> int:
        """All rows together."""
        beside = max(self.table, self.log) if self.log_beside else self.table + self.log
        return (
            self.header + self.cards + self.timeline + self.graphs + self.elections + beside
            + self.running + self.last_event + self.keys
        )  # fmt: skip


def plan(width: int, height: int, nodes: int, scenarios: int) -> Plan:
    """The plan for a screen of ``width`` × ``height`` cells, for this many nodes and scenarios."""
    nodes = max(1, nodes)
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return _tiny(height, nodes)
    style, columns, card_lines = _cards(width, height, nodes)
    cards = card_lines * ceil(nodes / columns)
    framed = height >= 24
    timeline = nodes + 2 + (2 if framed else 0)
    beside = width >= WIDE
    keys = 1 if height < 32 or beside else 2
    header = 2
    fixed = header + cards + timeline + keys
    least_graph = LEAST_GRAPH + (2 if framed else 0)
    table = scenarios + 4
    least_log = 0 if beside else 5
    if height - fixed - table - least_log >= least_graph + 1:
        left = height - fixed - table - least_log
        roomy = width >= ROOMY_WIDTH and height >= ROOMY_HEIGHT and left - ELECTIONS >= 2 * LEAST_GRAPH
        elections = ELECTIONS if roomy else 0
        left -= elections
        grown = max(0, left - 18) // 3
        graphs = left - grown
        log = table + grown if beside else least_log + grown
        count = 2 if beside or graphs >= 2 * (least_graph + 2) else 1
        return Plan(
            header, cards, style, columns, card_lines, timeline, framed, graphs, count, beside,
            table + grown if beside else table, 0, log, beside, 0, keys, elections, roomy,
        )  # fmt: skip
    running = 2
    left = height - fixed - running - 1
    if left >= least_graph:
        return Plan(
            header, cards, style, columns, card_lines, timeline, framed, left, 2 if beside else 1, beside,
            0, running, 0, False, 1, keys,
        )  # fmt: skip
    log = left + 1 if left >= 4 else 0
    last_event = 0 if log else 1
    return Plan(
        header, cards, style, columns, card_lines, timeline, framed, 0, 0, beside,
        0, running, log, False, last_event, keys,
    )  # fmt: skip


def _cards(width: int, height: int, nodes: int) -> tuple[CardStyle, int, int]:
    """Style, columns and rows of one card."""
    columns = _balanced(nodes, width // CARD_WIDTH)
    lines = 5 if height >= 48 else 4
    even = nodes > 3 or columns == nodes
    if columns and even and height >= 34 and ceil(nodes / columns) * lines <= max(lines, height // 5):
        return CardStyle.FULL, columns, lines
    columns = max(1, _balanced(nodes, width // LINE_WIDTH))
    if ceil(nodes / columns) <= max(3, height // 8):
        return CardStyle.LINE, columns, 1
    return CardStyle.CHIP, max(1, _balanced(nodes, width // CHIP_WIDTH)), 1


def _balanced(nodes: int, most: int) -> int:
    """Columns, at most ``most``, that fill their rows as evenly as can be; 0 when none fits."""
    if most < 1:
        return 0
    return ceil(nodes / ceil(nodes / min(most, nodes)))


def _tiny(height: int, nodes: int) -> Plan:
    header = 2 if height >= nodes + 5 else 1
    timeline = max(0, min(nodes + 2, height - header - 1))
    left = height - header - timeline
    running = min(2, left)
    keys = 1 if left - running >= 1 else 0
    return Plan(
        header, 0, CardStyle.NONE, 1, 0, timeline, False, 0, 0, False, 0, running, 0, False, 0,
        keys,
    )  # fmt: skip
