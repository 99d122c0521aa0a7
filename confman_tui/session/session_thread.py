"""The conductor on a thread of its own, for faces that have a loop of their own.

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
from confman_tui.session.session import Benchmark
from confman_tui.settings import Settings

CLOSE_WITHIN_S = 4.5
"""What cleaning up may take when a person quits the screen; what it does not reach is announced at the next start."""


class ConductorThread:
    """Implements `confman_tui.session.commands.Conductor` over a `Benchmark`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bench: Benchmark | None = None
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
        """Begin; see `Conductor.start`. Returns when the thread takes commands."""
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

        self._thread = threading.Thread(target=live, name="conductor", daemon=True)
        self._thread.start()
        taking_commands.wait()

    async def _main(self, taking_commands: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._quit = asyncio.Event()
        bench = self._bench = Benchmark(self._settings, self._sink, interactive=True)
        self._begin("finding the cluster", bench.open, preparing=True)
        taking_commands.set()
        if self._quit_asked.is_set():
            self._quit.set()
        try:
            await self._quit.wait()
            self._deferred = ()
            bench.interrupt()
            if self._activity is not None:
                with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                    await asyncio.wait_for(asyncio.shield(self._activity), bench.stop_within_s)
                self._activity.cancel()
            with contextlib.suppress(TimeoutError):
                await bench.close(within_s=CLOSE_WITHIN_S)
        except Exception as error:
            self.crash = self.crash or error
        finally:
            bench.abandon()
            self._sink(PhaseChanged(Phase.CLOSED, now()))

    def _begin(self, name: str, work: Callable[[], Awaitable[object]], *, preparing: bool = False) -> None:
        """Start an activity on the loop's thread, unless one runs."""
        bench = self._bench
        assert bench is not None
        if self._busy:
            self._notice(f"{self._activity_name} is still under way: stop it first", Level.WARNING)
            return
        self._activity_name = name
        self._preparing = preparing
        self._activity = asyncio.create_task(self._guard(bench, work), name=name)
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

    async def _guard(self, bench: Benchmark, work: Callable[[], Awaitable[object]]) -> bool:
        """Do the work and tell what went wrong; gives whether it went well."""
        try:
            await work()
            return True
        except ConfmanTuiError as error:
            if bench.is_open:
                self._notice(str(error), Level.ERROR)
                bench.rest()
            else:
                self._sink(PhaseChanged(Phase.OFFLINE, now(), str(error)))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._defect(error)
            bench.rest()
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
        self, name: str, work: Callable[[Benchmark], Awaitable[object]], *, preparing: bool = False
    ) -> None:
        def begin() -> None:
            bench = self._bench
            if bench is not None:
                self._begin(name, lambda: work(bench), preparing=preparing)

        self._post(begin)

    # -- commands

    def run_scenarios(self, names: Sequence[str]) -> None:
        """See `Conductor.run_scenarios`."""
        wanted = tuple(names)
        self._post(lambda: self._run_or_defer(wanted))

    def _run_or_defer(self, names: tuple[str, ...]) -> None:
        if self._busy and self._preparing:
            self._deferred = names
            self._sink(RunDeferred(names, now()))
        else:
            self._run(names)

    def _run(self, names: tuple[str, ...]) -> None:
        bench = self._bench
        assert bench is not None
        self._begin(names[0] if len(names) == 1 else "the series", lambda: bench.run_series(names))

    def drill(self) -> None:
        """See `Conductor.drill`."""
        self._post_activity("the drill", lambda bench: bench.drill())

    def choose_tier(self, tier: str) -> None:
        """See `Conductor.choose_tier`."""
        self._post_activity(f"changing to tier {tier}", lambda bench: bench.choose_tier(tier), preparing=True)

    def remove_leftovers(self) -> None:
        """See `Conductor.remove_leftovers`."""
        self._post_activity("removing leftovers", lambda bench: bench.remove_leftovers())

    def retry(self) -> None:
        """See `Conductor.retry`."""
        self._post_activity("finding the cluster", lambda bench: bench.open(), preparing=True)

    def start_demo(self) -> None:
        """See `Conductor.start_demo`."""
        self._post_activity("starting the demo cluster", lambda bench: bench.open(demo=True), preparing=True)

    def stop(self) -> None:
        """See `Conductor.stop`."""

        def stop() -> None:
            if self._bench is None or not self._busy:
                self._notice("nothing runs that could be stopped")
            elif self._deferred:
                names, self._deferred = self._deferred, ()
                self._sink(DeferredRunDropped(names, now(), "stopped"))
            else:
                self._bench.stop()

        self._post(stop)

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """See `Conductor.override`."""
        self._post(lambda: self._try(lambda bench: bench.override(users, duration_s, payload_bytes, rate)))

    def change_rate(self, factor: float) -> None:
        """See `Conductor.change_rate`."""
        self._post(lambda: self._try(lambda bench: bench.change_rate(factor)))

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """See `Conductor.vary`."""
        self._post(lambda: self._try(lambda bench: bench.vary(user_steps, payload_steps, warmup_s, repeat)))

    def sweep(self) -> None:
        """See `Conductor.sweep`."""
        self._post_activity("the sweep", lambda bench: bench.sweep())

    def note_screen_lag(self, seconds: float) -> None:
        """See `Conductor.note_screen_lag`."""
        if self._bench is not None:
            self._bench.note_screen_lag(seconds)

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """See `Conductor.preview_fault`."""
        if self._bench is None:
            raise FaultRefusedError("no cluster is open yet")
        return self._bench.preview_fault(kind, node)

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """See `Conductor.cause_fault`."""

        async def cause() -> None:
            try:
                if self._bench is not None:
                    await self._bench.cause_fault(kind, node, by="you")
            except (FaultRefusedError, ConfmanTuiError) as error:
                self._notice(str(error), Level.WARNING)

        def begin() -> None:
            task = asyncio.create_task(cause(), name=f"{kind} {node}")
            self._faults.add(task)
            task.add_done_callback(self._faults.discard)

        self._post(begin)

    def revive(self) -> None:
        """See `Conductor.revive`."""
        self._post(lambda: self._try(lambda bench: bench.revive(by="you")))

    def _try(self, work: Callable[[Benchmark], object]) -> None:
        try:
            if self._bench is not None:
                work(self._bench)
        except (FaultRefusedError, ConfmanTuiError) as error:
            self._notice(str(error), Level.WARNING)
        except Exception as error:
            self._defect(error)

    def quit(self) -> None:
        """See `Conductor.quit`."""
        self._quit_asked.set()
        if self._quit is not None:
            self._post(self._quit.set)

    def leave_behind(self) -> str:
        """See `Conductor.leave_behind`."""
        return self._bench.leave_behind() if self._bench is not None else ""

    def abandon(self, within_s: float) -> None:
        """Leave at once: resume paused nodes and end the demo cluster's processes. What does not happen within the time
        is left to the guardians of paused nodes, and to the nodes themselves, which end with this program."""
        bench = self._bench
        if bench is not None:
            # a search for the processes behind ports may hold the desk of faults
            helper = threading.Thread(target=bench.abandon, name="abandon", daemon=True)
            helper.start()
            helper.join(within_s)

    def join(self, timeout_s: float) -> bool:
        """See `Conductor.join`."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
