"""The screen's front end: wires the app to a session on a thread beside it, and sees that both end."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING

from confman_tui.cluster.elections import FaultKind
from confman_tui.core import errors, signals
from confman_tui.load.locust_setup import prepare
from confman_tui.session.connection import MakeDemo
from confman_tui.session.session_thread import SessionThread
from confman_tui.settings import Resolved, check_keys, themes

if TYPE_CHECKING:
    from confman_tui.tui.app import ConfmanApp

JOIN_S = 8.0
"""Longest wait for the session after the screen is gone: its stop and its clean-up are bounded to less."""
HASTY_JOIN_S = 0.1
"""The same when a person left at once, or waited long already."""
ABANDON_S = 0.6
"""Longest wait for the end of the demo cluster's processes when the session did not end."""
STDIN, STDOUT = 0, 1
_TERMINAL_AS_BEFORE = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[0m"
"""No mouse, no bracketed paste, the cursor, the ordinary screen, no colours (xterm's control sequences)."""


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
    restore, screen_is_gone = _restorer(), False

    def in_haste() -> None:
        session.abandon(ABANDON_S / 2)
        restore()

    def on_first(name: str) -> None:
        if app.closing_since is not None or screen_is_gone:  # a key asked for the end before
            signals.end_soon(in_haste)
            app.request_leave(errors.EXIT_INTERRUPTED)
            return
        app.request_quit(errors.EXIT_INTERRUPTED)
        session.quit()  # by itself, since a terminal that takes no output holds up the screen

    with signals.handled(on_first, lambda name: app.request_leave(errors.EXIT_INTERRUPTED), in_haste):
        try:
            finish(app)
        finally:
            screen_is_gone = True
            session.quit()
            ended = session.join(HASTY_JOIN_S if app.left_at_once else JOIN_S)
            if not ended:
                session.abandon(ABANDON_S)
    code = _conclude(app, session, ended=ended)
    if not ended:
        # without waiting for its thread
        sys.stderr.flush()
        os._exit(code)
    return code


def _conclude(app: ConfmanApp, session: SessionThread, *, ended: bool) -> int:
    """Say what went wrong, and decide the exit code; ``ended``: the session has."""
    from confman_tui.tui.run_screen import decide

    reasons = app.state.exit_reasons
    if not ended:
        reasons.add(errors.EXIT_INTERRUPTED, "left before everything had ended", told=True)
        if not app.left_at_once:
            left = session.leave_behind()
            sys.stderr.write(f"confman-tui: left before everything had ended{'; ' + left if left else ''}\n")
    if session.crash is not None:
        words = f"a defect of this program: {type(session.crash).__name__}: {session.crash}"
        sys.stderr.write(f"confman-tui: {words}\n")
        reasons.add(errors.EXIT_CRASH, words, told=True)
    return decide(app.state, session.exit_reasons)


def _restorer() -> Callable[[], None]:
    """Gives what puts the terminal back as it is now, without waiting for it: where its output is stopped, nothing is
    written."""
    try:
        before = termios.tcgetattr(STDIN)
    except termios.error:
        return lambda: None

    def restore() -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(STDIN, termios.TCSANOW, before)
        with contextlib.suppress(OSError):
            # the shell has the same open file: it must find it as it was
            os.set_blocking(STDOUT, False)
            try:
                os.write(STDOUT, _TERMINAL_AS_BEFORE)
            finally:
                os.set_blocking(STDOUT, True)

    return restore
