"""What a finished scenario leaves behind: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.cluster.elections_model import Election, Verification
from confman_tui.load.model import RunOutcome


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario's figures, as they stand in the table, in ``--json`` and in ``_summary.json``."""

    name: str
    tier: str
    users: int
    duration_s: float
    """Measured, from the first user's start to the last request's end."""
    payload_bytes: int
    entries_before: int
    """Entries that the cluster held before the scenario."""
    outcome: RunOutcome
    elections: tuple[Election, ...]
    verification: Verification | None
    files: tuple[str, ...]
    """Paths of the files written for it."""
    note: str = ""
    """Why it ended early or counts for less; empty when there is nothing to say."""
