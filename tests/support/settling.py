"""An app in a test at rest: all that was to do is done, and the screen is painted.

Textual's own pilot takes a process for idle that used hardly any CPU time for 20 ms. On a busy machine so does one that
was given none, and where there is nothing to do each key costs two such naps. The event loop knows better: nothing is
ready in it when all tasks wait for a timer, a process or a message.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import textual.app
import textual.pilot
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from tests.support.waiting import DEADLINE_S


async def nothing_ready(min_sleep: float = 0.0, max_sleep: float = DEADLINE_S) -> None:
    """Let the loop go on until it has nothing to do but wait; in the place of `textual._wait.wait_for_idle`."""
    ready = cast(Any, asyncio.get_running_loop())._ready
    end = time.monotonic() + max_sleep
    await asyncio.sleep(0)
    while ready:
        assert time.monotonic() < end, f"still busy after {max_sleep} s"
        await asyncio.sleep(0)


def unpainted(screen: Screen[Any], left: set[Widget]) -> bool:
    """Whether the next refresh of a screen that can be seen, below a dialog perhaps, has something to do.

    Below a dialog Textual keeps widgets for dirty of which nothing is to be seen: ``left`` by the refresh before.
    """
    return screen.is_current and bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets - left
        or screen._callbacks
    )


async def settled(app: App[Any]) -> None:
    """Wait until the app has dealt with all that it knows of, and has painted it."""
    end = time.monotonic() + DEADLINE_S
    left: dict[Screen[Any], set[Widget]] = {}
    await nothing_ready()
    while app._running:
        due = [screen for screen in app.screen_stack if unpainted(screen, left.get(screen, set()))]
        # a drawing of ours, or a new size, for which a timer of some milliseconds runs
        waits = getattr(app, "_draw_waits", False) or app._resize_event is not None
        if not due and not waits:
            return
        assert time.monotonic() < end, f"not at rest after {DEADLINE_S} s"
        if waits:
            await asyncio.sleep(0.005)
        for screen in due:
            screen._on_timer_update()
            left[screen] = set(screen._dirty_widgets)
        await nothing_ready()


async def _pause(self: Pilot[Any], delay: float | None = None) -> None:
    """In the place of `Pilot.pause`."""
    if delay is not None:
        await asyncio.sleep(delay)
    await settled(self.app)


textual.app.wait_for_idle = nothing_ready  # type: ignore[attr-defined]
textual.pilot.wait_for_idle = nothing_ready  # type: ignore[attr-defined]
Pilot.pause = _pause  # type: ignore[method-assign]
