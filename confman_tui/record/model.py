"""What a finished scenario leaves behind: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.cluster.elections_model import Election, Fault, Verification
from confman_tui.load.generator import GeneratorBound, GeneratorUse
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
    generator: GeneratorUse | None = None
    """What the generator and its machine used; None where nobody watched (results of stock Locust)."""
    generator_bound: GeneratorBound | None = None
    """The generator, not the cluster, was the limit; None when it was not, or nobody watched."""


@dataclass(frozen=True, slots=True)
class DrillRound:
    """One round of an election drill."""

    number: int
    total: int
    fault: Fault | None
    judged: bool
    reason: str
    """Why it could not be judged; empty when it was."""
    election: Election | None
    ok_per_tenth: tuple[tuple[float, int], ...] = ()
    """(seconds from the fault, acknowledged writes in that tenth of a second): the round's small graph."""


@dataclass(frozen=True, slots=True)
class DrillEnded:
    """A drill is over."""

    rounds: tuple[DrillRound, ...]
    verification: Verification | None
    verdict: str
    """One sentence."""
    exit_code: int
