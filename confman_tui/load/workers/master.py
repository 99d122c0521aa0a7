"""The master's side: Locust's master on the engine's thread, and who belongs to it.

The crew outlives its runs: workers start once and take one plan after another. Everything here happens on the engine's
thread.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent
from locust.env import Environment
from locust.event import Events
from locust.exception import RPCError, RPCReceiveError, RPCSendError
from locust.rpc.protocol import Message
from locust.runners import STATE_INIT, STATE_MISSING, MasterRunner

from confman_tui.core.clock import now
from confman_tui.load import locust_hacks
from confman_tui.load.run import GRACE_S, LONGEST_REQUEST_S
from confman_tui.load.workers import messages
from confman_tui.load.workers.launcher import Launcher, LocalWorker
from confman_tui.load.workers.messages import Kind
from confman_tui.load.workers.plan import Waiting, WorkerError, WorkerPlan
from confman_tui.load.workers.worker import USER_CLASSES

START_S = 20.0
"""How long a local worker may take to start, on a busy machine."""
WATCH_S = 0.1
LATE_S = 2.0
"""A worker that was not heard for so long in a run is said to be late."""
_BACK_S = 3.0
"""How long workers may take to be ready again after a run."""

log = logging.getLogger(__name__)


@dataclass
class WorkerRecord:
    """One worker that belongs to the crew."""

    id: str
    """Locust's, of the connection."""
    name: str
    child: LocalWorker | None
    """Its process, where this program started it."""
    heard_at: float
    in_run: bool = False
    prepared: bool = False
    late: bool = False
    """It was said that it is."""
    drained: dict[str, Any] | None = None
    """What it said when its last request had ended."""
    health: dict[str, float] = field(default_factory=dict)
    """Its last pulse."""


class RunListener(Protocol):
    """The run that the crew makes."""

    def hear(self, member: WorkerRecord, kind: str, data: dict[str, Any]) -> None:
        """A worker said something about it."""

    def lost(self, member: WorkerRecord) -> None:
        """A worker is gone."""

    def trouble(self, sentence: str) -> None:
        """Something went wrong that makes its figures others than those asked for."""


class _MasterRunner(MasterRunner):
    """Locust's master, which takes only workers that introduced themselves, and never while a run lasts."""

    def __init__(self, environment: Any, host: str, port: int, crew: Master) -> None:
        self._crew = crew
        super().__init__(environment, host, port)
        server: Any = self.server
        self._receive: Any = server.recv_from_client
        server.recv_from_client = self._receive_anything

    def _receive_anything(self) -> Any:
        """What is no message of Locust's must not end the listening either; Locust expects some kinds of it only."""
        try:
            return self._receive()
        except (RPCError, RPCSendError, RPCReceiveError):
            raise
        except Exception as error:
            raise RPCReceiveError(f"no message: {type(error).__name__}", addr=None) from None

    def handle_message(self, client_id: str, msg: Any) -> None:
        """As Locust's, for those that belong to the crew. Whatever comes from outside must not end the listening."""
        try:
            if not self._crew.hear(client_id, msg):
                super().handle_message(client_id, msg)
        except Exception:
            log.exception("a message of kind %r from %r was left out", msg.type, client_id)


