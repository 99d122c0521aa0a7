"""The session on a thread of its own, for front ends that have a loop of their own.

The screen draws on the main thread; the session runs here, so that a slow frame never delays what is timed. Commands
come in through the loop's thread-safe call, events go out through the sink. Threads of one process share one
interpreter: what the screen computes, the load waits for. ``--workers 1`` takes the load out of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core import event_loop
from confman_tui.core.clock import now
from confman_tui.core.errors import ConfmanTuiError
from confman_tui.session.commands import FaultPreview
from confman_tui.session.events import DeferredRunDropped, Level, NoticeGiven, Phase, PhaseChanged, RunDeferred, Sink
from confman_tui.session.session import Session
from confman_tui.settings import Settings

CLOSE_WITHIN_S = 4.5
"""What cleaning up may take when a person quits the screen; what it does not reach is announced at the next start."""


class SessionThread:
    """Implements `confman_tui.session.commands.SessionCommands` over a `Session`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._activity: asyncio.Task[bool] | None = None
        self._activity_name = ""
        self._faults: set[asyncio.Task[None]] = set()
        """Faults that are about to be caused."""
        self._preparing = False
        """Whether the activity makes the data ready: what is asked for meanwhile is begun afterwards."""
        self._deferred: tuple[str, ...] = ()
        """The scenarios that begin then."""
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
        session = self._session = Session(self._settings, self._sink, interactive=True)
        self._begin("finding the cluster", session.open, preparing=True)
        taking_commands.set()
        if self._quit_asked.is_set():
            self._quit.set()
        try:
            await self._quit.wait()
            self._deferred = ()
            session.interrupt()
            if self._activity is not None:
                with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                    await asyncio.wait_for(asyncio.shield(self._activity), session.stop_within_s)
                self._activity.cancel()
            with contextlib.suppress(TimeoutError):
                await session.close(within_s=CLOSE_WITHIN_S)
        except Exception as error:
            self.crash = self.crash or error
        finally:
            session.abandon()
            self._sink(PhaseChanged(Phase.CLOSED, now()))

    def _begin(self, name: str, work: Callable[[], Awaitable[object]], *, preparing: bool = False) -> None:
        """Start an activity on the loop's thread, unless one runs."""
        session = self._session
        assert session is not None
        if self._busy:
            self._notice(f"{self._activity_name} is still under way: stop it first", Level.WARNING)
            return
        self._activity_name = name
        self._preparing = preparing
        self._activity = asyncio.create_task(self._guard(session, work), name=name)
        self._activity.add_done_callback(self._begin_deferred)

    @property
    def _busy(self) -> bool:
        return self._activity is not None and not self._activity.done()

    def _begin_deferred(self, ended: asyncio.Task[bool]) -> None:
        """An activity has ended: what waited for it begins, if it went well."""
        names, self._deferred = self._deferred, ()
        if not names:
            return
        if ended.cancelled() or not ended.result():
            self._sink(DeferredRunDropped(names, now(), "the data is not there"))
        else:
            self._run(names)

    async def _guard(self, session: Session, work: Callable[[], Awaitable[object]]) -> bool:
        """Do the work and tell what went wrong; gives whether it went well."""
        try:
            await work()
            return True
        except ConfmanTuiError as error:
            if session.is_open:
                self._notice(str(error), Level.ERROR)
                session.rest()
            else:
                self._sink(PhaseChanged(Phase.OFFLINE, now(), str(error)))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._defect(error)
            session.rest()
        return False

    def _defect(self, error: Exception) -> None:
        self.crash = self.crash or error
        self._notice(f"a defect of confman-tui: {type(error).__name__}: {error}", Level.ERROR)

    def _notice(self, text: str, level: Level = Level.INFO) -> None:
        self._sink(NoticeGiven(level, text, now()))

    def _post(self, call: Callable[[], object]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):  # the loop closed in between
            loop.call_soon_threadsafe(call)

    def _post_activity(
        self, name: str, work: Callable[[Session], Awaitable[object]], *, preparing: bool = False
    ) -> None:
        def begin() -> None:
            session = self._session
            if session is not None:
                self._begin(name, lambda: work(session), preparing=preparing)

        self._post(begin)

    # -- commands

    def run_scenarios(self, names: Sequence[str]) -> None:
        """See `SessionCommands.run_scenarios`."""
        wanted = tuple(names)
        self._post(lambda: self._run_or_defer(wanted))

    def _run_or_defer(self, names: tuple[str, ...]) -> None:
        if self._busy and self._preparing:
            self._deferred = names
            self._sink(RunDeferred(names, now()))
        else:
            self._run(names)

    def _run(self, names: tuple[str, ...]) -> None:
        session = self._session
        assert session is not None
        self._begin(names[0] if len(names) == 1 else "the series", lambda: session.run_series(names))

    def drill(self) -> None:
        """See `SessionCommands.drill`."""
        self._post_activity("the drill", lambda session: session.drill())

    def choose_tier(self, tier: str) -> None:
        """See `SessionCommands.choose_tier`."""
        self._post_activity(f"changing to tier {tier}", lambda session: session.choose_tier(tier), preparing=True)

    def remove_leftovers(self) -> None:
        """See `SessionCommands.remove_leftovers`."""
        self._post_activity("removing leftovers", lambda session: session.remove_leftovers())

    def retry(self) -> None:
        """See `SessionCommands.retry`."""
        self._post_activity("finding the cluster", lambda session: session.open(), preparing=True)

    def start_demo(self) -> None:
        """See `SessionCommands.start_demo`."""
        self._post_activity("starting the demo cluster", lambda session: session.open(demo=True), preparing=True)

    def stop(self) -> None:
        """See `SessionCommands.stop`."""

        def stop() -> None:
            if self._session is None or not self._busy:
                self._notice("nothing runs that could be stopped")
            elif self._deferred:
                names, self._deferred = self._deferred, ()
                self._sink(DeferredRunDropped(names, now(), "stopped"))
            else:
                self._session.stop()

        self._post(stop)

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """See `SessionCommands.override`."""
        self._post(lambda: self._try(lambda session: session.override(users, duration_s, payload_bytes, rate)))

    def change_rate(self, factor: float) -> None:
        """See `SessionCommands.change_rate`."""
        self._post(lambda: self._try(lambda session: session.change_rate(factor)))

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """See `SessionCommands.vary`."""
        self._post(lambda: self._try(lambda session: session.vary(user_steps, payload_steps, warmup_s, repeat)))

    def sweep(self) -> None:
        """See `SessionCommands.sweep`."""
        self._post_activity("the sweep", lambda session: session.sweep())

    def note_screen_lag(self, seconds: float) -> None:
        """See `SessionCommands.note_screen_lag`."""
        if self._session is not None:
            self._session.note_screen_lag(seconds)

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """See `SessionCommands.preview_fault`."""
        if self._session is None:
            raise FaultRefusedError("no cluster is open yet")
        return self._session.preview_fault(kind, node)

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """See `SessionCommands.cause_fault`."""

        async def cause() -> None:
            try:
                if self._session is not None:
                    await self._session.cause_fault(kind, node, by="you")
            except (FaultRefusedError, ConfmanTuiError) as error:
                self._notice(str(error), Level.WARNING)

        def begin() -> None:
            task = asyncio.create_task(cause(), name=f"{kind} {node}")
            self._faults.add(task)
            task.add_done_callback(self._faults.discard)

        self._post(begin)

    def revive(self) -> None:
        """See `SessionCommands.revive`."""
        self._post(lambda: self._try(lambda session: session.revive(by="you")))

    def _try(self, work: Callable[[Session], object]) -> None:
        try:
            if self._session is not None:
                work(self._session)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)
        except Exception as error:
            self._defect(error)

    def quit(self) -> None:
        """See `SessionCommands.quit`."""
        self._quit_asked.set()
        if self._quit is not None:
            self._post(self._quit.set)

    def leave_behind(self) -> str:
        """See `SessionCommands.leave_behind`."""
        return self._session.leave_behind() if self._session is not None else ""

    def abandon(self, within_s: float) -> None:
        """Leave at once: resume paused nodes and end the demo cluster's processes. What does not happen within the time
        is left to the guards of paused nodes, and to the nodes themselves, which end with this program."""
        session = self._session
        if session is not None:
            # a search for the processes behind ports may hold the desk of faults
            helper = threading.Thread(target=session.abandon, name="abandon", daemon=True)
            helper.start()
            helper.join(within_s)

    def join(self, timeout_s: float) -> bool:
        """See `SessionCommands.join`."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
