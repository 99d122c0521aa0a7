"""Text that may come from anywhere, made safe and made to fit: the only way onto the screen for strings of others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.content import Content

MAX_CHARACTERS = 2_000
"""Longest text of others that is looked at; a node that answers with 10 KB must not cost the screen its time."""

ELLIPSIS = "…"

_BETWEEN_WORDS = re.compile(r"(?<!\bterm) (?!(?:s|ms|%|KB|MB)\b)")
"""Where a line may be broken: not between ``term`` and its number, nor between a number and its unit."""

_SPACES = {"\n", "\r", "\t", "\v", "\f", "\u2028", "\u2029", "\u0085"}


def clean(text: str, limit: int = MAX_CHARACTERS) -> str:
    """``text`` as one line of printable characters.

    Line breaks and tabs become spaces; C0 controls become their pictures (ESC is shown as ␛), other controls and
    lone surrogates become U+FFFD; marks without a width of their own (bidirectional overrides, joiners, stacked
    accents) are dropped, because a terminal and the screen's arithmetic would disagree on their width. Letters of
    any script stay.
    """
    cut = text[: limit * 2]
    shown: list[str] = []
    for character in unicodedata.normalize("NFC", cut):
        if character.isascii() and character.isprintable():
            shown.append(character)
        elif character in _SPACES:
            shown.append(" ")
        elif character < " ":
            shown.append(chr(0x2400 + ord(character)))
        elif character == "\x7f":
            shown.append("␡")
        else:
            category = unicodedata.category(character)
            if category in ("Cc", "Cs", "Co", "Cn"):
                shown.append("\ufffd")
            elif category not in ("Cf", "Mn", "Me"):
                shown.append(character)
        if len(shown) >= limit:
            shown.append(ELLIPSIS)
            break
    return " ".join("".join(shown).split())


def fit(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, cut after a whole word with an ellipsis.

    A single word wider than that is cut where it must be; nothing else ever is.
    """
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    kept = ""
    for word in _BETWEEN_WORDS.split(text):
        candidate = f"{kept} {word}" if kept else word
        if cell_len(candidate) + 2 > width:
            break
        kept = candidate
    if kept:
        return f"{kept} {ELLIPSIS}"
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def wrap(text: str, width: int, most: int) -> list[str]:
    """``text`` in at most ``most`` lines of ``width`` cells, broken between words; an ellipsis where cut."""
    if width < 2 or most < 1:
        return []
    lines: list[str] = []
    line = ""
    words = _BETWEEN_WORDS.split(text)
    for index, word in enumerate(words):
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if len(lines) == most - 1:
            lines.append(fit(" ".join([line, *words[index:]]).strip(), width))
            return lines
        if line:
            lines.append(line)
        line = word
        while cell_len(line) > width and len(lines) < most - 1:
            head = set_cell_size(line, width).rstrip()
            lines.append(head)
            line = line[len(head) :]
        if cell_len(line) > width:
            line = fit(line, width)
    if line:
        lines.append(line)
    return lines


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line that is shown whole or not at all."""

    text: str
    style: str = ""
    rank: int = 0
    """Pieces of the highest rank go first when the line is too narrow."""
    short: str | None = None
    """What stands in before the piece goes altogether."""
    short_rank: int | None = None
    """The rank at which ``short`` stands in; ``rank`` itself by default."""

    def next_rank(self, shortened: bool) -> int:
        """When this piece must give way next."""
        return self.rank if shortened or not self.short or self.short_rank is None else self.short_rank


def line(width: int, left: Sequence[Part], right: Sequence[Part] = (), gap: str = "  ") -> Content:
    """One line of exactly ``width`` cells: ``left`` at its start, ``right`` at its end, whole pieces only.

    While it is too wide, the piece of the highest rank (the last of them) is shortened, and if that was done, dropped.
    """
    pieces = [(part, side, False) for side, parts in enumerate((left, right)) for part in parts if part.text]
    while pieces:
        if _needed(pieces, gap) <= width:
            break
        index = max(range(len(pieces)), key=lambda at: (pieces[at][0].next_rank(pieces[at][2]), at))
        part, side, shortened = pieces[index]
        if part.short and not shortened:
            pieces[index] = (part, side, True)
        else:
            del pieces[index]
    spans: list[str | tuple[str, str]] = []
    used = 0
    for side in (0, 1):
        chosen = [(_words(part, shortened), part.style) for part, at, shortened in pieces if at == side]
        if side and chosen:
            space = width - used - sum(cell_len(text) for text, _ in chosen) - len(gap) * (len(chosen) - 1)
            spans.append(" " * max(0, space))
        for index, (text, style) in enumerate(chosen):
            if index:
                spans.append(gap)
                used += len(gap)
            spans.append((text, style))
            used += cell_len(text)
    return Content.assemble(*spans)


def _needed(pieces: Sequence[tuple[Part, int, bool]], gap: str) -> int:
    texts = [_words(part, shortened) for part, _, shortened in pieces]
    return sum(cell_len(text) for text in texts) + len(gap) * max(0, len(texts) - 1)


def _words(part: Part, shortened: bool) -> str:
    return part.short or "" if shortened else part.text
