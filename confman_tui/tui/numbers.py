"""Numbers as the screen shows them: plain text without padding. Those in lines about events: `session.figures`."""

from __future__ import annotations

from datetime import datetime

from confman_tui.session.figures import NOTHING as NOTHING
from confman_tui.session.figures import asked as asked
from confman_tui.session.figures import count as count
from confman_tui.session.figures import milliseconds as milliseconds
from confman_tui.session.figures import rate as rate
from confman_tui.session.figures import short_seconds as short_seconds


def short_interval(seconds: float) -> str:
    """An interval as it is set: ``50 ms``, ``250 ms``, ``2 s``."""
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def minutes(seconds: float) -> str:
    """A counter: ``00:07``; with hours ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{text}" if hours else text


def time_of_day(at: float, digits: int = 2) -> str:
    """Local time of day: ``12:04:11.21``."""
    moment = datetime.fromtimestamp(at)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{moment.microsecond:06d}"[: 9 + digits] if digits else text


def size(number: int) -> str:
    """Bytes in the binary units that the payload option takes: ``512 B``, ``1 KB``, ``1.5 MB``."""
    for unit, factor in (("MB", 1024 * 1024), ("KB", 1024)):
        if number >= factor:
            value = number / factor
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
    return f"{number} B"


def per_cent(fraction: float) -> str:
    """A share as whole per cent: ``31 %``."""
    return f"{fraction * 100:.0f} %"


def share(part: int, whole: int) -> str:
    """Per cent of a whole: ``0 %``, ``0.3 %``, ``12 %``."""
    if whole <= 0 or part == 0:
        return "0 %"
    per_cent = 100 * part / whole
    return f"{per_cent:.1f} %" if per_cent < 10 else f"{per_cent:.0f} %"


def bar(fraction: float, width: int) -> str:
    """A bar of heavy and light strokes, with half steps: readable without colour."""
    halves = round(max(0.0, min(1.0, fraction)) * width * 2)
    full, half = divmod(halves, 2)
    return "━" * full + ("╸" if half else "") + "─" * (width - full - half)
