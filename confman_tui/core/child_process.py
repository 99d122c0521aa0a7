"""Child processes that run a module of this package, and that end with the program whatever becomes of it.

Each gets a process group of its own, so that a ^C in the terminal is not for it, but no session of its own: Linux
shares out the cores among sessions first (autogroup, see sched(7)), and niceness counts only within one. Next to a load
in another session, a drawing with a niceness of 10 takes as much of a core as one without.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

import confman_tui

ENVIRONMENT_PREFIX = "CONFMAN"
"""Variables of this program: among them its API key, which no child may show to whoever looks at its environment."""
EXIT_ORPHANED = 1

_PR_SET_PDEATHSIG = 1
"""prctl(2); Linux only."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package; no secret may stand in ``arguments``."""
    # -P: a module of the working directory must not stand in for one of ours.
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """What a child gets: our environment without this program's variables, and the same copy of this package, also
    from a checkout that is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    root = Path(confman_tui.__file__).resolve().parent.parent
    # An installed one is found anyhow, and its folder must not come before the standard library.
    if root.name not in ("site-packages", "dist-packages"):
        given = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
        kept["PYTHONPATH"] = os.pathsep.join([str(root), *given])
    return kept


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; end now if its process already has.

    To be called first in a child, with the process id of the program that started it. Linux only has the former;
    elsewhere the end of the standard input must do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(EXIT_ORPHANED)
