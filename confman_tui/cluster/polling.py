"""Asking each node's ``/health/ready`` on schedule, over one kept connection per node.

Each node has a task of its own, so a node that does not answer delays no other. Polls are asked on a fixed grid of
times: a late one does not shift the later ones, and a slot that passes while a poll is under way is left out, so that
two polls of one node never pile up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from math import ceil

import httpx

from confman_tui.cluster.addresses import normalise
from confman_tui.cluster.http_failures import classify, plain
from confman_tui.cluster.states import Poll, PollKind
from confman_tui.cluster.watch_mode import DEFAULT_POLL_S, LATE_POLL_S
from confman_tui.core.clock import Clock
from confman_tui.core.clock import now as program_clock

READY_PATH = "/health/ready"
DEADLINE_S = 0.39
"""Without an answer for this long a node is not answering. (That its answer is late is reported sooner.)"""
STAGGER_S = 0.004
"""From one node's poll to the next one's. Asked all at once, each node's latency would hold our own work for the
others; spread over the whole interval, each poll would find cold caches and cost more CPU."""
MAX_TERM = 2**63 - 1
"""Confman's terms are signed 64-bit integers."""
MAX_BODY = 64 * 1024
"""A readiness answer has some 150 bytes; of anything longer than this the rest is not read."""


def parse_answer(node: str, sent: float, answered: float, status: int, body: bytes) -> Poll:
    """The poll that an HTTP answer makes. Never raises, whatever the answer holds.

    Args:
        node: base URL of the node asked.
        sent: when it was asked, in seconds on the program's clock.
        answered: when the whole answer was there.
        status: HTTP status.
        body: of the answer.
    """

    def failed(kind: PollKind, why: str) -> Poll:
        return Poll(node, sent, answered, kind, detail=why)

    def not_confman() -> Poll:
        text = plain(body[:1024].decode("utf-8", "replace"), 80)
        return failed(PollKind.NOT_CONFMAN, f"answers {status} with {text!r}" if text else f"answers {status}, empty")

    if status not in (200, 503):
        return not_confman()
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return not_confman()
    cluster = parsed.get("cluster") if isinstance(parsed, dict) else None
    if not isinstance(cluster, dict) or "role" not in cluster or "term" not in cluster:
        return not_confman()
    role, leader, term = cluster["role"], cluster.get("leader"), cluster["term"]
    if role not in ("leader", "follower"):
        return failed(PollKind.WRONG, f"role {plain(json.dumps(role), 40)} is neither leader nor follower")
    # bool is a subclass of int, and a term is no truth value.
    if type(term) is not int or not 0 <= term <= MAX_TERM:
        return failed(PollKind.WRONG, f"term {plain(json.dumps(term), 40)} is no whole number from 0 to 2^63-1")
    named: str | None = None
    if leader is not None:
        named = normalise(leader) if isinstance(leader, str) else None
        if named is None:
            return failed(PollKind.WRONG, f"leader {plain(json.dumps(leader), 60)} is no address of a node")
    return Poll(node, sent, answered, PollKind.ANSWER, ready=status == 200, role=role, leader=named, term=term)


class _NodePoller:
    """Asks one node."""

    def __init__(self, node: str, clock: Clock, deadline_s: float) -> None:
        self._node = node
        self._clock = clock
        self._deadline_s = deadline_s
        self._request = httpx.Request(
            "GET",
            node + READY_PATH,
            headers={"Accept": "application/json", "Connection": "keep-alive"},
        )
        # made once: it reads all certificates
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._transport = self._new_transport()
        self._kept = False

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        # The transport without the client above it: no cookies, no redirects, no auth, a third of the cost.
        return httpx.AsyncHTTPTransport(
            verify=self._tls,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
            trust_env=False,
        )

    async def _ask(self) -> tuple[int, bytes]:
        response = await self._transport.handle_async_request(self._request)
        body = bytearray()
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            async for chunk in stream:
                body += chunk
                if len(body) > MAX_BODY:
                    break
        finally:
            await stream.aclose()
        return response.status_code, bytes(body)

    async def poll(self) -> Poll:
        """Ask once; give up after the deadline."""
        sent = self._clock()
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    status, body = await self._ask()
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                    # A kept connection that a node closed meanwhile (it idled, was killed or restarted) says nothing
                    # about the node now. A GET may be asked twice: the new connection shows how the node is.
                    if not self._kept or classify(error)[0] is not PollKind.RESET:
                        raise
                    self._kept = False
                    status, body = await self._ask()
            self._kept = True
        except TimeoutError:
            answered = self._clock()
            # The late answer must not be taken for the next one's. Nor may that one wait: cancelled in the moment in
            # which the answer comes, the transport holds its only connection for ever, and each later poll would find
            # the node silent.
            self._kept = False
            late, self._transport = self._transport, self._new_transport()
            await late.aclose()
            return Poll(self._node, sent, answered, PollKind.TIMEOUT, detail="no answer in time")
        except Exception as error:
            # It becomes this node's state: a poller that ended would leave it unwatched.
            self._kept = False
            kind, detail = classify(error)
            return Poll(self._node, sent, self._clock(), kind, detail=detail)
        return parse_answer(self._node, sent, self._clock(), status, body)

    async def aclose(self) -> None:
        await self._transport.aclose()


