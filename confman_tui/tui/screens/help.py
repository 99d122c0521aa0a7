"""Keys, glyphs, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from confman_tui.cluster.states import STATE_WORDS
from confman_tui.tui.charts.palette import STATE_GLYPHS
from confman_tui.tui.colours import STATE_HELP, Look
from confman_tui.tui.keys.table import ACTIONS
from confman_tui.tui.screens.dialog import Box, Dialog
from confman_tui.tui.text import wrap

_FIGURES = (
    ("writes go through", "judged by acknowledged writes alone, of the scenario and of a small probe"),
    ("req/s, p50 … p99", "of the last second while a scenario runs, of the whole run afterwards"),
    ("latency", "from our own recorder, in ms; successful requests only"),
    ("rate", "open loop: this many requests a second are due, whatever the answers do"),
    ("latency with a rate", "from when a request was due; uncorrected: from when it was sent"),
    ("waiting", "due, but no user is free; what never began is counted at the end"),
    ("max, failed", "of the run so far"),
    ("entries", "what the cluster held before the run: reads slow down with it"),
    ("knee", "the users from which on more bring little, or the size up to which payloads cost little"),
    ("± 95 %", "half the confidence interval of the mean over repeated runs"),
    ("within the noise", "a difference no larger than the spread of repeated runs explains"),
    ("without writes", "from the last acknowledgement before to the first one after"),
    ("generator", "amber ▲ when this program, not the cluster, is the limit: the row keeps the mark"),
)

_PANE_KEYS = (
    ("tab", "the next pane: timeline, table, events"),
    ("↑ ↓", "in the table: choose a scenario; enter opens its details from any pane"),
    ("↑ ↓ pgup pgdn", "in the events: choose a line; esc: the newest again"),
    ("← →", "in the timeline: move the cursor; esc takes it away"),
    ("mouse", "keys in the last line, rows and the timeline can be clicked"),
)


BESIDE_WIDTH = 110
"""From this width of the screen on, keys stand to the left and meanings to the right."""
KEY_INDENT, MEANING_INDENT = 11, 26


class HelpDialog(Dialog[None]):
    """The help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss_dialog", "Close", show=False),
        Binding("question_mark", "dismiss_dialog", "Close", show=False, id="help"),
    ]

    def __init__(self, shown_key: Callable[[str], str]) -> None:
        super().__init__()
        self._shown_key = shown_key

    def compose(self) -> ComposeResult:
        with Box("help", self.reading_keys, wide=True, id="help-text"), Container(id="help-columns"):
            yield Static(id="help-keys", markup=False)
            yield Static(id="help-meanings", markup=False)

    def on_mount(self) -> None:
        self.query_one("#help-text").focus()

    def on_resize(self, event: Resize) -> None:
        self.query_one("#help-columns").set_class(event.size.width >= BESIDE_WIDTH, "beside")
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        for name, build in (("keys", self._keys), ("meanings", self._meanings)):
            pane = self.query_one(f"#help-{name}", Static)
            pane.update(Content("\n").join(build(pane.content_size.width or 60)))

    def _keys(self, width: int) -> list[Content]:
        columns = _Columns(self.look, width, KEY_INDENT)
        section = ""
        for action in ACTIONS:
            if action.section != section:
                section = action.section
                columns.heading(section)
            columns.entry(self._shown_key(action.id), action.help, self.look.strong)
        return columns.lines

    def _meanings(self, width: int) -> list[Content]:
        columns = _Columns(self.look, width, MEANING_INDENT if width >= 56 else 16)
        columns.heading("In the panes")
        for keys, words in _PANE_KEYS:
            columns.entry(keys, words, self.look.strong)
        columns.heading("Nodes")
        for state, words in STATE_HELP.items():
            columns.entry(f"{STATE_GLYPHS[state]} {STATE_WORDS[state]}", words, self.look.state(state))
        columns.heading("Figures")
        for name, words in _FIGURES:
            columns.entry(name, words, self.look.strong)
        return columns.lines


class _Columns:
    """Headings, and entries whose right part is wrapped under itself."""

    def __init__(self, look: Look, width: int, indent: int) -> None:
        self._look = look
        self._width = width
        self._indent = indent
        self.lines: list[Content] = []

    def heading(self, text: str) -> None:
        if self.lines:
            self.lines.append(Content(""))
        self.lines.append(Content.assemble((text, f"bold {self._look.accent}")))

    def entry(self, left: str, right: str, style: str) -> None:
        indent = self._indent
        if cell_len(left) + 3 > indent:
            self.lines.append(Content.assemble("  ", (left, style)))
            left = ""
        texts = wrap(right, self._width - indent, 4)
        pad = " " * (indent - 2 - cell_len(left))
        self.lines.append(Content.assemble("  ", (left, style), pad, (texts[0] if texts else "", self._look.text)))
        self.lines.extend(Content.assemble(" " * indent, (text, self._look.text)) for text in texts[1:])
