"""How a node's files are opened, created and synced, and the error that says that one of them is damaged.

A node's folder may have been made by somebody else: no file of it is followed anywhere (symbolic links), and what is no
regular file is refused, so that nothing outside the folder is read or written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_PLAIN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Not through a link, not into a child process, and without waiting for the other end of a pipe."""


class DamagedError(Exception):
    """What a node stored is not whole, so it must not start; the text is one sentence with file and place."""

    def __init__(self, path: Path, why: str, at: int | None = None) -> None:
        """
        Args:
            path: the file.
            why: what is wrong with it; the end of a sentence.
            at: the byte from which on it is not as it was written; None where no byte says more than another.
        """
        place = "" if at is None else f" at byte {at}"
        super().__init__(f"{path.absolute()} is damaged{place}: {why}")
        self.path = path
        self.at = at


def open_plain(path: Path, flags: int) -> int:
    """Open a file, which O_CREAT makes for this user alone if it is not there.

    Raises DamagedError when it is a link or no regular file, and OSError as `os.open` does.
    """
    try:
        fd = os.open(path, flags | _PLAIN, 0o600)
    except OSError:
        if path.is_symlink():
            raise DamagedError(path, "it is a link to another file") from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DamagedError(path, "it is no regular file")
    return fd


def read_plain(path: Path, limit: int | None = None) -> bytes:
    """The file's bytes, the first ``limit`` of them. Raises as `open_plain` does."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        return file.read() if limit is None else file.read(limit)


def create(path: Path, flags: int = 0) -> int:
    """Create an empty file, in the place of one that an earlier attempt left. Raises OSError."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_file(fd: int) -> None:
    """Wait until the disk has what was written, as far as the system can say (fdatasync). Raises OSError."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(path: Path) -> None:
    """The same for a folder's entries, after a file in it got another name. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
