"""Styled text as the terminal takes it, with a colour stated only where it changes.

Rich states the colours of each run of cells in full, some forty bytes, though most runs share the background of the one
before. Over a slow line that is what makes the screen lag.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

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


class SegmentWriter:
    """The terminal's text for segments; keeps the look that the terminal has by now."""

    def __init__(self, system: ColorSystem | None) -> None:
        """``system``: the terminal's colours; None: it has none."""
        self._system = system
        self._now = _PLAIN
        self.parts: list[str] = []

    def write(self, segments: Iterable[Segment]) -> None:
        """Add these segments."""
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
        """All text so far, ending in the terminal's own look."""
        if self._now != _PLAIN:
            self.parts.append("\x1b[0m")
        return "".join(self.parts)
