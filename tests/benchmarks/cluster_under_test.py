"""The cluster that a benchmark measures on: the embedded one, or anybody's, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import psutil

from confman_tui.cluster.seeded_values import seeded_value
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.settings.tiers import PROBE_NAMESPACE
from tests.support.demo_client import Answer, ask, ask_on, connect
from tests.support.keys import ADMIN
from tests.support.waiting import wait_for

KEY_VARIABLE = "CONFMAN_BENCH_API_KEY"
NAMESPACES = tuple(f"bench-small-{number:03d}" for number in range(5))
"""Those of the program's tier small, so that both sides' requests have the same paths."""
KEYS_EACH = 20
SIZE = 1024


@dataclass(frozen=True)
class ClusterUnderTest:
    """Base URLs of its nodes, the entry first, and the key."""

    nodes: tuple[str, ...]
    key: str
    kind: str
    """What tables call it."""
    pids: tuple[int, ...] = field(default=())
    """The nodes' processes, as far as they are on this machine and can be seen."""

    @property
    def headers(self) -> dict[str, str]:
        """For `tests.support.demo_client.ask`."""
        return {"X-Api-Key": self.key}

    def leader(self) -> str:
        """The node that leads; waits for one."""

        def leads() -> str | None:
            for node in self.nodes:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if ask(node, "GET", "/health/ready", headers={}).json["cluster"]["role"] == "leader":
                        return node
            return None

        return wait_for(leads, "a leader", 60.0)

    def entries(self) -> int:
        """How many entries the cluster holds, as its leader lists them."""
        return len(self._asked(self.leader(), "GET", "/api/v1/configs", timeout_s=30.0).json)

    def probe_writes(self, connection: http.client.HTTPConnection) -> int:
        """Writes that the namespace of probes has seen and still holds: entries and their versions, as a node that
        ``connection`` leads to gives them. The difference of two is what was written in between."""
        path = f"/api/v1/namespaces/{PROBE_NAMESPACE}/config"
        listed = ask_on(connection, "GET", path, None, self.headers).json
        return sum(int(entry["version"]) for entry in listed)

    def seed(self) -> list[tuple[str, str]]:
        """Write what the program seeds, as it does: as many keys, values of the same kind and size, one probe entry."""
        keys = [(name, f"key-{secrets.token_hex(6)}") for name in NAMESPACES for _ in range(KEYS_EACH)]
        connection = connect(self.leader(), 30.0)
        try:
            for name in NAMESPACES:
                self._good(ask_on(connection, "PUT", f"/api/v1/namespaces/{name}", {}, self.headers))
            for name, key in (*keys, (PROBE_NAMESPACE, "probe")):
                body = {"value": seeded_value(name, key, SIZE), "type": "string"}
                path = f"/api/v1/namespaces/{name}/config/{quote(key, safe='')}"
                self._good(ask_on(connection, "PUT", path, body, self.headers))
        finally:
            connection.close()
        return keys

    def clean(self) -> None:
        """Remove what `seed` and a run of the stock command wrote."""
        leader = self.leader()
        for name in (*NAMESPACES, PROBE_NAMESPACE):
            ask(leader, "DELETE", f"/api/v1/namespaces/{name}", headers=self.headers, timeout_s=30.0)
            # a namespace that was never made keeps its entries through that
            for entry in self._asked(leader, "GET", f"/api/v1/namespaces/{name}/config").json:
                path = f"/api/v1/namespaces/{name}/config/{quote(entry['key'], safe='')}"
                ask(leader, "DELETE", path, headers=self.headers, timeout_s=30.0)

    def _asked(self, node: str, method: str, path: str, timeout_s: float = 10.0) -> Answer:
        return self._good(ask(node, method, path, headers=self.headers, timeout_s=timeout_s))

    @staticmethod
    def _good(answer: Answer) -> Answer:
        if answer.status not in (200, 204):
            raise RuntimeError(f"the cluster answered {answer.status}: {answer.body[:200]}")
        return answer


def _pids_of(nodes: Sequence[str]) -> tuple[int, ...]:
    ports = {urlsplit(node).port for node in nodes}
    found = {
        item.pid
        for item in psutil.net_connections("tcp")
        if item.status == psutil.CONN_LISTEN and item.laddr and item.laddr.port in ports and item.pid is not None
    }
    return tuple(sorted(found))


@contextlib.contextmanager
def cluster_under_test(nodes: Sequence[str] = ()) -> Iterator[ClusterUnderTest]:
    """Those nodes, with the key from the environment; without nodes the embedded cluster on free ports, as long as the
    context lasts."""
    if nodes:
        key = os.environ.get(KEY_VARIABLE, ADMIN)
        yield ClusterUnderTest(tuple(node.rstrip("/") for node in nodes), key, "given", _pids_of(nodes))
        return
    with DemoCluster(ports="auto") as demo:
        if not demo.wait_ready(20):
            raise RuntimeError("the embedded cluster was not ready within 20 s")
        yield ClusterUnderTest(demo.urls, ADMIN, "embedded", tuple(demo.pids.values()))
