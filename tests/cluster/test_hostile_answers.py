"""Answers that are too large, too slow, compressed or lead away: each a told failure, and no key goes elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from confman_tui.cluster import bounds
from confman_tui.cluster.api import (
    NotConfmanError,
    OversizedError,
    RedirectedAgainError,
    RedirectedAwayError,
    UnreachableError,
)
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.leader_requests import LeaderRequests
from confman_tui.cluster.seeding import reset_to_seeded
from confman_tui.cluster.states import PollKind
from confman_tui.cluster.view import ViewMachine
from confman_tui.core.errors import ClusterError
from tests.support.hostile_node import BLOCK, Reply, bomb, drip, flood, hostile
from tests.support.keys import ADMIN
from tests.support.polls import poll_once
from tests.support.stepped_loop import run_stepped
from tests.support.waiting import DEADLINE_S

SPARE = 24 << 20
"""What the two sockets' buffers hold of what nobody reads: loopback's grow."""

Ask = Callable[[ConfmanClient, str], Awaitable[Any]]


async def each(client: ConfmanClient, node: str) -> int:
    count = 0
    async for _ in client.each_entry(node, "n"):
        count += 1
    return count


SINGLE: dict[str, Ask] = {
    "put": lambda client, node: client.put_entry(node, "n", "k", "v"),
    "delete": lambda client, node: client.delete_entry(node, "n", "k"),
    "namespace": lambda client, node: client.put_namespace(node, "n"),
    "get": lambda client, node: client.get_entry(node, "n", "k", 1024),
}
LISTS: dict[str, Ask] = {
    "namespaces": lambda client, node: client.list_namespaces(node),
    "entries": lambda client, node: client.list_entries(node, "n"),
    "each": each,
    "count": lambda client, node: client.count_entries(node),
}
ASKS = SINGLE | LISTS


@pytest.mark.parametrize("ask", SINGLE.values(), ids=SINGLE)
async def test_a_body_without_an_end_is_left_unread(ask: Ask) -> None:
    async with hostile(flood(b"{")) as node, ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=DEADLINE_S) as client:
        with pytest.raises(OversizedError, match=r"answers with more than 6\d(\.\d+)? KB"):
            await ask(client, node.url)
        await node.server.all_closed()
        assert node.sent < bounds.entry_bytes(1024) + SPARE


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS)
async def test_a_list_without_an_end_is_given_up(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIST_BYTES", "KEPT_LIST_BYTES"):
        monkeypatch.setattr(bounds, name, 4 << 20)
    item = json.dumps({"ns": "n", "path": "n", "key": "k", "value": "x" * 60_000}).encode()
    async with (
        hostile(flood(b"[" + item, b"," + item)) as node,
        ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=DEADLINE_S) as client,
    ):
        with pytest.raises(OversizedError, match="answers with more than 4 MB"):
            await ask(client, node.url)
        await node.server.all_closed()
        assert node.sent < (4 << 20) + SPARE


async def test_a_list_that_is_kept_is_bounded_by_its_items_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "KEPT_ITEMS", 1000)
    async with (
        hostile(flood(b'[{"path":""}', b',{"path":""}' * 1000)) as node,
        ConfmanClient(ADMIN, timeout_s=DEADLINE_S) as client,
    ):
        with pytest.raises(OversizedError, match="more than 1,000 items"):
            await client.list_namespaces(node.url)


@pytest.mark.parametrize("begin", [b'["', b"[0.", b"[1", b'[{"a":'])
async def test_an_item_without_an_end_is_given_up(begin: bytes) -> None:
    async with (
        hostile(flood(begin, b"1" * BLOCK)) as node,
        ConfmanClient(ADMIN, timeout_s=DEADLINE_S) as client,
    ):
        with pytest.raises(NotConfmanError):
            await each(client, node.url)
        await node.server.all_closed()
        assert node.sent < 2 * bounds.ITEM_CHARACTERS + SPARE


async def test_the_first_entries_are_all_that_is_read_of_a_list() -> None:
    item = json.dumps({"key": "k", "value": "v"}).encode()
    async with hostile(flood(b"[" + item, b"," + item)) as node, ConfmanClient(ADMIN, timeout_s=DEADLINE_S) as client:
        assert len(await client.list_entries(node.url, "n", first=3)) == 3


async def test_a_namespace_that_grows_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LIST_BYTES", 4 << 20)
    item = json.dumps({"key": "k", "value": "x" * 60_000}).encode()

    async with hostile(flood(b"[" + item, b"," + item)) as node, ConfmanClient(ADMIN, timeout_s=DEADLINE_S) as client:
        with pytest.raises(ClusterError, match="more than 4 MB"):
            await reset_to_seeded(
                client, lambda: node.url, ("bench-small-000",), (), lambda done, total: None, asyncio.Event()
            )


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_what_is_compressed_is_not_taken(ask: Ask) -> None:
    """One MB of gzip stands for a thousand: 0.85 GB were held for a while."""
    async with hostile(bomb()) as node, ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=DEADLINE_S) as client:
        with pytest.raises(NotConfmanError, match=r"answers compressed \(gzip\)"):
            await ask(client, node.url)


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_an_answer_has_an_end_in_time_however_regularly_its_bytes_come(ask: Ask) -> None:
    async def asked() -> None:
        item = b'{"ns":"n","path":"n","key":"k","value":"v"}'
        loop = asyncio.get_running_loop()
        async with (
            hostile(drip(b"[" + item, b" ")) as node,
            ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=2.0) as client,
        ):
            began = loop.time()
            with pytest.raises(UnreachableError, match="no answer in time") as caught:
                await ask(client, node.url)
            assert caught.value.kind is PollKind.TIMEOUT
            assert loop.time() - began < 4.0

    run_stepped(asked())


async def test_single_bytes_as_fast_as_they_are_taken_end_in_time() -> None:
    async with hostile(flood(b"[", b" ")) as node, ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=0.2) as client:
        with pytest.raises(UnreachableError, match="no answer in time"):
            await client.count_entries(node.url)


def test_a_leader_that_drips_is_given_up_within_the_patience() -> None:
    """As seeding, cleaning and putting back do it."""

    async def asked() -> None:
        loop = asyncio.get_running_loop()
        async with hostile(drip()) as node, ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=2.0) as client:
            began = loop.time()
            with pytest.raises(ClusterError, match="the cluster took nothing for"):
                await LeaderRequests(lambda: node.url, patience_s=5.0).do(
                    lambda leader: client.put_entry(leader, "n", "k", "v")
                )
            assert loop.time() - began < 12.0

    run_stepped(asked())


async def test_headers_without_an_end_are_given_up() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20)
    async with hostile(Reply(raw=raw)) as node, ConfmanClient(ADMIN, timeout_s=DEADLINE_S) as client:
        with pytest.raises(ClusterError):
            await client.list_namespaces(node.url)
        (poll,) = await poll_once((node.url,), deadline_s=DEADLINE_S)
        assert poll.kind is PollKind.NOT_CONFMAN


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (flood(b"{"), "answers with more than 1 MB"),
        (flood(b"x"), "answers with more than 1 MB"),
        (bomb(8), "answers compressed (gzip), which was not asked for"),
        (Reply(307, {"Location": "http://10.1.2.3:99/health/ready?a=b"}), "redirects to http://10.1.2.3:99, which"),
        (Reply(302, {"Location": "/elsewhere"}), "redirects to /elsewhere, which is not followed"),
        (Reply(301), "redirects to no Location"),
    ],
)
async def test_a_poll_of_such_a_node_says_what_is_wrong(reply: Reply, words: str) -> None:
    async with hostile(reply) as node:
        (poll,) = await poll_once((node.url,), deadline_s=DEADLINE_S)
        assert poll.kind is PollKind.NOT_CONFMAN
        assert words in poll.detail
        assert node.keys_heard == 0
        await node.server.all_closed()
        assert node.sent < bounds.HEALTH_BYTES + SPARE


# Redirects


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_one_redirect_to_a_configured_node_is_followed(ask: Ask, status: int) -> None:
    def answer(request: bytes) -> Reply:
        single = b"/config/k" in request
        body = b'{"namespace":"n","key":"k","value":"v"}' if single else b"[]"
        return Reply(body=body, length=len(body))

    async with hostile(answer) as leader:
        away = Reply(status, {"Location": f"{leader.url}/wherever it is"})
        async with hostile(away) as follower:
            nodes = (follower.url, leader.url)
            async with ConfmanClient(ADMIN, nodes=nodes, timeout_s=DEADLINE_S) as client:
                await ask(client, follower.url)
        (first,), (second,) = follower.heard, leader.heard
        assert first.replace(follower.url[7:].encode(), b"") == second.replace(leader.url[7:].encode(), b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_no_key_leaves_the_configured_nodes(ask: Ask, status: int) -> None:
    async with hostile(Reply(body=b"[]")) as foreign:
        places = [foreign.url, foreign.url.replace("127.0.0.1", "user:word@127.0.0.1"), f"//{foreign.url[7:]}"]
        replies = [Reply(status, {"Location": f"{place}/x"}) for place in places]
        async with (
            hostile(lambda _: replies.pop()) as node,
            ConfmanClient(ADMIN, nodes=(node.url,), timeout_s=DEADLINE_S) as client,
        ):
            for _ in places:
                with pytest.raises(RedirectedAwayError, match="redirected away") as caught:
                    await ask(client, node.url)
                assert foreign.url[7:] in str(caught.value)
                assert "word" not in str(caught.value)
        assert foreign.server.connections == 0


async def test_a_redirect_of_a_write_that_would_become_a_read_is_no_write() -> None:
    """A 302 on a PUT became a GET, whose 200 counted as an acknowledged write."""
    async with hostile(Reply(body=b"{}")) as other:
        async with (
            hostile(Reply(302, {"Location": f"{other.url}/x"})) as node,
            ConfmanClient(ADMIN, nodes=(node.url, other.url), timeout_s=DEADLINE_S) as client,
        ):
            attempt = await client.attempt_put(node.url, "n", "k", "v", DEADLINE_S)
        assert attempt.outcome is not WriteOutcome.ACKNOWLEDGED
        assert "redirected away" in attempt.detail
        assert other.heard == []


async def test_a_second_redirect_is_a_failure_of_its_own() -> None:
    urls: list[str] = []
    async with hostile(lambda _: Reply(307, {"Location": urls[0]})) as one:
        async with hostile(Reply(307, {"Location": one.url})) as two:
            urls.append(two.url)
            async with ConfmanClient(ADMIN, nodes=(one.url, two.url), timeout_s=DEADLINE_S) as client:
                for ask in ASKS.values():
                    with pytest.raises(RedirectedAgainError, match="redirected again"):
                        await ask(client, two.url)
        assert len(one.heard) == len(two.heard) == len(ASKS)


async def test_a_leader_that_is_none_of_the_nodes_gets_no_request() -> None:
    """A node's word for who leads is shown, and nothing is sent there."""
    async with hostile(Reply()) as foreign:
        cluster = {"role": "follower", "leaderKnown": True, "leader": foreign.url + "/", "term": 1}
        body = json.dumps({"status": "ready", "cluster": cluster}).encode()
        async with hostile(Reply(body=body, length=len(body))) as node:
            (poll,) = await poll_once((node.url,), deadline_s=DEADLINE_S)
            machine = ViewMachine((node.url,))
            machine.apply(poll)
            view = machine.view(poll.answered)
            assert view.leader is None
            assert view.stranger == foreign.url
        assert foreign.server.connections == 0


async def test_an_entry_counts_only_under_the_name_that_was_asked_for() -> None:
    body = b'{"namespace":"n","key":"other","value":"v"}'
    async with hostile(Reply(body=body, length=len(body))) as node, ConfmanClient(ADMIN) as client:
        with pytest.raises(NotConfmanError, match="not Confman's"):
            await client.get_entry(node.url, "n", "k")
        assert (await client.get_entry(node.url, "n", "other")) is not None
