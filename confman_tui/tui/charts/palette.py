"""Colours and glyphs of terms, states and causes; each means the same on every pane.

The hues are those of Okabe and Ito ("Color Universal Design", 2008), lightened or darkened for the background, in an
order in which neighbours differ for people with deuteranopia and protanopia too. Nothing is said by colour alone.
"""

from __future__ import annotations

from confman_tui.cluster.states import NodeState
from confman_tui.load.run_model import Cause

_TERMS_DARK = ("#56b4e9", "#e69f00", "#2fbf9b", "#f0e442", "#e08fc0", "#ff7f50")
_TERMS_LIGHT = ("#0067a5", "#a85f00", "#00795a", "#6f6300", "#9a3d7f", "#b83a00")

STATE_GLYPHS: dict[NodeState, str] = {
    NodeState.UNKNOWN: "?",
    NodeState.LEADER: "★",
    NodeState.ELECTED: "☆",
    NodeState.FORMER_LEADER: "◒",
    NodeState.FOLLOWER: "○",
    NodeState.FOLLOWER_OF_DEAD: "◌",
    NodeState.STALE_LEADER: "⚠",
    NodeState.NOT_READY: "◇",
    NodeState.REFUSED: "✕",
    NodeState.SILENT: "…",
    NodeState.NOT_CONFMAN: "≠",
    NodeState.WRONG: "!",
}
"""One cell each; stands before the state's word."""

LANE_GLYPHS: dict[NodeState, str] = {
    NodeState.UNKNOWN: "·",
    NodeState.LEADER: "━",
    NodeState.ELECTED: "╍",
    NodeState.FORMER_LEADER: "┅",
    NodeState.FOLLOWER: "─",
    NodeState.FOLLOWER_OF_DEAD: "┄",
    NodeState.STALE_LEADER: "≈",
    NodeState.NOT_READY: "·",
    NodeState.REFUSED: "╳",
    NodeState.SILENT: "…",
    NodeState.NOT_CONFMAN: "≠",
    NodeState.WRONG: "!",
}
"""What fills a node's lane on the timeline."""

CAUSE_GLYPHS: dict[Cause, str] = {
    Cause.REFUSED: "×",
    Cause.RESET: "¬",
    Cause.TIMEOUT: "…",
    Cause.NO_LEADER: "◇",
    Cause.NOT_REPLICATED: "≠",
    Cause.OTHER: "?",
}
"""What failed requests are drawn with."""

FAULT_GLYPH = "⚑"
"""Something was done to a node."""
MENDED_GLYPH = "⚐"
"""And undone: resumed, healed, restarted."""


def term_color(term: int | None, dark: bool = True) -> str:
    """A term's colour as ``#rrggbb``, in turn from the palette; grey for no term."""
    if term is None:
        return "#8a8f98" if dark else "#6b7078"
    colors = _TERMS_DARK if dark else _TERMS_LIGHT
    return colors[term % len(colors)]


def term_role(term: int | None) -> str:
    """The role of what is drawn in a term's colour. As many as the palette has colours, however many terms come."""
    return "term -" if term is None else f"term {term % len(_TERMS_DARK)}"


def role_colors(dark: bool = True) -> dict[str, str]:
    """The colours of the graphs' parts by role, as ``#rrggbb``, for dark and light backgrounds."""
    if dark:
        return {
            "axis": "#5f6773",
            "text": "#a5adba",
            "dim": "#7d8590",
            "band": "#8c6f4e",
            "ok": "#56b4e9",
            "peak": "#a9d7f5",
            "p50": "#56b4e9",
            "p95": "#2fbf9b",
            "p99": "#e69f00",
            "max": "#e08fc0",
            "bar": "#56b4e9",
            "refused": "#ff6b3d",
            "reset": "#9b5b3a",
            "timeout": "#c2337d",
            "no_leader": "#d6c400",
            "not_replicated": "#ffdd99",
            "other": "#e6e9ee",
            "alarm": "#ff6b3d",
            "warn": "#f0c24a",
            "good": "#2fbf9b",
        }
    return {
        "axis": "#858c97",
        "text": "#4a515c",
        "dim": "#6f7680",
        "band": "#9c7a4c",
        "ok": "#0067a5",
        "peak": "#4a8fbb",
        "p50": "#0067a5",
        "p95": "#00795a",
        "p99": "#a85f00",
        "max": "#6d2a7a",
        "bar": "#0067a5",
        "refused": "#b83a00",
        "reset": "#d66b00",
        "timeout": "#ff00d4",
        "no_leader": "#493e1c",
        "not_replicated": "#9b733a",
        "other": "#4a515c",
        "alarm": "#b83a00",
        "warn": "#49391c",
        "good": "#00795a",
    }
