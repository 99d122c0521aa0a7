"""The workers' token: what makes a process a worker that was invited. It comes from the environment only, since others
on a machine can read what stands on a command line."""

from __future__ import annotations

import base64
import binascii
import functools
import re
import secrets

VARIABLE = "CONFMAN_BENCH_WORKER_TOKEN"
LEAST_BYTES = 16
"""128 bits: nobody guesses those."""
_MOST_CHARACTERS = 1024
_LEAST_DIFFERENT = 8
"""Of 16 random bytes, fewer are different once in 10 ** 10 times; of a word that is repeated, always."""
_ALLOWED = (
    "must be at least 128 random bits: 32 or more hex digits (`openssl rand -hex 16`), or as much in base64 "
    "(`openssl rand -base64 24`)"
)


def parse(text: str) -> str:
    """The token in one form, lower-case hex digits, whichever of the two it was written in.

    Text of hex digits alone is taken for hex, all other for base64 (RFC 4648, either alphabet, padded or not).

    Raises:
        ValueError: it is neither, too short, or visibly not random. The sentence never repeats it.
    """
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"is longer than {_MOST_CHARACTERS} characters; it {_ALLOWED}")
    token = _decoded(text)
    if token is None:
        raise ValueError(f"is neither hex nor base64; it {_ALLOWED}")
    if len(token) < LEAST_BYTES:
        raise ValueError(f"has {len(token) * 8} bits; it {_ALLOWED}")
    if len(set(token)) < _LEAST_DIFFERENT:
        raise ValueError(f"is not random; it {_ALLOWED}")
    return token.hex()


def _decoded(text: str) -> bytes | None:
    if re.fullmatch(r"[0-9A-Fa-f]+", text):
        return bytes.fromhex(text) if len(text) % 2 == 0 else None
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


@functools.cache
def of_this_program() -> str:
    """A random token, the same for as long as this process lives."""
    return secrets.token_hex(LEAST_BYTES)
