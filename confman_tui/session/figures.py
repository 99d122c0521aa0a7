"""Numbers as text in the lines about events: plain text without padding."""

from __future__ import annotations

NOTHING = "—"


def count(number: int) -> str:
    """A whole number with thousands apart: ``12,345``."""
    return f"{number:,}"


def rate(per_second: float | None) -> str:
    """Requests per second: one decimal below a thousand, none above."""
    if per_second is None:
        return NOTHING
    return f"{per_second:.1f}" if per_second < 999.95 else f"{per_second:,.0f}"


def asked(per_second: float) -> str:
    """The rate that was asked for: ``500/s``, ``0.5/s``, ``665.5/s``, ``1,000/s``."""
    text = (
        f"{per_second:,.0f}" if per_second >= 1000 else f"{per_second:.1f}" if per_second >= 10 else f"{per_second:.2f}"
    )
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}/s"


def milliseconds(microseconds: int | float | None) -> str:
    """A latency in milliseconds with three digits or so: ``0.84``, ``21.4``, ``1,630``."""
    if microseconds is None:
        return NOTHING
    value = microseconds / 1000
    if value < 9.995:
        return f"{value:.2f}"
    if value < 99.95:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def short_seconds(seconds: float) -> str:
    """A stretch of time: ``1.62 s``, ``12.3 s``, ``2 min 5 s``."""
    if seconds < 9.995:
        return f"{max(0.0, seconds):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
