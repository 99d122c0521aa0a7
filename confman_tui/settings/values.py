"""From a setting's text to its value: sizes, times, counts, names.

Each parser takes the text of a flag, an environment variable or the settings file and raises ValueError with the end
of a sentence ("must be …", "is outside …"); the caller puts the setting's name before it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

KB = 1024
MB = 1024 * KB
MAX_PAYLOAD = 50 * MB
"""The largest value that Confman takes."""
MAX_USERS = 100_000
MIN_RATE, MAX_RATE = 0.5, 100_000.0
"""Least and most requests per second of an open loop."""
MAX_ENTRIES = 100_000
"""The most entries that a sweep seeds."""

# Texts, not compiled: each is compiled when the first value of its kind is parsed.
_SIZE = r"(?ai)([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(b|kb|kib|mb|mib)?"
_SIZE_UNITS = {"b": 1, "kb": KB, "kib": KB, "mb": MB, "mib": MB}
_TIME = r"(?ai)([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(ms|s|m|h)?"
_TIME_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = r"(?ai)([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(?:/ ?s)?"
_INTEGER = r"[+-]?[0-9]{1,18}"
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_LONGEST_SHOWN = 60


def shown(text: str) -> str:
    """The text as an error may repeat it: quoted, control characters escaped, cut when long."""
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 1] + "…"
    return ascii(text) if any(not c.isprintable() for c in text) else f"'{text}'"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that the wrong one was probably meant to be, for a hint."""
    from difflib import get_close_matches  # needed for wrong input only

    return next(iter(get_close_matches(word, list(known), 1)), None)


def boolean(text: str) -> bool:
    """1, true, yes, on or 0, false, no, off."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{shown(text)} must be one of {', '.join(_TRUE + _FALSE)}")


def integer(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not re.fullmatch(_INTEGER, text.strip()):
            raise ValueError(f"{shown(text)} must be a whole number from {low} to {high}")
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{value} is outside {low} to {high}")
        return value

    return parse


def rate(text: str) -> float:
    """Requests per second: ``500``, ``0.5``, ``500/s``."""
    match = re.fullmatch(_RATE, text.strip())
    value = float(match[1]) if match is not None else 0.0
    if not MIN_RATE <= value <= MAX_RATE:
        raise ValueError(
            f"{shown(text)} must be a number of requests per second from {MIN_RATE:g} to {MAX_RATE:g}, such as 500"
        )
    return value


def payload(text: str) -> int:
    """Bytes of a value: ``512``, ``1KB``, ``1.5MB``; a KB has 1,024 bytes."""
    allowed = "a size from 1 byte to 50 MB (Confman's limit), such as 512, 1KB or 2MB"
    match = re.fullmatch(_SIZE, text.strip())
    size = float(match[1]) * _SIZE_UNITS[(match[2] or "b").lower()] if match is not None else 0.0
    if size != int(size):
        raise ValueError(f"{shown(text)} is not a whole number of bytes; it must be {allowed}")
    if not 1 <= size <= MAX_PAYLOAD:
        raise ValueError(f"{shown(text)} must be {allowed}")
    return int(size)


MOST_STEPS = 32
"""Values that one series may have."""


def ascending(parse: Callable[[str], int], example: str) -> Callable[[str], tuple[int, ...]]:
    """One value, or several with commas in ascending order: the steps of a series.

    Args:
        parse: Of each value.
        example: What a list may look like, for the error.
    """

    def parse_all(text: str) -> tuple[int, ...]:
        found = tuple(parse(part) for part in text.split(","))
        if len(found) > MOST_STEPS or any(value >= following for value, following in pairwise(found)):
            allowed = f"one value, or up to {MOST_STEPS} in ascending order, each once, such as {example}"
            raise ValueError(f"{shown(text)} must be {allowed}")
        return found

    return parse_all


def seconds(
    low: float, high: float, allowed: str, *, bare: Literal["s", "ms"] = "s", zero: bool = False
) -> Callable[[str], float]:
    """A time as seconds: ``30``, ``30s``, ``2m``, ``1h``, ``500ms``.

    Args:
        low: The least number of seconds taken; 0 means anything above 0.
        high: The most seconds taken.
        allowed: The range in words, for the error.
        bare: The unit of a number without one.
        zero: Whether 0 is taken too (for "off").
    """

    def parse(text: str) -> float:
        match = re.fullmatch(_TIME, text.strip())
        if match is None:
            examples = "100, 100ms or 1s" if bare == "ms" else "30, 30s, 2m or 1h"
            raise ValueError(f"{shown(text)} must be a time such as {examples}: {allowed}")
        value = float(match[1]) * _TIME_UNITS[(match[2] or bare).lower()]
        if value == 0 and zero:
            return 0.0
        if not (value > 0 and low <= value <= high):
            raise ValueError(f"{shown(text)} is outside what is allowed: {allowed}")
        return value

    return parse


def probe(low: float, high: float, allowed: str) -> Callable[[str], float | None]:
    """``auto`` (None), ``off`` (0), or a time as `seconds` takes it, in ms where it has no unit."""
    parse_time = seconds(low, high, allowed, bare="ms", zero=True)

    def parse(text: str) -> float | None:
        word = text.strip().lower()
        if word == "auto":
            return None
        return 0.0 if word == "off" else parse_time(text)

    return parse


def whole_seconds(high: float, allowed: str) -> Callable[[str], float]:
    """A time of whole seconds, 0 included, as `seconds` takes them: what is left out of a run is cut by the second."""
    parse_time = seconds(0.0, high, allowed, zero=True)

    def parse(text: str) -> float:
        value = parse_time(text)
        if value != int(value):
            raise ValueError(f"{shown(text)} must be whole seconds: {allowed}")
        return value

    return parse


def choice(known: Sequence[str]) -> Callable[[str], str]:
    """One of the known words."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"{shown(text)} is not known; choose from {', '.join(known)}")
        return text

    return parse


