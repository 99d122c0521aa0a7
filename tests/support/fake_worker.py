"""A worker that has the token and sends what a test wants it to: a real connection, and a process nobody started."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from typing import Any

import msgspec
import zmq
from locust import __version__ as locust_version

from confman_tui.core.clock import now
from confman_tui.load.workers import messages
from confman_tui.load.workers.messages import BeginRun, Drained, FromWorker, Kind, PlanTaken, PrepareRun
from confman_tui.load.workers.sockets import master_keys
from tests.support.waiting import DEADLINE_S, wait_for

_POLL_MS = 10


def locusts(kind: str, data: object = None, node_id: str = "x") -> bytes:
    """A message of Locust's form."""
    return msgspec.msgpack.encode((kind, data, node_id))


def ours(message: FromWorker | dict[str, object]) -> bytes:
    """A message of ours, also one whose fields are none that it may have."""
    return locusts(Kind.MESSAGE, messages.encode(message))


def connected(port: int, name: str, token: str | None) -> tuple[zmq.Context[Any], Any]:
    """A socket as a worker's; without a token, one without encryption. The context ends it."""
    context: zmq.Context[Any] = zmq.Context()
    peer: Any = context.socket(zmq.DEALER)
    peer.setsockopt(zmq.LINGER, 0)
    peer.setsockopt(zmq.IDENTITY, name.encode())
    if token is not None:
        public, secret = zmq.curve_keypair()
        peer.setsockopt(zmq.CURVE_PUBLICKEY, public)
        peer.setsockopt(zmq.CURVE_SECRETKEY, secret)
        peer.setsockopt(zmq.CURVE_SERVERKEY, master_keys(token)[0])
    peer.connect(f"tcp://127.0.0.1:{port}")
    return context, peer


class FakeWorker:
    """Joins, takes each plan, sends no request, and tells the end of each run in time. Its thread ends with `close`."""

    def __init__(self, port: int, name: str, token: str, *, hello: dict[str, object] | None = None) -> None:
        self.name = name
        self._hello = {**messages.identity(), "name": name} if hello is None else hello
        self._to_send: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._context, self._peer = connected(port, f"{name}_{uuid.uuid4().hex}", token)
        self._closing = False
        self.prepared: PrepareRun | None = None
        """The last plan that it got."""
        self.heard: list[str] = []
        """Kinds of Locust's messages that came, heartbeats left out."""
        self.began = False
        """A run lasts."""
        self._drain_at = float("inf")
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def send(self, *data: bytes) -> None:
        """Send these bytes, each as a message."""
        for one in data:
            self._to_send.put(one)

    def wait_heard(self, kind: str) -> None:
        wait_for(lambda: kind in self.heard, f"{self.name} hears {kind}", DEADLINE_S)

    def close(self) -> None:
        self._closing = True
        self._thread.join(DEADLINE_S)
        self._peer.send(locusts("quit"))
        self._peer.close(linger=500)
        self._context.term()

    def _live(self) -> None:
        beat = 0.0
        joined = False
        while not self._closing:
            at = time.monotonic()
            if at >= beat:
                beat = at + 0.5
                if not joined:
                    self._peer.send(locusts(Kind.HELLO, self._hello))
                    self._peer.send(locusts("client_ready", locust_version))
                state = {"state": "running" if self.began else "ready", "current_cpu_usage": 1.0}
                self._peer.send(locusts("heartbeat", {**state, "current_memory_usage": 1}))
            while not self._to_send.empty():
                self._peer.send(self._to_send.get())
            if now() >= self._drain_at and self.prepared is not None:
                self._drain_at = float("inf")
                self._peer.send(ours(Drained(self.prepared.run, now(), 0, 0)))
            if self._peer.poll(_POLL_MS):
                kind, data, _receiver = msgspec.msgpack.decode(self._peer.recv())
                joined = joined or kind == "ack"
                self._take(kind, data)

    def _take(self, kind: str, data: Any) -> None:
        if kind != "heartbeat":
            self.heard.append(kind)
        if kind == Kind.MESSAGE:
            message = messages.from_master(data)
            if isinstance(message, PrepareRun):
                self.prepared = message
                self._peer.send(ours(PlanTaken(message.run)))
            elif isinstance(message, BeginRun) and self.prepared is not None:
                self.began = True
                duration = self.prepared.plan.duration_s
                self._drain_at = message.started + duration if duration is not None else float("inf")
        elif kind == "spawn":
            self._peer.send(locusts("spawning"))
            self._peer.send(locusts("spawning_complete", {"user_classes_count": {}, "user_count": 0}))
        elif kind == "stop":
            self.began = False
            self._peer.send(locusts("client_stopped"))
            self._peer.send(locusts("client_ready", locust_version))


def second_fields(**changes: object) -> dict[str, object]:
    """The fields of a second's counts as they go over the wire, these changed."""
    at = now()
    counts: dict[str, object] = {
        "start": at,
        "end": at,
        "users": 1,
        "uncorrected": {},
        "read_marks": [],
        "redirects": {},
        "redirected": 0,
        "by_node": {},
        "in_flight": 0,
        "oldest_in_flight_s": 0.0,
        "engine_cpu": 0.0,
        "hub_lag_s": 0.0,
        "not_started": 0,
        "schedule_lag_s": 0.0,
        "rate": 0.0,
        "worker_cpu": {},
        "worker_wait": {},
    }
    return counts | changes


def second_counted(run: int, *, number: int = 1, failures: object = None, **counts: object) -> dict[str, object]:
    """A `SecondCounted` as it goes over the wire."""
    failed = {} if failures is None else failures
    second = {"run": run, "number": number, "last": False, "counts": second_fields(**counts), "failures": failed}
    return {"type": "SecondCounted", **second}


def stats_entry(**changes: object) -> dict[str, object]:
    """A row of Locust's statistics, these fields changed."""
    entry: dict[str, object] = {
        "name": "Aggregated",
        "method": "",
        "last_request_timestamp": None,
        "start_time": 1.0,
        "num_requests": 0,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": 0,
        "max_response_time": 0,
        "min_response_time": None,
        "total_content_length": 0,
        "response_times": {},
        "num_reqs_per_sec": {},
        "num_fail_per_sec": {},
    }
    return entry | changes


def stats(*entries: dict[str, object], errors: object = None, **total: object) -> bytes:
    """A report of Locust's."""
    report: dict[str, object] = {"stats": list(entries), "stats_total": stats_entry(**total)}
    report |= {"errors": {} if errors is None else errors, "user_classes_count": {}, "user_count": 0}
    return locusts("stats", report)
