"""A cluster in a drill's hands without any real time: real view, stream and meter, and a clock that sleeping moves."""

from __future__ import annotations

from collections.abc import Callable

from confman_tui.cluster.election_meter import ElectionMeter
from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.states import ClusterView, Poll, PollKind
from confman_tui.cluster.view import ViewMachine
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.session.events import DrillRound

NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))
STEP = 0.01


class SimulatedHost:
    """Implements `DrillHost`. An election takes ``outage_s``, a node's return ``return_s``; ``write_s`` is the interval
    between writes."""

    def __init__(self, outage_s: float = 1.0, return_s: float = 0.5, write_s: float = 0.02) -> None:
        self.outages: Callable[[int], float] = lambda number: outage_s
        self.return_s = return_s
        self.write_s = write_s
        self.clock = 1000.0
        self.leader: str | None = NODES[0]
        self.term = 1
        self.down: dict[str, FaultKind] = {}
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.elections: list[Election] = []
        self.rounds: list[DrillRound] = []
        self.faults: list[Fault] = []
        self.stop = False
        self.refuses = ""
        self.comes_back = True
        self.not_ready: dict[str, float] = {}
        """Nodes that answer 503 for this many seconds once they are back."""
        self.unready_until: dict[str, float] = {}
        self.returned: dict[str, float] = {}
        self.verification: Verification | None = Verification(acknowledged=100, checked=100)
        self.finished = 0
        self.writes = WriteStream()
        self.machine = ViewMachine(NODES)
        self.meter = ElectionMeter(NODES, self.writes)
        self.steps = 0
        self._next_write = self.clock

    @property
    def view(self) -> ClusterView:
        return self.machine.view(self.clock)

    @property
    def stopping(self) -> bool:
        return self.stop

    def now(self) -> float:
        return self.clock

    def election_of(self, fault: Fault) -> Election | None:
        return next((one for one in reversed(self.elections) if one.fault == fault), None)

    def unfinished(self) -> Election | None:
        return self.meter.unfinished()

    async def sleep(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / STEP))):
            self._step()

    async def cause(self, kind: FaultKind, node: str) -> Fault:
        if self.refuses:
            raise FaultRefusedError(self.refuses)
        fault = Fault(kind, node, self.clock, "drill")
        self.faults.append(fault)
        self.meter.fault(fault)
        self.down[node] = kind
        self.leader = None
        self.due.append((self.clock + self.outages(len(self.faults)), self._elect))
        return fault

    async def revive(self) -> tuple[Fault, ...]:
        if self.refuses and self.down:
            raise FaultRefusedError(self.refuses)
        undo = {FaultKind.KILL: FaultKind.RESTART, FaultKind.PAUSE: FaultKind.RESUME, FaultKind.ISOLATE: FaultKind.HEAL}
        done = tuple(Fault(undo[kind], node, self.clock, "drill") for node, kind in self.down.items())
        if self.comes_back:
            self.due.append((self.clock + self.return_s, self._answers_again))
        return done

    def _answers_again(self) -> None:
        for node in self.down:
            self.returned[node] = self.clock
            self.unready_until[node] = self.clock + self.not_ready.get(node, 0.0)
        self.down.clear()

    def round_ended(self, round_: DrillRound) -> None:
        self.rounds.append(round_)

    async def finish(self) -> Verification | None:
        self.finished += 1
        return self.verification

    def _elect(self) -> None:
        self.leader = next(node for node in NODES if node not in self.down)
        self.term += 1

    def _step(self) -> None:
        self.clock += STEP
        self.steps += 1
        for at, act in [entry for entry in self.due if entry[0] <= self.clock]:
            self.due.remove((at, act))
            act()
        while self._next_write <= self.clock:
            self.writes.started(self._next_write)
            if self.leader is not None:
                self.writes.acknowledged(self._next_write + 0.004, self._next_write)
            self._next_write += self.write_s
        if self.steps % 10 == 0:
            for node in NODES:
                self._poll(node)
        if self.steps % 20 == 0:
            self.writes.drain(self.clock)
            self._record(self.meter.tick(self.clock))

    def _poll(self, node: str) -> None:
        at = self.clock - 0.002
        if node in self.down:
            kind = PollKind.REFUSED if self.down[node] is FaultKind.KILL else PollKind.TIMEOUT
            poll = Poll(node, at, self.clock, kind, detail="gone")
        else:
            role = "leader" if node == self.leader else "follower"
            ready = self.leader is not None and at >= self.unready_until.get(node, 0.0)
            named = self.leader if ready else None
            poll = Poll(node, at, self.clock, PollKind.ANSWER, ready, role, named, self.term)
        for fact in self.machine.apply(poll):
            self._record(self.meter.fact(fact))
        self.meter.agreed(self.machine.agreed_on, self.machine.agreed_since)

    def _record(self, elections: tuple[Election, ...]) -> None:
        for election in elections:
            self.elections = [one for one in self.elections if one.origin != election.origin]
            self.elections.append(election)
