"""How far the program and the independent observer may differ about the same outage."""

from __future__ import annotations

OBSERVER_S = 0.1
"""What the observer's own uncertainty is at most while nothing disturbs it: three nodes in turn at 20 ms each, and an
answer."""


def tolerance(probe_s: float, ours_s: float, theirs_s: float) -> float:
    """The probe's interval and the observer's 20 ms; more only by what either was disturbed, as it says itself.

    Args:
        probe_s: interval of the program's probe.
        ours_s: the program's own uncertainty of its figure.
        theirs_s: the observer's.
    """
    return max(probe_s, ours_s) + 0.02 + max(0.0, theirs_s - OBSERVER_S)
