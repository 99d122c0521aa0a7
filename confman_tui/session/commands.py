"""What a front end can ask of the session. The screen holds one of these; tests give it a fake of the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.session.events import Sink


class SessionCommands(Protocol):
    """Commands to the session. Each but one returns at once and is thread-safe; its effects come back as events.

    A command that can't be carried out now answers with a `NoticeGiven` that says why.
    """

    def start(self, sink: Sink) -> None:
        """Begin: start the demo cluster if asked, find the cluster, seed. Events go to ``sink``."""

    def run_scenarios(self, names: Sequence[str]) -> None:
        """Run these scenarios in turn. While the cluster is being found or its data seeded they are kept
        (`RunDeferred`) and begin when that is done; only the latest are."""

    def stop(self) -> None:
        """Drop the scenarios that are kept until the data is there; if none are, stop what runs now (a series, a drill,
        seeding, verifying), whose requests in flight are waited for."""

    def choose_tier(self, tier: str) -> None:
        """Clean the present tier's data and seed the other's."""

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """Users, seconds, payload and rate of the next runs; None gives the scenario's own back (rate: closed loop)."""

    def change_rate(self, factor: float) -> None:
        """Multiply the rate of the open loop that runs; `RateChanged` says the new one."""

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """How the next runs are varied: each scenario at several numbers of users, or payloads (empty: not varied),
        ``warmup_s`` seconds of warm-up before each run, and ``repeat`` runs of each."""

    def sweep(self, sizes: tuple[int, ...]) -> None:
        """Measure reads and writes at one number of entries after the other; ``sizes`` ascend."""

    def put_back(self) -> None:
        """Put the data back to the seeded state: what runs wrote goes away."""

    def note_screen_lag(self, seconds: float) -> None:
        """How late the screen's own loop was within the last second, in seconds; called about once a second, so that
        it stands in the run's files."""

    def remove_leftovers(self) -> None:
        """Remove the data of earlier runs that did not clean up."""

    def retry(self) -> None:
        """Look for the cluster again (phase OFFLINE)."""

    def start_demo(self) -> None:
        """Start the embedded cluster and use it, instead of none (phase OFFLINE) or of the one being looked for."""

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        """What the fault would hit. The only command that blocks: looking for the process behind a port takes tenths of
        a second, more on a busy machine.

        Raises:
            confman_tui.cluster.faults.control.FaultRefusedError: it can't be done.
        """

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """Do it. The person has confirmed what `preview_fault` asked to confirm."""

    def revive(self) -> None:
        """Resume, heal or restart every node that we paused, isolated or killed, and those of the demo cluster that
        ended by themselves."""

    def drill(self, kind: FaultKind, rounds: int) -> None:
        """Start the election drill: ``rounds`` times, ``kind`` is done to the leader."""

    def quit(self) -> None:
        """Stop everything, clean up, end the demo cluster; ``PhaseChanged(CLOSED)`` is the end."""

    def leave_behind(self) -> str:
        """What would stay behind if the program left this instant, in a sentence; empty when nothing would."""

    def join(self, timeout_s: float) -> bool:
        """Wait until the session has ended; False when it has not within the time."""
