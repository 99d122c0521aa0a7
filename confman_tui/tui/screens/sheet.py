"""The text of the details dialog: headings, and entries in two columns."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from confman_tui.tui.colours import Look
from confman_tui.tui.text import wrap


class Sheet:
    """Collects the lines."""

    LEFT = 19
    WRAP = 34
    """Cells of a text in several lines."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.lines: list[Content] = []

    def heading(self, text: str) -> None:
        """A heading, apart from what stands before it."""
        if self.lines:
            self.lines.append(Content(""))
        self.lines.append(Content.assemble((text, f"bold {self.look.accent}")))

    def paragraph(self, left: str, text: str, style: str = "") -> None:
        """An entry whose text goes on in further lines."""
        for number, part in enumerate(wrap(text, self.WRAP, 6)):
            if number:
                self.lines.append(Content.assemble(" " * (self.LEFT + 2), (part, style or self.look.text)))
            else:
                self.entry(left, part, style)

    def entry(self, left: str, right: str, style: str = "") -> None:
        """One line: what it is, and its value."""
        pad = " " * max(1, self.LEFT - cell_len(left)) if left else ""
        self.lines.append(Content.assemble("  ", (left, self.look.dim), pad, (right, style or self.look.text)))
