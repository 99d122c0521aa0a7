"""What is asked before a drill or a sweep begins, with what was set or chosen last as it stands."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from confman_tui.cluster.elections import FaultKind
from confman_tui.settings.options import BY_NAME
from confman_tui.tui.screens.dialog import Box, Dialog, Result
from confman_tui.tui.screens.fault import FAULT_WORDS


class AskDialog(Dialog[Result]):
    """One text, an answer that is checked, and two buttons."""

    YES = "start"

    def field(self, name: str, value: str, hint: str) -> ComposeResult:
        """A field with its name before it and a hint behind."""
        with Horizontal(classes="field"):
            yield Label(name)
            yield Input(value, id=name, compact=True, select_on_focus=True)
            yield Label(hint, classes="hint")

    def buttons(self) -> ComposeResult:
        """What was wrong, and the ways out."""
        yield Static("", id="wrong", markup=False)
        with Container(classes="buttons"):
            yield Button(f"enter  {self.YES}", id="yes", variant="primary", compact=True)
            yield Button("esc  not now", id="no", compact=True)

    def answer(self) -> Result:
        """What was chosen. Raises ValueError with a sentence for the person."""
        raise NotImplementedError

    def on_input_submitted(self) -> None:
        self._use()

    def on_option_list_option_selected(self) -> None:
        self._use()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self._use()
        else:
            self.dismiss(None)

    def _use(self) -> None:
        try:
            wanted = self.answer()
        except ValueError as error:
            self.query_one("#wrong", Static).update(Content(f"▲ {error}"))
            return
        self.dismiss(wanted)


class DrillDialog(AskDialog[tuple[FaultKind, int]]):
    """Gives the fault and the number of rounds."""

    YES = "start the drill"

    def __init__(self, kinds: tuple[FaultKind, ...], present: FaultKind, rounds: int) -> None:
        super().__init__()
        self._kinds = kinds
        self._present = present
        self._rounds = rounds

    def compose(self) -> ComposeResult:
        with Box("election drill", "↑ ↓ fault · tab rounds · enter · esc"):
            yield Static(
                "Each round does this to the leader under write load, waits for the next one, brings the node back.",
                markup=False,
            )
            yield OptionList(*(Option(Content(f"{kind.value:<8} {FAULT_WORDS[kind]}")) for kind in self._kinds))
            yield from self.field("rounds", str(self._rounds), "1 to 1000")
            yield from self.buttons()

    def on_mount(self) -> None:
        faults = self.query_one(OptionList)
        faults.highlighted = self._kinds.index(self._present) if self._present in self._kinds else 0
        faults.focus()

    def answer(self) -> tuple[FaultKind, int]:
        chosen = self.query_one(OptionList).highlighted
        try:
            rounds: int = BY_NAME["rounds"].parse(self.query_one("#rounds", Input).value)
        except ValueError as error:
            raise ValueError(f"Rounds: {error}.") from None
        return self._kinds[chosen or 0], rounds


class SweepDialog(AskDialog[tuple[int, ...]]):
    """Gives the numbers of entries to measure at."""

    YES = "start the sweep"

    def __init__(self, sizes: tuple[int, ...], held: str) -> None:
        """``held``: how many entries there are now, in words; may be empty."""
        super().__init__()
        self._sizes = sizes
        self._held = held

    def compose(self) -> ComposeResult:
        with Box("entries sweep", "enter · esc"):
            yield Static(
                "Reads and writes are measured at each of these numbers of entries on the cluster." + self._held,
                markup=False,
            )
            yield from self.field("entries", ",".join(map(str, self._sizes)), "ascending, with commas")
            yield from self.buttons()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def answer(self) -> tuple[int, ...]:
        try:
            sizes: tuple[int, ...] = BY_NAME["entries"].parse(self.query_one("#entries", Input).value)
        except ValueError as error:
            raise ValueError(f"Entries: {error}.") from None
        return sizes
