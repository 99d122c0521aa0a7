"""What watching asks of the nodes in each phase, counted by the nodes: calm, idle, alert, beside reads and writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from confman_tui.cluster.observer.client import Observer
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.core.clock import now
from tests.support.counting_cluster import CountingCluster
from tests.support.probe_turns import turns_of_the_probe

DEADLINE_S = 60.0


class Watched:
    """A running watch and what it reported."""

    def __init__(self, cluster: CountingCluster, pace: WatchPace) -> None:
        self.cluster = cluster
        self.times = SharedWriteTimes()
        self.modes: list[tuple[bool, str]] = []
        self.observer = Observer(
            cluster.urls,
            "key",
            WriteBook(self.times),
            self.times,
            lambda poll: None,
            pace=pace,
            on_trouble=lambda text: None,
            on_mode=lambda alert, at, reason: self.modes.append((alert, reason)),
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.005)

    async def stretch(self, polls: int, *, alert: bool) -> tuple[list[list[float]], list[float]]:
        """A stretch of the mode asked for in which each node was polled that often: the times of each node's polls and
        of all writes, as the nodes saw them. On a busy machine a late answer may end a calm stretch: then the next."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await self.until(lambda: bool(self.modes) and self.observer.alert == alert)
                await self._polled(2)  # what was on its way when it began
                modes = len(self.modes)
                polled, begun = [len(node.polls) for node in self.cluster.nodes], time.monotonic()
                await self._polled(polls)
                ended = time.monotonic()
                times = [node.polls[first:][:polls] for node, first in zip(self.cluster.nodes, polled, strict=True)]
                writes = [at for node in self.cluster.nodes for at in node.writes if begun <= at <= ended]
                await self._polled(1)  # a change of mode is reported before it has effects
                if len(self.modes) == modes:
                    return times, sorted(writes)

    async def _polled(self, more: int) -> None:
        counts = [len(node.polls) + more for node in self.cluster.nodes]
        await self.until(
            lambda: all(len(node.polls) >= count for node, count in zip(self.cluster.nodes, counts, strict=True))
        )


@asynccontextmanager
async def watching(pace: WatchPace | None = None) -> AsyncIterator[Watched]:
    async with CountingCluster() as cluster:
        watched = Watched(cluster, pace or WatchPace())
        await watched.observer.start()
        watched.observer.start_probe()
        try:
            yield watched
        finally:
            await watched.observer.stop()


def mean_gap(times: list[float]) -> float:
    """Seconds between two requests in the mean; a lower bound of it holds on a busy machine too."""
    return (times[-1] - times[0]) / (len(times) - 1)


async def test_calm_beside_reads_it_polls_each_node_four_times_a_second_and_writes_nothing() -> None:
    async with watching() as watched:
        watched.observer.book(True)
        await watched.stretch(2, alert=False)
        before = [node.connections for node in watched.cluster.nodes]
        polls, writes = await watched.stretch(8, alert=False)
        assert writes == []
        for times in polls:
            assert mean_gap(times) > 0.24
        if [alert for alert, _ in watched.modes].count(True) == 1:
            assert [node.connections for node in watched.cluster.nodes] == before, "one kept connection each"


async def test_calm_and_idle_it_writes_once_a_second() -> None:
    async with watching() as watched:
        _, writes = await watched.stretch(13, alert=False)
        assert len(writes) >= 3
        assert mean_gap(writes) > 0.9


async def test_alert_it_polls_and_writes_twenty_times_a_second_until_writes_are_acknowledged() -> None:
    async with watching() as watched:
        watched.observer.book(True)
        await watched.stretch(2, alert=False)
        for node in watched.cluster.nodes:
            node.refuses_writes = True
        watched.observer.sign("somebody is about to pull a plug")
        polls, writes = await watched.stretch(25, alert=True)
        assert watched.modes[-1] == (True, "somebody is about to pull a plug")
        for times in polls:
            assert mean_gap(times) > 0.045
        assert len(writes) >= 8
        assert mean_gap(writes) > 0.045
        for node in watched.cluster.nodes:
            node.refuses_writes = False
        begun = time.monotonic()
        await watched.until(lambda: not watched.observer.alert)
        assert time.monotonic() - begun > 2.9, "three seconds after all is well"
        assert (await watched.stretch(3, alert=False))[1] == []


async def test_alert_beside_writes_that_are_acknowledged_it_writes_nothing() -> None:
    async with watching() as watched:
        watched.observer.book(True)
        await watched.stretch(2, alert=False)

        starts: list[float] = []

        async def load() -> None:
            while True:
                starts.append(now())
                watched.times.set_started(starts[-1])
                watched.times.set_acknowledged(now(), now() - 0.001)
                watched.observer.sign("a fault is about to be injected")
                await asyncio.sleep(0.002)

        writing = asyncio.create_task(load())
        try:
            _, writes = await watched.stretch(15, alert=True)
        finally:
            writing.cancel()
        assert len(writes) <= 1 + turns_of_the_probe(starts, 0.05), "at most the one that was on its way"


async def test_alert_beside_writes_that_all_fail_it_writes_itself() -> None:
    """Users that try a dead leader again and again do not show when another one serves."""
    async with watching() as watched:
        watched.observer.book(True)
        await watched.stretch(2, alert=False)

        async def load() -> None:
            while True:
                watched.times.set_started(now())
                await asyncio.sleep(0.002)

        writing = asyncio.create_task(load())
        try:
            watched.observer.sign("a request failed: refused")
            _, writes = await watched.stretch(20, alert=True)
        finally:
            writing.cancel()
        assert len(writes) >= 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cluster: setattr(cluster.nodes[1], "ready", False), "not ready"),
        (lambda cluster: setattr(cluster.nodes[1], "term", 4), "term 4"),
        (lambda cluster: setattr(cluster.nodes[2], "silent", True), "no answer yet"),
        (lambda cluster: setattr(cluster.nodes[0], "leads", False), "follower"),
    ],
)
async def test_the_first_sign_in_a_poll_is_enough(change: Callable[[CountingCluster], None], words: str) -> None:
    async with watching() as watched:
        watched.observer.book(True)
        await watched.stretch(2, alert=False)
        seen = len(watched.modes)
        change(watched.cluster)
        await watched.until(lambda: any(alert and words in reason for alert, reason in watched.modes[seen:]))


async def test_switched_off_it_never_writes_and_an_explicit_interval_always_holds() -> None:
    async with watching(WatchPace(probe_s=0.0)) as watched:
        watched.observer.sign("trouble")
        await watched.stretch(12, alert=True)
        await watched.stretch(2, alert=False)
        assert watched.cluster.writes == 0
    async with watching(WatchPace(probe_s=0.1)) as watched:
        watched.observer.book(True)
        _, writes = await watched.stretch(5, alert=False)
        assert len(writes) >= 5
        assert mean_gap(writes) > 0.095
