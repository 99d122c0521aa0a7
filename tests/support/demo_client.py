"""What the demo tests share: a plain HTTP client, waiting with a deadline, and asking nodes for their state."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from confman_tui.demo.supervisor import DemoCluster
from tests.support import keys
from tests.support.waiting import DEADLINE_S, wait_for

ADMIN = {"X-Api-Key": keys.ADMIN}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(url: str, timeout_s: float = DEADLINE_S) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)


def ask_on(
    connection: http.client.HTTPConnection, method: str, path: str, payload: Any, headers: Mapping[str, str]
) -> Answer:
    sent = dict(headers)
    if payload is not None and not isinstance(payload, str):
        payload = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, payload.encode() if payload is not None else None, sent)
    response = connection.getresponse()
    body = response.read().decode()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def ask(
    url: str,
    method: str,
    path: str,
    payload: Any = None,
    headers: Mapping[str, str] = ADMIN,
    timeout_s: float = DEADLINE_S,
) -> Answer:
    """One request on a connection of its own; raises OSError as it comes."""
    connection = connect(url, timeout_s)
    try:
        return ask_on(connection, method, path, payload, headers)
    finally:
        connection.close()


@dataclass(frozen=True)
class Health:
    """A node's word; `status` is 0 when it gave none."""

    status: int
    role: str = ""
    leader: str | None = None
    term: int = -1


LOOK_S = 0.5
"""How long a look at a node that may be paused waits for its answer: the next look comes soon."""


def health(url: str, timeout_s: float = DEADLINE_S) -> Health:
    try:
        answer = ask(url, "GET", "/health/ready", headers={}, timeout_s=timeout_s)
    except (OSError, http.client.HTTPException):
        return Health(0)
    cluster = answer.json["cluster"]
    leader = cluster["leader"]
    return Health(answer.status, cluster["role"], leader.rstrip("/") if leader else None, cluster["term"])


def find_leader(cluster: DemoCluster) -> str | None:
    """The node that says it leads in the highest term, if one does."""
    states = [(health(url, LOOK_S), url) for url in cluster.pids]
    top = max((state.term for state, _ in states), default=-1)
    return next((url for state, url in states if state.role == "leader" and state.term == top), None)


def leader_of(cluster: DemoCluster, deadline_s: float = DEADLINE_S) -> str:
    return wait_for(lambda: find_leader(cluster), "a leader", deadline_s)


def agreed(cluster: DemoCluster) -> bool:
    """All running nodes are ready and name the same node, which leads."""
    states = [(url, health(url, LOOK_S)) for url in cluster.pids]
    leaders = {state.leader for _, state in states}
    return (
        all(state.status == 200 for _, state in states)
        and len(leaders) == 1
        and any(state.role == "leader" and url in leaders for url, state in states)
    )


def wait_agreed(cluster: DemoCluster, deadline_s: float = DEADLINE_S) -> str:
    """Wait until all running nodes agree on a leader that serves; gives it."""
    wait_for(lambda: agreed(cluster), "all nodes agree on a leader", deadline_s)
    return leader_of(cluster)
