"""Short pauses in long drawings: they let the load's thread, and nodes on the same machine, have the CPU.

The load is made on another thread of the screen's process (unless workers make it). While this thread computes, each of
the load's system calls costs it the interpreter's lock for a switch interval, so a drawing of 10 ms holds up a hundred
requests. On a full machine Linux also lets a process finish its slice, 4 ms as a rule, although one of higher priority
has woken up. A thread that sleeps gives way at once. `textual_hacks` pauses between Textual's own steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How a drawing goes on."""

    burst_s: float
    """CPU time after which a pause is due, in seconds."""
    pause_s: float
    """Length of a pause, in seconds."""


ALONE = Pace(0.0005, 0.0001)
"""Nobody waits for this process's interpreter."""
BESIDE_LOAD = Pace(0.00015, 0.0008)
"""A thread of this process makes load. A drawing then takes six times as long."""

_pace = ALONE
_paused_at = 0.0
"""In CPU time of the thread that draws: one per process."""
_paused_s = 0.0


def set_pace(pace: Pace) -> None:
    """Draw at this pace from now on."""
    global _pace
    _pace = pace


def pace() -> Pace:
    """The pace in force."""
    return _pace


def paused_s() -> float:
    """Seconds spent in pauses so far."""
    return _paused_s


def yield_cpu() -> None:
    """Pause if a pause is due. Called between the parts of a drawing; costs half a microsecond where none is due."""
    global _paused_at, _paused_s
    used = time.thread_time()
    if used - _paused_at > _pace.burst_s:
        began = time.monotonic()
        time.sleep(_pace.pause_s)
        _paused_s += time.monotonic() - began
        _paused_at = used