class Poller:
    """Polls all nodes from `start` to `stop` and hands each `Poll` to a callback, on the loop's thread."""

    def __init__(
        self,
        nodes: Sequence[str],
        on_poll: Callable[[Poll], None],
        *,
        poll_s: float = DEFAULT_POLL_S,
        deadline_s: float = DEADLINE_S,
        on_late: Callable[[str], None] = lambda node: None,
        clock: Clock = program_clock,
    ) -> None:
        """
        Args:
            nodes: base URLs.
            on_poll: called after each poll; must return at once. What it raises goes to the loop's exception handler.
            poll_s: seconds from one poll of a node to the next.
            deadline_s: seconds after which a poll is given up.
            on_late: called with a node whose answer has not come within `LATE_POLL_S`; must return at once.
            clock: stamps the polls.
        """
        self._nodes = tuple(nodes)
        self._on_poll = on_poll
        self._poll_s = poll_s
        self._deadline_s = deadline_s
        self._on_late = on_late
        self._clock = clock
        self._first = 0.0
        """When the present grid of polls began, on the loop's clock."""
        self._sleepers: dict[str, asyncio.Event] = {}
        """Per node: wakes its task before its next poll is due."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; needs a running event loop."""
        if not self._tasks:
            self._first = asyncio.get_running_loop().time()
            self._sleepers = {node: asyncio.Event() for node in self._nodes}
            self._tasks = [
                asyncio.create_task(self._watch(node, place), name=f"poll {node}")
                for place, node in enumerate(self._nodes)
            ]

    @property
    def poll_s(self) -> float:
        """Seconds from one poll of a node to the next."""
        return self._poll_s

    def set_interval(self, poll_s: float) -> None:
        """Poll that often from now on, beginning at once."""
        if poll_s == self._poll_s:
            return
        self._poll_s = poll_s
        if self._tasks:
            self._first = asyncio.get_running_loop().time()
            for sleeper in self._sleepers.values():
                sleeper.set()

    async def stop(self) -> None:
        """End, and close the connections; no callback comes after it."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _report(self, poll: Poll) -> None:
        try:
            self._on_poll(poll)
        except Exception as error:
            # The listener's defect must be reported, and must not leave the node unwatched.
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"what listens to the polls of {poll.node} failed", "exception": error}
            )

    async def _watch(self, node: str, place: int) -> None:
        loop = asyncio.get_running_loop()
        poller = _NodePoller(node, self._clock, self._deadline_s)
        try:
            # The first polls don't wait for their places: a start wants to know the cluster at once.
            self._report(await self._ask(poller, node))
            grid, slot = self._first, 0
            while True:
                self._sleepers[node].clear()
                present, poll_s = self._first, self._poll_s
                first = present + place * min(STAGGER_S, poll_s / len(self._nodes))
                # a grid that began anew begins with a poll
                slot = 0 if present != grid else max(slot + 1, ceil((loop.time() - first) / poll_s))
                if await self._woken(node, first + slot * poll_s):
                    continue
                grid = present
                self._report(await self._ask(poller, node))
        finally:
            await poller.aclose()

    async def _woken(self, node: str, until: float) -> bool:
        """Sleep until then on the loop's clock; True when another interval is in force before that."""
        try:
            async with asyncio.timeout_at(until):
                await self._sleepers[node].wait()
        except TimeoutError:
            return False
        return True

    async def _ask(self, poller: _NodePoller, node: str) -> Poll:
        late = asyncio.get_running_loop().call_later(LATE_POLL_S, self._on_late, node)
        try:
            return await poller.poll()
        finally:
            late.cancel()


async def poll_once(nodes: Sequence[str], *, deadline_s: float = 1.0, clock: Clock = program_clock) -> tuple[Poll, ...]:
    """Ask every node once, all at the same time: what a start without a running poller needs."""

    async def ask(node: str) -> Poll:
        poller = _NodePoller(node, clock, deadline_s)
        try:
            return await poller.poll()
        finally:
            await poller.aclose()

    return tuple(await asyncio.gather(*(ask(node) for node in nodes)))
