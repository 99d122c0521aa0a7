"""Keys, glyphs, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from confman_tui.cluster.model import STATE_WORDS, NodeState
from confman_tui.tui.actions import ACTIONS
from confman_tui.tui.charts.palette import STATE_GLYPHS
from confman_tui.tui.dialogs.base import Dialog
from confman_tui.tui.text import wrap

_STATES = {
    NodeState.LEADER: "says that it leads, in the highest term: it serves writes",
    NodeState.ELECTED: "names itself as leader but does not serve yet",
    NodeState.FOLLOWER: "follows the serving leader",
    NodeState.FOLLOWER_OF_DEAD: "says ready, and names a leader that is gone",
    NodeState.NOT_READY: "503: it knows no leader",
    NodeState.STALE_LEADER: "says that it leads, in a term that is over",
    NodeState.REFUSED: "nothing listens on its port",
    NodeState.SILENT: "it accepts connections and does not answer",
    NodeState.NOT_CONFMAN: "something else answers on its port",
    NodeState.WRONG: "it answers with values that can't be",
}

_FIGURES = (
    ("writes go through", "judged by acknowledged writes alone, of the scenario and of a small probe"),
    ("req/s, p50 … p99", "of the last second while a scenario runs, of the whole run afterwards"),
    ("latency", "from our own recorder, in ms; successful requests only"),
    ("max, failed", "of the run so far"),
    ("entries", "what the cluster held before the run: reads slow down with it"),
    ("without writes", "from the last acknowledgement before to the first one after"),
    ("generator", "amber when this program, not the cluster, is the limit"),
)

_PANE_KEYS = (
    ("tab", "the next pane: timeline, table, events"),
    ("↑ ↓ enter", "in the table: choose a scenario, open its details"),
    ("↑ ↓ pgup pgdn", "in the events: choose a line"),
    ("← →", "in the timeline: move the cursor; esc takes it away"),
    ("mouse", "keys in the last line, rows and the timeline can be clicked"),
)


INDENT, NARROW_INDENT = 26, 16


class HelpDialog(Dialog[None]):
    """The help."""

    DEFAULT_CSS = """
    HelpDialog > .box { height: 90%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark", "dismiss_dialog", "Close", show=False),
    ]

    def __init__(self, shown_key: Callable[[str], str]) -> None:
        super().__init__()
        self._shown_key = shown_key

    def compose(self) -> ComposeResult:
        box = Container(classes="box wide")
        box.border_title = Content("help")
        box.border_subtitle = Content("↑ ↓ scroll · esc close")
        with box, VerticalScroll(id="help-text"):
            yield Static(id="help-lines", markup=False)

    def on_mount(self) -> None:
        self.query_one("#help-text").focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        pane = self.query_one("#help-lines", Static)
        pane.update(self._text(pane.content_size.width or 60))

    def _text(self, width: int) -> Content:
        look = self.look
        indent = INDENT if width >= 80 else NARROW_INDENT
        lines: list[Content] = []

        def heading(text: str) -> None:
            if lines:
                lines.append(Content(""))
            lines.append(Content.assemble((text, f"bold {look.accent}")))

        def entry(left: str, right: str, style: str) -> None:
            if cell_len(left) + 3 > indent:
                lines.append(Content.assemble("  ", (left, style)))
                left = ""
            texts = wrap(right, width - indent, 4)
            pad = " " * (indent - 2 - cell_len(left))
            lines.append(Content.assemble("  ", (left, style), pad, (texts[0] if texts else "", look.text)))
            lines.extend(Content.assemble(" " * indent, (text, look.text)) for text in texts[1:])

        section = ""
        for action in ACTIONS:
            if action.section != section:
                section = action.section
                heading(section)
            entry(self._shown_key(action.id), action.help, look.strong)
        heading("In the panes")
        for keys, words in _PANE_KEYS:
            entry(keys, words, look.strong)
        heading("Nodes")
        for state, words in _STATES.items():
            entry(f"{STATE_GLYPHS[state]} {STATE_WORDS[state]}", words, look.state(state))
        heading("Figures")
        for name, words in _FIGURES:
            entry(name, words, look.strong)
        return Content("\n").join(lines)
