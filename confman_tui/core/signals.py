"""The signals that end the program, SIGINT (^C), SIGTERM and SIGHUP, from its first line to its last.

The first one ends the work in order, a further one the program at once. Where nobody has work to end in order (before
a front end stands, and when it has ended), the first ends the program at once, too. Its exit code is 130 in each case.

This module imports next to nothing, so that its handlers stand before anything else is imported.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Each asks the program to end."""
LEAVES_WITHIN_S = 0.7
"""How long after the second signal the program ends, whatever holds up what is done on it."""
EXIT_INTERRUPTED = 130
"""As in `confman_tui.core.errors`, which takes longer to import."""


def stand() -> None:
    """Have each of them end the program at once, from now on. Main thread only."""
    for number in ENDING:
        signal.signal(number, _end_at_once)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)


@contextmanager
def handled(
    first: Callable[[str], object], again: Callable[[str], object], last_resort: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """While inside, the first signal calls ``first`` with its name and each further one ``again``; main thread only.

    Both are called between any two steps of the main thread. The program ends 0.7 s after the second signal if it has
    not by itself, also where a terminal takes no more output: ``last_resort`` is called just before, on another thread.
    """
    came = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came += 1
        if came == 2:
            end_soon(last_resort)
        (first if came == 1 else again)(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_soon(last_resort: Callable[[], object] = lambda: None) -> None:
    """End the program within 0.7 s with 130, whatever its threads wait for."""

    def wait_and_end() -> None:
        time.sleep(LEAVES_WITHIN_S)
        try:
            last_resort()
        finally:
            os._exit(EXIT_INTERRUPTED)

    # Not `threading.Thread`: the handler may have interrupted something that holds the lock which that needs.
    _thread.start_new_thread(wait_and_end, ())


def end(code: int) -> NoReturn:
    """End the program, with what is to be done at its exit, but without taking the interpreter apart: while that lasts
    no handler stands, and a signal would kill the program with a code of the system's."""
    if sys.flags.dev_mode:
        sys.exit(code)  # who asks for it wants to hear of what was never closed
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
