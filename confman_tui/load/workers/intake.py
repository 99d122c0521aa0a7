"""What comes in at the master's port: who may join, and which message of whom is taken.

What no worker sends costs its sender the membership, and nobody else anything: it is dropped, told once, and the run
goes on with the others.
"""

from __future__ import annotations

import logging
from typing import Any

from locust.runners import STATE_RUNNING, STATE_SPAWNING

from confman_tui.core.clock import now
from confman_tui.load.workers import messages
from confman_tui.load.workers.envelope import Hello
from confman_tui.load.workers.members import Members, WorkerRecord
from confman_tui.load.workers.messages import ClockAnswer, ClockAsked, Kind, plain
from confman_tui.load.workers.plausible import Implausible

log = logging.getLogger(__name__)

_MOST_TOLD = 20
"""Workers of whom it is told that they were refused or given up; more are only counted."""
_MOST_EXCEPTIONS = 20
_LONGEST_TRACEBACK = 10_000


class Intake:
    """Takes what the master's socket receives; see `confman_tui.load.workers.locust_master.MessageTaker`."""

    def __init__(self, master: Members) -> None:
        self._master = master
        self._refused: set[str] = set()
        """Connections of other versions."""
        self._expelled: set[str] = set()
        """Connections that sent what no worker sends."""
        self.turned_away = 0
        """Connections without the token, so far."""
        self.dropped = 0
        """Messages of nobody who had joined that were none, so far."""

    # -- what is not taken

    def on_refused(self) -> None:
        """A connection was dropped in its handshake."""
        self.turned_away += 1
        if self.turned_away == 1:
            self._master.tell(
                f"somebody without the workers' token knocked at {self._master.address} and was turned away; "
                "more of that is only counted"
            )

    def on_bad(self, client_id: str | None, why: str) -> None:
        """A message was dropped."""
        worker = self._master.workers.get(client_id or "")
        if worker is not None:
            self.expel(worker, why)
            return
        self.dropped += 1
        if self.dropped == 1:
            self._master.tell(
                f"a message at {self._master.address} was dropped: {plain(why)}; more of that is only counted"
            )

    def expel(self, worker: WorkerRecord, why: str) -> None:
        """It sent what no worker sends: go on without it."""
        self._expelled.add(worker.id)
        told = len(self._expelled) <= _MOST_TOLD
        self._master.lose(worker, f"{worker.name} sent what no worker sends ({plain(why)}) and is given up", told=told)

    # -- what is

    def on_message(self, client_id: str, msg: Any) -> bool:
        """Take a message; False where Locust has to take it."""
        if msg.type == Kind.HELLO:
            self._on_hello(client_id, msg.data)
            return True
        worker = self._master.workers.get(client_id)
        if worker is None:
            return True  # never introduced itself, or was given up
        worker.heard_at = now()
        worker.messages += 1
        try:
            if worker.floods:
                raise Implausible("more messages than it has reason to")
            return self._on_message(worker, msg)
        except Implausible as error:
            self.expel(worker, str(error))
            return True

    def _on_message(self, worker: WorkerRecord, msg: Any) -> bool:
        master = self._master
        match msg.type:
            case Kind.MESSAGE:
                self._on_ours(worker, msg.data)
                return True
            case "quit":
                master.lose(worker, f"{worker.name} has left")
                return True
            case "stats":
                return master.run is None or not worker.in_run or not master.run.on_stats(worker, msg.data)
            case "client_ready":
                # in a run it knocks again, or has stopped before the others
                return master.run is not None and (not worker.in_run or worker.id in master.runner.clients)
            case "client_stopped":
                if worker.in_run and master.runner.state in (STATE_RUNNING, STATE_SPAWNING):
                    raise Implausible("the end of its users in the middle of a run")
            case "exception":
                return not self._is_kept(msg.data)
        return False

    def _on_ours(self, worker: WorkerRecord, message: messages.FromWorker) -> None:
        master = self._master
        if isinstance(message, ClockAsked):
            master.send(worker, ClockAnswer(message.at, now()))
        elif master.run is not None and worker.in_run and message.run == master.runs:
            master.run.on_message(worker, message)

    def _is_kept(self, exception: dict[str, str]) -> bool:
        """Whether a user's exception goes into Locust's file, and as what."""
        for name in exception:
            lines = exception[name][:_LONGEST_TRACEBACK].splitlines()
            exception[name] = "\n".join(plain(line) for line in lines)
        return len(self._master.runner.exceptions) < _MOST_EXCEPTIONS

    # -- who may join

    def _on_hello(self, client_id: str, hello: Hello) -> None:
        master = self._master
        if client_id in self._expelled:
            return
        ours = messages.identity()
        if any(hello.get(name) != value for name, value in ours.items()):
            self._refuse(client_id, hello, ours)
            return
        known = master.workers.get(client_id)
        if known is None:
            local = master.launched(hello.get("ticket", ""))
            if local is None and master.remote_present >= master.plan.remote:
                master.send_plainly(client_id, Kind.WAIT, "the master has all its workers")
                return
            name = self._free_name(hello.get("name", ""))
            known = master.workers[client_id] = WorkerRecord(client_id, name, local, now(), now())
        if master.run is not None and not known.in_run:
            master.send_plainly(client_id, Kind.WAIT, "the master is in the middle of a run")

    def _refuse(self, client_id: str, hello: Hello, ours: dict[str, Any]) -> None:
        theirs: dict[str, Any] = {**hello}
        their_version, our_version = messages.version_words(theirs, ours), messages.version_words(ours, theirs)
        sentence = f"the master runs confman-tui {our_version}, and this is {their_version}"
        self._master.send_plainly(client_id, Kind.REFUSED, sentence)
        if client_id not in self._refused and len(self._refused) < _MOST_TOLD:
            self._refused.add(client_id)
            who = plain(hello.get("name") or "a worker", 60)
            self._master.tell(f"{who} was refused: it runs confman-tui {their_version}, and this is {our_version}")

    def _free_name(self, wanted: str) -> str:
        """The name in figures, files and sentences: that of a host and some more, and nobody else's."""
        taken = {worker.name for worker in self._master.workers.values()}
        letters = (letter if letter.isalnum() or letter in "._-" else "-" for letter in wanted[:60])
        wanted = "".join(letters).lstrip("._-") or "worker"
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}#{number}", number + 1
        return name
