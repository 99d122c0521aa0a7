"""Short pauses in long drawings, for the sake of whoever shares the interpreter or the core: the load, and nodes on the
same machine.

The load is made on another thread of the screen's process (unless workers make it). While this thread computes, each of
the load's system calls costs it the interpreter's lock for a switch interval; a drawing of 10 ms holds up a hundred
requests. And on a full machine Linux lets a process go on for the slice that it has begun, 4 ms as a rule, although one
of higher priority has woken up meanwhile. A thread that sleeps gives way at once.

So a drawing pauses after each burst, also between Textual's own steps. Measured second by second within single runs, an
instant server at 13,500 requests/s, 120×40, p99 and p99.9 against the same run's seconds in which nothing is drawn:
bursts of 0.5 ms with pauses of 0.1 ms 1.13 to 1.47 and 1.18 to 1.68; bursts of 0.15 ms with pauses of 0.8 ms 1.10 to
1.13 and 1.04 to 1.07, without those between Textual's steps 1.21 and 1.19. At 200×50 1.27 and 1.34 became 1.17 and
1.12. Shorter bursts gave no more. With a server of 6 ms drawing costs 1 % of p99 at either pace.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any


@dataclass(frozen=True, slots=True)
class Pace:
    """How a drawing goes on."""

    burst_s: float
    """CPU time after which a pause is due."""
    pause_s: float


ALONE = Pace(0.0005, 0.0001)
"""Nobody waits for this process's interpreter."""
BESIDE_LOAD = Pace(0.00015, 0.0008)
"""A thread of this process makes load. A drawing then takes six times as long."""

STEPS = (
    ("textual._styles_cache", "StylesCache", "render_widget"),
    ("textual._styles_cache", "StylesCache", "render_line"),
    ("textual.strip", "Strip", "apply_filter"),
    ("textual.message_pump", "MessagePump", "_dispatch_message"),
)
"""Textual's own steps (8.2) before which a pause may come."""

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
    """Seconds that were spent in pauses so far."""
    return _paused_s


def breathe() -> None:
    """Pause if one is due. To be called between the parts of a drawing; it costs half a microsecond where none is."""
    global _paused_at, _paused_s
    used = time.thread_time()
    if used - _paused_at > _pace.burst_s:
        began = time.monotonic()
        time.sleep(_pace.pause_s)
        _paused_s += time.monotonic() - began
        _paused_at = used


def breathe_in_textual() -> bool:
    """Let Textual's own drawing pause too; True when that is done, False when some step is not where it is expected
    (the load is then disturbed a little more, and `tests/tui/test_breath.py` tells)."""
    done = [_breathe_before(*step) for step in STEPS]
    return all(done)


def _breathe_before(module: str, owner: str, name: str) -> bool:
    try:
        found = getattr(importlib.import_module(module), owner)
        step: Callable[..., Any] = getattr(found, name)
    except (ImportError, AttributeError):
        return False
    if not getattr(step, "breathes", False):

        @wraps(step)
        def breathing(*arguments: Any, **named: Any) -> Any:
            breathe()
            return step(*arguments, **named)

        breathing.breathes = True  # type: ignore[attr-defined]
        setattr(found, name, breathing)
    return True
