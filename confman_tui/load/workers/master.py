"""The master's side: Locust's master on the engine's thread, and its workers.

Workers outlive a run: they start once and take one plan after another. Everything here happens on the engine's thread.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.event import Events
from locust.exception import RPCError
from locust.rpc.protocol import Message
from locust.runners import STATE_INIT, STATE_MISSING

from confman_tui.core.clock import now
from confman_tui.load import locust_hacks
from confman_tui.load.run import GRACE_S, LONGEST_REQUEST_S
from confman_tui.load.workers import locust_master, messages
from confman_tui.load.workers.intake import Intake
from confman_tui.load.workers.launcher import Launcher, LocalWorker
from confman_tui.load.workers.members import RunListener, WorkerRecord
from confman_tui.load.workers.messages import FromMaster, Kind
from confman_tui.load.workers.plan import WaitProgress, WorkerError, WorkerPlan
from confman_tui.load.workers.worker import USER_CLASSES
from confman_tui.settings import worker_token

log = logging.getLogger(__name__)

START_S = 20.0
"""How long a local worker may take to start, on a busy machine."""
WATCH_S = 0.1
LATE_S = 2.0
"""A worker that was not heard for this long in a run is said to be late."""
_BACK_S = 3.0
"""How long workers may take to be ready again after a run."""


class Master:
    """The workers of one `WorkerPlan`."""

    def __init__(self, plan: WorkerPlan, on_trouble: Callable[[str], None]) -> None:
        """Listen for workers.

        Raises:
            WorkerError: the address can't be listened on.
        """
        self.plan = plan
        self.workers: dict[str, WorkerRecord] = {}
        self._on_trouble = on_trouble
        self.run: RunListener | None = None
        """The present one."""
        self._cancelled = False
        self._closed = False
        self.runs = 0
        """Runs so far; each message about a run carries its number."""
        self.environment: Any = Environment(
            user_classes=list(USER_CLASSES),
            host="http://confman.invalid",
            events=Events(),  # type: ignore[no-untyped-call]
            stop_timeout=LONGEST_REQUEST_S + GRACE_S,
        )
        host, port = plan.bind
        token = plan.token or worker_token.of_this_program()
        self.intake = Intake(self)
        self.runner: Any = locust_master.listen(self.environment, host, port, token, self.intake)
        self.environment.runner = self.runner
        everywhere = host in ("*", "0.0.0.0")
        self.address = f"{socket.gethostname() if everywhere else host}:{self.runner.server.port}"
        """``HOST:PORT`` where workers join."""
        local_host = "127.0.0.1" if everywhere else host
        self._launcher = Launcher((local_host, self.runner.server.port), plan.api_key, token, plan.tls)
        self._watcher = gevent.spawn(self._watch)

    # -- the wait for workers

    def wait_for_workers(self, on_wait: Callable[[WaitProgress], None]) -> None:
        """Start what local workers are missing, and wait until all are there.

        Raises:
            WorkerError: one could not be started, too few came, or `cancel` was called.
        """
        plan = self.plan
        wanted_local = plan.local - sum(worker.local is not None for worker in self.workers.values())
        started = [self._launcher.start() for _ in range(wanted_local)]
        began = now()
        while True:
            ready = self.ready()
            local = sum(worker.local is not None for worker in ready)
            remote = len(ready) - local
            if local >= plan.local and remote >= plan.remote:
                return
            if self._cancelled:
                self._discard(started)
                raise WorkerError("stopped while waiting for workers")
            self._look_for_failures(started)
            limit = plan.wait_s if local >= plan.local else START_S
            left = limit - (now() - began)
            if left <= 0:
                self._discard(started)
                if local < plan.local:
                    raise WorkerError(f"{plan.local - local} of {plan.local} workers did not start within {limit:g} s")
                away = self.intake.turned_away
                raise WorkerError(
                    f"{remote} of {plan.remote} workers from elsewhere joined at {self.address} within {limit:g} s"
                    + (f"; {away} connections had not the token" if away else "")
                )
            on_wait(WaitProgress(local + min(remote, plan.remote), plan.size, self.address, left))
            gevent.sleep(0.02)

    def ready(self) -> list[WorkerRecord]:
        """Those that can take a plan now, in the order in which Locust hands out users."""
        clients = self.runner.clients
        free = (
            worker.id
            for worker in self.workers.values()
            if worker.id in clients and clients[worker.id].state == STATE_INIT and not worker.in_run
        )
        return [self.workers[client_id] for client_id in locust_master.in_order_of_users(free)]

    @property
    def complete(self) -> bool:
        """Whether all that were planned are there."""
        ready = self.ready()
        local = sum(worker.local is not None for worker in ready)
        return local >= self.plan.local and len(ready) - local >= self.plan.remote

    def cancel(self) -> None:
        """End `wait_for_workers`, or the next one, until `allow`."""
        self._cancelled = True

    def allow(self) -> None:
        """Somebody asked for workers, or for a run."""
        self._cancelled = False

    def _discard(self, started: list[LocalWorker]) -> None:
        joined = {worker.local.pid for worker in self.workers.values() if worker.local is not None}
        for local in started:
            if local.pid not in joined and local.pid in self._launcher.alive:
                self._launcher.reap(local)

    def _look_for_failures(self, started: list[LocalWorker]) -> None:
        for local in started:
            how = local.ended()
            if how and local.pid in self._launcher.alive:
                self._launcher.reap(local)
                self._discard(started)
                raise WorkerError(f"{local.name} can't be started: it {how}")

    # -- runs

    def begin(self, run: RunListener) -> list[WorkerRecord]:
        """Those that take part in a run, which gets what they report from now on until `end`.

        Raises:
            WorkerError: nobody is there.
        """
        until = now() + _BACK_S
        while len(self.ready()) < len(self.workers) and now() < until:
            gevent.sleep(0.01)
        workers = self.ready()
        if not workers:
            raise WorkerError("no worker is left to make the load")
        self.runs += 1
        self.run = run
        for worker in workers:
            worker.in_run, worker.prepared, worker.late, worker.drained = True, False, False, None
            worker.heard_at = now()
            worker.pulse = None
        return workers

    def end(self) -> None:
        """The run is over."""
        self.run = None
        for worker in self.workers.values():
            worker.in_run = False
        belong = {worker.local.pid for worker in self.workers.values() if worker.local is not None}
        for local in list(self._launcher.alive.values()):
            if local.pid not in belong:
                self._launcher.reap(local)  # given up, and not ended by itself

    def send(self, worker: WorkerRecord, message: FromMaster) -> None:
        """Send a message to a worker."""
        self.send_plainly(worker.id, Kind.MESSAGE, messages.encode(message))

    def send_plainly(self, client_id: str, kind: str, data: Any) -> None:
        """Send a message of Locust's form."""
        self.runner.server.send_to_client(Message(kind, data, client_id))  # type: ignore[no-untyped-call]

    def lose(self, worker: WorkerRecord, sentence: str, *, told: bool = True) -> None:
        """A worker is gone: say so, if it is to be ``told``, and go on with the others."""
        self.workers.pop(worker.id, None)
        node = self.runner.clients.get(worker.id)
        if node is not None:
            node.user_classes_count = {}
            del self.runner.clients[worker.id]
            dispatcher = locust_hacks.users_dispatcher(self.runner)
            if dispatcher is not None and node.state != STATE_MISSING and len(self.runner.clients):
                dispatcher.remove_worker(node)
        # should it come back, it is not waited for any more
        with contextlib.suppress(RPCError):
            self.send_plainly(worker.id, "quit", None)
        if self._closed:
            return
        if told:
            self.trouble(worker, sentence)
        if self.run is not None and worker.in_run:
            self.run.on_lost(worker)

    def trouble(self, worker: WorkerRecord, sentence: str) -> None:
        """Tell what is wrong with a worker; the figures of the run that it takes part in are invalid."""
        if self.run is not None and worker.in_run:
            self.run.on_trouble(sentence)
            sentence += "; the run goes on, but its figures are not those that were asked for"
        self.tell(sentence)

    def tell(self, sentence: str) -> None:
        """Tell something that is no matter of the run."""
        if not self._closed:
            self._on_trouble(sentence)

    def launched(self, ticket: str) -> LocalWorker | None:
        """The local worker that was given this ticket, unless it has joined already."""
        joined = {worker.local.pid for worker in self.workers.values() if worker.local is not None}
        return next(
            (
                local
                for local in self._launcher.alive.values()
                if local.pid not in joined and hmac.compare_digest(local.ticket.encode(), ticket.encode())
            ),
            None,
        )

    @property
    def remote_present(self) -> int:
        """Workers from elsewhere."""
        return sum(worker.local is None for worker in self.workers.values())

    def _watch(self) -> None:
        then = now()
        while True:
            gevent.sleep(WATCH_S)
            at = now()
            delayed, then = at - then > 2 * WATCH_S, at
            if delayed:
                continue  # this thread was held up: what the workers sent meanwhile is read first
            for worker in list(self.workers.values()):
                self._look_at(worker, at)

    def _look_at(self, worker: WorkerRecord, at: float) -> None:
        how = worker.local.ended() if worker.local is not None else ""
        if how and worker.local is not None:
            self._launcher.reap(worker.local)
            self.lose(worker, f"{worker.name} {how}")
            return
        node = self.runner.clients.get(worker.id)
        if node is not None and node.state == STATE_MISSING:
            self.lose(worker, f"{worker.name} has not answered for {at - worker.heard_at:.0f} s and is given up")
        elif worker.in_run and not worker.late and worker.drained is None and at - worker.heard_at > LATE_S:
            worker.late = True
            self.trouble(worker, f"{worker.name} is late: nothing was heard of it for {at - worker.heard_at:.1f} s")

    # -- the end

    def close(self) -> None:
        """Ask all workers to end, wait for those of this machine, and listen no more."""
        if self._closed:
            return
        self._closed = True
        self._watcher.kill()
        runner = self.runner
        for worker in list(self.workers.values()):
            with contextlib.suppress(RPCError):
                self.send_plainly(worker.id, "quit", None)
        # the messages go out from zmq's own thread; the hub turns while the workers end
        gevent.sleep(0)
        self._launcher.end_all()
        runner.greenlet.kill(block=True)
        context = runner.server.socket.context
        runner.server.close(linger=200)
        context.term()
        self.environment.runner = None
        if self.intake.turned_away or self.intake.dropped:
            log.warning(
                "%d connections without the token were turned away at %s, %d messages were dropped",
                *(self.intake.turned_away, self.address, self.intake.dropped),
            )


def waited(seconds: float, condition: Callable[[], bool]) -> bool:
    """Let the hub turn until the condition holds; False when it does not within the time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        gevent.sleep(0.005)
    return True
