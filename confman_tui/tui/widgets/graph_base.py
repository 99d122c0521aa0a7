"""A widget that shows a picture of cells and writes only what changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from confman_tui.tui.charts.palette import role_colors, term_color
from confman_tui.tui.charts.strips import Picture, Row
from confman_tui.tui.yield_cpu import yield_cpu

TitlePart = tuple[str, str]
"""(text, role): a piece of a border's title; role "" is the border's own colour."""


class PictureWidget(Widget):
    """Base of the graphs and the timeline: rows of (text, role number), styled by the theme in force.

    A role is a name from `palette.role_colors` or `palette.term_role`, and may be followed by ``bold``, ``reverse`` or
    ``dim``.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._picture = Picture()
        self._numbers: dict[str, int] = {}
        self._rows: list[Row] = []
        self._styles: list[Style] = []
        self._styled_for: tuple[object, ...] = ()
        self._titles: tuple[tuple[TitlePart, ...], tuple[TitlePart, ...]] | None = None
        self._quiet = False

    def _on_mount(self, event: events.Mount) -> None:
        super()._on_mount(event)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour_borders())

    def _recolour_borders(self) -> None:
        """The borders' texts hold their colours: state them anew."""
        if self._titles is not None:
            titles, self._titles = self._titles, None
            self.set_borders(*titles)

    @property
    def seen(self) -> bool:
        """Whether drawing is worth it: on the screen, and not under a dialog, where each change would make Textual
        write the whole screen anew."""
        return self.is_attached and bool(self.size) and self.is_on_screen and self.screen.is_current

    def number(self, role: str) -> int:
        """The number that stands for a role in rows."""
        return self._numbers.setdefault(role, len(self._numbers))

    def paint(self, rows: Sequence[Row], roles: Sequence[str] | None = None, size: Size | None = None) -> None:
        """Show these rows; what did not change is not written again.

        ``roles``: what the rows' numbers count along; None: they are those of `number`. ``size``: what the rows were
        drawn for; they are dropped when the widget has another size by now.
        """
        if size is not None and size != self.size:
            return
        yield_cpu()
        if roles is not None:
            numbers = [self.number(role) for role in roles]
            rows = [[numbers[int(part)] if at % 2 else part for at, part in enumerate(row)] for row in rows]
        self._rows = list(rows)
        changed = self._picture.update(self._rows, self._current_styles(), self.size.width)
        if changed is None:
            super().refresh()
        elif changed:
            super().refresh(*changed)
        if roles is not None:
            self.on_painted()

    def on_painted(self) -> None:
        """A picture from elsewhere is shown: what belongs to it may be shown, too."""

    def render_line(self, y: int) -> Strip:
        """A line of the picture, on the widget's own background."""
        yield_cpu()
        self._restyle()
        strip = self._picture.line(y)
        background = self.visual_style.rich_style
        if strip is None:
            return Strip.blank(self.size.width, background)
        return strip.adjust_cell_length(self.size.width, background)

    @property
    def dark(self) -> bool:
        """Whether the theme in force is a dark one."""
        return self.app.current_theme.dark

    def color(self, role: str) -> str:
        """A role's colour in the theme in force."""
        words = role.split()
        if words[0] == "term":
            return term_color(int(words[1]) if words[1].isdigit() else None, self.dark)
        return role_colors(self.dark).get(words[0], role_colors(self.dark)["text"])

    def _restyle(self) -> None:
        """Repaint in the colours in force, when those have changed since the last picture."""
        if self._rows and self._styled_for != self._look():
            self._picture.update(self._rows, self._current_styles(), self.size.width)

    def _look(self) -> tuple[object, ...]:
        return (self.app.theme, self.visual_style.rich_style, len(self._numbers))

    def _current_styles(self) -> list[Style]:
        look = self._look()
        if look != self._styled_for:
            base = self.visual_style.rich_style
            self._styles = [base + self._role_style(role) for role in self._numbers]
            self._styled_for = look
        return self._styles

    def _role_style(self, role: str) -> Style:
        words = role.split()
        return Style(
            color=self.color(role),
            bold="bold" in words or None,
            reverse="reverse" in words or None,
            dim="dim" in words[1:] or None,
        )

    def set_borders(self, title: Sequence[TitlePart], subtitle: Sequence[TitlePart]) -> None:
        """Set the texts in the border; only the border's own lines are written again, and only when they change."""
        titles = (tuple(title), tuple(subtitle))
        if titles == self._titles:
            return
        before, self._titles = self._titles, titles
        self._quiet = True
        try:
            self.border_title = self._content(title)
            self.border_subtitle = self._content(subtitle)
        finally:
            self._quiet = False
        if not self.is_attached:
            return
        width = self.outer_size.width
        left, top = self.content_offset
        if before is None or before[0] != titles[0]:
            self.refresh(Region(-left, -top, width, 1))
        if before is None or before[1] != titles[1]:
            self.refresh(Region(-left, self.outer_size.height - top - 1, width, 1))

    def _content(self, parts: Sequence[TitlePart]) -> Content:
        content = Content("")
        for text, role in parts:
            if role:
                content = content.append(Content.styled(text, VisualStyle.parse(self.color(role))))
            else:
                content = content.append(text)
        return content

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """As `Widget.refresh`; setting a border's text does not repaint the whole picture."""
        if self._quiet:
            return self
        return super().refresh(*regions, **options)
