"""What all dialogs share: a framed box in the middle, closed with escape, that never hides an exit."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from confman_tui.tui.colours import Look

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A modal box."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .box {
        width: 90%; max-width: 76; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 2;
    }
    Dialog > .box.wide { max-width: 120; width: 96%; }
    Dialog .text { width: 1fr; height: auto; }
    Dialog .buttons { height: auto; width: 1fr; margin-top: 1; layout: horizontal; align-horizontal: right; }
    Dialog .buttons Button { margin-left: 2; min-width: 10; height: 1; border: none; }
    """

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
