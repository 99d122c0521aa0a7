"""The folder of the results: written so that a full disk, a read-only folder or a kill leaves earlier results whole.

A file is written beside its final name and takes that name only when it is complete and on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

import psutil

from confman_tui.core.errors import UsageError

_STAGING = ".confman-tui-"
_PARTIAL = ".part"
_TRIAL = b"confman-tui\n" * 512


class ResultsError(UsageError):
    """A results file that can't be written or read; the sentence names it."""


def os_error_text(error: OSError) -> str:
    """Why a file operation failed, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    if error.errno == errno.EROFS:
        return "the file system is read-only"
    return (error.strerror or str(error)).lower()


def path_of(directory: Path, tier: str, scenario: str, kind: str) -> Path:
    """The file of a scenario's results, such as ``small-write-1u_summary.json`` for the kind ``summary.json``."""
    return directory / f"{tier}-{scenario}_{kind}"


def check_writable(directory: Path) -> None:
    """Make the folder if need be, and prove by writing that results can be written to it.

    Permissions are not asked for but tried: they say nothing about root, read-only mounts and quotas. What killed runs
    of this program left half-written is removed.

    Raises:
        ResultsError: names the folder and why.
    """
    try:
        if directory.exists() and not directory.is_dir():
            raise ResultsError(f"--output-dir: {directory} is a file; it must be a folder")
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=_STAGING) as trial:
            trial.write(_TRIAL)
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        raise ResultsError(f"--output-dir: results can't be written to {directory}: {os_error_text(error)}") from error
    _remove_leftovers(directory)


def _remove_leftovers(directory: Path) -> None:
    """Remove the staging folders and half-written files of processes that are gone."""
    for left in directory.glob(f"{_STAGING}*"):
        if left.is_dir() and _is_gone(left.name.removeprefix(_STAGING)):
            shutil.rmtree(left, ignore_errors=True)
    for left in directory.glob(f".*{_PARTIAL}"):
        if _is_gone(left.name.removesuffix(_PARTIAL).rpartition(".")[2]):
            with contextlib.suppress(OSError):
                left.unlink()


def _is_gone(pid: str) -> bool:
    return pid.isascii() and pid.isdecimal() and len(pid) < 10 and not psutil.pid_exists(int(pid))


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text stream that becomes the file when the block ends well; until then, and on any error, the earlier file
    of that name stays as it was.

    Raises:
        ResultsError: it can't be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise ResultsError(f"{path} can't be written: {os_error_text(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file of an earlier run that would contradict the present one; a missing one is fine.

    Raises:
        ResultsError: it can't be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"{path} can't be removed: {os_error_text(error)}") from error


class Staging:
    """A hidden folder inside the results' folder, for writers that can't replace a file themselves (Locust's CSV
    writer truncates): they write there, and what is complete moves over in one step."""

    def __init__(self, directory: Path) -> None:
        """Make the folder; raises ResultsError when that is impossible."""
        self._directory = directory
        self.folder = directory / f"{_STAGING}{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"{self.folder} can't be made: {os_error_text(error)}") from error

    def prefix(self, tier: str, scenario: str) -> Path:
        """The prefix that Locust's files get while they are written."""
        return self.folder / f"{tier}-{scenario}"

    def publish(self, files: Iterable[Path]) -> tuple[Path, ...]:
        """Give complete files their final names; returns these. A file that was never written is left out.

        Raises:
            ResultsError: one can't be moved; it and those after it stay behind, earlier results whole.
        """
        final = []
        for file in files:
            target = self._directory / file.name
            try:
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
                file.replace(target)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ResultsError(f"{target} can't be written: {os_error_text(error)}") from error
            final.append(target)
        return tuple(final)

    def close(self) -> None:
        """Remove the folder with what was never published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
