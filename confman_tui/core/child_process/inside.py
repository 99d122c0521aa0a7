"""A child's side: it ends with the program that started it, and reads what it must know first."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

EXIT_ORPHANED = 1
"""Exit code of a child whose program has ended."""
STDIN = 0
STDOUT = 1
STDERR = 2

_PR_SET_PDEATHSIG = 1
"""prctl(2); Linux only."""


def end_with_program() -> list[str]:
    """Ask the kernel to kill this process when the program ends; end now if it already has.

    To be called first in a child, before the slow imports. Linux only has the former; elsewhere the end of the
    standard input must do. Gives the arguments that `start` was called with.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        os._exit(EXIT_ORPHANED)
    return sys.argv[2:]


def keep_output_for_messages() -> int:
    """The descriptor to write messages to, in place of the standard output: whatever a library prints there must not
    get between the messages, and goes to the standard error from now on."""
    sink = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    return sink
