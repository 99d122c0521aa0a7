"""Running the real program as a child, as a shell would."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PROGRAM = [sys.executable, "-m", "confman_tui"]


def environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment in which nothing of the developer's own settings counts."""
    # COLUMNS and LINES: the snapshot tests leave their own in this process, and they outweigh a terminal's size.
    others = ("CONFMAN_", "BENCH_", "XDG_", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "TMPDIR": str(home),
        **extra,
    }


def run(
    arguments: Sequence[str], home: Path, *, timeout_s: float = 60.0, stdin: int = subprocess.DEVNULL, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=stdin,
        env=environment(home, **extra),
        cwd=home,
        check=False,
    )


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 15.0) -> None:
    """Wait until the condition holds; AssertionError with ``what`` when it does not within the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)
