"""The load engine: one thread that owns gevent's hub and every run of Locust, driven from other threads.

No method of Locust's runners is thread-safe. So commands go into a queue that a greenlet of the engine's thread empties
when it is woken, and results come back through futures, callbacks on the engine's thread and frozen snapshots.

Call `confman_tui.load.locust_setup.prepare` on the main thread first, before the screen starts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confman_tui.cluster.elections import WriteObserver
from confman_tui.load.locust_logs import LogCapture
from confman_tui.load.locust_setup import prepare
from confman_tui.load.run_model import EngineHealth, RunOutcome, RunPlan, SecondSample
from confman_tui.load.targets import TargetBoard
from confman_tui.load.workers.plan import WaitProgress, WorkerPlan

if TYPE_CHECKING:
    from confman_tui.load.workers.master import Master


class EngineBusyError(RuntimeError):
    """A run was asked for while another one lasts."""


class EngineClosedError(RuntimeError):
    """The engine has ended, or is about to."""


class Engine:
    """Runs plans, one after another. Its methods may be called from any thread, and return at once."""

    def __init__(self, log_file: Path | None = None) -> None:
        """``log_file`` takes what Locust logs; without one it is dropped. It never goes to stderr."""
        self._logs = LogCapture(log_file)
        self._board = TargetBoard()
        self._commands: deque[Callable[[], None]] = deque()
        self._wake: Any = None
        self._thread: threading.Thread | None = None
        self._up = threading.Event()
        self._lock = threading.Lock()
        self._closing = False
        self._run: Any = None
        """The present `confman_tui.load.run.Run` or ``DistributedRun``; changed by the engine's thread only."""
        self._master: Master | None = None
        """Has the workers; changed by the engine's thread only."""
        self._worker_wait = False
        self.on_trouble: Callable[[str], None] = lambda sentence: None
        """Called at once, on the engine's thread, when a worker dies, is late or is refused, with a sentence."""
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Start the thread. Doing it again does nothing."""
        prepare()
        with self._lock:
            if self._thread is not None:
                return
            self._logs.install()
            self._thread = threading.Thread(target=self._live, name="load-engine", daemon=True)
            self._thread.start()
        self._up.wait()

    def run(
        self,
        plan: RunPlan,
        *,
        on_sample: Callable[[SecondSample], None],
        observer: WriteObserver | None = None,
    ) -> Future[RunOutcome]:
        """Run ``plan``. ``on_sample`` and the observer are called on the engine's thread and must return at once.

        The future ends with the outcome, also when the run was stopped; with `EngineBusyError` while another run
        lasts, `EngineClosedError` after `close`, or whatever broke in the run. It can't be cancelled: use `stop_run`.
        """
        future: Future[RunOutcome] = Future()
        future.set_running_or_notify_cancel()
        self._post(partial(self._begin, plan, on_sample, observer, future), future)
        return future

    @property
    def thread_id(self) -> int | None:
        """The system's number of the engine's thread; None before `start`. Any thread."""
        return self._thread.native_id if self._thread is not None else None

    def wait_for_workers(self, plan: WorkerPlan, *, on_wait: Callable[[WaitProgress], None]) -> Future[str]:
        """Get workers ready, those that are missing: start the local ones, wait for the others.

        Runs whose plan asks for workers use them; they stay until others are asked for or the engine ends.
        ``on_wait`` is called on the engine's thread some times a second while some are missing. `stop_run` ends the
        wait. The future gives the address that workers join at, or ends with
        `confman_tui.load.workers.plan.WorkerError`.
        """
        future: Future[str] = Future()
        future.set_running_or_notify_cancel()
        self._post(partial(self._begin_waiting, plan, on_wait, future), future)
        return future

    def stop_run(self, *, within_s: float | None = None) -> None:
        """End the present run: no new requests, those in flight are waited for (no longer than their timeouts take).

        Samples go on meanwhile, and the run's future ends when all is over. Nothing happens when nothing runs.

        Args:
            within_s: those in flight are cut off after so many seconds. Those of workers are waited for.
        """
        self._post(partial(self._stop_all, within_s))

    def set_users(self, count: int) -> None:
        """Change the number of users of the present run; nothing happens when nothing runs."""
        self._post(lambda: self._run.set_users(count) if self._run is not None else None)

    def set_rate(self, rate: float) -> None:
        """Change the rate of the present run, in requests per second, from now on: what is due already stays due.
        Nothing happens when nothing runs, or in a closed loop."""
        self._post(lambda: self._run.set_rate(rate) if self._run is not None else None)

    def set_targets(self, leader: str | None, ready: tuple[str, ...], nodes: tuple[str, ...] = ()) -> None:
        """Set which node leads and which serve reads; in force from each user's next request on. One caller only.

        ``nodes`` are the configured ones in the order in which users are handed out, the entry first; without them
        that order is the one in which nodes were first seen.
        """
        before = self._board.current
        self._board.publish(leader, ready, nodes)
        if self._board.current is not before and self._master is not None:
            self._post(self._send_targets)

    def health(self) -> EngineHealth:
        """How the engine does now."""
        run = self._run
        health: EngineHealth | None = run.health if run is not None else None
        return health.as_of_now() if health is not None else EngineHealth.idle()

    def close(self, timeout_s: float) -> bool:
        """Stop the present run as `stop_run` does and end the thread; False when it has not ended within the time."""
        with self._lock:
            thread = self._thread
            self._closing = True
        if thread is None:
            return True
        self._post(self._stop_all)
        thread.join(timeout_s)
        ended = not thread.is_alive()
        if ended:
            self._logs.remove()
        return ended

    def _post(self, command: Callable[[], None], future: Future[Any] | None = None) -> None:
        with self._lock:
            wake = self._wake
            if wake is not None:
                self._commands.append(command)
                wake.send()
                return
        if future is not None:
            future.set_exception(self._failed or EngineClosedError("the load engine does not run"))

    # from here on: the engine's thread

    def _live(self) -> None:
        import gevent
        from gevent.event import Event

        hub = gevent.get_hub()
        hub.exception_stream = self._logs.stream()
        wanted = Event()
        # the callback runs in the hub itself and may not block: it only wakes the loop below. The watcher stays
        # referenced here, which also keeps an idle hub alive.
        wake = hub.loop.async_()
        wake.start(wanted.set)
        with self._lock:
            self._wake = wake
        self._up.set()
        try:
            while not (self._closing and self._run is None and not self._worker_wait and not self._commands):
                wanted.wait()
                wanted.clear()
                while self._commands:
                    self._commands.popleft()()
        except BaseException as error:
            self._failed = error
        finally:
            with self._lock:
                self._wake = None
                left, self._commands = self._commands, deque()
            for command in left:
                command()
            if self._master is not None:
                self._master.close()
            wake.stop()
            wake.close()
            hub.destroy(destroy_loop=True)

    def _stop_all(self, within_s: float | None = None) -> None:
        if self._master is not None:
            self._master.cancel()
        if self._run is not None:
            self._run.stop(within_s)

    def _send_targets(self) -> None:
        """To the workers, where the present run has some."""
        set_targets = getattr(self._run, "set_targets", None)
        if set_targets is not None:
            set_targets(self._board.current)

    def _is_free(self, future: Future[Any]) -> bool:
        """Whether a run or a wait may begin; if not, ``future`` ends with the reason."""
        if self._closing:
            future.set_exception(EngineClosedError("the load engine has ended"))
        elif self._run is not None or self._worker_wait:
            future.set_exception(EngineBusyError("a run is going on already"))
        else:
            return True
        return False

    def _master_for(self, plan: WorkerPlan) -> Master:
        """The present master, if it has these workers; else a new one."""
        from confman_tui.load.workers.master import Master

        if self._master is None or self._master.plan != plan:
            former, self._master = self._master, None
            if former is not None:
                former.close()
            self._master = Master(plan, lambda sentence: self.on_trouble(sentence))
        return self._master

    def _begin_waiting(self, plan: WorkerPlan, on_wait: Callable[[WaitProgress], None], future: Future[str]) -> None:
        import gevent
        from gevent.util import wrap_errors

        if not self._is_free(future):
            return
        try:
            master = self._master_for(plan)
        except Exception as error:
            future.set_exception(error)
            return
        master.allow()
        self._worker_wait = True

        def end(greenlet: Any) -> None:
            self._worker_wait = False
            if isinstance(greenlet.value, BaseException):
                future.set_exception(greenlet.value)
            else:
                future.set_result(master.address)
            self._wake.send()

        gevent.spawn(wrap_errors(BaseException, master.wait_for_workers), on_wait).link(end)

    def _begin(
        self,
        plan: RunPlan,
        on_sample: Callable[[SecondSample], None],
        observer: WriteObserver | None,
        future: Future[RunOutcome],
    ) -> None:
        import gevent
        from gevent.util import wrap_errors

        if not self._is_free(future):
            return
        try:
            self._run = self._make_run(plan, on_sample, observer)
        except Exception as error:
            future.set_exception(error)
            return

        def end(greenlet: Any) -> None:
            self._run = None
            if isinstance(greenlet.value, BaseException):
                future.set_exception(greenlet.value)
            else:
                future.set_result(greenlet.value)
            self._wake.send()

        # wrapped, so that gevent does not log the error that the future gives
        gevent.spawn(wrap_errors(BaseException, self._run.execute)).link(end)

    def _make_run(
        self, plan: RunPlan, on_sample: Callable[[SecondSample], None], observer: WriteObserver | None
    ) -> Any:
        """The engine makes the load itself, or has workers make it."""
        if plan.workers == 0:
            from confman_tui.load.run import Run

            return Run(plan, self._board, on_sample, observer)
        from confman_tui.load.workers.master_run import DistributedRun

        master = self._master
        if master is None or master.plan.size != plan.workers:
            master = self._master_for(WorkerPlan(plan.workers, api_key=plan.api_key, tls=plan.tls))
        return DistributedRun(plan, self._board, on_sample, observer, master)
