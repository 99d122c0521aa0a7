"""Starting, changing and stopping load, and getting a cluster to load."""

from __future__ import annotations

from confman_tui.session.events import Phase
from confman_tui.settings import scenarios
from confman_tui.settings.scenarios import CATALOGUE
from confman_tui.tui import numbers, updates
from confman_tui.tui.base_app import BaseApp
from confman_tui.tui.keys.table import BY_ID, RUN
from confman_tui.tui.screens.asks import SweepDialog
from confman_tui.tui.screens.choice import ChoiceDialog

RATE_STEP = 1.1
"""What one step of the rate multiplies or divides it by: a step back gives the rate before."""


class RunActions(BaseApp):
    """Load and cluster."""

    def action_run(self, *names: str) -> None:
        """Run these scenarios in turn."""
        if self.state.phase is Phase.IDLE:
            updates.asked(self.state, names)
        self.session.run_scenarios(names)
        self.window.go_live()
        self.draw()

    def action_suite(self) -> None:
        """Run all scenarios of the suite."""
        self.action_run(*(scenario.name for scenario in scenarios.suite()))

    def action_stop(self) -> None:
        """Stop what runs."""
        self.session.stop()

    def action_rate_up(self) -> None:
        """Raise the rate of the open loop that runs."""
        self.session.change_rate(RATE_STEP)

    def action_rate_down(self) -> None:
        """Lower it."""
        self.session.change_rate(1 / RATE_STEP)

    def action_sweep(self) -> None:
        """Measure at one size of the data after the other."""

        def on_chosen(sizes: tuple[int, ...] | None) -> None:
            if sizes is not None:
                self.sweep_sizes = sizes
                self.session.sweep(sizes)
                self.window.go_live()

        self.push_screen(SweepDialog(self.sweep_sizes, self._seeded_words()), on_chosen)

    def _seeded_words(self) -> str:
        config = self.state.config
        if config is None:
            return ""
        keys = numbers.count(config.namespaces * config.keys_per_namespace)
        return f" {keys} are seeded; {self.shown_key('put_back')} removes what runs have written since."

    def action_put_back(self) -> None:
        """Put the data back to the seeded state."""
        self.session.put_back()

    def action_choose_run(self) -> None:
        """Choose a scenario from a list: what a click on the keys of all scenarios does."""
        choices = [(f"{self.shown_key(f'{RUN}{s.name}')}  {BY_ID[f'{RUN}{s.name}'].help}", s.name) for s in CATALOGUE]

        def on_chosen(name: str | None) -> None:
            if name is not None:
                self.action_run(name)

        self.push_screen(ChoiceDialog("run", "", tuple(choices)), on_chosen)

    def action_leftovers(self) -> None:
        """Remove the data of earlier runs."""
        self.session.remove_leftovers()

    def action_retry(self) -> None:
        """Look for the cluster again."""
        self.session.retry()

    def action_demo(self) -> None:
        """Start the demo cluster."""
        self.session.start_demo()
