"""How much a node may answer, and for how long: the nodes' answers are not trusted. Pure.

An answer that is larger is left where it is, unread, and its connection is closed. None is decompressed: this program
asks for no compression, and a few KB of it can stand for gigabytes.
"""

from __future__ import annotations

from typing import Final

KB: Final = 1024
MB: Final = 1024 * KB

PROBLEM_BYTES: Final = 64 * KB
"""Bound of an answer that says how a request went: a problem has some 300 bytes, an entry's fields beside its value as
many."""
HEALTH_BYTES: Final = MB
"""Bound of a readiness answer, which has some 150 bytes."""
ITEM_CHARACTERS: Final = MB
"""Bound of one item of a list. Confman lists values below 64 KB only, each character of six in JSON at most."""
LIST_BYTES: Final = 1024 * MB
"""Bound of a list that is taken in as it comes, and not kept: 16,000 of the largest values that stand in a list."""
KEPT_LIST_BYTES: Final = 32 * MB
"""Bound of a list that is kept (namespaces, claims) …"""
KEPT_ITEMS: Final = 100_000
"""… and of its items: ``{"path":""}`` has twelve bytes on its way and a hundred in memory."""

LEAST_BYTES_PER_S: Final = 4 * MB
"""What an answer's size adds to the time that it may take. A node that sends less a second than this over the whole
answer, its first seconds (the time limit) left out, is given up, however regularly its bytes come."""


def entry_bytes(value_bytes: int) -> int:
    """Bound of an answer that holds one entry, for a value of so many bytes.

    In JSON Confman (.NET) writes a + as ``\\u002B``, and one of 64 characters of base64 is a +: 8 % more.
    """
    return value_bytes + value_bytes // 8 + PROBLEM_BYTES


def time_for(size_bytes: int) -> float:
    """Seconds that a request or an answer may take because of its size."""
    return size_bytes / LEAST_BYTES_PER_S


def size_words(size_bytes: int) -> str:
    """``64 KB``, ``1 MB``, ``1 GB``: rounded to the unit, for a sentence."""
    for unit, name in ((1024 * MB, "GB"), (MB, "MB"), (KB, "KB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.4g} {name}"
    return f"{size_bytes} bytes"
