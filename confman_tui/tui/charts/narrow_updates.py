"""Partial updates of the screen in a third of the bytes: what changed, in as few escape sequences as possible.

Textual 8.2's compositor crops a changed span at its right end only (its `ChopsUpdate.render_segments`), so a graph that
grows at its right edge is written whole each second; and each run of cells states its colours in full, some forty
bytes, though most runs share the background of the one before. On a slow line that is what makes the screen lag. This
module replaces that one method. It touches private names; where they are not as expected nothing is done, and the
screen only costs more bytes: `tests/tui/charts/test_narrow_updates.py` tells when that happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style

from confman_tui.tui.breath import breathe

_Look = tuple[str, str, str]
"""SGR codes of the attributes, the foreground and the background; empty for the terminal's own."""

_PLAIN: _Look = ("", "", "")


@lru_cache(maxsize=4096)
def _look(style: Style, system: ColorSystem) -> _Look:
    attributes = style.without_color.update_link(None).render("-", color_system=system)
    codes = attributes[2 : attributes.index("m")] if attributes.startswith("\x1b[") else ""
    fore = style.color.downgrade(system).get_ansi_codes() if style.color else ()
    back = style.bgcolor.downgrade(system).get_ansi_codes(foreground=False) if style.bgcolor else ()
    return codes, _named(fore, "39"), _named(back, "49")


def _named(codes: Iterable[str], default: str) -> str:
    text = ";".join(codes)
    return "" if text == default else text


@lru_cache(maxsize=16384)
def _change(old: _Look, new: _Look) -> str:
    """The escape sequence that leads from one look to another."""
    if old[0] != new[0]:
        return "\x1b[" + ";".join(("0", *(code for code in new if code))) + "m"
    codes = []
    if old[1] != new[1]:
        codes.append(new[1] or "39")
    if old[2] != new[2]:
        codes.append(new[2] or "49")
    return f"\x1b[{';'.join(codes)}m" if codes else ""


class _Writer:
    """The terminal's text for segments, with the look that the terminal has by now."""

    def __init__(self, system: ColorSystem | None) -> None:
        self._system = system
        self._now = _PLAIN
        self.parts: list[str] = []

    def write(self, segments: Iterable[Segment]) -> None:
        system, parts, now = self._system, self.parts, self._now
        for text, style, control in segments:
            if not text or control:
                parts.append(text)
                continue
            if system is None:
                parts.append(text if style is None else style.render(text, color_system=None))
                continue
            look = _PLAIN if style is None else _look(style, system)
            if look != now:
                parts.append(_change(now, look))
                now = look
            if style is not None and style.link:
                parts.append(f"\x1b]8;id={style.link_id};{style.link}\x1b\\{text}\x1b]8;;\x1b\\")
            else:
                parts.append(text)
        self._now = now

    def finish(self) -> str:
        if self._now != _PLAIN:
            self.parts.append("\x1b[0m")
        return "".join(self.parts)


def _render_segments(self: Any, console: Console) -> str:
    """The terminal's text for the changed spans, each cropped at both ends."""
    name = console.color_system
    writer = _Writer(None if name is None else COLOR_SYSTEMS[name])
    for y, x1, x2 in self.spans:
        breathe()
        reached = -1
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            begin, stop = max(x, x1), min(end, x2)
            if begin > x or end > stop:
                strip = strip.crop(begin - x, stop - x)
            if begin != reached:
                writer.parts.append(Control.move_to(begin, y).segment.text)
            writer.write(strip)
            reached = stop
    return writer.finish()


def narrow_updates() -> bool:
    """Mend the running Textual; True when that is done, False when its inside is not as expected."""
    try:
        from textual import _compositor
        from textual.strip import Strip

        update = _compositor.ChopsUpdate
        known = update.render_segments is _render_segments or (
            update.__init__.__code__.co_varnames[:4] == ("self", "chops", "spans", "chop_ends")
            and hasattr(Strip, "crop")
        )
    except (ImportError, AttributeError):
        return False
    if known:
        update.render_segments = _render_segments  # type: ignore[method-assign]
    return known
