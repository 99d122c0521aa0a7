"""Colours of states and messages for the panes of the dashboard; the graphs' own are in `charts.palette`."""

from __future__ import annotations

from confman_tui.cluster.states import NodeState
from confman_tui.session.events import Level
from confman_tui.tui.charts.palette import role_colors, term_color

_MEANINGS: dict[bool, dict[str, str]] = {
    True: {
        "serves": role_colors(True)["good"],
        "follows": "#c9ced6",
        "lost": role_colors(True)["alarm"],
        "waits": role_colors(True)["warn"],
        "elected": "#56b4e9",
        "silent": "#c06fb0",
    },
    False: {
        "serves": role_colors(False)["good"],
        "follows": "#3b424c",
        "lost": role_colors(False)["alarm"],
        "waits": role_colors(False)["warn"],
        "elected": "#0076bd",
        "silent": "#a8478c",
    },
}
"""Colours by meaning on dark and light grounds: of the family of Okabe and Ito, chosen so that any two are at least
15 apart in CIELAB to normal, protanope and deuteranope eyes (simulated after Machado and others, 2009)."""

_STATE_MEANINGS: dict[NodeState, str] = {
    NodeState.LEADER: "serves",
    NodeState.ELECTED: "elected",
    NodeState.FORMER_LEADER: "waits",
    NodeState.FOLLOWER: "follows",
    NodeState.FOLLOWER_OF_DEAD: "silent",
    NodeState.STALE_LEADER: "waits",
    NodeState.NOT_READY: "waits",
    NodeState.REFUSED: "lost",
    NodeState.SILENT: "silent",
    NodeState.NOT_CONFMAN: "lost",
    NodeState.WRONG: "lost",
}


STATE_HELP = {
    NodeState.UNKNOWN: "it was not asked yet",
    NodeState.LEADER: "says that it leads, in the highest term: it serves writes",
    NodeState.ELECTED: "names itself as leader but does not serve yet",
    NodeState.FORMER_LEADER: "led before, and still names itself: neither leader nor follower",
    NodeState.FOLLOWER: "follows the serving leader",
    NodeState.FOLLOWER_OF_DEAD: "says ready, and names a leader that is gone",
    NodeState.NOT_READY: "503: it knows no leader",
    NodeState.STALE_LEADER: "says that it leads, in a term that is over",
    NodeState.REFUSED: "nothing listens on its port",
    NodeState.SILENT: "it accepts connections and does not answer",
    NodeState.NOT_CONFMAN: "something else answers on its port",
    NodeState.WRONG: "it answers with values that can't be",
}
"""What each state of a node means, for the help and the cards' tooltips."""


def state_color(state: NodeState, dark: bool) -> str:
    """The colour of a node's state, as ``#rrggbb``; its glyph and word stand beside it always."""
    if state is NodeState.UNKNOWN:
        return role_colors(dark)["dim"]
    return _MEANINGS[dark][_STATE_MEANINGS[state]]


class Look:
    """The styles of one theme, dark or light, by meaning."""

    def __init__(self, dark: bool) -> None:
        roles = role_colors(dark)
        self.dark = dark
        self.dim = roles["dim"]
        self.text = roles["text"]
        self.strong = "bold $foreground"
        self.good = _MEANINGS[dark]["serves"]
        self.warn = _MEANINGS[dark]["waits"]
        self.alarm = _MEANINGS[dark]["lost"]
        self.band = roles["band"]
        """Time without writes, drawn."""
        self.accent = _MEANINGS[dark]["elected"]

    def term(self, term: int | None) -> str:
        """A term's colour, the same as on the timeline."""
        return term_color(term, self.dark)

    def state(self, state: NodeState) -> str:
        """A node state's colour."""
        return state_color(state, self.dark)

    def level(self, level: Level) -> str:
        """A message's colour."""
        return {Level.INFO: self.text, Level.WARNING: self.warn, Level.ERROR: self.alarm}[level]

    def pill(self, color: str) -> str:
        """Bold text on a ground of ``color``."""
        return f"bold {'#101418' if self.dark else '#ffffff'} on {color}"