def text(value: str) -> str:
    """Any text that is not empty and holds no control character."""
    if not value.strip():
        raise ValueError("is empty")
    if any(not c.isprintable() for c in value):
        raise ValueError(f"{shown(value)} holds a character that can't be printed")
    return value.strip()


def api_key(value: str) -> str:
    """A key that can stand in an HTTP header. The errors never repeat it."""
    if not value:
        raise ValueError("is empty")
    if not all("!" <= c <= "~" for c in value):
        raise ValueError("must be ASCII letters, digits and signs, without spaces (it is not shown here)")
    return value


def folder(value: str) -> Path:
    """A folder's path; ``~`` is the home folder. Whether it can be written is found out when it is used."""
    if not value.strip() or "\0" in value:
        raise ValueError(f"{shown(value)} must be the path of a folder")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{shown(value)} names a home folder that is not known") from error


def file(value: str) -> Path:
    """A file's path; ``~`` is the home folder. Whether it can be read is found out when it is used."""
    try:
        return folder(value)
    except ValueError as error:
        raise ValueError(str(error).replace("path of a folder", "path of a file")) from None


def ports(value: str) -> tuple[int, ...]:
    """``auto`` (an empty tuple: free ports are chosen) or one to nine different ports, such as 6100,6200,6300."""
    if value.strip().lower() == "auto":
        return ()
    allowed = "auto, or one to nine different ports from 1 to 65535, such as 6100,6200,6300"
    parts = [part.strip() for part in value.split(",")]
    numbers = tuple(int(part) if re.fullmatch(_INTEGER, part) else 0 for part in parts)
    if len(numbers) > 9 or len(set(numbers)) != len(numbers) or not all(1 <= port <= 65535 for port in numbers):
        raise ValueError(f"{shown(value)} must be {allowed}")
    return numbers


def address(lowest_port: int) -> Callable[[str], tuple[str, int]]:
    """``HOST:PORT``: a name or an IPv4 address, and a port from ``lowest_port`` to 65535."""
    zero = ", or 0 for a free one" if lowest_port == 0 else ""
    allowed = f"HOST:PORT, such as 10.0.0.1:5557, with a port from 1 to 65535{zero}"

    def parse(value: str) -> tuple[str, int]:
        match = re.fullmatch(r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\*):([0-9]{1,5})", value.strip())
        if match is None or not lowest_port <= int(match[2]) <= 65535:
            raise ValueError(f"{shown(value)} must be {allowed}")
        return match[1], int(match[2])

    return parse


def election_timeout(value: str) -> tuple[int, int]:
    """Least and most milliseconds of a random election timeout, as ``150-300``."""
    allowed = "two times in ms from 50 to 60000, the lower one first, such as 150-300"
    match = re.fullmatch(r"([0-9]{1,6}) ?(?:ms)? ?- ?([0-9]{1,6}) ?(?:ms)?", value.strip())
    low, high = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    if not 50 <= low < high <= 60_000:
        raise ValueError(f"{shown(value)} must be {allowed}")
    return low, high


def restart_command(value: str) -> str:
    """A command line with ``{port}`` in it, which stands for the node's port."""
    if "{port}" not in value:
        raise ValueError("must hold {port}, which stands for the node's port, such as 'systemctl restart node@{port}'")
    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError("has a quote that is never closed") from error
    return value


@dataclass(frozen=True, slots=True)
class Verify:
    """How many acknowledged writes are read back after a run."""

    mode: Literal["all", "sample", "off"]
    sample: int = 0
    """How many, when ``mode`` is ``sample``."""

    def __str__(self) -> str:
        return f"sample:{self.sample}" if self.mode == "sample" else self.mode


def verify(value: str) -> Verify:
    """``all``, ``off`` or ``sample:N``."""
    word = value.strip().lower()
    if word == "all":
        return Verify("all")
    if word == "off":
        return Verify("off")
    match = re.fullmatch(r"sample:([0-9]{1,9})", word)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{shown(value)} must be all, off or sample:N with N from 1, such as sample:1000")
    return Verify("sample", int(match[1]))


_KEY_NAMES = (
    *("space", "enter", "escape", "tab", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown"),
    *("up", "down", "left", "right", "plus", "minus"),
)
"""Names that Textual gives to keys without a character of their own."""


def key_list(value: str) -> str:
    """Keys for one action, separated by commas: a character, f1 to f24, or a name such as ``space``."""
    allowed = f"a letter, digit or sign, f1 to f24, or one of {', '.join(_KEY_NAMES)}; several: a,f5"
    keys = [key.strip() for key in value.split(",")]
    for key in keys:
        single = len(key) == 1 and key.isascii() and key.isprintable()
        if not (single or key in _KEY_NAMES or re.fullmatch(r"f([1-9]|1[0-9]|2[0-4])", key)):
            raise ValueError(f"{shown(value)} must be {allowed}")
    return ",".join(keys)
