"""Drives a real cluster through the program that CONFMAN_REAL_CLUSTER names, and looks at it from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.demo_client import ADMIN, Health, ask, ask_on, connect, health
from tests.support.waiting import DEADLINE_S, wait_for

VARIABLE = "CONFMAN_REAL_CLUSTER"
NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")
"""Where Confman's nodes 1 to 3 listen by default."""
AGREE_S = 90.0
"""A node that was away can be "not ready" for half a minute, until it gets a snapshot."""
_COMMAND_S = 120.0
_WARM_READS = 1500
_WARM_NAMESPACE = "confman-tui-warm"


def named_program() -> str:
    """The program of CONFMAN_REAL_CLUSTER; fails the test with one sentence where there is none."""
    program = os.environ.get(VARIABLE, "").strip()
    if not program or shutil.which(program) is None:
        pytest.fail(
            f"{VARIABLE} is {program!r}: tests marked real need it to name a program that understands start fresh, "
            "stop, pause N, resume N, kill N and start1 N for a Confman cluster on ports 6100, 6200 and 6300.",
            pytrace=False,
        )
    return program


class RealCluster:
    """Three nodes. Signals go to them through the program only, which knows its own."""

    urls = NODES

    def __init__(self, program: str) -> None:
        self._program = program
        self._paused: set[str] = set()
        self._killed: set[str] = set()

    def start(self) -> None:
        """Start it with empty data."""
        self._do("start", "fresh")
        self.wait_agreed()

    def stop(self) -> None:
        """End the nodes."""
        self._do("stop")

    def pause(self, url: str) -> None:
        """SIGSTOP."""
        self._paused.add(url)
        self._do("pause", _number(url))

    def resume(self, url: str) -> None:
        """SIGCONT."""
        self._do("resume", _number(url))
        self._paused.discard(url)

    def kill(self, url: str) -> None:
        """SIGKILL."""
        self._killed.add(url)
        self._do("kill", _number(url))

    def restart(self, url: str) -> None:
        """Start a killed node again."""
        self._do("start1", _number(url))
        self._killed.discard(url)

    def mend(self) -> None:
        """Bring back what a test left paused or dead, and wait for agreement."""
        for url in tuple(self._paused):
            self.resume(url)
        for url in tuple(self._killed):
            self.restart(url)
        self.wait_agreed()

    def _do(self, *words: str) -> None:
        # into a file: nodes inherit what the program writes to, and a pipe would not end before they do
        with tempfile.TemporaryFile("w+") as said:
            ended = subprocess.run(
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=_COMMAND_S,
                check=False,
            )
            said.seek(0)
            if ended.returncode:
                pytest.fail(f"{VARIABLE} {' '.join(words)} ended with {ended.returncode}: {said.read()[-500:]}", False)

    # -- what it says

    def states(self) -> dict[str, Health]:
        """Each node's word."""
        return {url: health(url, 2.0) for url in NODES}

    def agreed(self) -> str | None:
        """The leader, when all nodes are ready, in one term, and name it."""
        states = self.states()
        leaders = {state.leader for state in states.values()}
        terms = {state.term for state in states.values()}
        if len(leaders) != 1 or len(terms) != 1 or any(state.status != 200 for state in states.values()):
            return None
        return next((url for url, state in states.items() if state.role == "leader" and url in leaders), None)

    def wait_agreed(self) -> str:
        """Wait until all three nodes agree; gives the leader."""
        return wait_for(self.agreed, f"all nodes agree on a leader, {self.states()}", AGREE_S)

    def other_leader(self, former: str) -> str | None:
        """A node other than ``former`` that says it leads."""
        return next(
            (url for url in NODES if url != former and health(url, 2.0).role == "leader"),
            None,
        )

    def wait_other_leader(self, former: str) -> str:
        """Wait until another node leads."""
        return wait_for(lambda: self.other_leader(former), f"another leader than {former}", AGREE_S)

    def ours(self) -> list[str]:
        """Namespaces of the program that exist or hold entries, as every node lists them."""
        found = set()
        for url in NODES:
            names = [item["path"] for item in ask(url, "GET", "/api/v1/namespaces", timeout_s=DEADLINE_S).json]
            names += [item["ns"] for item in ask(url, "GET", "/api/v1/configs", timeout_s=DEADLINE_S).json]
            found |= {name for name in names if name.startswith("bench-")}
        return sorted(found)

    def warm(self, writes: int) -> None:
        """Reads, and ``writes`` writes by each node, until .NET has compiled what they need: a cold node is silent for
        seconds at its first ones."""
        leader = self.wait_agreed()
        path = f"/api/v1/namespaces/{_WARM_NAMESPACE}/config/k"

        def load(url: str, method: str, count: int) -> None:
            connection = connect(url, 30.0)
            try:
                for _ in range(count):
                    ask_on(connection, method, path, {"value": "x" * 1024} if method == "PUT" else None, ADMIN)
                    if method == "PUT":
                        ask_on(connection, "GET", "/health/ready", None, {})
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=6) as threads:
            under_way = [threads.submit(load, url, "GET", _WARM_READS) for url in NODES]
            under_way += [threads.submit(load, url, "PUT", writes) for url in NODES]
            for one in under_way:
                one.result()
        for gone in (path, f"/api/v1/namespaces/{_WARM_NAMESPACE}"):
            ask(leader, "DELETE", gone, timeout_s=DEADLINE_S)


def _number(url: str) -> str:
    return str(NODES.index(url) + 1)
