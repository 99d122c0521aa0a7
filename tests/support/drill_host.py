"""A drill's host on the real demo cluster: all parts of the elections' room together, without the session."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.election_meter import ElectionMeter
from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification, value_digest
from confman_tui.cluster.faults.injector import FaultInjector
from confman_tui.cluster.observer.probe import WriteProbe
from confman_tui.cluster.polling import Poller
from confman_tui.cluster.states import ClusterView, NodeState, Poll
from confman_tui.cluster.view import ViewMachine
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.cluster.writes.verification import verify
from confman_tui.core.clock import now
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.session.events import DrillRound
from tests.support.waiting import DEADLINE_S

API_KEY = "confman_dev_abc123"
WRITERS = 3
DEAD = (NodeState.UNKNOWN, NodeState.REFUSED, NodeState.SILENT, NodeState.NOT_CONFMAN, NodeState.WRONG)


class RealHost:
    """Implements `DrillHost`: polls, probes, and a few writers that follow the leader."""

    def __init__(self, cluster: DemoCluster, probe_s: float, poll_s: float) -> None:
        self.nodes = cluster.urls
        self.book = WriteBook()
        self.machine = ViewMachine(self.nodes)
        self.meter = ElectionMeter(self.nodes, self.book.stream)
        self.injector = FaultInjector(self.nodes, cluster, self.live, demo=True)
        self.client = ConfmanClient(API_KEY, nodes=self.nodes, concurrency=32)
        self.probe_client = ConfmanClient(API_KEY, nodes=self.nodes, concurrency=64)
        self.poller = Poller(self.nodes, self._on_poll, poll_s=poll_s)
        self.probe = WriteProbe(
            self.probe_client,
            self.book,
            lambda: self.book.stream.last_started,
            lambda: self.live() or self.nodes,
            probe_s=probe_s,
        )
        self.elections: list[Election] = []
        self.rounds: list[DrillRound] = []
        self.stopping = False
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def view(self) -> ClusterView:
        return self.machine.view(now())

    @property
    def writes(self) -> WriteStream:
        return self.book.stream

    def live(self) -> tuple[str, ...]:
        return tuple(view.node for view in self.view.nodes if view.state not in DEAD)

    def now(self) -> float:
        return now()

    def election_of(self, fault: Fault) -> Election | None:
        return next((one for one in reversed(self.elections) if one.fault == fault), None)

    def unfinished(self) -> Election | None:
        return self.meter.unfinished()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def cause(self, kind: FaultKind, node: str) -> Fault:
        fault = self.injector.cause(kind, node, "drill")
        self.meter.fault(fault)
        return fault

    async def revive(self) -> tuple[Fault, ...]:
        done, failed = await asyncio.to_thread(self.injector.revive, "drill")
        assert failed == ()
        for fault in done:
            self.meter.fault(fault)
        return done

    def round_ended(self, round_: DrillRound) -> None:
        self.rounds.append(round_)

    async def finish(self) -> Verification:
        await self.end_load()
        return await verify(self.client, self.book.hand_over_ledger(), self.live())

    async def end_load(self) -> None:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.probe.stop()
        self._record(self.meter.tick(self.book.drain(now() + 0.1).at))

    async def write_forever(self, number: int) -> None:
        """One closed-loop writer, booked as the engine books its users."""
        while True:
            node = self.view.leader or self.nodes[number % len(self.nodes)]
            key, value = f"key-{secrets.token_hex(6)}", secrets.token_hex(64)
            begun = now()
            self.book.started(begun)
            attempt = await self.client.attempt_put(node, "bench-drill", key, value)
            self.book.ended("bench-drill", key, value_digest(value), begun, now(), attempt.node, attempt.outcome)
            await asyncio.sleep(0.05)

    async def drain_forever(self) -> None:
        while True:
            self._record(self.meter.tick(self.book.drain(now()).at))
            await asyncio.sleep(0.1)

    def _on_poll(self, poll: Poll) -> None:
        self.book.stream.evidence.polled(poll.sent, poll.answered, poll.node, poll.role == "leader")
        for fact in self.machine.apply(poll):
            self._record(self.meter.fact(fact))
        self.meter.agreed(self.machine.agreed_on, self.machine.agreed_since)
        self.meter.viewed(self.view)

    def _record(self, elections: tuple[Election, ...]) -> None:
        for election in elections:
            self.elections = [one for one in self.elections if one.origin != election.origin]
            self.elections.append(election)


@asynccontextmanager
async def real_host(
    cluster: DemoCluster, *, probe_s: float = 0.1, poll_s: float = 0.1, writers: int = WRITERS
) -> AsyncIterator[RealHost]:
    """A host that polls, probes and writes; everything of it ends with the block."""
    host = RealHost(cluster, probe_s, poll_s)
    host.poller.start()
    host.probe.start()
    host.tasks = [asyncio.create_task(host.drain_forever())]
    host.tasks += [asyncio.create_task(host.write_forever(number)) for number in range(writers)]
    try:
        deadline = now() + DEADLINE_S
        while host.view.leader is None or len(host.live()) < len(host.nodes):
            assert now() < deadline, host.view
            await asyncio.sleep(0.05)
        yield host
    finally:
        await host.end_load()
        await host.poller.stop()
        await host.client.aclose()
        await host.probe_client.aclose()
