"""A pane made of lines of text that rewrites only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from confman_tui.tui.look import Look


class Lines(Widget):
    """Shows lines of `Content`; subclasses build them in `build` from what they were last given.

    Textual repaints a refreshed widget as a whole. Over a slow line that would send the same cells again and again,
    so only the rows whose text or style differ are marked for repainting.
    """

    DEFAULT_CSS = """
    Lines { text-wrap: nowrap; text-overflow: clip; height: auto; }
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Content] = []
        self._shown_width = -1

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        """The lines for a content area of this size, at most ``height`` of them."""
        return ()

    @property
    def look(self) -> Look:
        """The styles of the theme in force."""
        return Look(self.app.current_theme.dark)

    def redraw(self) -> None:
        """Build the lines again and repaint those that differ."""
        width, height = self.content_size
        if not self.is_attached or width < 1 or height < 1:
            return
        lines = list(self.build(width, height, self.look))[:height]
        old = self._shown
        if width != self._shown_width or len(lines) != len(old):
            self._shown, self._shown_width = lines, width
            self.refresh()
            return
        changed = [index for index, (new, before) in enumerate(zip(lines, old, strict=True)) if not new.is_same(before)]
        if changed:
            self._shown = lines
            self.refresh(*(Region(0, index, width, 1) for index in changed))

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())

    def on_resize(self) -> None:
        self.redraw()

    def _restyle(self) -> None:
        self._shown_width = -1
        self.redraw()

    def render(self) -> Content:
        return Content("\n").join(self._shown)
