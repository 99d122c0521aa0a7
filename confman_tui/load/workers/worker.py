"""A worker's process: joins a master, makes the load that the master asks for, run after run, until the master goes.

The same code for the local workers, which the program starts, and for ``confman-tui worker`` on another machine.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import gevent
from gevent.event import Event
from locust import __version__ as _locust_version
from locust import runners
from locust.env import Environment
from locust.event import Events
from locust.exception import RPCError
from locust.runners import WorkerRunner
from locust.stats import RequestStats

from confman_tui.cluster.tls import TlsOptions
from confman_tui.core.clock import now
from confman_tui.core.errors import UsageError
from confman_tui.core.signals import end_soon
from confman_tui.load import locust_hacks, users
from confman_tui.load.open_files import allow
from confman_tui.load.run import GRACE_S, LONGEST_REQUEST_S
from confman_tui.load.targets import Targets
from confman_tui.load.workers import messages
from confman_tui.load.workers.clock_offset import ClockOffset
from confman_tui.load.workers.messages import (
    BeginRun,
    ClockAnswer,
    ClockAsked,
    EndRun,
    FromWorker,
    Kind,
    PlanTaken,
    PrepareRun,
    RunBroken,
    UseRate,
    UseTargets,
)
from confman_tui.load.workers.plan import LeftAtOnceError, NoMasterError
from confman_tui.load.workers.plausible import check_plan
from confman_tui.load.workers.sockets import WorkerSocket
from confman_tui.load.workers.worker_run import WorkerRun
from confman_tui.settings import worker_token

REPORT_S = 1.0
"""How often Locust's own statistics go to the master."""
MASTER_SILENT_S = 3.0
"""Locust's master answers a heartbeat a second; when none came for this long, it is gone."""
_KNOCK_S = 0.5
_PING_S = 2.0
_FIRST_PINGS_S = 0.05
_FIRST_PINGS = 8
_LINGER_MS = 300
_LEAVE_S = LONGEST_REQUEST_S + GRACE_S + 1.0

USER_CLASSES = (users.WriteUser, users.MixedUser, users.ReadUser)
"""What a run's plan can ask for."""

log = logging.getLogger(__name__)


@dataclass
class WorkerOptions:
    """Where a worker belongs, and how it behaves there."""

    host: str
    port: int
    name: str
    api_key: str = field(repr=False)
    token: str = field(repr=False)
    """The workers', in hex digits; see `confman_tui.load.workers.sockets`."""
    tls: TlsOptions
    """Which certificates of nodes are taken."""
    wait_s: float
    """How long the master may take to answer, in seconds."""
    anchor: float | None
    """The master's, for a worker of the same machine that it started; None: its clock is asked for."""
    say: Callable[[str], None]
    """Takes sentences for a person."""
    ticket: str = field(default="", repr=False)
    """By which the master knows one that it started."""
    nodes: tuple[str, ...] = ()
    """The only nodes that it sends to; empty: those that the master names."""


