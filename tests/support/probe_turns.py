"""How often the probe may write beside a load: also where the machine keeps the load from writing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def turns_of_the_probe(starts: Sequence[float], probe_s: float) -> int:
    """The most writes that a probe with this interval may start between the load's own, which began at these times in
    seconds. None while the load is on time."""
    return sum(int((later - earlier) / (0.9 * probe_s)) for earlier, later in pairwise(starts))
