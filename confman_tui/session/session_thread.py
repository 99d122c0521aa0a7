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
from typing import Any

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.core import event_loop
from confman_tui.core.clock import now
from confman_tui.session import changes
from confman_tui.session.activities import BY_PERSON, Activities, Activity
from confman_tui.session.connection import Connection, MakeDemo
from confman_tui.session.drill import run_drill
from confman_tui.session.events import Phase, PhaseChanged, Sink
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.session.series import run_series, run_sweep
from confman_tui.session.session import STOP_WITHIN_S, Session
from confman_tui.settings import Settings

CLOSE_WITHIN_S = 4.5
"""What cleaning up may take when a person quits the screen; what it does not reach is announced at the next start."""

_OPEN = Activity("finding the cluster", lambda session: session.open(), preparing=True)
_OPEN_DEMO = Activity("starting the demo cluster", lambda session: session.open(demo=True), preparing=True)


class SessionThread:
    """Implements `confman_tui.session.commands.SessionCommands` over a `Session`."""

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
        self._activities: Activities | None = None
        self._quit: asyncio.Event | None = None
        self._quit_asked = threading.Event()
        self._sink: Sink = lambda event: None
        self._crash: BaseException | None = None

    @property
    def crash(self) -> BaseException | None:
        """A defect of this program that ended an activity, or the session."""
        ended = self._activities.crash if self._activities is not None else None
        return ended or self._crash

    @property
    def exit_reasons(self) -> ExitReasons:
        """Why the program will end with another exit code than 0, as far as the session knows."""
        return self._session.exit_reasons if self._session is not None else ExitReasons()

    # -- the life of the thread

    def start(self, sink: Sink) -> None:
        """Begin; see `SessionCommands.start`. Returns when the thread takes commands."""
        self._sink = sink
        taking_commands = threading.Event()

        def live() -> None:
            try:
                event_loop.run(self._main(taking_commands))
            except BaseException as error:
                self._crash = self._crash or error
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
        activities = self._activities = Activities(session, self._sink)
        activities.begin(_OPEN)
        taking_commands.set()
        if self._quit_asked.is_set():
            self._quit.set()
        try:
            await self._quit.wait()
            await activities.end(STOP_WITHIN_S)
            with contextlib.suppress(TimeoutError):
                await session.close(within_s=CLOSE_WITHIN_S)
        except Exception as error:
            self._crash = self._crash or error
        finally:
            session.abandon()
            self._sink(PhaseChanged(Phase.CLOSED, now()))

    def join(self, timeout_s: float) -> bool:
        """See `SessionCommands.join`."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _post(self, command: Callable[..., object], *arguments: object) -> None:
        """Have the loop's thread call this method of `Activities`; nothing happens before and after the session."""
        loop, activities = self._loop, self._activities
        if loop is None or activities is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):  # the loop closed in between
            loop.call_soon_threadsafe(command, activities, *arguments)

    # -- commands: one activity at a time

    def run_scenarios(self, names: Sequence[str]) -> None:
        """See `SessionCommands.run_scenarios`."""
        wanted = tuple(names)
        name = wanted[0] if len(wanted) == 1 else "the series"
        self._post(Activities.begin, Activity(name, lambda session: run_series(session, wanted), scenarios=wanted))

    def drill(self, kind: FaultKind, rounds: int) -> None:
        """See `SessionCommands.drill`."""

        def work(session: Session) -> Coroutine[Any, Any, object]:
            changes.plan_drill(session, kind, rounds)
            return run_drill(session)

        self._post(Activities.begin, Activity("the drill", work))

    def sweep(self, sizes: tuple[int, ...]) -> None:
        """See `SessionCommands.sweep`."""

        def work(session: Session) -> Coroutine[Any, Any, object]:
            changes.plan_sweep(session, sizes)
            return run_sweep(session)

        self._post(Activities.begin, Activity("the sweep", work))

    def put_back(self) -> None:
        """See `SessionCommands.put_back`."""
        self._post(Activities.begin, Activity("putting the data back", changes.put_back, preparing=True))

    def choose_tier(self, tier: str) -> None:
        """See `SessionCommands.choose_tier`."""
        name = f"changing to tier {tier}"
        self._post(Activities.begin, Activity(name, lambda session: changes.choose_tier(session, tier), preparing=True))

    def remove_leftovers(self) -> None:
        """See `SessionCommands.remove_leftovers`."""
        self._post(Activities.begin, Activity("removing leftovers", changes.remove_leftovers))

    def retry(self) -> None:
        """See `SessionCommands.retry`."""
        self._post(Activities.begin, _OPEN)

    def start_demo(self) -> None:
        """See `SessionCommands.start_demo`."""
        self._post(Activities.begin_instead_of_opening, _OPEN_DEMO)

    def stop(self) -> None:
        """See `SessionCommands.stop`."""
        self._post(Activities.stop)

    # -- commands: beside an activity

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        """See `SessionCommands.override`."""

        def change(session: Session) -> None:
            changes.override(session, users, duration_s, payload_bytes, rate)

        self._post(Activities.do_at_once, change)

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """See `SessionCommands.vary`."""

        def change(session: Session) -> None:
            changes.vary(session, user_steps, payload_steps, warmup_s, repeat)

        self._post(Activities.do_at_once, change)

    def change_rate(self, factor: float) -> None:
        """See `SessionCommands.change_rate`."""
        self._post(Activities.do_at_once, lambda session: changes.change_rate(session, factor))

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        """See `SessionCommands.cause_fault`."""
        self._post(Activities.cause_fault, kind, node)

    def revive(self) -> None:
        """See `SessionCommands.revive`."""
        self._post(Activities.do_at_once, lambda session: session.cluster.incidents.revive(by=BY_PERSON))

    # -- commands: on the caller's thread

    @property
    def _connection(self) -> Connection | None:
        return self._session.connection if self._session is not None else None

    def note_screen_lag(self, seconds: float) -> None:
        """See `SessionCommands.note_screen_lag`."""
        cluster = self._connection
        if cluster is not None:
            cluster.watch.note_screen_lag(seconds)

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        """See `SessionCommands.preview_fault`."""
        cluster = self._connection
        if cluster is None:
            raise FaultRefusedError("no cluster is open yet")
        return cluster.incidents.preview_fault(kind, node)

    def leave_behind(self) -> str:
        """See `SessionCommands.leave_behind`."""
        return self._session.leave_behind() if self._session is not None else ""

    # -- commands: the end

    def quit(self) -> None:
        """See `SessionCommands.quit`."""
        self._quit_asked.set()
        quit_event, loop = self._quit, self._loop
        if quit_event is not None and loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(quit_event.set)

    def abandon(self, within_s: float) -> None:
        """Leave at once: resume paused nodes and end the demo cluster's processes. What does not happen within the time
        is left to the guards of paused nodes, and to the nodes themselves, which end with this program."""
        session = self._session
        if session is not None:
            # a search for the processes behind ports may hold the lock of the fault injector
            helper = threading.Thread(target=session.abandon, name="abandon", daemon=True)
            helper.start()
            helper.join(within_s)