class _Worker(WorkerRunner):
    """Locust's worker, which introduces itself before it counts as ready."""

    def __init__(self, environment: Any, options: WorkerOptions) -> None:
        self.options = options
        self.offset = ClockOffset(options.anchor)
        self.run: WorkerRun | None = None
        self.refusal = ""
        self.reason = ""
        """Why it ends, one sentence."""
        self.last_heard = now()
        """When the master last answered a heartbeat."""
        self.over = Event()
        """Set when it is to end."""
        self._asked_to_wait = 0.0
        """When the master last said that a run lasts; 0: never."""
        self.turned_away = False
        """A connection was dropped before the master had shown that it knows the token."""
        self.wrong_use = False
        """It ends because of what was asked of it, not because of the master's end."""
        self._connect = lambda host, port, identity: WorkerSocket(
            host, port, identity, options.token, self._on_turned_away
        )
        with locust_hacks.sockets(client=self._connect):
            super().__init__(environment, options.host, options.port)

    def reset_connection(self) -> None:
        """As Locust's, with a socket like the first."""
        with locust_hacks.sockets(client=self._connect):
            super().reset_connection()

    def _on_turned_away(self) -> None:
        first, self.turned_away = not self.turned_away, True
        if first and not self.connection_event.is_set():
            self.options.say(
                f"what answers at {self.options.host}:{self.options.port} does not take this worker's token; trying on"
            )

    # -- joining

    def connect_to_master(self) -> None:
        """In place of Locust's, which takes five minutes and sends no version."""
        for kind, listener in (
            (Kind.REFUSED, self._on_refused),
            (Kind.WAIT, self._on_wait),
            (Kind.MESSAGE, self._on_message),
        ):
            self.register_message(kind, listener)
        until = now() + self.options.wait_s
        hello = {
            **messages.identity(),
            "name": self.options.name,
            "ticket": self.options.ticket,
        }
        while not self.connection_event.is_set():
            if self.refusal:
                raise NoMasterError(self.refusal)
            if now() >= until and not self._asked_to_wait:
                where = f"{self.options.host}:{self.options.port}"
                raise NoMasterError(
                    f"what answers at {where} is no master, or has another {worker_token.VARIABLE} than this worker"
                    if self.turned_away
                    else f"no master answered at {where} within {self.options.wait_s:g} s"
                )
            if self._asked_to_wait and now() - self._asked_to_wait > MASTER_SILENT_S:
                raise NoMasterError("the master has ended")
            try:
                self.send_message(Kind.HELLO, hello)
                self.send_message("client_ready", _locust_version)  # type: ignore[arg-type]
            except RPCError:
                self._on_turned_away()
                self.reset_connection()
            knocked = now()
            while now() < knocked + _KNOCK_S and not self.connection_event.is_set() and not self.refusal:
                gevent.sleep(0.01)
        self.connected = True
        self.last_heard = now()

    def _on_refused(self, msg: Any, **_: Any) -> None:
        self.refusal = messages.plain(msg.data)

    def _on_wait(self, msg: Any, **_: Any) -> None:
        first, self._asked_to_wait = not self._asked_to_wait, now()
        if first:
            self.options.say(f"{messages.plain(msg.data or 'the master is busy')}; this worker joins after that")

    # -- messages

    def send(self, message: FromWorker) -> None:
        """See `RunHost`."""
        self.send_message(Kind.MESSAGE, messages.encode(message))  # type: ignore[arg-type]

    def _on_message(self, msg: Any, **_: Any) -> None:
        match msg.data:
            case ClockAnswer(asked, at):
                self.offset.heard(asked, at, now())
            case PrepareRun() as prepared:
                self._prepare(prepared)
            case BeginRun(started) if self.run is not None:
                self.run.go(started)
            case UseTargets(targets) if self.run is not None:
                if not self._refuses(targets, self.run.number):
                    self.run.board.current = targets
            case UseRate(rate) if self.run is not None:
                self.run.set_rate(rate)
            case EndRun(within_s) if self.run is not None:
                self.run.stop(within_s)

    def ask_for_time(self) -> None:
        """Ask now and then how the master's clock stands; runs in a greenlet."""
        asked = 0
        while not self.offset.fixed:
            with contextlib.suppress(RPCError):
                self.send(ClockAsked(now()))
            asked += 1
            gevent.sleep(_FIRST_PINGS_S if asked < _FIRST_PINGS else _PING_S)

    def _refuses(self, targets: Targets, run: int) -> bool:
        """Whether the master names a node that this worker was not given; it ends then."""
        named = {targets.leader, targets.last_leader, *targets.ready, *targets.nodes} - {None}
        others = sorted(str(node) for node in named - set(self.options.nodes)) if self.options.nodes else []
        if not others:
            return False
        if self.run is not None:
            self.run.abort()
        which = messages.plain(others[0], 80)
        self.send(RunBroken(run, f"its --nodes do not name {which}, which the run sends to", defect=False))
        self.wrong_use = True
        self.leave(f"the master sends to {which}, which this worker's --nodes do not name")
        return True

    def _prepare(self, prepared: PrepareRun) -> None:
        if self._refuses(prepared.targets, prepared.run):
            return
        if self.run is not None:
            self.run.abort()
        plan, share = replace(prepared.plan, api_key=self.options.api_key, tls=self.options.tls), prepared.share
        try:
            check_plan(prepared.plan, share)
            allow(plan.users, len(prepared.targets.nodes), share.count)
            self.run = WorkerRun(prepared, plan, self)
        except Exception as error:
            log.exception("the plan can't be carried out")
            self.send(RunBroken(prepared.run, messages.plain(f"{type(error).__name__}: {error}")))
            return
        self.greenlet.spawn(self._report_prepared, prepared.run)
        self.options.say(f"{plan.scenario}: share {share.index + 1} of {share.count}")

    def _report_prepared(self, run: int) -> None:
        while self.offset.uncertainty_s == float("inf"):
            gevent.sleep(0.01)
        self.send(PlanTaken(run))

    # -- the end

    def handle_message(self, msg: Any) -> None:
        """As Locust's. A worker that is asked to quit waits for no request any more."""
        if msg.type in ("quit", "stop"):
            self.environment.stop_timeout = 0.0
        if msg.type == "quit":
            self.reason = self.reason or "the master has ended"
        super().handle_message(msg)

    def heartbeat_timeout_checker(self) -> None:  # type: ignore[override]
        """In place of Locust's, which lets an orphan live for a minute and wait for its requests then. A local worker
        ends with its standard input instead, and is not mistaken for an orphan after a pause."""
        while self.options.anchor is None:
            gevent.sleep(0.25)
            if now() - self.last_heard > MASTER_SILENT_S:
                if self.run is not None:
                    self.run.abort()
                self.leave(f"the master has not answered for {MASTER_SILENT_S:g} s")
                return

    def leave(self, reason: str) -> None:
        """End; `work` goes on."""
        self.reason = self.reason or reason
        self.over.set()


