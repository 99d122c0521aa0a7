"""Starting, changing and stopping load, and getting a cluster to load."""

from __future__ import annotations

from confman_tui.session.events import Phase
from confman_tui.settings import scenarios
from confman_tui.tui import updates
from confman_tui.tui.base_app import BaseApp

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
        self.session.sweep()
        self.window.go_live()

    def action_leftovers(self) -> None:
        """Remove the data of earlier runs."""
        self.session.remove_leftovers()

    def action_retry(self) -> None:
        """Look for the cluster again."""
        self.session.retry()

    def action_demo(self) -> None:
        """Start the demo cluster."""
        self.session.start_demo()
