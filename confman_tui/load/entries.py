"""Whether a 200 is the entry that was asked for or written.

Looked at for each request, so first the cheap way: Confman's answers begin with namespace, key and value in one form,
which is known before the request is sent, and comparing bytes costs some 0.2 µs. An answer that begins otherwise (the
order of the fields, blanks and escapes are the server's to choose) is parsed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from confman_tui.cluster.seeded_values import seeded_value

_MOST_BYTES = 32 * 1024 * 1024
"""Of values kept for comparing; of more and larger ones their beginnings and lengths are compared."""
_LEAST_BYTES = 64
_QUOTE = b'"'
_END = b"}"


def head_of(namespace: str, key: str) -> bytes:
    """How Confman's answer for an entry begins."""
    name = json.dumps({"namespace": namespace, "key": key}, ensure_ascii=False, separators=(",", ":"))
    return name[:-1].encode("utf-8", "surrogatepass") + b","


def names(body: bytes | None, head: bytes, namespace: str, key: str) -> bool:
    """Whether a body is the entry of this name, whatever its value; ``head`` is its `head_of`."""
    if body and body.startswith(head) and body.endswith(_END):
        return True
    return _entry(body, namespace, key) is not None


class SeededEntry:
    """A key to read, and what its value is where that is known."""

    __slots__ = ("_head", "_quote_at", "_value_bytes", "key", "namespace")

    def __init__(self, namespace: str, key: str, value_bytes: int, compared: int) -> None:
        """
        Args:
            namespace: its namespace.
            key: its key.
            value_bytes: length of its `seeded_value`; 0: the value is not known.
            compared: how many bytes of the value to keep.
        """
        self.namespace = namespace
        self.key = key
        self._value_bytes = value_bytes
        self._head = head_of(namespace, key)
        self._quote_at = 0
        if value_bytes:
            self._head += b'"value":"'
            self._quote_at = len(self._head) + value_bytes
            self._head += seeded_value(namespace, key, min(value_bytes, compared)).encode()

    def is_in(self, body: bytes | None) -> bool:
        """Whether a body is this entry."""
        if body and body.startswith(self._head) and body.endswith(_END):
            at = self._quote_at
            if not at or body[at : at + 1] == _QUOTE:
                return True
        entry = _entry(body, self.namespace, self.key)
        if entry is None or not self._value_bytes:
            return entry is not None
        return bool(entry.get("value") == seeded_value(self.namespace, self.key, self._value_bytes))


def seeded_entries(keys: Sequence[tuple[str, str]], value_bytes: int) -> tuple[SeededEntry, ...]:
    """The entries of these keys; ``value_bytes`` as in `SeededEntry`."""
    compared = max(_LEAST_BYTES, _MOST_BYTES // max(len(keys), 1))
    return tuple(SeededEntry(namespace, key, value_bytes, compared) for namespace, key in keys)


def _entry(body: bytes | None, namespace: str, key: str) -> dict[str, Any] | None:
    """The entry of this name that a body holds as JSON; None when it holds something else."""
    try:
        entry = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("namespace") != namespace or not isinstance(entry.get("value"), str):
        return None
    named = entry.get("key")
    if not isinstance(named, str):
        return None
    # Confman leaves an escaped slash as it is (contract, "a%2Fb")
    return entry if key in (named, named.replace("%2F", "/")) else None
