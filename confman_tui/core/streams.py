"""Standard streams that a shell may have closed, filled or left: what is printed must not break what is done."""

from __future__ import annotations

import contextlib
import os
import sys

from confman_tui.core.errors import UsageError


def open_missing_streams() -> None:
    """Give each standard stream that was closed (``2>&-``) the null device.

    Otherwise Python has no stream at all there, and the next socket that is opened gets the descriptor: what a library
    writes to "stderr" would then be sent to a node.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor is this one: all below it are open by now.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (lives as long as the program)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def write_result(text: str) -> None:
    """Print a result on stdout. That its reader left (``| head -1``) is no error.

    Raises:
        UsageError: it can't be written: a full disk, for instance.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        raise UsageError(f"standard output can't be written: {error.strerror}") from None


def try_print(text: str) -> None:
    """Print a line on stdout if that is possible; a stream that is gone or full is no error."""
    with contextlib.suppress(UsageError):
        write_result(text)


def _forget_stdout() -> None:
    """What is still buffered must not raise again when Python flushes at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
