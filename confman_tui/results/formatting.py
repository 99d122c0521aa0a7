"""Numbers and times as files and tables show them."""

from __future__ import annotations

import math
from datetime import datetime
from textwrap import wrap

from confman_tui.cluster.node_names import full_name


def iso(at: float, timespec: str = "milliseconds") -> str:
    """A moment in local time with its zone, such as ``2026-11-23T12:04:11.210+01:00``."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec=timespec)


def from_iso(text: str) -> float:
    """Seconds since the epoch of what `iso` wrote; ValueError when it is no such text, has no zone, or lies outside
    the years 1970 to 2999."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1970 < moment.year < 3000:
        raise ValueError("no moment that this program could have written")
    return moment.timestamp()


def rounded(value: float | None, digits: int = 6) -> float | None:
    """A number that JSON can hold: rounded, None for what is not finite."""
    return round(value, digits) if value is not None and math.isfinite(value) else None


def milliseconds(us: float | None) -> str:
    """Microseconds as milliseconds with three digits or so; ``-`` for None."""
    return "-" if us is None else sensible(us / 1000)


def sensible(value: float | None) -> str:
    """A number with three digits or so: 0.51, 3.21, 38.2, 1,630; ``-`` for None."""
    if value is None or not math.isfinite(value):
        return "-"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:,.{digits}f}"


def seconds(value: float | None) -> str:
    """Seconds with two decimals and the unit; ``-`` for None."""
    return "-" if value is None else f"{value:.2f} s"


def per_cent(part: int, whole: int) -> str:
    """A share: ``0.91 %``; never 0 % for something, nor 100 % for not all."""
    if whole <= 0 or part <= 0:
        return "0 %"
    if part >= whole:
        return "100 %"
    share = min(max(100 * part / whole, 0.01), 99.99)
    return f"{share:.1f} %" if 9.995 <= share < 99.95 else f"{share:.2f} %"


def short_node(node: str | None) -> str:
    """A node without its scheme: ``127.0.0.1:6100``; ``-`` for None."""
    return "-" if node is None else full_name(node)


def one_line(text: str, longest: int = 200) -> str:
    """A text from elsewhere, fit for a terminal's line: control characters and line breaks become ``?``, cut when
    long."""
    clean = "".join(c if c.isprintable() else "?" for c in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def wrapped(text: str, width: int = 100) -> str:
    """A sentence in lines of at most ``width`` columns, the further ones indented."""
    return "\n".join(wrap(one_line(text, 2000), width, subsequent_indent="    ")) if text.strip() else ""
