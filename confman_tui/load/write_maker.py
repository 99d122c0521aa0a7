"""Makes what a run writes: keys that nobody used before, and values that no other write has."""

from __future__ import annotations

import random
from collections.abc import Iterable
from urllib.parse import quote

from confman_tui.cluster.elections import bytes_digest
from confman_tui.load.entries import head_of

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TOKEN_DIGITS = 5
_SEQUENCE_DIGITS = 7
_UNIQUE_DIGITS = _TOKEN_DIGITS + _SEQUENCE_DIGITS

_next_token = random.SystemRandom().randrange(16**_TOKEN_DIGITS)


def take_token(keys: Iterable[tuple[str, str]]) -> str:
    """Five hex digits that no other run of this process has and no seeded key begins with."""
    global _next_token
    seeded = {key[4 : 4 + _TOKEN_DIGITS] for _namespace, key in keys}
    while True:
        _next_token = (_next_token + 1) % 16**_TOKEN_DIGITS
        token = f"{_next_token:0{_TOKEN_DIGITS}x}"
        if token not in seeded:
            return token


def entry_path(namespace: str, key: str) -> str:
    """The path of an entry's address."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/config/{quote(key, safe='')}"


class Write:
    """One write to be sent: a key that nobody used before and a value that no other write has."""

    __slots__ = ("body", "digest", "head", "key", "namespace", "path", "started")

    def __init__(self, namespace: str, key: str, path: str, head: bytes, body: bytes, digest: int) -> None:
        self.namespace = namespace
        self.key = key
        self.path = path
        self.head = head
        """How Confman's answer begins."""
        self.body = body
        self.digest = digest
        """`confman_tui.cluster.elections.value_digest` of the value; 0 where nobody books the writes."""
        self.started = 0.0
        """When it was sent first, set by the user."""


class WriteMaker:
    """Makes writes, cheaply: a random block is made once, and only its last twelve characters differ per write.

    The value has exactly ``payload_bytes`` characters of the base64 alphabet and ends in the twelve hex digits of its
    key. (A value shorter than that holds the last digits only, and repeats after 16 to the power of its length.)
    """

    def __init__(
        self, namespaces: tuple[str, ...], payload_bytes: int, keys: Iterable[tuple[str, str]], *, digests: bool
    ) -> None:
        self._namespaces = tuple(
            (name, f"{entry_path(name, '')}key-", head_of(name, "key-")[:-2]) for name in namespaces
        )
        self._token = take_token(keys)
        self._sequence = 0
        self._block_length = max(0, payload_bytes - _UNIQUE_DIGITS)
        self._unique_length = payload_bytes - self._block_length
        block = bytes(random.choices(_ALPHABET, k=min(self._block_length, 65536)))
        if self._block_length > len(block):
            block = (block * (self._block_length // len(block) + 1))[: self._block_length]
        self._head = b'{"value":"' + block
        self._tail = b'","type":"string"}'
        self._digest = bytes_digest(block) if digests else None

    def take_token(self, token: str) -> None:
        """Begin the keys with these five hex digits, which somebody else keeps unique."""
        self._token = token

    def next(self) -> Write:
        """The next write; namespaces take turns."""
        number = self._sequence
        self._sequence = number + 1
        unique = f"{self._token}{number:07x}"
        namespace, stem, head = self._namespaces[number % len(self._namespaces)]
        digits = unique.encode()
        ending = digits[_UNIQUE_DIGITS - self._unique_length :] if self._unique_length else b""
        digest = 0
        if self._digest is not None:
            # the block was summed up once; only the ending is new
            digest = bytes_digest(ending, self._digest)
        head += digits + b'",'
        return Write(namespace, f"key-{unique}", stem + unique, head, self._head + ending + self._tail, digest)
