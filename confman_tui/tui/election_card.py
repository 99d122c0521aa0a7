"""An election as a card: one bar for its steps, and each step's seconds. Pure: plain values in, lines of text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from confman_tui.cluster.elections import Election
from confman_tui.tui import numbers
from confman_tui.tui.colours import Look
from confman_tui.tui.node_names import name_of
from confman_tui.tui.text import clean, wrap

STEPS = (
    ("lost", "░", "lost_s"),
    ("claim", "▒", "claim_s"),
    ("serving", "▓", "serving_s"),
    ("first write", "█", "first_write_s"),
    ("90 %", "▃", "recover90_s"),
)
"""Each step's word, what fills the bar up to it, and its field of `Election`."""
MOST_BAR = 72
"""A longer bar says no more."""
_BACK = "90 %"
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was seen."""

    word: str
    glyph: str
    after_s: float
    """Seconds from the origin."""


def steps_of(election: Election) -> list[Step]:
    """The steps that were seen, in their order."""
    return [Step(word, glyph, after) for word, glyph, field in STEPS if (after := getattr(election, field)) is not None]


def awaited(election: Election) -> tuple[str, str]:
    """Word and glyph of the first step that was not seen; that of the first write when all were."""
    missing = ((word, glyph) for word, glyph, field in STEPS[:-1] if getattr(election, field) is None)
    return next(missing, STEPS[3][:2])


def seconds_of(election: Election) -> float:
    """From the origin to the last step that is known, agreement included."""
    last = max((step.after_s for step in steps_of(election)), default=0.0)
    return max(last, election.agree_s or 0.0)


def bar(election: Election, width: int, look: Look, *, whole_s: float = 0.0, now: float | None = None) -> Content:
    """The steps to scale, over ``width`` cells.

    Args:
        election: what to draw.
        width: cells for ``whole_s``.
        look: the styles in force.
        whole_s: the seconds that the width stands for; 0: the election's own.
        now: for one that goes on: it lasts until this moment.
    """
    ends = _ends(election)
    if now is not None:
        ends.append((awaited(election), max([now - election.origin, *(after for _, after in ends)])))
    whole = whole_s or max((after for _, after in ends), default=0.0)
    if whole <= 0 or width < 1:
        return Content("")
    spans: list[tuple[str, str]] = []
    drawn = 0
    for (word, glyph), after in ends:
        end = min(round(after / whole * width), width)
        if end > drawn:
            spans.append((glyph * (end - drawn), look.good if word == _BACK else look.band))
            drawn = end
    return Content.assemble(*spans)


def _ends(election: Election) -> list[tuple[tuple[str, str], float]]:
    """((word, glyph), end in seconds) of each stretch of the bar. A write can be acknowledged before the next poll
    shows who took it: no step before it ends later."""
    first = election.first_write_s
    return [
        ((step.word, step.glyph), step.after_s if first is None or step.word == _BACK else min(step.after_s, first))
        for step in steps_of(election)
    ]


def step_words(
    election: Election, width: int, look: Look, *, ongoing: bool = False, last: tuple[str, str] = ("", "")
) -> list[Content]:
    """Each step with its glyph and its seconds from the origin, and ``last`` (text, style) behind them, in as many
    lines as they need."""
    parts = [
        (f"{step.glyph} ", f"{step.word} {numbers.short_seconds(step.after_s)}", step.word)
        for step in steps_of(election)
    ]
    if ongoing:
        word, glyph = awaited(election)
        parts.append((f"{glyph} ", f"{word} …", word))
    pieces = [
        Content.assemble((glyph, look.good if word == _BACK else look.band), (words, look.text))
        for glyph, words, word in parts
    ]
    if last[0]:
        pieces.append(Content.assemble(last))
    lines: list[Content] = []
    line, used = Content(""), 0
    for piece in pieces:
        needed = piece.cell_length
        if used and used + 2 + needed > width:
            lines.append(line)
            line, used = Content(""), 0
        if used:
            line, used = line.append("  "), used + 2
        line += piece
        used += needed
    return [*lines, line] if used else lines


def cause(election: Election, names: Mapping[str, str]) -> str:
    """``kill :6100``, or which leader was lost without a fault of ours."""
    if election.fault is not None:
        return f"{election.fault.kind} {name_of(election.fault.node, names)}"
    return f"{name_of(election.old_leader, names)} lost"


def outcome(election: Election, names: Mapping[str, str], *, ongoing: bool = False) -> str:
    """``→ :6200, term 7``, or that nobody leads."""
    if election.new_leader is None:
        return "→ electing" if ongoing else "→ no winner"
    term = "" if election.term_after is None else f", term {election.term_after}"
    return f"→ {name_of(election.new_leader, names)}{term}"


def gap_words(election: Election) -> str:
    """How long writes were impossible; empty where no write was tried."""
    gap = election.without_writes_s
    if gap is not None:
        return f"{numbers.short_seconds(gap)} without writes"
    return "no gap in writes" if election.first_write_s is not None else ""


def text(election: Election, names: Mapping[str, str], *, ongoing: bool = False) -> str:
    """The whole card as one line of text: what is copied, and what a small screen shows."""
    steps = ", ".join(f"{step.word} {numbers.short_seconds(step.after_s)}" for step in steps_of(election))
    head = f"election after {cause(election, names)} {outcome(election, names, ongoing=ongoing)}"
    words = [head, *([gap] if (gap := gap_words(election)) else []), *([steps] if steps else [])]
    return clean(": ".join([words[0], ", ".join(words[1:])]) if len(words) > 1 else words[0])


def card(
    election: Election,
    names: Mapping[str, str],
    width: int,
    look: Look,
    *,
    head: Content | None = None,
    now: float | None = None,
) -> list[Content]:
    """What happened, the bar, and the steps' seconds, the lines below the first indented.

    Args:
        election: what to show.
        names: short names by base URL.
        width: cells that each line may take.
        look: the styles in force.
        head: stands before the words of the first line.
        now: for an election that goes on.
    """
    ongoing = now is not None
    gap = gap_words(election)
    if now is not None and election.first_write_s is None:
        gap = f"for {numbers.short_seconds(now - election.origin)}"
    before = head or Content("")
    words = clean(f"{cause(election, names)} {outcome(election, names, ongoing=ongoing)}")
    first, *others = wrap(words, width - before.cell_length, 2) or [""]
    lines = [before + Content.assemble((first, look.strong))]
    lines += [Content.assemble(" " * before.cell_length, (part, look.strong)) for part in others]
    loud = f"bold {look.alarm if election.without_writes_s is not None or ongoing else look.text}"
    if gap and lines[-1].cell_length + 3 + len(gap) <= width:
        lines[-1] = lines[-1] + Content.assemble((" · ", look.dim), (gap, loud))
        gap = ""
    room = width - len(_INDENT)
    below = [bar(election, min(room, MOST_BAR), look, now=now)]
    below += step_words(election, room, look, ongoing=ongoing, last=(gap, loud))
    return [*lines, *(Content(_INDENT) + line for line in below)]


def one_line(
    election: Election, names: Mapping[str, str], width: int, look: Look, *, now: float | None = None
) -> Content:
    """A card in one line, for a list of several: when, what, the bar, and as many of the words as fit."""
    ongoing = now is not None
    clock = numbers.time_of_day(election.origin, 0)
    head = clean(f"{cause(election, names)} {outcome(election, names, ongoing=ongoing)}").ljust(36)
    words = step_words(election, 10_000, look, ongoing=ongoing)
    tail = words[0] if words else Content("")
    room = width - len(clock) - len(head) - 6 - tail.cell_length
    shown = bar(election, min(max(room, 8), MOST_BAR), look, now=now)
    shown = shown.pad_right(max(min(max(room, 8), MOST_BAR) - shown.cell_length, 0))
    line = Content.assemble((f"{clock}  ", look.dim), (f"{head}  ", look.strong)) + shown + Content("  ") + tail
    return line.truncate(width) if line.cell_length > width else line


def common_scale(elections: Sequence[Election]) -> float:
    """Seconds of the longest, so that bars below one another compare."""
    return max((seconds_of(election) for election in elections), default=0.0)
