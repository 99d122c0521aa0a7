"""A pane made of lines of text that rewrites only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from confman_tui.tui.colours import Look
from confman_tui.tui.textual_hacks import forget_dirty_regions
from confman_tui.tui.yield_cpu import yield_cpu


def changed_cells(old: Content, new: Content) -> tuple[int, int] | None:
    """First cell that differs in character or style, and the one after the last; None when none does."""
    before, after = _characters(old), _characters(new)
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and before[start] == after[start]:
        start += 1
    if start == len(before) == len(after):
        return None
    first = cell_len(new.plain[:start])
    if old.cell_length != new.cell_length:
        return first, max(old.cell_length, new.cell_length)
    same = 0
    while same < shorter - start and before[-1 - same] == after[-1 - same]:
        same += 1
    return first, new.cell_length - cell_len(new.plain[len(new.plain) - same :])


def _characters(content: Content) -> list[tuple[str, object]]:
    """Each character with its styles."""
    styles: list[object] = [""] * len(content.plain)
    for start, end, style in content.spans:
        for at in range(max(0, start), min(end, len(styles))):
            styles[at] = (styles[at], style) if styles[at] else style
    return list(zip(content.plain, styles, strict=True))


class Lines(Widget):
    """Shows lines of `Content`; subclasses build them in `build` from what they were last given.

    Our own, not `Static`: Textual lays out and repaints a refreshed widget as a whole, which holds up the load in this
    process and sends the same cells over a slow line again. Here only the cells whose text or style differ are written.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[Content] = []
        self._shown_width = -1
        self._strips: dict[int, tuple[Content, Style, int, Strip]] = {}
        """Per line, what its strip was made of, and the strip."""

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        """The lines for a content area of this size, at most ``height`` of them."""
        return ()

    @property
    def look(self) -> Look:
        """The styles of the theme in force."""
        return Look(self.app.current_theme.dark)

    def redraw(self) -> None:
        """Build the lines again and repaint those that differ."""
        yield_cpu()
        width, height = self.content_size
        if not self.is_attached or width < 1 or height < 1:
            return
        lines = list(self.build(width, height, self.look))[:height]
        old = self._shown
        if width != self._shown_width or len(lines) != len(old):
            self._shown, self._shown_width = lines, width
            self.refresh()
            return
        changed = []
        for index, (new, before) in enumerate(zip(lines, old, strict=True)):
            if not new.is_same(before) and (span := changed_cells(before, new)) is not None:
                changed.append(Region(span[0], index, min(width, span[1]) - span[0], 1))
        if changed:
            # a line that looks the same stays the same object, so that its strip is kept
            looks_new = {region.y for region in changed}
            self._shown = [
                new if y in looks_new else before for y, (new, before) in enumerate(zip(lines, old, strict=True))
            ]
            self.refresh(*changed)

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())

    def on_resize(self) -> None:
        self.redraw()

    def _restyle(self) -> None:
        self._shown_width = -1
        self.redraw()

    def render(self) -> Content:
        return Content("\n").join(self._shown)

    def render_line(self, y: int) -> Strip:
        """Made anew only where the line changed: Textual would lay out all lines for a change in one of them, and the
        load waits for that."""
        yield_cpu()
        width, style = self.size.width, self.visual_style
        forget_dirty_regions(self)
        content = self._shown[y] if y < len(self._shown) else Content("")
        kept = self._strips.get(y)
        if kept is not None and kept[0] is content and kept[1] == style and kept[2] == width:
            return kept[3]
        strips = Visual.to_strips(self, content, width, 1, style) if content.plain else []
        strip = strips[0] if strips else Strip.blank(width, style.rich_style)
        self._strips[y] = (content, style, width, strip)
        return strip
