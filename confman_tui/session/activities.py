"""One activity of the session at a time: begun by a command, seen to its end; a run may wait for the data.

On the session's loop. `confman_tui.session.session_thread` brings the commands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.core.clock import now
from confman_tui.core.errors import EXIT_USAGE, ClusterError, ConfmanTuiError
from confman_tui.session.events import DeferredRunDropped, Level, NoticeGiven, Phase, PhaseChanged, RunDeferred, Sink
from confman_tui.session.session import Session

BY_PERSON = "you"
"""Who a fault is by that a key asked for."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that the session does from a command to its end."""

    name: str
    work: Callable[[Session], Coroutine[Any, Any, object]]
    preparing: bool = False
    """Whether it makes the data ready: runs that are asked for meanwhile begin afterwards."""
    scenarios: tuple[str, ...] = ()
    """What it runs, where it may wait until the data is ready."""


class Activities:
    """Runs them, and what takes no time beside them. What goes wrong becomes a notice; a defect is kept in `crash`."""

    def __init__(self, session: Session, sink: Sink) -> None:
        self.crash: BaseException | None = None
        """A defect of this program that ended an activity."""
        self._session = session
        self._sink = sink
        self._latest: Activity | None = None
        """The one under way, or the last."""
        self._task: asyncio.Task[object] | None = None
        """Of that activity."""
        self._deferred: Activity | None = None
        """The run that begins when the data is ready."""
        self._instead: Activity | None = None
        """What begins when the present one, which was stopped for it, has ended."""
        self._faults: set[asyncio.Task[None]] = set()
        """Faults that are about to be caused."""

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    def begin(self, activity: Activity) -> None:
        """Start an activity. While one runs, scenarios may wait for it, and all else is refused with a notice."""
        if self.busy:
            assert self._latest is not None
            if activity.scenarios and self._latest.preparing:
                self._deferred = activity
                self._sink(RunDeferred(activity.scenarios, now()))
            else:
                self._notice(f"{self._latest.name} is still under way: stop it first", Level.WARNING)
            return
        self._latest = activity
        self._task = asyncio.create_task(activity.work(self._session), name=activity.name)
        self._task.add_done_callback(self._on_end)

    def begin_instead_of_opening(self, activity: Activity) -> None:
        """Start an activity; the search for a cluster makes room for it."""
        if not self.busy or self._session.is_open:
            self.begin(activity)
            return
        self._instead = activity
        self._session.stop()

    def _on_end(self, task: asyncio.Task[object]) -> None:
        """Say what went wrong; the run that waited for the data begins, if it is there."""
        error = None if task.cancelled() else task.exception()
        instead, self._instead = self._instead, None
        if instead is not None and not self._session.interrupted and not self._session.is_open:
            self.begin(instead)
            return
        if error is not None:
            self._report_error(error)
        waiting, self._deferred = self._deferred, None
        if waiting is None:
            return
        if task.cancelled() or error is not None:
            self._sink(DeferredRunDropped(waiting.scenarios, now(), "the data is not there"))
        else:
            self.begin(waiting)

    def stop(self) -> None:
        """Drop the run that waits; if none does, stop what is under way."""
        if not self.busy:
            self._notice("nothing runs that could be stopped")
        elif self._deferred is not None:
            waiting, self._deferred = self._deferred, None
            self._sink(DeferredRunDropped(waiting.scenarios, now(), "stopped"))
        else:
            self._session.stop()

    async def end(self, within_s: float) -> None:
        """Stop for good, waiting that long for what is under way."""
        self._deferred = self._instead = None
        self._session.interrupt()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)
            self._task.cancel()

    # -- what takes no time

    def do_at_once(self, work: Callable[[Session], object]) -> None:
        """Do something beside the activity under way."""
        try:
            work(self._session)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)
        except Exception as error:
            self._report_defect(error)

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """Do something to a node, in a task of its own: the watch becomes alert first."""
        task = asyncio.create_task(self._cause_fault(kind, node), name=f"{kind} {node}")
        self._faults.add(task)
        task.add_done_callback(self._faults.discard)

    async def _cause_fault(self, kind: FaultKind, node: str) -> None:
        try:
            await self._session.cluster.incidents.cause_fault(kind, node, by=BY_PERSON)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)

    # -- what went wrong

    def _report_error(self, error: BaseException) -> None:
        session = self._session
        if isinstance(error, StoppedError):
            error = ClusterError("stopped while looking for the cluster")
        if isinstance(error, ConfmanTuiError):
            if not session.is_open:
                self._sink(PhaseChanged(Phase.OFFLINE, now(), str(error)))
                return
            # What only prepared something can be asked for again, and wrong usage has been told: nothing was missed.
            missed = self._latest is not None and not self._latest.preparing and error.exit_code != EXIT_USAGE
            self._notice(str(error), Level.ERROR, error.exit_code if missed else 0)
        else:
            self._report_defect(error)
        session.rest()

    def _report_defect(self, error: BaseException) -> None:
        self.crash = self.crash or error
        self._notice(f"a defect of confman-tui: {type(error).__name__}: {error}", Level.ERROR)

    def _notice(self, text: str, level: Level = Level.INFO, calls_for: int = 0) -> None:
        self._sink(NoticeGiven(level, text, now(), calls_for))
