"""A locustfile as anybody would write one: plain `FastHttpUser` and `HttpUser`, with no code of this program.

Only a listener is added, which keeps each response time, so that exact percentiles can be compared at the end.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram
from locust import FastHttpUser, HttpUser, events, task

KEYS = json.loads(Path(os.environ["BENCH_KEY_REGISTRY_FILE"]).read_text())
HEADERS = {"X-Api-Key": os.environ["BENCH_API_KEY"], "Accept": "application/json"}

_times: list[float] = []
_failures = [0]
_began = [0.0]


def _path() -> str:
    namespace, key = random.choice(KEYS)
    return f"/api/v1/namespaces/{namespace}/config/{key}"


class Fast(FastHttpUser):
    """Reads without a pause."""

    @task
    def read(self) -> None:
        """One read."""
        self.client.get(_path(), name="/config/[key] GET", headers=HEADERS)


class Requests(HttpUser):
    """The same with the client that Locust's tutorials use."""

    @task
    def read(self) -> None:
        """One read."""
        self.client.get(_path(), name="/config/[key] GET", headers=HEADERS)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, **_: Any) -> None:
    _began[0] = time.monotonic()

    def listen(response_time: float, exception: Any = None, **_: Any) -> None:
        if exception is None:
            _times.append(response_time)
        else:
            _failures[0] += 1

    environment.events.request.add_listener(listen)


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Any, **_: Any) -> None:
    seconds = time.monotonic() - _began[0]
    whole = HdrHistogram(1, 60_000_000, 3)
    for response_time in _times:
        whole.record_value(max(1, int(response_time * 1000)))
    encoded = whole.encode()
    Path(os.environ["OBSERVER_OUT"]).write_text(
        json.dumps(
            {
                "requests": len(_times) + _failures[0],
                "failures": _failures[0],
                "seconds": seconds,
                "histogram": encoded.decode() if isinstance(encoded, bytes) else encoded,
                "max_us": int(max(_times) * 1000),
            }
        )
    )
