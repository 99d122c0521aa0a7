"""The ways out: asked, unasked, in haste, too slow."""

from __future__ import annotations

from confman_tui.core.errors import EXIT_NO_CLUSTER
from confman_tui.session.commands import SessionCommands
from confman_tui.tui.base_app import BaseApp
from confman_tui.tui.lag import LagMeter
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.dialog import Dialog
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.text import clean

MOST_TOLD = 6
"""Runs in the line after the screen; the files hold the others."""


class LeavingActions(BaseApp):
    """Leaving. The session is asked to end first; the screen goes when it has, or when the limit is over."""

    left_at_once = False
    """Whether the screen went without waiting for the session's end."""
    stays_behind = ""
    """What was left undone when the screen went at once; empty when nothing was."""
    forced_exit: int | None = None
    """The exit code that a signal asked for."""

    def __init__(self, session: SessionCommands, options: UiOptions, *, lag: LagMeter | None = None) -> None:
        """Raises `UsageError` when a key of ``options.keymap`` can't work."""
        super().__init__(session, options, lag=lag)
        self.last_words: list[str] = []
        """What the session said while it ended: what could not be cleaned, most of all."""

    def farewell(self) -> str:
        """One line for after the screen: what ran, its figures, where the files are, what could not be cleaned. Empty
        when there is nothing to report."""
        said = list(self.state.ended.values())
        more = [f"{len(said) - MOST_TOLD} more before"] if len(said) > MOST_TOLD else []
        parts = [*said[-MOST_TOLD:], *more]
        if parts:
            parts.append(f"files in {self.options.output_dir}")
        return clean("; ".join([*parts, *self.last_words]), 2000)

    async def action_quit(self) -> None:
        """Leave, after a question where something runs; a second time: at once."""
        if self.closing_since is not None:
            self.leave_at_once()
        elif self.state.busy:
            what = f"{self.state.running} is running" if self.state.running else f"{self.state.phase.value} goes on"
            facts = (f"{what}. Quitting stops it, saves its figures so far and cleans up the data.",)
            dialog = ConfirmDialog("Quit?", facts, "", "quit", q_is_yes=True)
            self.push_screen(dialog, lambda sure: self.leave() if sure else None)
        else:
            self.leave()

    async def action_interrupt(self) -> None:
        """^C: close the dialog that is open, say yes to the question of leaving, or leave as ``q`` does."""
        if self.closing_since is not None or self.screen is self.dashboard:
            await self.action_quit()
        elif isinstance(self.screen, Dialog):
            self.screen.interrupt()
        else:
            self.pop_screen()

    def leave(self) -> None:
        """Ask the session to end."""
        if self.closing_since is not None:
            return
        self.closing_since = self.options.clock()
        self.session.quit()
        while self.screen is not self.dashboard and len(self.screen_stack) > 1:
            self.pop_screen()
        self.draw()

    def watch_leaving(self) -> None:
        """Go when the limit is over."""
        if self.closing_since is not None and self.options.clock() - self.closing_since >= self.options.quit_limit_s:
            self.leave_at_once()

    def leave_at_once(self) -> None:
        """Go without waiting for the session, and keep what stays behind."""
        self.left_at_once = True
        self.stays_behind = self.session.leave_behind()
        self.finish()

    def finish(self) -> None:
        """End the screen."""
        reasons = self.state.exit_reasons
        if self.forced_exit is not None:
            reasons.add(self.forced_exit, "interrupted", told=True)
        if not self.state.found:
            reasons.add(EXIT_NO_CLUSTER, "no cluster was found", told=True)
        self.exit(self.state.exit_code)
