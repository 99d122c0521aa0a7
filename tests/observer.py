"""An independent witness of a cluster's outages: asyncio and httpx only, nothing of the program under test.

    python tests/observer.py --nodes URL,URL,URL [--every 0.02] [--seconds 60] [--least 0.3] [--since T --until T ...]

It starts one write every 20 ms, whatever became of the earlier ones, in a namespace of its own, to the node that
acknowledged last; when nothing was acknowledged for 0.1 s, each further write goes to the next node that does not owe
several answers. Redirects are not followed. It stops after ``--seconds``, or with ``--until-eof`` at the end of its
standard input (a pipe), and prints JSON:

    {"started", "ended", "writes", "acknowledged", "longest_s", "gaps": [{"start", "end", "seconds", "uncertainty"}, …],
     "between": [{"since", "until", "start", "end", "seconds", "uncertainty"}, …]}

Times are seconds since the epoch of this machine's wall clock. ``gaps`` are the stretches between two acknowledgements
that were longer than ``--least``; ``between`` is the longest one that touches each asked-for interval (intervals can
also come as lines ``since until`` on standard input, while it runs).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import secrets
import sys
import time
from bisect import bisect_left, bisect_right

import httpx

NAMESPACE = "bench-observer"


class Observer:
    """Writes, and remembers when each write was acknowledged."""

    def __init__(self, nodes: list[str], api_key: str, every: float, timeout: float) -> None:
        self.nodes = nodes
        self.every = every
        self.acknowledged: list[float] = []
        self._attempts: list[list[float]] = [[] for _ in nodes]
        self._acked_by: dict[float, tuple[float, int]] = {}
        self.writes = 0
        self.started = self.ended = 0.0
        self._anchor = time.time() - time.monotonic()
        self._turn = 0
        self._good: int | None = None
        self._good_at = 0.0
        self._owed = [0] * len(nodes)
        self._run = secrets.token_hex(4)
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = httpx.AsyncClient(
            headers={"X-Api-Key": api_key},
            timeout=httpx.Timeout(timeout, connect=0.5, pool=timeout),
            limits=httpx.Limits(max_connections=300, max_keepalive_connections=60),
            trust_env=False,
        )

    def now(self) -> float:
        """Seconds since the epoch that never step."""
        return self._anchor + time.monotonic()

    async def _write(self, number: int, at: int) -> None:
        url = f"{self.nodes[at]}/api/v1/namespaces/{NAMESPACE}/config/o-{self._run}-{number % 64}"
        self._owed[at] += 1
        sent = self.now()
        self._attempts[at].append(sent)
        try:
            answer = await self._http.put(url, json={"value": str(number)})
            good = answer.status_code == 200
        except httpx.HTTPError:
            good = False
        self._owed[at] -= 1
        if good:
            self._good, self._good_at = at, self.now()
            self.acknowledged.append(self._good_at)
            self._acked_by[self._good_at] = (sent, at)
        elif self._good == at:
            self._good = None

    def _take_turn(self) -> None:
        """On to the next node that owes no more than two answers."""
        for _ in self.nodes:
            self._turn = (self._turn + 1) % len(self.nodes)
            if self._owed[self._turn] <= 2:
                return

    async def run(self, stop: asyncio.Event, seconds: float) -> None:
        """Until told to stop or the time is over; writes in flight are waited for."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.started = self.now()
        while not stop.is_set() and loop.time() - begun < seconds:
            if self._good is not None and self.now() - self._good_at > 0.1:
                self._good = None
            if self._good is None:
                self._take_turn()
            task = loop.create_task(self._write(self.writes, self._turn if self._good is None else self._good))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self.writes += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, begun + self.writes * self.every - loop.time()))
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.ended = self.now()
        await self._http.aclose()

    def gaps(self, least: float) -> list[tuple[float, float]]:
        """Stretches without an acknowledgement."""
        edges = sorted(self.acknowledged)
        return [(a, b) for a, b in itertools.pairwise(edges) if b - a >= least]

    def uncertainty(self, gap: tuple[float, float]) -> float:
        """How much shorter the outage may have been than its gap: from its start to the next attempt at any node, or
        from the last attempt in vain at the node that ended it until its acknowledgement, whichever is longer."""
        start, end = gap
        later = [attempts[bisect_right(attempts, start) :][:1] for attempts in self._attempts]
        first = min((attempt[0] for attempt in later if attempt), default=end)
        sent, node = self._acked_by[end]
        before = self._attempts[node][: bisect_left(self._attempts[node], sent)][-1:]
        return max(first - start, end - max([start, *before]))

    def report(self, least: float, asked: list[tuple[float, float]]) -> dict[str, object]:
        """What is printed."""

        def shown(gap: tuple[float, float]) -> dict[str, float]:
            uncertain = self.uncertainty(gap)
            return {"start": gap[0], "end": gap[1], "seconds": gap[1] - gap[0], "uncertainty": uncertain}

        every = self.gaps(0.0)
        between = []
        for since, until in asked:
            touching = [gap for gap in every if gap[1] > since and gap[0] < until]
            longest = max(touching, key=lambda gap: gap[1] - gap[0], default=None)
            between.append({"since": since, "until": until, **(shown(longest) if longest else {})})
        return {
            "started": self.started,
            "ended": self.ended,
            "writes": self.writes,
            "acknowledged": len(self.acknowledged),
            "longest_s": max((b - a for a, b in every), default=None),
            "gaps": [shown(gap) for gap in self.gaps(least)],
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
    parser.add_argument("--every", type=float, default=0.02, help="seconds from one write to the next")
    parser.add_argument("--timeout", type=float, default=2.0, help="deadline of a write, in seconds")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long")
    parser.add_argument("--least", type=float, default=0.3, help="shortest gap to list, in seconds")
    parser.add_argument("--since", type=float, action="append", default=[])
    parser.add_argument("--until", type=float, action="append", default=[])
    parser.add_argument("--until-eof", action="store_true", help="stop at the end of standard input, a pipe")
    asyncio.run(observe(parser.parse_args()))


if __name__ == "__main__":
    main()
