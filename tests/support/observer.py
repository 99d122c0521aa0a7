"""An independent observer of a cluster's outages, in a process of its own: raw asyncio, nothing of the program.

    python tests/support/observer.py --nodes URL,URL,URL [--every 0.01] [--seconds 60] [--least 0.3]
        [--since T --until T ...]

Every 10 ms it starts one write at each node, whatever became of the earlier ones, in a namespace of its own. It follows
nothing: no redirect, no node's word on who leads. A write is acknowledged when its answer is a 200. A node that owes 40
answers gets no further one until some are given up. It stops after ``--seconds``, or with ``--until-eof`` at the end of
its standard input (a pipe), and prints JSON:

    {"started", "ended", "writes", "acknowledged", "longest_s", "gaps": [{"start", "end", "seconds", "uncertainty"}, …],
     "between": [{"since", "until", "start", "end", "seconds", "uncertainty"}, …]}

Times are seconds since the epoch of this machine's wall clock. ``gaps`` are the stretches between two acknowledgements
that were longer than ``--least``; ``between`` is the longest one that touches each asked-for interval (intervals can
also come as lines ``since until`` on standard input, while it runs). ``uncertainty`` is how much shorter than its gap
the outage may have been, as far as this observer's own attempts prove.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import secrets
import sys
import time
from bisect import bisect_right
from collections import deque
from urllib.parse import urlsplit

NAMESPACE = "bench-observer"
MOST_OWED = 40
CONNECT_S = 0.5
WAITS_KEPT = 32

_anchor = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch that never step."""
    return _anchor + time.monotonic()


