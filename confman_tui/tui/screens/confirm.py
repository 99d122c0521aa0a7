"""A question with yes and no; no is what escape and a hasty enter give."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import Button, Static

from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.text import clean


class ConfirmDialog(Dialog[bool]):
    """Asks before something that hurts. ``extra_yes`` is one more key for yes (q in the question of quitting)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
        Binding("q", "answer_q", "Yes when quitting", show=False),
    ]

    def __init__(self, title: str, facts: tuple[str, ...], warning: str, yes: str, *, q_is_yes: bool = False) -> None:
        super().__init__()
        self._title = title
        self._facts = facts
        self._warning = warning
        self._yes = yes
        self._q_is_yes = q_is_yes

    def compose(self) -> ComposeResult:
        look = self.look
        with Box(self._title, "y · n · esc"):
            for fact in self._facts:
                yield Static(Content.assemble((clean(fact, 600), look.text)), markup=False)
            if self._warning:
                yield Static(Content.assemble((f"▲ {clean(self._warning, 600)}", f"bold {look.warn}")), markup=False)
            with Container(classes="buttons"):
                yield Button(f"y  {self._yes}", id="yes", variant="warning", compact=True)
                yield Button("n  no", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def interrupt(self) -> None:
        """As ``q``: a second ^C leaves where the first one asked to."""
        self.dismiss(True if self._q_is_yes else None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer and close."""
        self.dismiss(yes)

    def action_answer_q(self) -> None:
        """q says yes where quitting was asked for, and does nothing elsewhere."""
        if self._q_is_yes:
            self.dismiss(True)
