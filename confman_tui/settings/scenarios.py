"""The catalogue of scenarios: data only.

The first five are those of the original Confman suite; ``write-stress-10u`` is its separate stress run.
"""

from __future__ import annotations

from confman_tui.load.run_model import Scenario, Target

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


def suite() -> tuple[Scenario, ...]:
    """The scenarios that ``all`` runs, in order."""
    return tuple(scenario for scenario in CATALOGUE if scenario.in_suite)
