"""Rows of cells in columns."""

from __future__ import annotations

from collections.abc import Sequence

from confman_tui.results.formatting import one_line

WIDTH = 100
"""Columns of the terminal that a table may take."""


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines: the first column to the left, the others to the right, two spaces between."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    free = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(8, min(widths[0], free))
    lines = []
    for row in rows:
        first = one_line(row[0], widths[0])
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)
