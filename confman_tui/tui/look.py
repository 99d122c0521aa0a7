"""Colours of states and messages for the panes of the dashboard; the graphs' own are in `charts.palette`."""

from __future__ import annotations

from confman_tui.cluster.model import NodeState
from confman_tui.events import Level
from confman_tui.tui.charts.palette import role_colors, term_color

_STATE_ROLES: dict[NodeState, str] = {
    NodeState.UNKNOWN: "dim",
    NodeState.LEADER: "good",
    NodeState.ELECTED: "p50",
    NodeState.FOLLOWER: "text",
    NodeState.FOLLOWER_OF_DEAD: "timeout",
    NodeState.STALE_LEADER: "warn",
    NodeState.NOT_READY: "warn",
    NodeState.REFUSED: "alarm",
    NodeState.SILENT: "timeout",
    NodeState.NOT_CONFMAN: "alarm",
    NodeState.WRONG: "alarm",
}


def state_color(state: NodeState, dark: bool) -> str:
    """The colour of a node's state, as ``#rrggbb``; its glyph and word stand beside it always."""
    return role_colors(dark)[_STATE_ROLES[state]]


class Look:
    """The styles of one theme, dark or light, by meaning."""

    def __init__(self, dark: bool) -> None:
        roles = role_colors(dark)
        self.dark = dark
        self.dim = roles["dim"]
        self.text = roles["text"]
        self.strong = "bold $foreground"
        self.good = roles["good"]
        self.warn = roles["warn"]
        self.alarm = roles["alarm"]
        self.accent = roles["p50"]

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
