"""Runs the screen over a session and gives the program's exit code."""

from __future__ import annotations

import sys
import traceback

from confman_tui.core.errors import EXIT_CRASH
from confman_tui.core.streams import try_print
from confman_tui.session.commands import SessionCommands
from confman_tui.tui.app import ConfmanApp
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.text import clean


def _plain(line: str) -> str:
    return line[: len(line) - len(line.lstrip())] + clean(line, 400)


def run(session: SessionCommands, options: UiOptions) -> int:
    """Run until a person, a signal or a defect ends it. The terminal is restored when this returns.

    The session has been asked to quit, but may not have ended yet: the caller joins it.
    """
    return finish(ConfmanApp(session, options))


def finish(app: ConfmanApp) -> int:
    """Run ``app`` and print on stderr, with the terminal restored, what a person must know afterwards."""
    code = app.run()
    if app.crash is not None:
        app.session.quit()
        words = clean(f"{type(app.crash).__name__}: {app.crash}", 400)
        for line in traceback.format_exception(app.crash):
            sys.stderr.write("".join(f"{_plain(part)}\n" for part in line.splitlines()))
        sys.stderr.write(f"confman-tui: a defect of the screen ended it: {words}\n")
        app.state.exit_reasons.add(EXIT_CRASH, words, told=True)
        return app.state.exit_code
    if said := app.farewell():
        try_print(f"confman-tui: {said}")
    if app.stays_behind:
        sys.stderr.write(f"confman-tui: left at once; {clean(app.stays_behind, 1000)}\n")
    for line in app.state.exit_reasons.lines():
        sys.stderr.write(f"confman-tui: {clean(line, 1000)}\n")
    return app.state.exit_code if code is None else code
