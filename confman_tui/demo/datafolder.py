"""Where a demo cluster keeps its data: a temporary folder that goes with it, or one that a person named and keeps."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

import msgspec

from confman_tui.core.errors import UsageError
from confman_tui.demo import disk
from confman_tui.demo.disk import DamagedError

_PREFIX = "confman-demo-"
_STALE = re.compile(rf"{_PREFIX}(\d+)-")
_LAYOUT = "cluster.json"
_FORMAT = 2
"""1 kept pickles, which can hold anything, and are never read."""
_LAYOUT_BYTES = 64 * 1024


class _Layout(msgspec.Struct):
    format: int
    nodes: int


class DataFolder:
    """A folder in use by this program: locked, and laid out for a number of nodes.

    ``cluster.json`` holds the number of nodes; ``node-1``, ``node-2`` … hold each node's journal, snapshot and log.
    """

    def __init__(self, path: Path, nodes: int, *, temporary: bool, lock: int) -> None:
        self.path = path
        self._temporary = temporary
        self._lock = lock
        self.nodes = [path / f"node-{number}" for number in range(1, nodes + 1)]

    @classmethod
    def temporary(cls, nodes: int) -> DataFolder:
        """A new folder that `close` removes. Folders whose program was killed are removed now. Raises UsageError."""
        sweep()
        try:
            path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            return cls._open(path, nodes, temporary=True)
        except OSError as error:
            raise UsageError(
                f"The demo cluster can't write to the temporary folder {tempfile.gettempdir()}: {error.strerror}."
            ) from None

    @classmethod
    def kept(cls, path: Path, nodes: int) -> DataFolder:
        """A person's folder, made if need be. Raises UsageError when it can't be used as it is."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            return cls._open(path.resolve(), nodes, temporary=False)
        except FileExistsError:
            raise UsageError(f"--demo-data {path} is not a folder; name a folder for the cluster's data.") from None
        except OSError as error:
            raise UsageError(
                f"--demo-data {path} can't be used: {error.strerror}; name a folder that you may write to."
            ) from None

    @classmethod
    def _open(cls, path: Path, nodes: int, *, temporary: bool) -> DataFolder:
        _check_no_other_files(path)
        lock = _open_lock(path)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.read(lock, 32).decode("ascii", "replace").strip()
                raise UsageError(
                    f"--demo-data {path} is in use by another running program (process {owner or 'unknown'}); "
                    "end that one first or name another folder."
                ) from None
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            _check_layout(path, nodes)
            folder = cls(path, nodes, temporary=temporary, lock=lock)
            for node in folder.nodes:
                node.mkdir(mode=0o700, exist_ok=True)
        except BaseException:
            os.close(lock)
            raise
        return folder

    def close(self) -> None:
        """Give the folder up; a temporary one is removed."""
        if self._lock < 0:
            return
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def _check_no_other_files(path: Path) -> None:
    others = sorted(entry.name for entry in path.iterdir() if entry.name != "lock")
    if others and _LAYOUT not in others:
        raise UsageError(
            f"--demo-data {path} holds other files ({others[0]}) and no demo cluster; name an empty or new folder."
        )


def _open_lock(path: Path) -> int:
    try:
        return disk.open_plain(path / "lock", os.O_RDWR | os.O_CREAT)
    except DamagedError as error:
        raise UsageError(f"--demo-data {path} can't be used: {error}; name another folder.") from None


def _check_layout(path: Path, nodes: int) -> None:
    layout = path / _LAYOUT
    if not layout.exists() and not layout.is_symlink():
        fresh = layout.with_suffix(".new")
        fd = disk.create(fresh)
        try:
            disk.write_all(fd, msgspec.json.encode(_Layout(_FORMAT, nodes)))
        finally:
            os.close(fd)
        fresh.replace(layout)
        return
    try:
        found = msgspec.json.decode(disk.read_plain(layout, _LAYOUT_BYTES), type=_Layout)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, DamagedError) as error:
        raise UsageError(f"--demo-data {path} has an unreadable cluster.json ({error}); name another folder.") from None
    if found.format != _FORMAT:
        other = "n older" if found.format < _FORMAT else " newer"
        raise UsageError(
            f"--demo-data {path} was made by a{other} version of this program, whose files this one does not read; "
            "name another folder, or remove that one if its data is no longer needed."
        )
    if found.nodes != nodes:
        raise UsageError(
            f"--demo-data {path} was made for {found.nodes} node{'s' * (found.nodes != 1)}, not {nodes}; "
            f"use --demo-nodes {found.nodes} or name another folder."
        )


def sweep() -> None:
    """Remove the temporary folders of programs that were killed and could not do it themselves."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = _STALE.match(path.name)
        if owner is None or _is_alive(int(owner[1])):
            continue
        try:
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            shutil.rmtree(path, ignore_errors=True)
            continue
        except OSError:
            continue
        try:
            # The process may have been of another pid namespace: the lock says for sure.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
