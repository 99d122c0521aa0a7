"""Gets the workers of the settings ready, visibly: a phase, a progress, and a way out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from confman_tui.cluster.addresses import is_loopback
from confman_tui.cluster.tls import TlsOptions
from confman_tui.core.clock import Clock
from confman_tui.load.engine import Engine
from confman_tui.load.workers.plan import WaitProgress, WorkerPlan
from confman_tui.session.events import Level, NoticeGiven, Phase, PhaseChanged, ProgressMade, Sink
from confman_tui.settings import Settings, worker_token

REPORT_S = 0.5
"""Seconds between two reports of how far it has come."""
SETTLE_S = 0.2
"""How long the stream of writes waits for stragglers when workers report them: they gather them for 20 ms, and a busy
machine takes its time. Less than what the end of a run and a drill's rounds wait for."""


def worker_plan(settings: Settings) -> WorkerPlan:
    """The workers that the settings ask for."""
    return WorkerPlan(
        settings.workers,
        settings.expect_workers,
        settings.master_bind,
        settings.wait_s,
        settings.api_key,
        settings.worker_token or worker_token.of_this_program(),
        TlsOptions.of(settings),
    )


def invitation(plan: WorkerPlan, address: str) -> str:
    """How workers join, in a line. It holds the token only where this program made it: one that was set is known where
    it comes from, and need not stand in the log of a CI job."""
    command = f"confman-tui worker --master {address}"
    if plan.token == worker_token.of_this_program():
        return f"workers join: {worker_token.VARIABLE}={plan.token} {command}"
    return f"workers join: {command} (with {worker_token.VARIABLE} as it is set here)"


def open_bind(plan: WorkerPlan) -> str:
    """A sentence about an address that others can reach; empty for loopback."""
    host, _port = plan.bind
    if is_loopback(f"http://[{host}]:1" if ":" in host else f"http://{host}:1"):
        return ""
    return (
        f"the workers' port is open to others at {host}: all is encrypted, and only who has the token joins, but it is "
        "safest where only the workers' machines reach it"
    )


class WorkerWait:
    """Waits for the workers of one program, before its first run and again when one was lost."""

    def __init__(self, engine: Engine, emit: Sink, clock: Clock) -> None:
        self._engine = engine
        self._emit = emit
        self._clock = clock
        self._announced = ""
        self._reported_at: float | None = None

    async def wait_for_workers(self, plan: WorkerPlan, stop: asyncio.Event) -> None:
        """Return when all workers are there.

        Raises:
            WorkerError: one can't be started, too few came, or ``stop`` was set meanwhile.
        """
        if not plan.size:
            return
        loop = asyncio.get_running_loop()
        self._reported_at = None

        def on_wait(progress: WaitProgress) -> None:
            # on the engine's thread; the loop may be gone when the program is left in a hurry
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._report, progress, plan)

        waited_for: asyncio.Future[Any] = asyncio.wrap_future(self._engine.wait_for_workers(plan, on_wait=on_wait))
        stopped: asyncio.Future[Any] = asyncio.create_task(stop.wait(), name="stop of the wait for workers")
        try:
            await asyncio.wait({waited_for, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not waited_for.done():
                self._engine.stop_run()
            await waited_for
        finally:
            stopped.cancel()

    def _report(self, progress: WaitProgress, plan: WorkerPlan) -> None:
        at = self._clock()
        if self._reported_at is None:
            self._emit(
                PhaseChanged(Phase.GATHERING, at, f"{progress.wanted} worker{'s' if progress.wanted > 1 else ''}")
            )
            self._reported_at = at - REPORT_S
        if plan.remote and progress.address != self._announced:
            self._announced = progress.address
            if warning := open_bind(plan):
                self._emit(NoticeGiven(Level.WARNING, warning, at))
            self._emit(NoticeGiven(Level.INFO, invitation(plan, progress.address), at))
        if at - self._reported_at >= REPORT_S:
            self._reported_at = at
            self._emit(ProgressMade(Phase.GATHERING, progress.present, progress.wanted, 0.0, progress.left_s))
