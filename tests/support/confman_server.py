"""A small HTTP server in a process of its own that looks like a Confman cluster of one node.

It answers at once, or after a fixed delay, from memory; nothing is replicated. It counts what reaches it, and can be
made to misbehave. For tests and benchmarks of the load engine: what is measured is the client, not this.

    python -m tests.support.confman_server [--port N] [--delay-ms N]

It prints one line, its port, when it listens, and ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import uvloop

from tests.support.waiting import DEADLINE_S

KEY = b"confman_dev_abc123"
JSON = b"application/json; charset=utf-8"
PROBLEM = b"application/problem+json; charset=utf-8"
TIME = b'"2026-02-01T00:00:00.123Z"'


def answer(status: bytes, body: bytes = b"", kind: bytes = JSON, extra: bytes = b"") -> bytes:
    """One whole HTTP answer."""
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n" + extra
    return head + (b"Content-Type: " + kind + b"\r\n\r\n" + body if body else b"\r\n")


def problem(status: bytes, title: str) -> bytes:
    """An RFC 9457 problem."""
    return answer(status, json.dumps({"title": title, "status": int(status[:3])}).encode(), PROBLEM)


class Store:
    """What the node holds, how it behaves, and what reached it."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.delays_s: list[float] = []
        """A delay for each read or write, in turn, instead of the fixed one."""
        self.stalled_until = 0.0
        """No answer leaves before this moment of the loop's time."""
        self.port = 0
        self.mode = "ok"
        self.to = ""
        """Where mode ``redirect`` sends to."""
        self.entries: dict[str, dict[str, bytes]] = {}
        self.owned: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.keys_put: Counter[str] = Counter()

    def handle(self, method: str, path: str, head: bytes, body: bytes) -> tuple[bytes, str]:
        """The answer, and what to do with the connection (``keep``, or a mode's name)."""
        path, _, _query = path.partition("?")
        if path == "/health":
            return answer(b"200 OK", b'{"status":"healthy","timestamp":' + TIME + b"}"), "keep"
        if path == "/health/ready":
            return self.ready(), "keep"
        if path == "/__control":
            return self.control(body), "keep"
        if b"x-api-key: " + KEY not in head and b"X-Api-Key: " + KEY not in head:
            return answer(b"401 Unauthorized"), "keep"
        parts = path.split("/")
        # "", "api", "v1", "namespaces", ns, "config", key
        if len(parts) == 7 and parts[5] == "config" and method in ("GET", "PUT"):
            self.counts[method] += 1
            if self.mode not in ("ok", "close_after"):
                return self.misbehave(method, path)
        if path == "/api/v1/configs":
            rows = [self.row(ns, key, body, b"ns") for ns, keys in self.entries.items() for key, body in keys.items()]
            return answer(b"200 OK", b"[" + b",".join(rows) + b"]"), "keep"
        if path.startswith("/api/v1/namespaces"):
            then = "close_after" if self.mode == "close_after" else "keep"
            return self.namespaces(method, [unquote(part) for part in parts[4:]], body), then
        return answer(b"404 Not Found"), "keep"

    def hold_s(self, path: bytes) -> float:
        """How long the answer is kept back."""
        if path == b"/__control":
            return 0.0
        delay = self.delay_s
        if self.delays_s and b"/config/" in path:
            delay = self.delays_s[(self.counts["GET"] + self.counts["PUT"] - 1) % len(self.delays_s)]
        return max(delay, self.stalled_until - asyncio.get_running_loop().time())

    def ready(self) -> bytes:
        url = f"http://127.0.0.1:{self.port}/"
        cluster = {"role": "leader", "leaderKnown": True, "leader": url, "term": 1}
        return answer(
            b"200 OK",
            json.dumps({"status": "ready", "timestamp": "2026-02-01T00:00:00Z", "cluster": cluster}).encode(),
        )

    def control(self, body: bytes) -> bytes:
        """Set the mode or the delays, begin a stall, and give the counts so far."""
        wanted = json.loads(body) if body else {}
        self.mode = wanted.get("mode", self.mode)
        self.to = wanted.get("to", self.to)
        self.delay_s = wanted.get("delay_s", self.delay_s)
        self.delays_s = wanted.get("delays_s", self.delays_s)
        if "stall_s" in wanted:
            self.stalled_until = asyncio.get_running_loop().time() + wanted["stall_s"]
        counts = {
            "put": self.counts["PUT"],
            "get": self.counts["GET"],
            "connections": self.counts["connections"],
            "keys": len(self.keys_put),
            "repeated": sum(1 for times in self.keys_put.values() if times > 1),
        }
        if wanted.get("values"):
            counts["values"] = {  # type: ignore[assignment]
                f"{ns}/{key}": json.loads(entry)["value"]
                for ns, keys in self.entries.items()
                for key, entry in keys.items()
            }
        if wanted.get("clear"):
            self.counts.clear()
            self.keys_put.clear()
        return answer(b"200 OK", json.dumps(counts).encode())

    def namespaces(self, method: str, parts: list[str], body: bytes) -> bytes:
        if not parts:
            return answer(b"200 OK", b"[" + b",".join(self.namespace(name) for name in sorted(self.owned)) + b"]")
        ns = parts[0]
        if len(parts) == 1:
            return self.one_namespace(method, ns)
        if parts[1] != "config":
            return answer(b"404 Not Found")
        held = self.entries.get(ns, {})
        if len(parts) == 2:
            return answer(b"200 OK", b"[" + b",".join(self.row(ns, key, held[key]) for key in held) + b"]")
        key = parts[2]
        if method == "PUT":
            self.keys_put[f"{ns}/{key}"] += 1
            self.entries.setdefault(ns, {})[key] = body
            return answer(b"200 OK", self.row(ns, key, body))
        if key not in held:
            return problem(b"404 Not Found", "Configuration not found")
        if method == "DELETE":
            del held[key]
            return answer(b"204 No Content")
        return answer(b"200 OK", self.row(ns, key, held[key]))

    def one_namespace(self, method: str, ns: str) -> bytes:
        if method == "PUT":
            self.owned.add(ns)
        elif ns not in self.owned:
            return problem(b"404 Not Found", "Namespace not found")
        if method == "DELETE":
            self.owned.discard(ns)
            self.entries.pop(ns, None)
            return answer(b"204 No Content")
        return answer(b"200 OK", self.namespace(ns))

    @staticmethod
    def namespace(ns: str) -> bytes:
        return b'{"path":' + json.dumps(ns).encode() + b',"description":null,"owner":"x","createdAt":' + TIME + b"}"

    @staticmethod
    def row(ns: str, key: str, body: bytes, name: bytes = b"namespace") -> bytes:
        """An entry; the stored body, a JSON object with value and type, is copied into it."""
        return (
            b'{"' + name + b'":"' + ns.encode() + b'","key":"' + key.encode() + b'",' + body[1:-1]
            + b',"version":1,"updatedAt":' + TIME + b',"updatedBy":"x"}'
        )  # fmt: skip

    def misbehave(self, method: str, path: str) -> tuple[bytes, str]:
        mode = self.mode
        if mode == "redirect":
            location = f"Location: {self.to or f'http://127.0.0.1:{self.port}'}{path}\r\n".encode()
            return answer(b"307 Temporary Redirect", extra=location), "keep"
        fixed = {
            "no_leader": problem(b"503 Service Unavailable", "No leader available"),
            "not_replicated": problem(b"503 Service Unavailable", "Replication failed"),
            "hostile": answer(b"500 Internal Server Error", b"\xff\xfe\x1b[2J" * 50, b"text/plain"),
            "hostile_title": problem(b"500 Internal Server Error", f"\x1b[2J{path[::-1]}"),
            "no_content": answer(b"204 No Content"),
            "garbage": b"NOT HTTP AT ALL\r\n\r\n",
            "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf of it",
        }
        return fixed.get(mode, b""), mode


