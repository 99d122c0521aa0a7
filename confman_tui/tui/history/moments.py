"""What the history gives: stretches of time and single moments, as plain values.

All times are seconds since the epoch on the program's steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.cluster.elections import Fault
from confman_tui.cluster.states import NodeState
from confman_tui.tui.history.samples import SecondsBucket

WARMUP = "warm-up"
"""Stands for a scenario while its figures do not count yet."""


@dataclass(frozen=True, slots=True)
class LeaderChange:
    """From this moment on another node, or the same in another term, leads."""

    at: float
    node: str
    term: int | None


@dataclass(frozen=True, slots=True)
class ScenarioSpan:
    """When a scenario ran."""

    name: str
    start: float
    end: float | None
    """None while it runs."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was at one moment."""

    at: float
    leader: str | None
    term: int | None
    states: dict[str, NodeState]
    """By node, in the configured order; nodes not yet known are left out."""
    acks_per_s: float
    """Acknowledged writes in the second around it."""
    bucket: SecondsBucket | None
    """The sample that covers it, if a scenario ran."""
    without_writes_s: float | None
    """Length of the window without writes that covers it, None when there is none."""
    faults: tuple[Fault, ...]
    """What was done to nodes within half a second of it."""
