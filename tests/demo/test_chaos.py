"""Kills, pauses and isolation in random order under writes: Raft's promises hold throughout. Slow."""

from __future__ import annotations

import random
import threading
import time

import pytest

from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import health, wait_agreed
from tests.support.demo_writers import Writers, lost
from tests.support.waiting import wait_for

SECONDS = 60.0


class Leaders:
    """Polls all nodes and keeps who said to lead in which term, and terms that went back."""

    def __init__(self, cluster: DemoCluster) -> None:
        self.by_term: dict[int, set[str]] = {}
        self.went_back: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._poll, args=(url,), daemon=True) for url in cluster.urls]

    def __enter__(self) -> Leaders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _poll(self, url: str) -> None:
        highest = 0
        while not self._stop.wait(0.005):
            state = health(url, 0.2)
            if state.status == 0:
                continue
            if state.term < highest:
                self.went_back.append(f"{url}: {highest} -> {state.term}")
            highest = max(highest, state.term)
            if state.role == "leader":
                self.by_term.setdefault(state.term, set()).add(url)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("nodes", [3, 5])
def test_one_leader_in_a_term_and_nothing_lost(nodes: int) -> None:
    chance = random.Random(nodes)
    with DemoCluster(nodes, "auto", (200, 500), compact_after=700) as cluster:
        wait_agreed(cluster)
        with Writers(cluster.urls, count=12) as writers, Leaders(cluster) as leaders:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                victims = chance.sample(cluster.urls, chance.randint(1, nodes))
                fault, undo = chance.choice(
                    [(cluster.kill, cluster.restart), (cluster.pause, cluster.resume), (cluster.isolate, cluster.heal)]
                )
                for url in victims:
                    fault(url)
                hold = time.monotonic() + chance.uniform(0.0, 1.5)
                wait_for(lambda hold=hold: time.monotonic() > hold, "the fault has lasted")  # type: ignore[misc]
                for url in victims:
                    undo(url)
                goal = len(writers.acknowledged) + chance.randrange(200)
                wait_for(lambda goal=goal: len(writers.acknowledged) >= goal, "writes go on")  # type: ignore[misc]
        with pytest.raises(FaultRefusedError):
            cluster.restart(cluster.urls[0])
        wait_agreed(cluster)
        assert {term: who for term, who in leaders.by_term.items() if len(who) > 1} == {}
        assert leaders.went_back == []
        assert len(leaders.by_term) > 5, "hardly any election took place"
        assert lost(cluster.urls, writers.acknowledged) == {}
        assert cluster.data_folder is not None
        logs = "".join(path.read_text() for path in cluster.data_folder.glob("*/node.log"))
    assert "already-applied" not in logs
    assert "Traceback" not in logs
