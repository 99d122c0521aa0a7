"""Why a node of the demo cluster ended, and what a person can do about it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from confman_tui.demo import disk
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.node_contract import EXIT_DAMAGED, EXIT_DISK

LOG = "node.log"
"""What a node says, in its folder."""
_PREFIX = re.compile(r"^[\d-]+ [\d:,]+ [A-Z]+ [\w.]+: ")
"""Time, level and logger of a line."""
_END_BYTES = 64 * 1024


def why_ended(folder: Path, code: int) -> str:
    """The signal that killed it, or the last line of its log, with its exit code."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    try:
        with os.fdopen(disk.open_plain(folder / LOG, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except (OSError, DamagedError):
        lines = []
    words = _PREFIX.sub("", lines[-1]) if lines else "it left no message"
    return f"{words} (exit code {code})"


def word_for(code: int) -> str:
    """The same in a word or two."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return {EXIT_DAMAGED: "data damaged", EXIT_DISK: "disk failed"}.get(code, f"ended, code {code}")


def way_on(folder: Path, code: int) -> str:
    """How to go on."""
    back = "(r on the screen, or the next start)"
    if code == EXIT_DAMAGED:
        return (
            f"to go on without what it stored, remove the folder {folder} while the other nodes run, and bring the "
            f"node back {back}: it catches up from them"
        )
    if code == EXIT_DISK:
        return f"see to the disk, then bring the node back {back}"
    return f"bring it back {back}; its log is {folder / LOG}"
