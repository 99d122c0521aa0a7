"""Rows of text and style numbers into Textual's strips, and what changed between two pictures.

Textual writes whole regions anew; naming only the changed spans keeps the terminal's traffic small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

Row = Sequence[str | int]
"""Text and style number in turn; each character is one cell wide."""

_GAP = 6
"""Unchanged cells that are written anyway, because moving over them costs as many bytes."""


def to_strip(row: Row, styles: Sequence[Style], width: int) -> Strip:
    """One row as a strip, with each number's style."""
    segments = [Segment(str(row[i]), styles[int(row[i + 1])]) for i in range(0, len(row), 2)]
    return Strip(segments, width)


def row_of(cells: Sequence[str], styles: Sequence[int], solid: int | None = None) -> list[str | int]:
    """Cells and the style number of each as a row; blanks join the run before them, unless that is in the ``solid``
    style, in which a blank is not blank."""
    row: list[str | int] = []
    begin = 0
    current: int | None = None
    for index, (cell, style) in enumerate(zip(cells, styles, strict=True)):
        if style == current or (cell == " " and current not in (None, solid)):
            continue
        if current is not None:
            row += ["".join(cells[begin:index]), current]
        begin, current = index, style
    if current is not None:
        row += ["".join(cells[begin:]), current]
    return row


def changed_spans(old: Row, new: Row) -> Iterator[tuple[int, int]]:
    """(from, to) of the cells that look different, near ones joined."""
    if old == new:
        return
    before, after = list(_cells(old)), list(_cells(new))
    if len(before) != len(after):
        yield 0, max(len(before), len(after))
        return
    begin: int | None = None
    last = 0
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        if one == other:
            continue
        if begin is not None and index - last > _GAP:
            yield begin, last + 1
            begin = None
        if begin is None:
            begin = index
        last = index
    if begin is not None:
        yield begin, last + 1


def _cells(row: Row) -> Iterator[tuple[str, int]]:
    for i in range(0, len(row), 2):
        style = int(row[i + 1])
        for character in str(row[i]):
            # A blank looks the same in every style.
            yield (character, style) if character != " " else (" ", -1)


class Picture:
    """The last rows of a widget and their strips; gives away what has to be written when rows change."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._styles: Sequence[Style] = ()

    def __len__(self) -> int:
        return len(self._strips)

    def line(self, y: int) -> Strip | None:
        """The strip of a line; None where there is none."""
        return self._strips[y] if 0 <= y < len(self._strips) else None

    def clear(self) -> None:
        """Forget all lines."""
        self._rows, self._strips, self._styles = [], [], ()

    def update(self, rows: Sequence[Row], styles: Sequence[Style], width: int) -> list[Region] | None:
        """Take new rows; gives the regions that changed, or None when all of it did."""
        same = list(styles[: len(self._styles)]) == list(self._styles)
        if not same or len(rows) != len(self._rows):
            self._rows, self._styles = list(rows), styles
            self._strips = [to_strip(row, styles, width) for row in rows]
            return None
        self._styles = styles
        regions: list[Region] = []
        for y, row in enumerate(rows):
            old = self._rows[y]
            if old == row:
                continue
            regions += [Region(begin, y, end - begin, 1) for begin, end in changed_spans(old, row)]
            self._rows[y] = row
            self._strips[y] = to_strip(row, styles, width)
        return regions