class Exchange(asyncio.Protocol):
    """One connection: one request at a time, its answer's status, and whether it may be used again."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, float]] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    async def ask(self, request: bytes) -> tuple[int, float]:
        """Send it; gives the answer's status and the moment at which the whole answer was there."""
        if self.transport is None:
            raise ConnectionResetError
        self._data = b""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        at = now()
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        fields = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in fields if line.startswith(b"content-length:")), None)
        chunked = any(line.startswith(b"transfer-encoding:") and b"chunked" in line for line in fields)
        if body.endswith(b"0\r\n\r\n") if chunked else len(body) >= (length or 0):
            self._answer.set_result((int(fields[0].split(b" ")[1]), at))

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Node:
    """One node, the connections to it, and what became of the writes at it."""

    def __init__(self, url: str, api_key: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host, self.port = parts.hostname, parts.port or 80
        self.owed = 0
        self.started: list[float] = []
        self.in_vain: list[float] = []
        """Starts of writes that were not acknowledged."""
        self._idle: list[Exchange] = []
        self._head = f"Host: {self.host}:{self.port}\r\nX-Api-Key: {api_key}\r\nContent-Type: application/json\r\n"

    async def put(self, key: str, value: str) -> tuple[int, float]:
        """Write once; gives the status and when it was there."""
        body = json.dumps({"value": value})
        path = f"/api/v1/namespaces/{NAMESPACE}/config/{key}"
        request = f"PUT {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        exchange = await self._connection()
        try:
            answer = await exchange.ask(request)
        except BaseException:
            exchange.close()
            raise
        self._idle.append(exchange)
        return answer

    async def _connection(self) -> Exchange:
        while self._idle:
            exchange = self._idle.pop()
            if exchange.transport is not None:
                return exchange
        async with asyncio.timeout(CONNECT_S):
            loop = asyncio.get_running_loop()
            _, exchange = await loop.create_connection(Exchange, self.host, self.port)
        return exchange

    def close(self) -> None:
        for exchange in self._idle:
            exchange.close()


class Observer:
    """Writes, and remembers when each write was acknowledged."""

    def __init__(self, nodes: list[str], api_key: str, every: float, timeout: float) -> None:
        self.nodes = [Node(url, api_key) for url in nodes]
        self.every = every
        self.timeout = timeout
        self.acks: list[tuple[float, float, Node]] = []
        """When, when sent, and by whom."""
        self.writes = 0
        self.started = self.ended = 0.0
        self._run = secrets.token_hex(4)
        self._tasks: set[asyncio.Task[None]] = set()

    async def _write(self, node: Node, number: int) -> None:
        sent = now()
        node.owed += 1
        node.started.append(sent)
        status, at = 0, 0.0
        try:
            async with asyncio.timeout(self.timeout):
                status, at = await node.put(f"o-{self._run}-{number % 64}", str(number))
        except (OSError, TimeoutError):
            pass
        node.owed -= 1
        if status == 200:
            self.acks.append((at, sent, node))
        else:
            node.in_vain.append(sent)

    async def run(self, stop: asyncio.Event, seconds: float) -> None:
        """Until `stop` is set or the time is over; writes in flight are waited for."""
        loop = asyncio.get_running_loop()
        gc.disable()
        begun, turn = loop.time(), 0
        self.started = now()
        while not stop.is_set() and loop.time() - begun < seconds:
            for node in self.nodes:
                if node.owed >= MOST_OWED:
                    continue
                task = loop.create_task(self._write(node, self.writes))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                self.writes += 1
            turn = max(turn + 1, int((loop.time() - begun) / self.every))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, begun + turn * self.every - loop.time()))
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.ended = now()
        for node in self.nodes:
            node.close()
        self.acks.sort(key=lambda ack: ack[0])
        for node in self.nodes:
            node.in_vain.sort()

    def gaps(self) -> list[dict[str, float]]:
        """Every stretch of at least 50 ms without an acknowledgement."""
        found = []
        waits: deque[float] = deque(maxlen=WAITS_KEPT)
        for (start, sent, before), (end, _, after) in itertools.pairwise(self.acks):
            waits.append(start - sent)
            if end - start < 0.05:
                continue
            # impossible at the latest when a write that was sent after the last acknowledged one had waited as long
            # as those before; possible at the earliest when the last one in vain was sent to the node that took one
            first = next(iter(before.started[bisect_right(before.started, start) :]), end) + max(waits)
            vain = after.in_vain[: bisect_right(after.in_vain, end)][-1:]
            shortest = max(0.0, max([start, *vain]) - first)
            seconds = end - start
            found.append({"start": start, "end": end, "seconds": seconds, "uncertainty": seconds - shortest})
        return found

    def report(self, least: float, asked: list[tuple[float, float]]) -> dict[str, object]:
        """What is printed."""
        every = self.gaps()
        between = []
        for since, until in asked:
            touching = [gap for gap in every if gap["end"] > since and gap["start"] < until]
            longest = max(touching, key=lambda gap: gap["seconds"], default={})
            between.append({"since": since, "until": until, **longest})
        return {
            "started": self.started,
            "ended": self.ended,
            "writes": self.writes,
            "acknowledged": len(self.acks),
            "longest_s": max((gap["seconds"] for gap in every), default=None),
            "gaps": [gap for gap in every if gap["seconds"] >= least],
            "between": between,
        }


async def _listen(stop: asyncio.Event, asked: list[tuple[float, float]]) -> None:
    """Lines of a pipe on standard input; its end is the end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        since, until = line.split()
        asked.append((float(since), float(until)))
    stop.set()


async def observe(options: argparse.Namespace) -> None:
    """Runs one observation and prints it."""
    asked = list(zip(options.since, options.until, strict=True))
    observer = Observer(options.nodes.split(","), options.api_key, options.every, options.timeout)
    stop = asyncio.Event()
    listening = asyncio.create_task(_listen(stop, asked)) if options.until_eof else None
    await observer.run(stop, options.seconds)
    if listening is not None:
        listening.cancel()
    sys.stdout.write(json.dumps(observer.report(options.least, asked)) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", required=True, help="base URLs, separated by commas")
    parser.add_argument("--api-key", default="confman_dev_abc123")
    parser.add_argument("--every", type=float, default=0.01, help="seconds from one write at a node to the next")
    parser.add_argument("--timeout", type=float, default=2.0, help="deadline of a write, in seconds")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long")
    parser.add_argument("--least", type=float, default=0.3, help="shortest gap to list, in seconds")
    parser.add_argument("--since", type=float, action="append", default=[])
    parser.add_argument("--until", type=float, action="append", default=[])
    parser.add_argument("--until-eof", action="store_true", help="stop at the end of standard input, a pipe")
    asyncio.run(observe(parser.parse_args()))


if __name__ == "__main__":
    main()
