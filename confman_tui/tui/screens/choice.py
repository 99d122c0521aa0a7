"""A short list to choose from."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.text import clean

Choice = TypeVar("Choice")


class ChoiceDialog(Dialog[Choice], Generic[Choice]):
    """Gives the chosen value, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "dismiss_dialog", "Close", show=False)]

    def __init__(self, title: str, about: str, choices: tuple[tuple[str, Choice], ...], present: int = 0) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._choices = choices
        self._present = present

    def compose(self) -> ComposeResult:
        with Box(self._title, "↑ ↓ enter · esc"):
            if self._about:
                yield Static(Content(clean(self._about, 400)), markup=False)
            yield OptionList(*(Option(Content(words)) for words, _ in self._choices))

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self._present
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][1])
