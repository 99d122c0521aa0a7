"""Reads the refused writes of a session's runs once more: before their data is removed, and at the program's end.

`confman_tui.cluster.writes.late` keeps them; here is when they are read, and who is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from confman_tui.cluster.elections import BrokenKey
from confman_tui.cluster.writes.late import LateReading, LateWrites
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.core.clock import Clock
from confman_tui.session.connection import Connection
from confman_tui.session.events import LateWritesFound, Level, NoticeGiven, Phase, PhaseChanged, Sink
from confman_tui.session.run_recorder import ScenarioRun

LEAVING_S = 1.0
"""How long the reading may take when the program is to end at once."""

Amend = Callable[[ScenarioRun, Sequence[BrokenKey]], None]
"""Adds late phantoms to the results of the run, or of the repeated runs, of which this was the last."""


class LateCheck:
    """Belongs to the session's loop, and to one cluster."""

    def __init__(self, cluster: Connection, emit: Sink, amend: Amend, leaving: asyncio.Event, clock: Clock) -> None:
        """
        Args:
            cluster: where the runs wrote.
            emit: takes the events.
            amend: adds what was found to the results, at the end, when they are whole.
            leaving: set when the program ends.
            clock: that which stamps the writes.
        """
        self._cluster = cluster
        self._emit = emit
        self._amend = amend
        self._leaving = leaving
        self._clock = clock
        self._writes = LateWrites()
        self._runs: dict[str, ScenarioRun] = {}
        self._found: dict[str, list[BrokenKey]] = {}

    async def keep(self, run: ScenarioRun, ledger: WriteLedger, phantoms: set[str]) -> None:
        """Keep the refused writes of a run that was verified just now; ``phantoms``: those that are there."""
        await self._writes.take_in(run.stem, ledger, run.plan.payload_bytes, run.entries_before, phantoms)
        if len(self._writes):
            self._runs[run.stem] = run

    async def before_removal(self) -> None:
        """The data of runs is about to be removed: what was not read once more yet is read now."""
        if self._writes.unread:
            await self._read()

    async def at_end(self, late_s: float) -> None:
        """Read all of them for the last time, ``late_s`` after the last of them was refused at the earliest."""
        if not len(self._writes):
            return
        if (wait_s := self._writes.last_ended + late_s - self._clock()) > 0 and not self._leaving.is_set():
            self._phase(f"waiting {wait_s:.0f} s for refused writes that come late")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), wait_s)
        count = len(self._writes)
        self._phase(f"{count:,} refused write{'s' * (count != 1)} once more")
        await self._read()
        self._writes = LateWrites()
        for name, keys in self._found.items():
            self._amend(self._runs[name], keys)
        self._found = {}

    async def _read(self) -> None:
        monitor, writes = self._cluster.monitor, self._writes
        reading, stop = LateReading(total=len(writes)), asyncio.Event()
        task = asyncio.create_task(
            writes.read(self._cluster.client, monitor.answering(), self._cluster.nodes, stop, reading)
        )
        leaving = asyncio.create_task(self._leaving.wait())
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not task.done():
            _, late = await asyncio.wait({task}, timeout=LEAVING_S)
            if late:
                stop.set()
                task.cancel()
        results = await asyncio.gather(task, leaving, return_exceptions=True)
        for name, keys in reading.found.items():
            self._found.setdefault(name, []).extend(keys)
            self._emit(LateWritesFound(self._runs[name].name, self._clock(), tuple(keys)))
        if reading.read < reading.total:
            text = f"{reading.total - reading.read:,} of {reading.total:,} refused writes could not be read once more"
            self._emit(NoticeGiven(Level.WARNING, text, self._clock()))
        if isinstance(results[0], Exception):
            raise results[0]

    def _phase(self, detail: str) -> None:
        self._emit(PhaseChanged(Phase.VERIFYING, self._clock(), detail))
