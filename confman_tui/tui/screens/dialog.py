"""What all dialogs share: a framed box in the middle, closed with escape, that never hides an exit."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from confman_tui.tui.colours import Look

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A modal box."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_dialog", "Close", show=False),
        Binding("ctrl+c", "dismiss_dialog", "Close", show=False, priority=True),
    ]

    def action_dismiss_dialog(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)

    @property
    def look(self) -> Look:
        """The styles of the theme in force."""
        return Look(self.app.current_theme.dark)
