"""What stands in the middle while there is no cluster: what was tried, what came back, what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from confman_tui.cluster.states import STATE_WORDS
from confman_tui.session.events import Phase
from confman_tui.tui import numbers
from confman_tui.tui.charts.palette import STATE_GLYPHS
from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.node_names import name_of
from confman_tui.tui.state import UiState
from confman_tui.tui.status import stranger_words
from confman_tui.tui.text import clean, fit, wrap
from confman_tui.tui.widgets.lines import Lines


def stands(state: UiState) -> bool:
    """Whether the panel takes the place of graphs, table and log."""
    return state.phase is Phase.OFFLINE or (not state.found and state.phase in (Phase.STARTING, Phase.FINDING))


class OfflinePanel(Lines):
    """The panel."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._frame: Frame | None = None
        self._keys: tuple[tuple[str, str], ...] = ()

    def show(self, frame: Frame, keys: tuple[tuple[str, str], ...]) -> None:
        """Show this frame, offering ``keys`` as (key, what it does)."""
        self._frame = frame
        self._keys = keys
        self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        state = frame.state
        offline = state.phase is Phase.OFFLINE
        leads = state.view is not None and state.view.leader is not None
        waited = numbers.minutes(frame.now - state.phase_since)
        heading = {
            # With a leader, something else is wrong, a refused key as a rule; the detail says what.
            Phase.OFFLINE: "This cluster can't be used" if leads else "No cluster to work with",
            Phase.STARTING: f"Starting the demo cluster · {waited}",
        }.get(state.phase, f"Looking for the cluster and its leader · {waited}")
        lines = [Content.assemble((fit(heading, width), f"bold {look.alarm if offline else look.accent}"))]
        keys = [
            Content.assemble((f"{key:>6}", f"bold {look.accent}"), (f"  {fit(words, width - 8)}", look.text))
            for key, words in self._keys
        ]
        room = max(0, height - 1 - len(keys) - 1)
        airy = room >= 4
        texts = wrap(clean(state.phase_detail), width, max(1, min(5, room - airy))) if state.phase_detail else []
        middle = [Content.assemble((text, look.text)) for text in texts]
        if not offline and state.view is not None and state.view.stranger is not None:
            said = stranger_words(state.view.stranger, state)
            middle.append(Content.assemble((fit(said, width), f"bold {look.warn}")))
        if state.view is not None and len(state.view.nodes) + 1 + len(middle) + airy <= room:
            if middle:
                middle.append(Content(""))
            for node in state.view.nodes:
                head = f"{STATE_GLYPHS[node.state]} {name_of(node.node, state.names)}  {STATE_WORDS[node.state]}"
                detail = clean(node.detail, 200)
                said = f" · {detail}" if detail else ""
                middle.append(Content.assemble((fit(head + said, width), look.state(node.state))))
        if airy:
            middle.insert(0, Content(""))
        return [*lines, *middle[: max(0, room)], Content(""), *keys]
