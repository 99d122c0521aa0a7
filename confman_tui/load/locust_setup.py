"""Imports Locust as this program needs it, once for each process that makes load.

Call `prepare` on the main thread, before the screen starts: importing Locust replaces the handler of SIGWINCH.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import threading

_OPEN_FILES = 65536
_prepared = False


def prepare() -> None:
    """Import Locust as this program needs it: no monkey patching, signal handlers as before, client patched.

    Only the main thread can do this, since importing Locust registers a signal handler. Doing it again does nothing.

    Raises:
        confman_tui.load.http_hacks.PatchError: the installed geventhttpclient does not fit.
    """
    global _prepared
    if _prepared:
        return
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("prepare() must be called on the main thread")
    variable = "LOCUST_SKIP_MONKEY_PATCH"
    variable_before = os.environ.get(variable)
    handler_before = signal.getsignal(signal.SIGWINCH)
    os.environ[variable] = "1"
    try:
        importlib.import_module("confman_tui.load.run")
    finally:
        # a child process that wants Locust with its patches must not inherit this
        if variable_before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = variable_before
        signal.signal(signal.SIGWINCH, handler_before)
    _allow_open_files()
    _prepared = True


def _allow_open_files() -> None:
    """One connection per user and node: raise the soft limit of open files towards what this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
