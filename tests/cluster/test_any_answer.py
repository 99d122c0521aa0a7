"""Whatever a node answers, each request ends in an answer or in a told failure, and no key goes elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confman_tui.cluster import bounds
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.leader_requests import LeaderRequests
from confman_tui.cluster.lease import owners
from confman_tui.cluster.removal import survey
from confman_tui.cluster.seeding import reset_to_seeded
from confman_tui.core.errors import ConfmanTuiError
from tests.support.hostile_node import Reply, bomb, hostile
from tests.support.keys import ADMIN
from tests.support.polls import poll_once
from tests.support.stepped_loop import run_stepped
from tests.support.waiting import DEADLINE_S

LIMIT_S = 0.2
GROWTH = 200 << 20
"""Bytes by which this process may grow over thousands of answers."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
TEXT = st.text(max_size=12) | st.sampled_from(["n", "k", "v", "bench-small-000", "x" * 100_000])
ENTRY = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("namespace", "ns", "path", "key", "value", "title", "owner"), TEXT | JSON)
)
CLUSTER = st.fixed_dictionaries(
    {}, optional={"cluster": st.fixed_dictionaries({}, optional=dict.fromkeys(("role", "leader", "term"), TEXT | JSON))}
)
BODIES = (
    st.binary(max_size=300)
    | st.one_of(JSON, ENTRY, CLUSTER, st.lists(ENTRY, max_size=5)).map(lambda one: json.dumps(one).encode())
    | st.sampled_from([b"", b"[", b"[" * 50_000, b"[" + b"1" * 6000, b'[{"value":"' + b"x" * (3 << 20)])
)
FOREVER = st.sampled_from(
    [(b"", 0.0), (b" ", 0.05), (b"[", 0.05), (b"x" * 65536, 0.0), (b',{"path":"n","key":"k","value":"v"}' * 99, 0.0)]
)
"""What is sent again and again, and every how many seconds. Single bytes are waited for: the loop's time moves only
when nothing else is to do."""
LOCATIONS = st.sampled_from(["{self}/x", "{other}/x", "{foreign}/x", "//{foreign}/x", "/x", "\\\\{foreign}"]) | st.text(
    st.characters(codec="latin-1", exclude_characters="\r\n\x00"), max_size=40
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Location": LOCATIONS,
        "Content-Encoding": st.sampled_from(["gzip", "identity", "br", "x"]),
        "Content-Type": st.sampled_from(["application/json", "text/html"]),
        "Retry-After": st.sampled_from(["0", "-1", "1e9"]),
        "Set-Cookie": st.just("a=b"),
    },
)
RAW = st.none() | st.none() | st.none() | st.binary(max_size=100) | st.just(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000)


def _reply(endless: tuple[bytes, float], **more: Any) -> Reply:
    return Reply(forever=endless[0], every_s=endless[1], **more)


REPLIES = st.builds(
    _reply,
    endless=FOREVER,
    status=st.sampled_from([200, 200, 204, 307, 307, 302, 308, 404, 503, 500, 100, 101, 304, 999]),
    headers=HEADERS,
    body=BODIES,
    length=st.none() | st.integers(0, 400) | st.just(1 << 40),
    hang_up=st.booleans(),
    raw=RAW,
) | st.builds(bomb, st.just(4))

Ask = Callable[[ConfmanClient, str], Awaitable[Any]]


async def _each(client: ConfmanClient, node: str) -> None:
    async for _ in client.each_entry(node, "n"):
        pass


async def _remember(client: ConfmanClient, node: str) -> None:
    keys = [("bench-small-000", "k")]
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(LIMIT_S, stop.set)
    await reset_to_seeded(client, lambda: node, ("bench-small-000",), keys, lambda done, total: None, stop)


ASKS: list[Ask] = [
    lambda client, node: client.put_entry(node, "n", "k", "v"),
    lambda client, node: client.get_entry(node, "n", "k", 1024),
    lambda client, node: client.delete_entry(node, "n", "k"),
    lambda client, node: client.list_namespaces(node),
    lambda client, node: client.list_entries(node, "n"),
    lambda client, node: client.count_entries(node),
    lambda client, node: client.attempt_put(node, "n", "k", "v", LIMIT_S),
    lambda client, node: survey(client, node),
    lambda client, node: owners(client, node, ["small"]),
    lambda client, node: LeaderRequests(lambda: node, patience_s=LIMIT_S).do(
        lambda leader: client.put_namespace(leader, "n")
    ),
    lambda client, node: poll_once((node,), deadline_s=LIMIT_S),
    _each,
    _remember,
]


@asynccontextmanager
async def _scene(replies: list[Reply]) -> AsyncIterator[tuple[ConfmanClient, str]]:
    """A node that gives these answers in turn, the last one again and again, beside another and a foreign server."""
    left = list(replies)
    places: dict[str, str] = {}

    def choose(_: bytes) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        headers = dict(reply.headers)
        for name, url in places.items():
            if "Location" in headers:
                headers["Location"] = headers["Location"].replace(name, url)
        return Reply(
            reply.status, headers, reply.body, reply.forever, reply.every_s, reply.length, reply.hang_up, reply.raw
        )

    async with hostile(choose) as node, hostile(choose) as other, hostile(Reply()) as foreign:
        places |= {"//{foreign}": foreign.url[5:], "{self}": node.url, "{other}": other.url, "{foreign}": foreign.url}
        nodes = (node.url, other.url)
        async with ConfmanClient(ADMIN, nodes=nodes, timeout_s=LIMIT_S) as client:
            yield client, node.url
        assert foreign.server.connections == 0


async def _ask(ask: Ask, replies: list[Reply]) -> None:
    told = "an answer"
    async with asyncio.timeout(DEADLINE_S), _scene(replies) as (client, node):
        try:
            await ask(client, node)
        except ConfmanTuiError as error:
            told = str(error)
    assert told.isprintable()
    assert ADMIN not in told


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that are reached sooner."""
    monkeypatch.setattr(bounds, "LIST_BYTES", 2 << 20)
    monkeypatch.setattr(bounds, "KEPT_LIST_BYTES", 1 << 20)
    monkeypatch.setattr("confman_tui.cluster.seeding._FINISH_S", LIMIT_S)


def _fuzz(examples: int) -> None:
    ignored = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]

    @settings(max_examples=examples, deadline=None, suppress_health_check=ignored)
    @given(st.sampled_from(ASKS), st.lists(REPLIES, min_size=1, max_size=3))
    def any_answer_is_taken_or_told(ask: Ask, replies: list[Reply]) -> None:
        run_stepped(_ask(ask, replies))

    process = psutil.Process()
    before = process.memory_info().rss
    any_answer_is_taken_or_told()
    assert process.memory_info().rss - before < GROWTH


@pytest.mark.usefixtures("small")
def test_any_answer_is_taken_or_told() -> None:
    _fuzz(100)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("small")
def test_any_of_two_thousand_answers_is_taken_or_told() -> None:
    _fuzz(2000)
