"""Runs the screen over a session, and says afterwards what a person must know."""

from __future__ import annotations

import sys
import traceback

from confman_tui.core.errors import EXIT_CRASH
from confman_tui.core.streams import try_print
from confman_tui.session.commands import SessionCommands
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.tui.app import ConfmanApp
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.state import UiState
from confman_tui.tui.text import clean


def _plain(line: str) -> str:
    return line[: len(line) - len(line.lstrip())] + clean(line, 400)


def run(session: SessionCommands, options: UiOptions) -> int:
    """Run until a person, a signal or a defect ends it. The terminal is restored when this returns.

    The session has been asked to quit, but may not have ended yet: the caller joins it.
    """
    app = ConfmanApp(session, options)
    finish(app)
    return app.state.exit_code


def finish(app: ConfmanApp) -> None:
    """Run ``app`` and print on stderr, with the terminal restored, what a person must know afterwards. Its exit code is
    decided when the session has ended, too: by `decide`."""
    app.run()
    if app.crash is not None:
        app.session.quit()
        words = clean(f"{type(app.crash).__name__}: {app.crash}", 400)
        for line in traceback.format_exception(app.crash):
            sys.stderr.write("".join(f"{_plain(part)}\n" for part in line.splitlines()))
        sys.stderr.write(f"confman-tui: a defect of the screen ended it: {words}\n")
        app.state.exit_reasons.add(EXIT_CRASH, words, told=True)
        return
    if said := app.farewell():
        try_print(f"confman-tui: {said}")
    if app.stays_behind:
        sys.stderr.write(f"confman-tui: left at once; {clean(app.stays_behind, 1000)}\n")


def decide(state: UiState, of_session: ExitReasons) -> int:
    """The program's exit code, with a line on stderr for each reason. What the session noted counts, too: a screen that
    was left at once has not seen its last events."""
    state.exit_reasons.join(of_session)
    for line in state.exit_reasons.lines():
        sys.stderr.write(f"confman-tui: {clean(line, 1000)}\n")
    return state.exit_code
