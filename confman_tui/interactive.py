"""The screen's face: wires the app to a conductor in a process of its own, and sees that both end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from confman_tui import errors
from confman_tui.cluster.elections_model import FaultKind
from confman_tui.remote_conductor import RemoteConductor
from confman_tui.settings import Resolved, check_keys, remembered

JOIN_S = 8.0
"""Longest wait for the conductor after the screen is gone: its stop and its clean-up are bounded to less."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_interactive(resolved: Resolved) -> int:
    """Show the screen until the person leaves, a signal comes or the terminal is closed. Returns the exit code."""
    from confman_tui.tui.actions import binding_ids
    from confman_tui.tui.app import ConfmanApp
    from confman_tui.tui.driver import EnduringDriver
    from confman_tui.tui.options import UiOptions
    from confman_tui.tui.run import finish

    check_keys(resolved, binding_ids())
    settings = resolved.settings
    conductor = RemoteConductor(settings)
    app = ConfmanApp(
        conductor,
        UiOptions(
            output_dir=settings.output_dir,
            theme=settings.theme,
            keymap=settings.keys,
            remember_theme=remembered.remember_theme,
            drill_fault=FaultKind(settings.fault),
            drill_rounds=settings.rounds,
        ),
    )
    app.driver_class = EnduringDriver
    try:
        with _signals(lambda: app.request_quit(errors.EXIT_INTERRUPTED)):
            code = finish(app)
    finally:
        conductor.quit()
        ended = conductor.join(0.5 if app.stays_behind else JOIN_S)
        left = "" if ended else conductor.leave_behind()
        if not ended:
            conductor.abandon()
    if not ended:
        _leave_at_once(left, code, told=bool(app.stays_behind))
    if conductor.crash is not None and code == errors.EXIT_OK:
        sys.stderr.write(f"confman-tui: a defect of this program: {conductor.crash}\n")
        return errors.EXIT_CRASH
    return code


def _leave_at_once(left: str, code: int, *, told: bool) -> None:
    """The conductor had not ended: say what stays and end without waiting for anything."""
    if not told:
        sys.stderr.write(f"confman-tui: left before everything had ended{'; ' + left if left else ''}\n")
    sys.stderr.flush()
    os._exit(code or errors.EXIT_INTERRUPTED)


@contextmanager
def _signals(leave: Callable[[], None]) -> Iterator[None]:
    """While inside, the signals that end programs end this one as ``q`` does."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        leave()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            # A second signal must not cut the clean-up short after the screen is gone.
            signal.signal(number, handler if number == signal.SIGINT else signal.SIG_IGN)
