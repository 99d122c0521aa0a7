"""What all dialogs share: a framed box in the middle that scrolls, closed with escape, that never hides an exit."""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from confman_tui.tui.colours import Look
from confman_tui.tui.text import clean

Result = TypeVar("Result")
"""What a dialog gives."""


class ShowsKeys(Protocol):
    """The app, as far as dialogs know it."""

    def shown_key(self, action: str) -> str:
        """The key in force as it is written on the screen."""


class Box(VerticalScroll):
    """The frame and all that is in it. It scrolls as a whole, so that whatever does not fit can be reached, buttons
    too; with the keys of scrolling also where one of its fields has the focus."""

    def __init__(self, title: str = "", keys: str = "", *, wide: bool = False, id: str | None = None) -> None:
        """``keys``: what the frame's lower edge offers."""
        super().__init__(id=id, classes="box wide" if wide else "box")
        self.border_title = Content(clean(title, 70))
        self.border_subtitle = Content(keys)


class Dialog(ModalScreen[Result]):
    """A modal box."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_dialog", "Close", show=False),
        Binding("f2", "app.picture", "Picture", show=False, id="picture"),
        Binding("c", "copy_text", "Copy", show=False, id="copy"),
    ]

    def action_dismiss_dialog(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)

    def interrupt(self) -> None:
        """^C was pressed: close without doing anything."""
        self.dismiss(None)

    def action_copy_text(self) -> None:
        """Copy all that the box says, what is scrolled out of sight too."""
        texts = [str(box.border_title or "") for box in self.query(Box)]
        texts += [item.content.plain for item in self.query(Static) if isinstance(item.content, Content)]
        text = "\n".join(line.rstrip() for part in texts for line in part.split("\n")).strip()
        self.app.copy_to_clipboard(text)
        lines = text.count("\n") + 1
        self.app.notify(f"Copied: {'1 line' if lines == 1 else f'{lines} lines'}", timeout=5, markup=False)

    @property
    def reading_keys(self) -> str:
        """What the frame of a dialog to read offers."""
        app = cast(ShowsKeys, self.app)
        return f"↑ ↓ scroll · {app.shown_key('copy')} copy · {app.shown_key('picture')} picture · esc close"

    @property
    def look(self) -> Look:
        """The styles of the theme in force."""
        return Look(self.app.current_theme.dark)
