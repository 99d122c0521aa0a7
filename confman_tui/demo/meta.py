"""A node's term, vote and commit index on disk (``meta.json``), with a checksum: a vote must not change by itself."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Annotated

import msgspec

from confman_tui.demo import disk
from confman_tui.demo.disk import DamagedError

_LIMIT = 64 * 1024
"""Bytes that such a file may have."""


class Meta(msgspec.Struct):
    """What a node must not forget beside its log (Raft, figure 2)."""

    term: Annotated[int, msgspec.Meta(ge=0)] = 0
    vote: str | None = None
    """The node that it voted for in this term."""
    commit: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Index of the last entry that it knew to be committed; may lag."""


class _Stored(Meta, forbid_unknown_fields=True, kw_only=True):
    check: int


def _check(meta: Meta) -> int:
    return zlib.crc32(msgspec.json.encode((meta.term, meta.vote, meta.commit)))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Stored).decode


def load(path: Path) -> Meta:
    """What is stored; a new node's where there is no file. Raises DamagedError, and OSError when it can't be read."""
    if not path.exists() and not path.is_symlink():
        return Meta()
    try:
        stored = _decode(disk.read_plain(path, _LIMIT))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DamagedError(path, f"it does not hold a term and a vote as this program stores them ({error})") from None
    if stored.check != _check(stored):
        raise DamagedError(path, "its checksum does not fit the term and the vote in it")
    return Meta(stored.term, stored.vote, stored.commit)


def save(path: Path, meta: Meta, *, fsync: bool) -> None:
    """Store it, in the place of what was there, in one step. Raises OSError."""
    fresh = path.with_suffix(".new")
    fd = disk.create(fresh)
    try:
        stored = _Stored(term=meta.term, vote=meta.vote, commit=meta.commit, check=_check(meta))
        disk.write_all(fd, _encode(stored))
        if fsync:
            disk.sync_file(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    if fsync:
        disk.sync_folder(path.parent)
