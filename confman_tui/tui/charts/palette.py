"""Colours and glyphs of terms, states and causes; each means the same on every pane.

A colour means one thing: green what is served, amber a warning, reds a failure and the time without writes, blues and
violets one percentile each; terms are neutral, in two shades that alternate, and have their number beside them. Those
that stand side by side differ for people with deuteranopia and protanopia too. Nothing is said by colour alone.
"""

from __future__ import annotations

from confman_tui.cluster.states import NodeState
from confman_tui.load.run_model import Cause

_TERMS_DARK = ("#dfe3ea", "#949aa6")
_TERMS_LIGHT = ("#2b313a", "#666c76")

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
    Cause.REDIRECTED_AGAIN: "↻",
    Cause.REDIRECTED_AWAY: "↗",
    Cause.WRONG_ANSWER: "!",
    Cause.TOO_LARGE: "▲",
    Cause.OUT_OF_FILES: "⌀",
    Cause.OTHER: "?",
}
"""What failed requests are drawn with."""

CAUSE_ROLES: dict[Cause, str] = {
    cause: cause.value
    if cause in (Cause.REFUSED, Cause.RESET, Cause.TIMEOUT, Cause.NO_LEADER, Cause.NOT_REPLICATED)
    else "other"
    for cause in Cause
}
"""The colour of each: those that a cluster in trouble makes have their own; nobody could tell further reds apart."""

FAULT_GLYPH = "⚑"
"""Something was done to a node."""
MENDED_GLYPH = "⚐"
"""And undone: resumed, healed, restarted."""


def term_color(term: int | None, dark: bool = True) -> str:
    """A term's shade as ``#rrggbb``: even terms one, odd terms the other; a third for no term."""
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
            "band": "#a8553f",
            "ok": "#1fae8a",
            "peak": "#93dcc8",
            "p50": "#4e74d4",
            "p95": "#5fa9ea",
            "p99": "#e3d0fb",
            "p99.9": "#6d49f4",
            "max": "#b34a90",
            "bar": "#8fa3bd",
            "refused": "#ff6b3d",
            "reset": "#a33c64",
            "timeout": "#d01504",
            "no_leader": "#f94c75",
            "not_replicated": "#f8dbdb",
            "other": "#b92e38",
            "alarm": "#ff6b3d",
            "warn": "#f0c24a",
            "good": "#1fae8a",
        }
    return {
        "axis": "#858c97",
        "text": "#4a515c",
        "dim": "#6f7680",
        "band": "#c22648",
        "ok": "#00795a",
        "peak": "#3d9c83",
        "p50": "#067ff6",
        "p95": "#122f3c",
        "p99": "#540efe",
        "p99.9": "#210361",
        "max": "#d05aa6",
        "bar": "#5b708c",
        "refused": "#9c2a00",
        "reset": "#5b0f0a",
        "timeout": "#eb4074",
        "no_leader": "#ab1e3e",
        "not_replicated": "#4f1028",
        "other": "#ee4c3b",
        "alarm": "#9c2a00",
        "warn": "#947600",
        "good": "#00795a",
    }
