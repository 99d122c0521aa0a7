"""Recorded answers of a real cluster, replayed through the real view, stream and meter. Times are the recording's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confman_tui.cluster.addresses import normalise
from confman_tui.cluster.election_meter import ElectionMeter
from confman_tui.cluster.elections import Election, Fault, FaultKind
from confman_tui.cluster.states import Fact, Poll, PollKind
from confman_tui.cluster.view import ViewMachine
from confman_tui.cluster.writes.gaps import WriteStream

DATA = Path(__file__).parent.parent / "data"
NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")
EPOCH = 1_700_000_000.0


@dataclass
class Replay:
    """All that happened, to be played in the order of time."""

    polls: list[Poll] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    acks: list[tuple[float, float]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    reads: list[tuple[float, float, int, int]] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """When writers start, stop or change their number."""
    facts: list[Fact] = field(default_factory=list)
    meter: ElectionMeter = field(init=False)
    stream: WriteStream = field(init=False)

    def run(self, until: float | None = None, drain_s: float = 0.2) -> list[Election]:
        """The elections reported, in order; each may come a second time with its recovery."""
        self.stream = WriteStream()
        self.meter = ElectionMeter(NODES, self.stream)
        view = ViewMachine(NODES)
        events: list[tuple[float, int, Any]] = [(poll.answered, 3, poll) for poll in self.polls]
        events += [(at, 0, at) for at in self.starts]
        events += [(ack, 1, (ack, start)) for ack, start in self.acks]
        events += [(fault.at, 2, fault) for fault in self.faults]
        events += [(sample[1], 4, sample) for sample in self.reads]
        events += [(at, 6, at) for at in self.loads]
        events.sort(key=lambda event: event[:2])
        end = until if until is not None else events[-1][0] + 5.0
        steps = int((end - events[0][0]) / drain_s)
        events += [(events[0][0] + n * drain_s, 5, None) for n in range(steps)]
        events.sort(key=lambda event: event[:2])
        reported: list[Election] = []
        for at, kind, what in events:
            if kind == 0:
                self.stream.started(what)
            elif kind == 1:
                self.stream.acknowledged(*what)
            elif kind == 2:
                self.meter.fault(what)
            elif kind == 3:
                self.stream.evidence.polled(what.sent, what.answered, what.node, what.role == "leader")
                for fact in view.apply(what):
                    self.facts.append(fact)
                    reported += self.meter.fact(fact)
                self.meter.agreed(view.agreed_on, view.agreed_since)
                self.meter.viewed(view.view(at))
            elif kind == 4:
                self.meter.reads(*what)
            elif kind == 6:
                self.meter.load_changed(what)
            else:
                self.stream.drain(at)
                reported += self.meter.tick(at)
        return reported

    def writes(self, start: float, end: float, every: float, served: bool = True, wait: float = 0.005) -> None:
        """Steady writes."""
        for n in range(round((end - start) / every)):
            at = start + n * every
            self.starts.append(at)
            if served:
                self.acks.append((at + wait, at))


def answer(node: str, at: float, status: int, role: str, leader: str | None, term: int) -> Poll:
    named = normalise(leader) if leader else None
    return Poll(node, at, at + 0.002, PollKind.ANSWER, ready=status == 200, role=role, leader=named, term=term)


def steps(node: str, changes: list[tuple[float, Any]], start: float, end: float, every: float) -> Iterable[Poll]:
    """Polls of one node at this interval, each showing the last change before it: an answer's fields, an error's
    name, or None for silence until the deadline."""
    current: Any = None
    waiting = sorted(changes, key=lambda change: change[0])
    for n in range(int((end - start) / every)):
        at = start + n * every
        while waiting and waiting[0][0] <= at + 1e-9:
            current = waiting.pop(0)[1]
        if current is None:
            yield Poll(node, EPOCH + at, EPOCH + at + 0.39, PollKind.TIMEOUT, detail="no answer in time")
        elif isinstance(current, str):
            kind = PollKind.REFUSED if current == "ConnectError" else PollKind.RESET
            yield Poll(node, EPOCH + at, EPOCH + at + 0.002, kind, detail=current)
        else:
            yield answer(node, EPOCH + at, *current)


def timeline(name: str, every: float = 0.1) -> Replay:
    """A recorded timeline (tests/data): polls as often as asked for, writes every 50 ms where they were served."""
    rows = json.loads((DATA / f"{name}.json").read_text())
    replay = Replay()
    end = max(row["t"] for row in rows) + 6.0
    silent: dict[str, float] = {}
    for row in rows:
        if row["what"] == "signal" and row["signal"] != "SIGCONT":
            kind = FaultKind.KILL if row["signal"] == "SIGKILL" else FaultKind.PAUSE
            for node in row["nodes"]:
                replay.faults.append(Fault(kind, node, EPOCH + row["t"]))
                silent[node] = row["t"]
        elif row["what"] == "signal":
            replay.faults += [Fault(FaultKind.RESUME, node, EPOCH + row["t"]) for node in silent]
        elif row["what"] == "restart":
            replay.faults.append(Fault(FaultKind.RESTART, row["node"], EPOCH + row["t"]))
    for node in NODES:
        changes: list[tuple[float, Any]] = []
        for row in rows:
            if row["what"] == "ready" and row["node"] == node:
                if row["answer"] == "ReadTimeout":
                    changes.append((silent[node], None))
                elif isinstance(row["answer"], str):
                    changes.append((row["t"], row["answer"]))
                else:
                    status, _, cluster = row["answer"]
                    changes.append((row["t"], (status, cluster["role"], cluster["leader"], cluster["term"])))
        start = min(at for at, _ in changes)
        replay.polls += steps(node, changes, start, end, every)
        puts = [(row["t"], row["answer"]) for row in rows if row["what"] == "put" and row["node"] == node]
        puts += [(at, "signal") for what, at in silent.items() if what == node]
        puts.sort(key=lambda put: put[0])
        for (at, put), (until, _) in zip(puts, [*puts[1:], (end, None)], strict=True):
            served = isinstance(put, list) and put[0] == 200
            # The recording says when an answer changed: the first write is the one that came at that moment.
            for n in range(int((until - at) / 0.05) + 1):
                moment = EPOCH + at + n * 0.05
                if moment < EPOCH + until:
                    replay.starts.append(moment - 0.004)
                    if served:
                        replay.acks.append((moment, moment - 0.004))
    return replay


def trial(entry: dict[str, Any], every: float = 0.02) -> Replay:
    """One trial of elections.json: the fault is at 0, the survivors' answers and the writes' figures as recorded."""
    replay = Replay()
    urls = {f"node{n + 1}": url for n, url in enumerate(NODES)}
    old, term = urls[entry["old_leader"]], entry["term_before"]
    kill = entry["kind"] == "kill"
    replay.faults.append(Fault(FaultKind.KILL if kill else FaultKind.PAUSE, old, EPOCH))
    end = 16.0
    replay.polls += steps(
        old, [(-2.0, (200, "leader", old, term)), (0.0, "ConnectError" if kill else None)], -2.0, end, every
    )
    for name, answers in entry["survivor_ready"].items():
        changes: list[tuple[float, Any]] = [(-2.0, (200, "follower", old, term))]
        changes += [(at, (status, role, leader, its)) for at, status, role, leader, its in answers]
        replay.polls += steps(urls[name], changes, -2.0, end, every)
    last, first = entry["last_ok_write_rel_signal"], entry["first_ok_write_s"]
    count = int(2.0 / 0.025)
    for n in range(count):
        at = EPOCH + last - (count - 1 - n) * 0.025
        replay.starts.append(at - 0.005)
        replay.acks.append((at, at - 0.005))
    replay.writes(EPOCH + last + 0.02, EPOCH + first - 0.02, 0.025, served=False)
    replay.writes(EPOCH + first - 0.005, EPOCH + end, 0.025)
    return replay
