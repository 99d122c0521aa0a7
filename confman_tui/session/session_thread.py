"""The session on a thread of its own, for front ends that have a loop of their own.

The screen draws on the main thread; the session runs here, so that a slow frame never delays what is timed. Commands
come in through the loop's thread-safe call, events go out through the sink. Threads of one process share one
interpreter: what the screen computes, the load waits for. ``--workers 1`` takes the load out of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.core import event_loop
from confman_tui.core.clock import now
from confman_tui.core.errors import ConfmanTuiError
from confman_tui.session import changes
from confman_tui.session.connection import Connection, MakeDemo
from confman_tui.session.drill import run_drill
from confman_tui.session.events import DeferredRunDropped, Level, NoticeGiven, Phase, PhaseChanged, RunDeferred, Sink
from confman_tui.session.series import run_series, run_sweep
from confman_tui.session.session import STOP_WITHIN_S, Session
from confman_tui.settings import Settings

CLOSE_WITHIN_S = 4.5
"""What cleaning up may take when a person quits the screen; what it does not reach is announced at the next start."""
BY_PERSON = "you"
"""Who a fault is by that a key asked for."""


@dataclass(frozen=True, slots=True)
class _Activity:
    """Something that the session does from a command to its end."""

    name: str
    work: Callable[[Session], Coroutine[Any, Any, object]]
    preparing: bool = False
    """Whether it makes the data ready: runs that are asked for meanwhile begin afterwards."""
    scenarios: tuple[str, ...] = ()
    """What it runs, where it may wait until the data is ready."""


_OPEN = _Activity("finding the cluster", lambda session: session.open(), preparing=True)
_OPEN_DEMO = _Activity("starting the demo cluster", lambda session: session.open(demo=True), preparing=True)


class SessionThread:
    """Implements `confman_tui.session.commands.SessionCommands` over a `Session`.

    One activity at a time: `_begin` starts it as a task on the loop's thread, `_on_activity_end` sees how it ended.
    """

    def __init__(self, settings: Settings, make_demo: MakeDemo) -> None:
        """
        Args:
            settings: what was asked for.
            make_demo: makes the demo cluster when it is asked for.
        """
        self._settings = settings
        self._make_demo = make_demo
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._activity: _Activity | None = None
        """The one under way, or the last."""
        self._task: asyncio.Task[object] | None = None
        """Of that activity."""
        self._deferred: _Activity | None = None
        """The run that begins when the data is ready."""
        self._faults: set[asyncio.Task[None]] = set()
        """Faults that are about to be caused."""
        self._quit: asyncio.Event | None = None
        self._quit_asked = threading.Event()
        self._sink: Sink = lambda event: None
        self.crash: BaseException | None = None
        """A defect of this program that ended an activity."""

    # -- the life of the thread

    def start(self, sink: Sink) -> None:
        """Begin; see `SessionCommands.start`. Returns when the thread takes commands."""
        self._sink = sink
        taking_commands = threading.Event()

        def live() -> None:
            try:
                event_loop.run(self._main(taking_commands))
            except BaseException as error:
                self.crash = self.crash or error
                self._sink(PhaseChanged(Phase.CLOSED, now()))
            finally:
                taking_commands.set()

        self._thread = threading.Thread(target=live, name="session", daemon=True)
        self._thread.start()
        taking_commands.wait()

    async def _main(self, taking_commands: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._quit = asyncio.Event()
        session = self._session = Session(self._settings, self._sink, self._make_demo, interactive=True)
        self._begin(_OPEN)
        taking_commands.set()
        if self._quit_asked.is_set():
            self._quit.set()
        try:
            await self._quit.wait()
            self._deferred = None
            session.interrupt()
            if self._task is not None:
                await asyncio.wait({self._task}, timeout=STOP_WITHIN_S)
                self._task.cancel()
            with contextlib.suppress(TimeoutError):
                await session.close(within_s=CLOSE_WITHIN_S)
        except Exception as error:
            self.crash = self.crash or error
        finally:
            session.abandon()
            self._sink(PhaseChanged(Phase.CLOSED, now()))

    def join(self, timeout_s: float) -> bool:
        """See `SessionCommands.join`."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- on the loop's thread

    def _begin(self, activity: _Activity) -> None:
        """Start an activity. While one runs, scenarios may wait for it, and all else is refused with a notice."""
        session = self._session
        assert session is not None
        if self._busy:
            assert self._activity is not None
            if activity.scenarios and self._activity.preparing:
                self._deferred = activity
                self._sink(RunDeferred(activity.scenarios, now()))
            else:
                self._notice(f"{self._activity.name} is still under way: stop it first", Level.WARNING)
            return
        self._activity = activity
        self._task = asyncio.create_task(activity.work(session), name=activity.name)
        self._task.add_done_callback(self._on_activity_end)

    @property
    def _busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def _on_activity_end(self, task: asyncio.Task[object]) -> None:
        """Say what went wrong; the run that waited for the data begins, if it is there."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._report_error(error)
        waiting, self._deferred = self._deferred, None
        if waiting is None:
            return
        if task.cancelled() or error is not None:
            self._sink(DeferredRunDropped(waiting.scenarios, now(), "the data is not there"))
        else:
            self._begin(waiting)

    def _report_error(self, error: BaseException) -> None:
        session = self._session
        assert session is not None
        if isinstance(error, ConfmanTuiError):
            if not session.is_open:
                self._sink(PhaseChanged(Phase.OFFLINE, now(), str(error)))
                return
            self._notice(str(error), Level.ERROR)
        else:
            self._report_defect(error)
        session.rest()

    def _report_defect(self, error: BaseException) -> None:
        self.crash = self.crash or error
        self._notice(f"a defect of confman-tui: {type(error).__name__}: {error}", Level.ERROR)

    def _notice(self, text: str, level: Level = Level.INFO) -> None:
        self._sink(NoticeGiven(level, text, now()))

    def _do_at_once(self, work: Callable[[Session], object]) -> None:
        """What takes no time and may be done beside an activity."""
        try:
            if self._session is not None:
                work(self._session)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)
        except Exception as error:
            self._report_defect(error)

    def _stop(self) -> None:
        if self._session is None or not self._busy:
            self._notice("nothing runs that could be stopped")
        elif self._deferred is not None:
            waiting, self._deferred = self._deferred, None
            self._sink(DeferredRunDropped(waiting.scenarios, now(), "stopped"))
        else:
            self._session.stop()

    def _begin_fault(self, kind: FaultKind, node: str) -> None:
        task = asyncio.create_task(self._cause_fault(kind, node), name=f"{kind} {node}")
        self._faults.add(task)
        task.add_done_callback(self._faults.discard)

    async def _cause_fault(self, kind: FaultKind, node: str) -> None:
        try:
            if self._session is not None:
                await self._session.cluster.incidents.cause_fault(kind, node, by=BY_PERSON)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)

    # -- commands, on any thread

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        """Have the loop's thread call that; nothing happens when the session has ended."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):  # the loop closed in between
            loop.call_soon_threadsafe(call, *arguments)

    def run_scenarios(self, names: Sequence[str]) -> None:
        """See `SessionCommands.run_scenarios`."""
        wanted = tuple(names)
        name = wanted[0] if len(wanted) == 1 else "the series"
        self._post(self._begin, _Activity(name, lambda session: run_series(session, wanted), scenarios=wanted))

    def drill(self) -> None:
        """See `SessionCommands.drill`."""
        self._post(self._begin, _Activity("the drill", run_drill))

    def sweep(self) -> None:
        """See `SessionCommands.sweep`."""
        self._post(self._begin, _Activity("the sweep", run_sweep))

    def choose_tier(self, tier: str) -> None:
        """See `SessionCommands.choose_tier`."""
        name = f"changing to tier {tier}"
        self._post(self._begin, _Activity(name, lambda session: changes.choose_tier(session, tier), preparing=True))

    def remove_leftovers(self) -> None:
        """See `SessionCommands.remove_leftovers`."""
        self._post(self._begin, _Activity("removing leftovers", changes.remove_leftovers))

    def retry(self) -> None:
        """See `SessionCommands.retry`."""
        self._post(self._begin, _OPEN)

    def start_demo(self) -> None:
        """See `SessionCommands.start_demo`."""
        self._post(self._begin, _OPEN_DEMO)

    def stop(self) -> None:
        """See `SessionCommands.stop`."""
        self._post(self._stop)

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """See `SessionCommands.override`."""
        self._post(self._do_at_once, lambda session: changes.override(session, users, duration_s, payload_bytes, rate))

    def change_rate(self, factor: float) -> None:
        """See `SessionCommands.change_rate`."""
        self._post(self._do_at_once, lambda session: changes.change_rate(session, factor))

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """See `SessionCommands.vary`."""
        self._post(self._do_at_once, lambda session: changes.vary(session, user_steps, payload_steps, warmup_s, repeat))

    def note_screen_lag(self, seconds: float) -> None:
        """See `SessionCommands.note_screen_lag`."""
        cluster = self._connection
        if cluster is not None:
            cluster.watch.note_screen_lag(seconds)

    @property
    def _connection(self) -> Connection | None:
        return self._session.connection if self._session is not None else None

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        """See `SessionCommands.preview_fault`."""
        cluster = self._connection
        if cluster is None:
            raise FaultRefusedError("no cluster is open yet")
        return cluster.incidents.preview_fault(kind, node)

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """See `SessionCommands.cause_fault`."""
        self._post(self._begin_fault, kind, node)

    def revive(self) -> None:
        """See `SessionCommands.revive`."""
        self._post(self._do_at_once, lambda session: session.cluster.incidents.revive(by=BY_PERSON))

    def quit(self) -> None:
        """See `SessionCommands.quit`."""
        self._quit_asked.set()
        if self._quit is not None:
            self._post(self._quit.set)

    def leave_behind(self) -> str:
        """See `SessionCommands.leave_behind`."""
        return self._session.leave_behind() if self._session is not None else ""

    def abandon(self, within_s: float) -> None:
        """Leave at once: resume paused nodes and end the demo cluster's processes. What does not happen within the
        time is left to the guards of paused nodes, and to the nodes themselves, which end with this program."""
        session = self._session
        if session is not None:
            # a search for the processes behind ports may hold the lock of the fault injector
            helper = threading.Thread(target=session.abandon, name="abandon", daemon=True)
            helper.start()
            helper.join(within_s)
