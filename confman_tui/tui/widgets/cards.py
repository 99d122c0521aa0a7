"""The node cards: glyph, word and colour of a node's state, what is known of it, and what was done to it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Grid
from textual.content import Content

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.states import FAILED_STATES, STATE_WORDS, NodeState, NodeView
from confman_tui.tui import numbers
from confman_tui.tui.charts.palette import STATE_GLYPHS
from confman_tui.tui.charts.spark import sparkline
from confman_tui.tui.colours import STATE_HELP, Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.layout import CardStyle
from confman_tui.tui.node_names import name_of
from confman_tui.tui.text import Part, clean, fit, line
from confman_tui.tui.widgets.lines import Lines

_SERVING_WORD = {NodeState.LEADER: "LEADER"}
_DONE_WORDS = {
    FaultKind.KILL: "killed",
    FaultKind.PAUSE: "paused",
    FaultKind.RESUME: "resumed",
    FaultKind.ISOLATE: "isolated",
    FaultKind.HEAL: "healed",
    FaultKind.RESTART: "restarted",
}
_UNDONE = frozenset({FaultKind.RESUME, FaultKind.HEAL, FaultKind.RESTART})
HEAD_WIDTH, ALIGNED_WIDTH = 22, 76
"""From this width of a line on, the facts of all lines begin in one column."""
LEAST_SPARK = 8
"""A sparkline keeps this many cells beside the node's CPU, or that is left out."""
KEEP_UNDONE_S = 30.0
"""How long a card goes on saying that a node was brought back, in seconds."""