class Master:
    """The workers of one `WorkerPlan`."""

    def __init__(self, plan: WorkerPlan, on_trouble: Callable[[str], None]) -> None:
        """Listen for workers.

        Raises:
            WorkerError: the address can't be listened on.
        """
        self.plan = plan
        self.members: dict[str, WorkerRecord] = {}
        self._on_trouble = on_trouble
        self._run: RunListener | None = None
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
        self.runner: Any = self._listen(host, port)
        self.environment.runner = self.runner
        everywhere = host in ("*", "0.0.0.0")
        self.address = f"{socket.gethostname() if everywhere else host}:{self.runner.server.port}"
        """``HOST:PORT`` where workers join."""
        local_host = "127.0.0.1" if everywhere else host
        self._refused: set[str] = set()
        self._children = Launcher((local_host, self.runner.server.port), plan.api_key)
        self._watcher = gevent.spawn(self._watch)

    def _listen(self, host: str, port: int) -> Any:
        try:
            if host != "*":
                socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
            return _MasterRunner(self.environment, host, port, self)
        except OSError as error:
            reason = error.strerror or str(error)
        except (RPCError, SystemExit) as error:
            # depending on how the words are, Locust ends the program when the port is taken
            taken = isinstance(error, SystemExit) or "in use" in str(error)
            reason = "the port is taken" if taken else str(error).removeprefix("Socket bind failure: ")
        raise WorkerError(f"workers can't be listened for on {host}:{port}: {reason}")

    # -- gathering

    def wait_for_workers(self, on_wait: Callable[[Waiting], None]) -> None:
        """Start what local workers are missing, and wait until all are there.

        Raises:
            WorkerError: one could not be started, too few came, or `cancel` was called.
        """
        plan = self.plan
        wanted_local = plan.local - sum(member.child is not None for member in self.members.values())
        started = [self._children.start() for _ in range(wanted_local)]
        began = now()
        while True:
            ready = self.ready()
            local = sum(member.child is not None for member in ready)
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
                raise WorkerError(
                    f"{remote} of {plan.remote} workers from elsewhere joined at {self.address} within {limit:g} s"
                )
            on_wait(Waiting(local + min(remote, plan.remote), plan.size, self.address, left))
            gevent.sleep(0.02)

    def ready(self) -> list[WorkerRecord]:
        """The members that can take a plan now, in the order in which Locust hands out users."""
        clients = self.runner.clients
        there = [
            member
            for member in self.members.values()
            if member.id in clients and clients[member.id].state == STATE_INIT and not member.in_run
        ]
        # as Locust's dispatcher does it: the machines take turns
        of_host: dict[str, int] = {}
        order: dict[str, tuple[int, str]] = {}
        for member in sorted(there, key=lambda member: member.id):
            host = member.id.split("_")[0]
            order[member.id] = (of_host.get(host, 0), member.id)
            of_host[host] = of_host.get(host, 0) + 1
        return sorted(there, key=lambda member: order[member.id])

    @property
    def complete(self) -> bool:
        """Whether all that were planned are there."""
        ready = self.ready()
        local = sum(member.child is not None for member in ready)
        return local >= self.plan.local and len(ready) - local >= self.plan.remote

    def cancel(self) -> None:
        """End `wait_for_workers`, or the next one, until `allow`."""
        self._cancelled = True

    def allow(self) -> None:
        """Somebody asked to wait_for_workers, or to run."""
        self._cancelled = False

    def _discard(self, started: list[LocalWorker]) -> None:
        joined = {member.child.pid for member in self.members.values() if member.child is not None}
        for child in started:
            if child.pid not in joined and child.pid in self._children.alive:
                self._children.reap(child)

    def _look_for_failures(self, started: list[LocalWorker]) -> None:
        for child in started:
            how = child.ended()
            if how and child.pid in self._children.alive:
                self._children.reap(child)
                self._discard(started)
                raise WorkerError(f"{child.name} can't be started: it {how}")

    # -- runs

    def begin(self, run: RunListener) -> list[WorkerRecord]:
        """The members that take part in a run, which hears of them from now on until `end`.

        Raises:
            WorkerError: nobody is there.
        """
        until = now() + _BACK_S
        while len(self.ready()) < len(self.members) and now() < until:
            gevent.sleep(0.01)
        members = self.ready()
        if not members:
            raise WorkerError("no worker is left to make the load")
        self.runs += 1
        self._run = run
        for member in members:
            member.in_run, member.prepared, member.late, member.drained = True, False, False, None
            member.heard_at = now()
            member.health = {}
        return members

    def end(self) -> None:
        """The run is over."""
        self._run = None
        for member in self.members.values():
            member.in_run = False
        belong = {member.child.pid for member in self.members.values() if member.child is not None}
        for child in list(self._children.alive.values()):
            if child.pid not in belong:
                self._children.reap(child)  # given up, and not ended by itself

    def tell(self, member: WorkerRecord, kind: str, data: Any) -> None:
        """Send a message to a worker."""
        self.runner.server.send_to_client(Message(kind, data, member.id))  # type: ignore[no-untyped-call]

    def lose(self, member: WorkerRecord, sentence: str) -> None:
        """A worker is gone: say so, go on with the others."""
        self.members.pop(member.id, None)
        node = self.runner.clients.get(member.id)
        if node is not None:
            node.user_classes_count = {}
            del self.runner.clients[member.id]
            dispatcher = locust_hacks.users_dispatcher(self.runner)
            if dispatcher is not None and node.state != STATE_MISSING and len(self.runner.clients):
                dispatcher.remove_worker(node)
        # should it come back, it is not waited for any more
        with contextlib.suppress(RPCError):
            self.tell(member, "quit", None)
        if self._closed:
            return
        self._trouble(sentence)
        if self._run is not None and member.in_run:
            self._run.lost(member)

    def _trouble(self, sentence: str) -> None:
        if self._run is not None:
            self._run.trouble(sentence)
            sentence += "; the run goes on, but its figures are not those that were asked for"
        self._on_trouble(sentence)

    # -- what comes in

    def hear(self, client_id: str, msg: Any) -> bool:
        """Take a message; False where Locust shall take it."""
        if msg.type == Kind.HELLO:
            self._on_hello(client_id, msg.data)
            return True
        member = self.members.get(client_id)
        if member is None:
            return True  # never introduced itself, or was given up
        member.heard_at = now()
        if msg.type == Kind.PING:
            self.tell(member, Kind.PONG, {**msg.data, "master": now()})
            return True
        if msg.type == "client_ready" and self._run is not None and not member.in_run:
            return True  # it knocks again
        if msg.type == "quit":
            self.lose(member, f"{member.name} has left")
            return True
        if msg.type in messages.FROM_WORKERS:
            run = self._run
            if run is not None and isinstance(msg.data, dict) and msg.data.get("run") == self.runs:
                run.hear(member, msg.type, msg.data)
            return True
        return False

    def _on_hello(self, client_id: str, said: Any) -> None:
        answer = WorkerRecord(client_id, "", None, now())
        if not isinstance(said, dict) or any(said.get(name) != value for name, value in messages.identity().items()):
            said = said if isinstance(said, dict) else {}
            who = f"{said.get('name', 'a worker')}"[:60]
            mine = messages.identity()
            theirs, ours = messages.told_version(said, mine), messages.told_version(mine, said)
            self.tell(answer, Kind.REFUSED, f"the master runs confman-tui {ours}, and this is {theirs}")
            if client_id not in self._refused:
                self._refused.add(client_id)
                self._trouble(f"{who} was refused: it runs confman-tui {theirs}, and this is {ours}")
            return
        if client_id not in self.members:
            child = self._children.alive.get(said["pid"]) if said.get("local") else None
            self.members[client_id] = WorkerRecord(client_id, self._free_name(str(said["name"])), child, now())
        member = self.members[client_id]
        if self._run is not None and not member.in_run:
            self.tell(member, Kind.WAIT, None)

    def _free_name(self, wanted: str) -> str:
        taken = {member.name for member in self.members.values()}
        wanted = "".join(letter for letter in wanted if letter.isprintable())[:60] or "worker"
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}#{number}", number + 1
        return name

    def _watch(self) -> None:
        then = now()
        while True:
            gevent.sleep(WATCH_S)
            at = now()
            delayed, then = at - then > 2 * WATCH_S, at
            if delayed:
                continue  # this thread was held up: what the workers said meanwhile is heard first
            for member in list(self.members.values()):
                self._look_at(member, at)

    def _look_at(self, member: WorkerRecord, at: float) -> None:
        how = member.child.ended() if member.child is not None else ""
        if how and member.child is not None:
            self._children.reap(member.child)
            self.lose(member, f"{member.name} {how}")
            return
        node = self.runner.clients.get(member.id)
        if node is not None and node.state == STATE_MISSING:
            self.lose(member, f"{member.name} has not answered for {at - member.heard_at:.0f} s and is given up")
        elif member.in_run and not member.late and member.drained is None and at - member.heard_at > LATE_S:
            member.late = True
            self._trouble(f"{member.name} is late: nothing was heard of it for {at - member.heard_at:.1f} s")

    # -- the end

    def close(self) -> None:
        """Tell all workers to end, wait for those of this machine, and listen no more."""
        if self._closed:
            return
        self._closed = True
        self._watcher.kill()
        runner = self.runner
        for member in list(self.members.values()):
            with contextlib.suppress(RPCError):
                self.tell(member, "quit", None)
        # the messages go out from zmq's own thread; the hub turns while the workers end
        gevent.sleep(0)
        self._children.end_all()
        runner.greenlet.kill(block=True)
        context = runner.server.socket.context
        runner.server.close(linger=200)
        context.term()
        self.environment.runner = None


def waited(seconds: float, condition: Callable[[], bool]) -> bool:
    """Let the hub turn until the condition holds; False when it does not within the time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        gevent.sleep(0.005)
    return True