class Connection(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.store.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end]
            length = 0
            at = head.lower().find(b"content-length: ")
            if at >= 0:
                length = int(head[at + 16 :].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, path, _ = head.split(b" ", 2)
            reply, then = self.store.handle(method.decode(), path.decode("latin-1"), head, body)
            hold_s = self.store.hold_s(path)
            if hold_s > 0:
                asyncio.get_running_loop().call_later(hold_s, self.reply, reply, then)
            else:
                self.reply(reply, then)

    def reply(self, reply: bytes, then: str) -> None:
        transport = self.transport
        if transport is None or then == "hang":
            return
        if then == "drip":
            self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            return
        if then == "reset":
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        if reply:
            transport.write(reply)
        if then in ("close", "close_after", "cut", "garbage"):
            transport.close()

    def drip(self, data: bytes = b" ") -> None:
        """A byte every 50 ms: no single read ever takes long enough to be a timeout."""
        if self.transport is not None:
            self.transport.write(data)
            asyncio.get_running_loop().call_later(0.05, self.drip)


async def serve(port: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    store = Store(delay_s)
    server = await loop.create_server(lambda: Connection(store), "127.0.0.1", port, backlog=1024)
    store.port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{store.port}\n")
    sys.stdout.flush()
    ended = loop.create_future()

    def wait_for_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await ended
    server.close()


class Server:
    """Starts the server in a process of its own, and talks to it."""

    def __init__(self, delay_ms: float = 0, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.confman_server", "--port", str(port), "--delay-ms", str(delay_ms)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, **wanted: Any) -> dict[str, Any]:
        """Set ``mode``, ``to``, ``delay_s`` or ``delays_s`` (one per request, in turn), hold all answers for
        ``stall_s`` from now on, or ``clear`` the counts; gives the counts as they were."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request("POST", "/__control", json.dumps(wanted))
            return cast(dict[str, Any], json.loads(connection.getresponse().read()))

    def seed(self, keys: list[tuple[str, str]], size: int = 1024) -> None:
        """Put these keys; not counted."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            for namespace, key in keys:
                body = json.dumps({"value": "x" * size, "type": "string"})
                path = f"/api/v1/namespaces/{namespace}/config/{key}"
                connection.request("PUT", path, body, {"X-Api-Key": KEY.decode()})
                connection.getresponse().read()
        self.control(clear=True)

    def stop(self) -> None:
        """End the process."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(DEADLINE_S)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.delay_ms / 1000))


if __name__ == "__main__":
    main()
