"""A locustfile as anybody would write one for a cluster: plain `FastHttpUser`, its users spread over the nodes.

User 0 goes to the first node, user 1 to the second, and so on. No code of this program is in it; the listener that
keeps each response time and the note of when it began and ended are all that it has beside the users. What it does
is in one environment variable, WATCH_COST, as JSON (`watch_cost.Task`).
"""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, between, constant, events, task

TASK: dict[str, Any] = json.loads(os.environ["WATCH_COST"])
NODES: list[str] = TASK["nodes"]
KEYS: list[list[str]] = TASK["keys"]
NAMESPACES: list[str] = TASK["namespaces"]
LEAST, MOST = TASK["pause_s"]
HEADERS = {"X-Api-Key": os.environ["WATCH_COST_KEY"], "Accept": "application/json"}
WRITE_HEADERS = {**HEADERS, "Content-Type": "application/json"}

_block = "".join(
    random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=TASK["payload_bytes"] - 12)
)
_times: list[float] = []
_failures = [0]
_began = [0.0, 0.0]
_users = [0]


class Spread(FastHttpUser):
    """Reads seeded keys and writes new ones, in the scenario's proportion and with its pauses."""

    def __init__(self, environment: Any) -> None:
        number = _users[0]
        _users[0] += 1
        self.host = TASK["leader"] or NODES[number % len(NODES)]
        super().__init__(environment)

    wait_time = between(LEAST, MOST) if MOST else constant(0)

    @task
    def one_request(self) -> None:
        """A write or a read."""
        if TASK["write_share"] and random.random() < TASK["write_share"]:
            unique = secrets.token_hex(6)
            path = f"/api/v1/namespaces/{random.choice(NAMESPACES)}/config/key-{unique}"
            value = {"value": _block + unique, "type": "string"}
            self.client.put(path, json=value, name="/config/[key] PUT", headers=WRITE_HEADERS)
        else:
            namespace, key = random.choice(KEYS)
            self.client.get(f"/api/v1/namespaces/{namespace}/config/{key}", name="/config/[key] GET", headers=HEADERS)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, **_: Any) -> None:
    def listen(response_time: float, exception: Any = None, **_: Any) -> None:
        if exception is None:
            _times.append(response_time)
        else:
            _failures[0] += 1

    def warm() -> None:
        _times.clear()
        _failures[0] = 0
        _began[:] = [time.time(), time.monotonic()]

    environment.events.request.add_listener(listen)
    gevent.spawn_later(TASK["warmup_s"], warm)


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Any, **_: Any) -> None:
    seconds = time.monotonic() - _began[1]
    times = list(_times)
    Path(TASK["out"]).write_text(
        json.dumps({"start": _began[0], "seconds": seconds, "failures": _failures[0], "times_ms": times})
    )
