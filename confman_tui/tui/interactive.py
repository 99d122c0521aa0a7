"""The screen's front end: wires the app to a session on a thread beside it, and sees that both end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from confman_tui.cluster.elections import FaultKind
from confman_tui.core import errors
from confman_tui.load.locust_setup import prepare
from confman_tui.session.connection import MakeDemo
from confman_tui.session.session_thread import SessionThread
from confman_tui.settings import Resolved, check_keys, themes

JOIN_S = 8.0
"""Longest wait for the session after the screen is gone: its stop and its clean-up are bounded to less."""
HASTY_JOIN_S = 0.1
"""The same when a person left at once, or waited long already."""
ABANDON_S = 0.6
"""Longest wait for the end of the demo cluster's processes when the session did not end."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_interactive(resolved: Resolved, make_demo: MakeDemo) -> int:
    """Show the screen until the person leaves, a signal comes or the terminal is closed. Returns the exit code."""
    # Before the app, and on the main thread: importing Locust registers a signal handler.
    prepare()
    from confman_tui.tui.app import ConfmanApp
    from confman_tui.tui.keys.table import binding_ids
    from confman_tui.tui.run_screen import finish
    from confman_tui.tui.start_options import UiOptions
    from confman_tui.tui.textual_hacks import EnduringDriver

    check_keys(resolved, binding_ids())
    settings = resolved.settings
    session = SessionThread(settings, make_demo)
    app = ConfmanApp(
        session,
        UiOptions(
            output_dir=settings.output_dir,
            theme=settings.theme,
            keymap=settings.keys,
            remember_theme=themes.remember,
            drill_fault=FaultKind(settings.fault),
            drill_rounds=settings.rounds,
            strict=settings.strict,
            sweep_sizes=settings.entries,
        ),
    )
    app.driver_class = EnduringDriver
    try:
        with _signals(lambda: app.request_quit(errors.EXIT_INTERRUPTED)):
            code = finish(app)
    finally:
        session.quit()
        ended = session.join(HASTY_JOIN_S if app.left_at_once else JOIN_S)
        if not ended:
            session.abandon(ABANDON_S)
    if not ended:
        code = app.state.exit_reasons.code_with(errors.EXIT_INTERRUPTED)
        _leave_at_once(session, code, announced=app.left_at_once)
    if session.crash is not None:
        crash = session.crash
        words = f"a defect of this program: {type(crash).__name__}: {crash}"
        sys.stderr.write(f"confman-tui: {words}\n")
        app.state.exit_reasons.add(errors.EXIT_CRASH, words, told=True)
        return app.state.exit_code
    return code


def _leave_at_once(session: SessionThread, code: int, *, announced: bool) -> None:
    """The session has not ended: say what stays and end without waiting for its thread."""
    if not announced:
        left = session.leave_behind()
        sys.stderr.write(f"confman-tui: left before everything had ended{'; ' + left if left else ''}\n")
    sys.stderr.flush()
    os._exit(code)


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
