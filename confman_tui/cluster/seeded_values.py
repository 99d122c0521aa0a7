"""The values under seeded keys: each follows from its namespace and key, so that a reader can tell it.

As compressible as real secrets, so not at all: base64 text of what SHAKE-256 (FIPS 202) makes of the name. A shorter
value is the beginning of a longer one.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import shake_256


def seeded_value(namespace: str, key: str, size_bytes: int) -> str:
    """The value of a seeded key, of exactly that length in characters of base64."""
    name = f"{namespace}/{key}".encode("utf-8", "surrogatepass")
    return b64encode(shake_256(name).digest(size_bytes * 3 // 4 + 1)).decode()[:size_bytes]
