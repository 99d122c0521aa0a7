"""The catalogue of scenarios: data only.

The first five are those of the original Confman suite; ``write-stress-10u`` is its separate stress run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """Where a scenario's requests go."""

    LEADER = "leader"
    """To the node that leads, wherever leadership moves."""
    ANY = "any"
    """Where `Reads` says: by default spread over the nodes that are ready."""


class Reads(StrEnum):
    """Where the requests of scenarios go that need no leader: reads, and mixed reads and writes."""

    ALL = "all"
    """Spread over the nodes, users in turn from the entry on. A mixed user writes to the node that it reads from, which
    redirects it to the leader."""
    ENTRY = "entry"
    """All to the entry, writes too, as the original suite's ``--host`` does."""
    LEADER = "leader"
    """All to whichever node leads, writes too."""
    FOLLOWERS = "followers"
    """Reads spread over the nodes that do not lead. Writes go to the leader: a client that knows who follows knows who
    leads, and would not have its writes redirected."""


REQUEST_TIMEOUT_S = 2.0
"""How long a request may be without an answer, where ``--request-timeout`` says nothing."""
DRILL_NAME = "drill"
"""The name of a drill's load, in events and file names."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario of the catalogue. Adding one to the catalogue needs no change elsewhere."""

    key: str
    """The key that starts it on the screen."""
    name: str
    users: int
    duration_s: float
    target: Target
    write_share: float
    """Share of writes among the requests, 0 to 1."""
    wait_s: tuple[float, float]
    """Least and most seconds that a user waits between requests."""
    in_suite: bool
    """One of the original suite's five, which ``all`` runs in turn."""


CATALOGUE: tuple[Scenario, ...] = (
    Scenario("1", "write-1u", 1, 15.0, Target.LEADER, 1.0, (0.05, 0.1), in_suite=True),
    Scenario("2", "write-10u", 10, 15.0, Target.LEADER, 1.0, (0.05, 0.1), in_suite=True),
    Scenario("3", "read-1u", 1, 15.0, Target.ANY, 0.0, (0.0, 0.0), in_suite=True),
    Scenario("4", "read-10u", 10, 15.0, Target.ANY, 0.0, (0.0, 0.0), in_suite=True),
    Scenario("5", "mixed-10u", 10, 30.0, Target.ANY, 0.2, (0.01, 0.05), in_suite=True),
    Scenario("6", "write-stress-10u", 10, 15.0, Target.LEADER, 1.0, (0.0, 0.0), in_suite=False),
)


def names() -> tuple[str, ...]:
    """The names of all scenarios, in the catalogue's order."""
    return tuple(scenario.name for scenario in CATALOGUE)


def by_name(name: str) -> Scenario:
    """The scenario of that name; KeyError when there is none."""
    for scenario in CATALOGUE:
        if scenario.name == name:
            return scenario
    raise KeyError(name)


def ran_as(name: str, users: int) -> str:
    """The name of what ran when a scenario had this many users: ``read-50u`` for ``read-10u`` with 50."""
    return re.sub(r"-[0-9]+u$", f"-{users}u", name)


GROUPS: dict[str, tuple[str, ...]] = {
    "all": tuple(scenario.name for scenario in CATALOGUE if scenario.in_suite),
    "suite6": ("write-1u", "write-10u", "write-stress-10u", "read-1u", "read-10u", "mixed-10u"),
}
"""Several scenarios in turn: those of the original suite's document, and those that its newer script runs."""


def suite() -> tuple[Scenario, ...]:
    """The scenarios that ``all`` runs, in order."""
    return tuple(scenario for scenario in CATALOGUE if scenario.in_suite)