def _environment() -> Any:
    """Locust's, as a worker needs it."""
    runners.WORKER_REPORT_INTERVAL = REPORT_S
    runners.WORKER_LOG_REPORT_INTERVAL = -1
    environment: Any = Environment(
        user_classes=list(USER_CLASSES),
        host="http://confman.invalid",
        events=Events(),  # type: ignore[no-untyped-call]
        stop_timeout=LONGEST_REQUEST_S + GRACE_S,
    )
    environment.stats = RequestStats(use_response_times_cache=False)
    # Locust would read its own settings files for them otherwise
    environment.parsed_options = argparse.Namespace(web_base_path="")
    return environment


def work(options: WorkerOptions) -> str:
    """Join, make load, and return when the master has ended, is gone, or a signal came; gives the reason.

    To be called on the main thread of a process that does nothing else.

    Raises:
        NoMasterError: no master answered within the time, or it refused this worker.
        UsageError: the master names nodes that this worker was not given.
        LeftAtOnceError: a second signal came.
    """
    try:
        socket.getaddrinfo(options.host, options.port, proto=socket.IPPROTO_TCP)
    except OSError:
        raise NoMasterError(f"the master's host '{options.host}' is not known") from None
    environment = _environment()
    runner: _Worker | None = None
    signals: list[Any] = []
    interrupted, again = Event(), Event()

    def on_signal(number: signal.Signals) -> None:
        if interrupted.is_set():
            again.set()
            end_soon()  # whatever it still waits for
        interrupted.set()
        if runner is not None:
            runner.leave(f"{number.name} came")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signals.append(gevent.signal_handler(number, on_signal, number))

    def join() -> _Worker | NoMasterError:
        try:
            return _Worker(environment, options)
        except NoMasterError as error:
            return error  # raised here, gevent would print it

    try:
        joining = gevent.spawn(join)
        gevent.wait([joining, interrupted], count=1)
        if not joining.ready():
            joining.kill()
            return "a signal came"
        joined = joining.get()
        if isinstance(joined, NoMasterError):
            raise joined
        environment.runner = runner = joined
        reason = _serve(environment, runner, options)
        if again.is_set():
            raise LeftAtOnceError("left at once: a signal came again")
        return reason
    finally:
        for watcher in signals:
            watcher.cancel()


def _serve(environment: Any, runner: _Worker, options: WorkerOptions) -> str:
    """From the master's welcome until the end."""
    environment.events.report_to_master.add_listener(lambda client_id, data: _leave_warmup_out(runner, data))
    environment.events.heartbeat_received.add_listener(
        lambda client_id, timestamp, **_: setattr(runner, "last_heard", now())
    )
    options.say(f"joined the master at {options.host}:{options.port} as {options.name}")
    runner.greenlet.spawn(runner.ask_for_time)
    asked_to_quit = gevent.spawn(runner.greenlet.join)
    gevent.wait([asked_to_quit, runner.over], count=1)
    run = runner.run
    if run is not None and runner.over.is_set() and run.under_way:
        # what it has done so far still counts, unless the master is gone or the person insists
        options.say("waiting for the requests in flight; again: leave at once")
        runner.over.clear()
        run.stop()
        gevent.wait([run.finished, runner.over, asked_to_quit], timeout=_LEAVE_S, count=1)
    environment.stop_timeout = 0.0
    if runner.run is not None:
        runner.run.abort()
    if not asked_to_quit.ready():
        with contextlib.suppress(RPCError):
            environment.events.quitting.fire(environment=environment)
        with gevent.Timeout(1.0, False):
            runner.quit()
        asked_to_quit.kill()
    client: Any = runner.client
    client.close(linger=_LINGER_MS)
    if runner.wrong_use:
        raise UsageError(runner.reason)
    return runner.reason or "the master has ended"


def _leave_warmup_out(runner: _Worker, data: dict[str, Any]) -> None:
    """Locust's files hold what the outcome holds: not the warm-up."""
    run = runner.run
    if run is not None and not run.warm:
        nothing = RequestStats()
        data |= {"stats": [], "errors": {}, "stats_total": nothing.total.get_stripped_report()}
    elif run is not None:
        run.reported += int(data["stats_total"]["num_requests"])
