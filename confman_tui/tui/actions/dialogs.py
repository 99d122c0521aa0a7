"""What opens a dialog: settings of the next runs, results, help, the palette."""

from __future__ import annotations

from textual.command import CommandPalette

from confman_tui.tui.base_app import BaseApp
from confman_tui.tui.screens.details import DetailsDialog
from confman_tui.tui.screens.help import HelpDialog
from confman_tui.tui.screens.overrides import Overrides, OverridesDialog
from confman_tui.tui.screens.rounds import RoundsDialog
from confman_tui.tui.screens.series_curves import SeriesDialog
from confman_tui.tui.screens.tier import TierDialog


class DialogActions(BaseApp):
    """Dialogs."""

    def action_tier(self) -> None:
        """Choose the tier."""
        config = self.state.config
        present = config.tier if config is not None else ""

        def on_chosen(tier: str | None) -> None:
            if tier is not None and tier != present:
                self.session.choose_tier(tier)

        self.push_screen(TierDialog(present), on_chosen)

    def action_overrides(self) -> None:
        """Choose users, rate and more of the next runs."""
        config = self.state.config
        assert config is not None

        def on_chosen(wanted: Overrides | None) -> None:
            if wanted is not None:
                self.session.override(wanted.users, wanted.duration_s, wanted.payload_bytes, wanted.rate)
                self.session.vary(wanted.user_steps, wanted.payload_steps, wanted.warmup_s, wanted.repeat)

        present = Overrides(
            config.users,
            config.duration_s,
            config.payload_bytes,
            config.rate,
            user_steps=config.user_steps,
            payload_steps=config.payload_steps,
            warmup_s=config.warmup_s,
            repeat=config.repeat,
        )
        self.push_screen(OverridesDialog(present), on_chosen)

    def action_series(self) -> None:
        """Open the graphs of the last series, unless a dialog is open."""
        if self.screen is self.dashboard and self.state.series is not None:
            self.push_screen(SeriesDialog(self.state, self.renderer))

    def action_rounds(self) -> None:
        """Open the drill's rounds and verdict, unless a dialog is open."""
        if self.screen is self.dashboard:
            self.push_screen(RoundsDialog(self.state, self.renderer))

    def action_details(self) -> None:
        """Open the figures of the chosen row."""
        row = self.dashboard.selected(self.state)
        if row is not None:
            self.show_details(row.scenario.name)

    def show_details(self, scenario: str) -> None:
        """Open a scenario's figures."""
        row = self.state.row(scenario)
        if row is None:
            return
        if row.started is None:
            self.say(f"{scenario} has not run yet; {row.scenario.key} starts it.")
            return
        self.push_screen(DetailsDialog(row, self.state.names, self.renderer))

    def action_help(self) -> None:
        """Open the help."""
        self.push_screen(HelpDialog(self.shown_key))

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="What do you want to do?", id="--command-palette"))
