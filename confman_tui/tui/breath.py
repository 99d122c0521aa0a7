"""Short pauses in long drawings, for the sake of whoever shares the core: the load, and nodes on the same machine.

Niceness alone does not make a drawing harmless. Linux lets a process go on for the slice that it has begun and then
until the next tick, 4 ms apart as a rule, although one of higher priority has woken up meanwhile. So a drawing of 5 ms
held up an answer, and with it every request in flight, for 1 to 4 ms (seen with the scheduler's own trace). A process
that sleeps gives way at once.
"""

from __future__ import annotations

import time

BURST_S = 0.0005
"""CPU time after which a pause is due."""
PAUSE_S = 0.0001

_paused_at = 0.0
"""In CPU time of the thread that draws: one per process."""


def breathe() -> None:
    """Pause if one is due. To be called between the parts of a drawing; it costs half a microsecond where none is."""
    global _paused_at
    used = time.thread_time()
    if used - _paused_at > BURST_S:
        time.sleep(PAUSE_S)
        _paused_at = used
