"""The screen's face: wires the app to a conductor on its own thread, and sees that both end."""

from __future__ import annotations

import os
import sys

from confman_tui import errors
from confman_tui.conductor import ConductorThread
from confman_tui.load.engine import prepare
from confman_tui.settings import Resolved, remembered

JOIN_S = 8.0
"""Longest wait for the conductor after the screen is gone: its stop and its clean-up are bounded to less."""


def run_interactive(resolved: Resolved) -> int:
    """Show the screen until the person leaves. Returns the exit code."""
    # Before the app: importing Locust registers a signal handler, which only the main thread may.
    prepare()
    from confman_tui.tui.options import UiOptions
    from confman_tui.tui.run import run

    settings = resolved.settings
    conductor = ConductorThread(settings)
    options = UiOptions(
        output_dir=settings.output_dir,
        theme=settings.theme,
        keymap=settings.keys,
        remember_theme=remembered.remember_theme,
    )
    try:
        code = run(conductor, options)
    finally:
        conductor.quit()
        ended = conductor.join(JOIN_S)
        if not ended:
            conductor.abandon()
    if not ended:
        left = conductor.leave_behind()
        sys.stderr.write(f"confman-tui: left before everything had ended{'; ' + left if left else ''}\n")
        sys.stderr.flush()
        os._exit(code or errors.EXIT_INTERRUPTED)
    if conductor.crash is not None and code == errors.EXIT_OK:
        crash = conductor.crash
        sys.stderr.write(f"confman-tui: a defect of this program: {type(crash).__name__}: {crash}\n")
        return errors.EXIT_CRASH
    return code