class NodeCard(Lines):
    """One node."""

    def __init__(self, node: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.node = node
        self.style_name = CardStyle.FULL
        self._frame: Frame | None = None
        self._title: Content | None = None
        self._border_color = ""

    def show(self, frame: Frame, style: CardStyle) -> None:
        """Show the node as of this frame, in this style."""
        self._frame = frame
        if style is not self.style_name or not self.classes:
            self.style_name = style
            self.set_class(style is CardStyle.FULL, "full")
        if style is CardStyle.FULL:
            self._dress(frame)
        elif self._border_color:
            self._border_color = ""
            self.styles.border = None
        self._explain(frame)
        self.redraw()

    def _explain(self, frame: Frame) -> None:
        """For the mouse: the whole address, what the state means, and the last error at length."""
        view = self._view(frame)
        words = f"{clean(self.node, 80)}: {STATE_WORDS[view.state]} ({STATE_HELP[view.state]})"
        if why := _why_failed(frame, view):
            words += f". {why}"
        if str(self.tooltip) != words:
            self.tooltip = Content(words)

    def _dress(self, frame: Frame) -> None:
        view, look = self._view(frame), self.look
        color = look.state(view.state)
        loud = view.state not in (NodeState.FOLLOWER, NodeState.UNKNOWN)
        title = Content.assemble((f" {_head(view, frame)} ", f"bold {color}" if loud else f"bold {look.text}"))
        if self._title is None or not title.is_same(self._title):
            self._title = title
            self.border_title = title
        edge = color if loud else ""
        if edge != self._border_color:
            self._border_color = edge
            self.styles.border = ("round", edge) if edge else None

    def _view(self, frame: Frame) -> NodeView:
        view = frame.state.view
        if view is not None:
            for node in view.nodes:
                if node.node == self.node:
                    return node
        return NodeView(self.node)

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        view = self._view(frame)
        if self.style_name is CardStyle.FULL:
            return self._full(frame, view, width, height, look)
        color = f"bold {look.state(view.state)}"
        if self.style_name is CardStyle.CHIP:
            glyph, word = STATE_GLYPHS[view.state], STATE_WORDS[view.state]
            name = name_of(self.node, frame.state.names)
            return (line(width, [Part(f"{glyph} {name}", color), Part(word, look.state(view.state), 1)], gap=" "),)
        return (self._line(frame, view, width, look),)

    def _full(self, frame: Frame, view: NodeView, width: int, height: int, look: Look) -> Sequence[Content]:
        first = line(width, _facts(frame, view, look), gap=" · ")
        latency, cpu = _latency(view), _cpu(frame, self.node)
        if cpu and width - len(latency) - len(cpu) - 5 >= LEAST_SPARK:
            latency = f"{latency} · {cpu}"
        spark = sparkline(tuple(frame.history.health(self.node)), max(0, width - len(latency) - 2))
        second = Content.assemble((f"{latency}  ", look.text), (spark, look.state(view.state)))
        done = _done(frame, self.node)
        error = _why_failed(frame, view)
        third = Content.assemble((fit(error, width), look.dim)) if error else second
        mark = Content.assemble((fit(f"⚑ {done}", width), f"bold {look.warn}")) if done else None
        if height >= 3:
            return (first, third, mark) if mark is not None else (first, second, third if error else Content(""))
        return (first, mark if mark is not None else third)

    def _line(self, frame: Frame, view: NodeView, width: int, look: Look) -> Content:
        done = _done(frame, self.node)
        head = _head(view, frame)
        if width >= ALIGNED_WIDTH:
            head = head.ljust(HEAD_WIDTH)
        parts = [Part(head, f"bold {look.state(view.state)}", 0)]
        parts += [Part(part.text, part.style, part.rank + 1, part.short) for part in _facts(frame, view, look)]
        if (told := frame.state.ended_by_itself.get(view.node)) is not None:
            parts.append(Part(clean(told.word), look.text, 2))
        if done:
            parts.append(Part(f"⚑ {done}", f"bold {look.warn}", 3, f"⚑ {done.split()[0]}"))
        right = []
        if view.state not in FAILED_STATES:
            right = [Part(_cpu(frame, self.node), look.dim, 5)]
            right.append(Part(_latency(view).removeprefix("health "), look.text, 4))
            right.append(Part(sparkline(tuple(frame.history.health(self.node)), 10), look.state(view.state), 6))
        return line(width, parts, right)


def _why_failed(frame: Frame, view: NodeView) -> str:
    """What is wrong with a node that gives no valid answer: why its process has ended, where that is known."""
    if view.state not in FAILED_STATES:
        return ""
    told = frame.state.ended_by_itself.get(view.node)
    return clean(told.word if told is not None else view.detail, 300)


def _head(view: NodeView, frame: Frame) -> str:
    word = _SERVING_WORD.get(view.state, STATE_WORDS[view.state])
    return f"{STATE_GLYPHS[view.state]} {name_of(view.node, frame.state.names)}  {word}"


def _facts(frame: Frame, view: NodeView, look: Look) -> list[Part]:
    """What is known, most important first."""
    parts = []
    term = Part(f"term {view.term}", look.term(view.term), 1) if view.term is not None else Part("")
    if view.state in FAILED_STATES:
        start = view.last_answer if view.state is NodeState.SILENT and view.last_answer is not None else view.since
        if start is not None:
            word = "silent for" if view.state is NodeState.SILENT else "for"
            parts.append(Part(f"{word} {numbers.short_seconds(frame.now - start)}", look.state(view.state), 0))
        if view.term is not None:
            parts.append(Part(f"last seen in term {view.term}", look.dim, 3, f"term {view.term}"))
        return parts
    if view.state is NodeState.UNKNOWN:
        return [Part("not asked yet", look.dim)]
    parts.append(Part("ready" if view.ready else "not ready", look.text if view.ready else look.warn, 2))
    parts.append(term)
    if view.state is NodeState.FOLLOWER_OF_DEAD and view.names_leader:
        parts.append(Part(f"names {name_of(view.names_leader, frame.state.names)}", look.state(view.state), 1))
    if view.since is not None:
        parts.append(Part(f"since {numbers.time_of_day(view.since, 0)}", look.dim, 3))
    return parts


def _latency(view: NodeView) -> str:
    return f"health {view.latency_s * 1000:.1f} ms" if view.latency_s is not None else "health —"


def _cpu(frame: Frame, node: str) -> str:
    """CPU of the node's process in per cent of a core; empty where it runs elsewhere or is not known."""
    watched = frame.state.generator
    cpu = watched.node_cpu.get(node) if watched is not None else None
    return f"cpu {numbers.per_cent(cpu)}" if cpu is not None else ""


def _done(frame: Frame, node: str) -> str:
    """``killed by you 00:12 ago``; what brought a node back is said for a while only."""
    fault = frame.state.done_to.get(node)
    if fault is None:
        return ""
    ago = max(0.0, frame.now - fault.at)
    if fault.kind in _UNDONE and ago > KEEP_UNDONE_S:
        return ""
    return f"{_DONE_WORDS[fault.kind]} by {clean(fault.by, 20)} {numbers.minutes(ago)} ago"


class NodeCards(Grid):
    """All cards; gets new ones when the cluster's nodes change."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown_nodes: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield from ()

    def show(self, frame: Frame, nodes: tuple[str, ...], style: CardStyle) -> None:
        """Show these nodes in this style."""
        if nodes != self._shown_nodes:
            self._shown_nodes = nodes
            self.remove_children()
            self.mount_all([NodeCard(node) for node in nodes])
        for card in self.query(NodeCard):
            card.show(frame, style)
