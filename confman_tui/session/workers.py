"""Gets the workers of the settings ready, visibly: a phase, a progress, and a way out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from confman_tui.core.clock import Clock
from confman_tui.load.engine import Engine
from confman_tui.load.workers.plan import Waiting, WorkerPlan
from confman_tui.session.events import Level, NoticeGiven, Phase, PhaseChanged, ProgressMade, Sink
from confman_tui.settings import Settings

TELL_S = 0.5
"""Seconds between two tellings of how far it has come."""
SETTLE_S = 0.2
"""How long the stream of writes waits for stragglers when workers tell of them: they gather them for 20 ms, and a busy
machine takes its time. Less than what the end of a run and a drill's rounds wait for."""


def worker_plan(settings: Settings) -> WorkerPlan:
    """The workers that the settings ask for."""
    return WorkerPlan(
        settings.workers, settings.expect_workers, settings.master_bind, settings.wait_s, settings.api_key
    )


class WorkerWait:
    """Waits for the workers of one program, before its first run and again when one was lost."""

    def __init__(self, engine: Engine, emit: Sink, clock: Clock) -> None:
        self._engine = engine
        self._emit = emit
        self._clock = clock
        self._invited = ""
        self._told_at: float | None = None

    async def wait_for_workers(self, crew: WorkerPlan, stop: asyncio.Event) -> None:
        """Return when all workers are there.

        Raises:
            WorkerError: one can't be started, too few came, or ``stop`` was set meanwhile.
        """
        if not crew.size:
            return
        loop = asyncio.get_running_loop()
        self._told_at = None

        def on_wait(waiting: Waiting) -> None:
            # on the engine's thread; the loop may be gone when the program is left in a hurry
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell, waiting, crew)

        waited_for: asyncio.Future[Any] = asyncio.wrap_future(self._engine.wait_for_workers(crew, on_wait=on_wait))
        stopped: asyncio.Future[Any] = asyncio.create_task(stop.wait(), name="stop of the wait for workers")
        try:
            await asyncio.wait({waited_for, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not waited_for.done():
                self._engine.stop_run()
            await waited_for
        finally:
            stopped.cancel()

    def _tell(self, waiting: Waiting, crew: WorkerPlan) -> None:
        at = self._clock()
        if self._told_at is None:
            self._emit(PhaseChanged(Phase.GATHERING, at, f"{waiting.wanted} worker{'s' if waiting.wanted > 1 else ''}"))
            self._told_at = at - TELL_S
        if crew.remote and waiting.address != self._invited:
            self._invited = waiting.address
            text = f"workers join: confman-tui worker --master {waiting.address}"
            self._emit(NoticeGiven(Level.INFO, text, at))
        if at - self._told_at >= TELL_S:
            self._told_at = at
            self._emit(ProgressMade(Phase.GATHERING, waiting.present, waiting.wanted, 0.0, waiting.left_s))
