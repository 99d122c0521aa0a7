"""Partial updates of the screen that write the changed span, not the line from the widget's left edge up to it.

Textual 8.2's compositor crops a changed span at its right end only (its `ChopsUpdate.render_segments`), so a graph that
grows at its right edge would be written whole each second: four times the bytes on a slow line. This module mends
that one method. It touches private names; where they are not as expected nothing is done, and the screen only
costs more bytes. `tests/tui/charts/test_narrow.py` tells when that happens.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.control import Control


def _render_segments(self: Any, console: Console) -> str:
    """The terminal's text for the changed spans, each cropped at both ends."""
    parts: list[str] = []
    last_y = self.spans[-1][0]
    for y, x1, x2 in self.spans:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            begin = max(x, x1)
            if begin > x or end > x2:
                strip = strip.crop(begin - x, min(end, x2) - x)
            parts.append(Control.move_to(begin, y).segment.text)
            parts.append(strip.render(console))
        if y != last_y:
            parts.append("\n")
    return "".join(parts)


def narrow_updates() -> bool:
    """Mend the running Textual; True when that is done, False when its inside is not as expected."""
    try:
        from textual import _compositor
        from textual.strip import Strip

        update = _compositor.ChopsUpdate
        known = update.render_segments is _render_segments or (
            update.__init__.__code__.co_varnames[:4] == ("self", "chops", "spans", "chop_ends")
            and hasattr(Strip, "render")
            and hasattr(Strip, "crop")
        )
    except (ImportError, AttributeError):
        return False
    if known:
        update.render_segments = _render_segments  # type: ignore[method-assign]
    return known
