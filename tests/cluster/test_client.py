"""The API client: right on a real cluster, and clear about everything that is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.api import (
    KeyReadOnlyError,
    KeyRefusedError,
    NoLeaderError,
    NotConfmanError,
    NotReplicatedError,
    RejectedError,
    UnreachableError,
    entry_path,
    write_outcome,
)
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.http_failures import plain
from confman_tui.cluster.polling import poll_once
from confman_tui.cluster.states import PollKind
from confman_tui.core.errors import ClusterError
from confman_tui.demo.supervisor import DemoCluster
from tests.support.keys import ADMIN, READER
from tests.support.odd_servers import OddServer, answering, free_port, http
from tests.support.stepped_loop import run_stepped
from tests.support.waiting import DEADLINE_S

PROBLEM = "Content-Type: application/problem+json; charset=utf-8"


async def leader_and_follower(demo: DemoCluster) -> tuple[str, str]:
    polls = await poll_once(demo.urls)
    leader = next(poll.node for poll in polls if poll.role == "leader")
    return leader, next(poll.node for poll in polls if poll.role == "follower")


async def test_namespaces_and_entries_on_a_real_cluster(demo: DemoCluster) -> None:
    leader, follower = await leader_and_follower(demo)
    async with ConfmanClient(ADMIN, nodes=demo.urls) as client:
        # Writes on a follower follow its redirect, and only one.
        for node, name in ((leader, "client-a"), (follower, "client b/?")):
            await client.put_namespace(node, name, "what it is", "whose it is")
            found = {one.path: one for one in await client.list_namespaces(leader)}
            stored = name.replace("/", "%2F")
            assert (found[stored].description, found[stored].owner) == ("what it is", "whose it is")
            assert await client.delete_namespace(node, name)
            assert not await client.delete_namespace(node, name)
        await client.put_namespace(leader, "client-a")
        before = await client.count_entries(leader)
        for key in ("k", "a b", 'q"', "a?b", "a#b", "a%b", "a+b", "a[b]", "a.b:c@d,e;f=g"):
            value = f'value of {key} "\\ \n☃'
            await client.put_entry(follower, "client-a", key, value)
            entry = await client.get_entry(leader, "client-a", key)
            assert entry is not None
            assert (entry.namespace, entry.key, entry.value) == ("client-a", key, value)
            assert value not in repr(entry)
        entries = await client.list_entries(leader, "client-a")
        assert len(entries) == 9
        assert await client.count_entries(leader) == before + 9
        assert await client.get_entry(leader, "client-a", "absent") is None
        assert await client.delete_entry(follower, "client-a", "a b")
        assert not await client.delete_entry(leader, "client-a", "a b")
        assert await client.list_entries(leader, "nowhere") == []
        assert await client.delete_namespace(leader, "client-a")


async def test_entries_are_counted_whatever_their_values_hold(demo: DemoCluster) -> None:
    leader, _ = await leader_and_follower(demo)
    async with ConfmanClient(ADMIN, nodes=demo.urls) as client:
        before = await client.count_entries(leader)
        for number, value in enumerate(('{"ns":"x"}', '"ns":"', "ns", '\\"ns":"', "x" * 100_000)):
            await client.put_entry(leader, "count", f"ns{number}", value)
        await client.put_entry(leader, "bench-small-owner", "claim", "a lease is no data")
        assert await client.count_entries(leader) == before + 5
        for name in ("count", "bench-small-owner"):
            await client.put_namespace(leader, name)
            await client.delete_namespace(leader, name)
        assert await client.count_entries(leader) == before


@pytest.mark.parametrize("size", [1, 2, 7, 64, 65, 129, 4096])
async def test_counting_does_not_depend_on_how_the_body_is_cut(size: int) -> None:
    body = json.dumps(
        [{"ns": "bench-small-owner" if n % 7 == 0 else f"n{n}", "key": "k", "value": '"ns":"'} for n in range(100)]
    ).encode()
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (body[at : at + size] for at in range(0, len(body), size))
    )
    async with (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n") as server,
        ConfmanClient(ADMIN) as client,
    ):
        assert await client.count_entries(server.url) == 85


async def test_keys_that_may_not_are_told_so(demo: DemoCluster) -> None:
    leader, follower = await leader_and_follower(demo)
    port = leader.rpartition(":")[2]
    async with ConfmanClient("nonsense-key", nodes=demo.urls) as client:
        with pytest.raises(KeyRefusedError) as refused:
            await client.list_namespaces(leader)
        assert str(refused.value) == (f"401 from :{port}: the API key was refused; --api-key or CONFMAN_BENCH_API_KEY")
        assert (await client.attempt_put(follower, "a", "b", "c")).outcome is WriteOutcome.REFUSED
    async with ConfmanClient(READER, nodes=demo.urls) as client:
        assert isinstance(await client.list_namespaces(follower), list)
        with pytest.raises(KeyReadOnlyError, match="this key may read but not write"):
            await client.put_entry(leader, "a", "b", "c")
        assert (await client.attempt_put(leader, "a", "b", "c")).outcome is WriteOutcome.REFUSED


async def test_the_api_key_is_in_no_text(demo: DemoCluster) -> None:
    leader, _ = await leader_and_follower(demo)
    secret = "very-secret-key"
    async with ConfmanClient(secret, nodes=demo.urls) as client:
        texts = [repr(client), str(client)]
        for node in (leader, f"http://127.0.0.1:{free_port()}"):
            try:
                await client.put_entry(node, "a", "b", "c")
            except ClusterError as error:
                texts += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
        assert not [text for text in texts if secret in text]
        assert len(texts) > 2


async def test_a_write_is_attempted_once_and_its_fate_told(demo: DemoCluster) -> None:
    leader, follower = await leader_and_follower(demo)
    async with ConfmanClient(ADMIN, nodes=demo.urls) as client:
        direct = await client.attempt_put(leader, "client-w", "k", "1")
        assert (direct.outcome, direct.node, direct.status, direct.redirected) == (0, leader, 200, False)
        around = await client.attempt_put(follower, "client-w", "k", "2")
        assert (around.outcome, around.node, around.status, around.redirected) == (0, leader, 200, True)
        gone = await client.attempt_put(f"http://127.0.0.1:{free_port()}", "client-w", "k", "3")
        assert (gone.outcome, gone.status, gone.detail) == (WriteOutcome.REFUSED, None, "connection refused")
        entry = await client.get_entry(leader, "client-w", "k")
        assert entry is not None
        assert entry.value == "2"
        await client.delete_entry(leader, "client-w", "k")


def problem(status: int, title: str) -> bytes:
    return http(status, json.dumps({"type": "about:blank", "title": title, "status": status}), PROBLEM)


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (problem(503, "No leader available"), WriteOutcome.REFUSED, NoLeaderError),
        (problem(503, "Replication failed"), WriteOutcome.UNKNOWN, NotReplicatedError),
        (problem(503, "Read barrier failed"), WriteOutcome.UNKNOWN, NoLeaderError),
        (problem(400, "One or more validation errors occurred."), WriteOutcome.UNKNOWN, RejectedError),
        (http(401), WriteOutcome.REFUSED, KeyRefusedError),
        (http(403), WriteOutcome.REFUSED, KeyReadOnlyError),
        (http(500), WriteOutcome.UNKNOWN, RejectedError),
        (http(503, "<html>busy</html>"), WriteOutcome.UNKNOWN, NotConfmanError),
        (http(404), WriteOutcome.UNKNOWN, NotConfmanError),
        (b"no http\r\n\r\n", WriteOutcome.UNKNOWN, NotConfmanError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", WriteOutcome.UNKNOWN, UnreachableError),
        (http(307, "", "Location: http://127.0.0.1:1/x"), WriteOutcome.UNKNOWN, NoLeaderError),
        (http(307, "", "Location: nonsense"), WriteOutcome.UNKNOWN, NoLeaderError),
        (http(307), WriteOutcome.UNKNOWN, NoLeaderError),
    ],
)
async def test_each_odd_answer_has_its_fate_and_its_sentence(
    answer: bytes, outcome: WriteOutcome, error: type[ClusterError]
) -> None:
    # only the answer that never ends is given up
    limit_s = 0.3 if error is UnreachableError else DEADLINE_S
    async with answering(answer) as server, ConfmanClient(ADMIN, nodes=(server.url,), timeout_s=limit_s) as client:
        assert (await client.attempt_put(server.url, "n", "k", "v", limit_s)).outcome is outcome
        with pytest.raises(error) as caught:
            await client.put_entry(server.url, "n", "k", "v")
        assert str(caught.value).isprintable()
        assert "\n" not in str(caught.value)
        # Once each: nothing is sent again behind our back.
        assert len(server.requests) == 2


async def test_what_is_not_confman_is_quoted_as_plain_text() -> None:
    page = "<title>\x1b[2J[red]Grafana\u202e</title>" + "x" * 10_000
    async with answering(http(200, page)) as server, ConfmanClient(ADMIN) as client:
        for ask in (client.list_namespaces(server.url), client.count_entries(server.url)):
            with pytest.raises(NotConfmanError) as caught:
                await ask
            text = str(caught.value)
            assert server.url in text
            assert "200" in text
            assert "[red]Grafana" in text
            assert text.isprintable()
            assert len(text) < 300


@pytest.mark.parametrize("body", ["{}", "[3]", '[{"path": 3}]', '[{"key": "k"}]', "[{}]", "", "nul", '["a"]', "null"])
async def test_json_of_another_shape_is_not_confman(body: str) -> None:
    async with answering(http(200, body)) as server, ConfmanClient(ADMIN) as client:
        for ask in (
            client.list_namespaces(server.url),
            client.list_entries(server.url, "n"),
            client.get_entry(server.url, "n", "k"),
        ):
            with pytest.raises(NotConfmanError):
                await ask


def test_a_silent_node_is_unreachable_and_its_write_unknown() -> None:
    run_stepped(one_silent())


async def one_silent() -> None:
    async with answering(lambda _: None) as server, ConfmanClient(ADMIN, timeout_s=0.1) as client:
        assert (await client.attempt_put(server.url, "n", "k", "v", 0.1)).outcome is WriteOutcome.UNKNOWN
        with pytest.raises(UnreachableError) as caught:
            await client.put_entry(server.url, "n", "k", "v")
        assert caught.value.kind is PollKind.TIMEOUT
        with pytest.raises(UnreachableError):
            await client.count_entries(server.url)
        assert len(server.requests) == 3


async def test_the_key_goes_to_no_node_that_is_not_configured() -> None:
    async with answering(http(200, "{}")) as elsewhere:
        there = f"Location: {elsewhere.url}/api/v1/namespaces/n/config/k"
        async with answering(http(307, "", there)) as server, ConfmanClient(ADMIN, nodes=(server.url,)) as client:
            with pytest.raises(NoLeaderError):
                await client.put_entry(server.url, "n", "k", "v")
            assert (await client.attempt_put(server.url, "n", "k", "v")).outcome is WriteOutcome.UNKNOWN
            assert elsewhere.requests == []
            client.nodes = (server.url, elsewhere.url)
            await client.put_entry(server.url, "n", "k", "v")
            assert len(elsewhere.requests) == 1


async def test_one_redirect_is_followed_with_method_body_and_key_and_the_path_as_it_was() -> None:
    async with answering(http(200, "{}")) as leader:
        raw = f'Location: {leader.url}/api/v1/namespaces/n/config/a b"'
        async with (
            answering(http(307, "", raw)) as follower,
            ConfmanClient(ADMIN, nodes=(leader.url, follower.url)) as client,
        ):
            await client.put_entry(follower.url, "n", 'a b"', "v")
            (first,), (second,) = follower.requests, leader.requests
            assert first.split(b"\r\n")[0] == second.split(b"\r\n")[0]
            assert b"PUT /api/v1/namespaces/n/config/a%20b%22 " in second
            assert f"x-api-key: {ADMIN}".encode() in second.lower()
            assert second.endswith(b'{"value": "v"}')


async def test_redirects_do_not_loop() -> None:
    servers: list[OddServer] = []

    def to(other: int) -> bytes:
        return http(307, "", f"Location: {servers[other].url}/x")

    async with answering(lambda _: to(1)) as one, answering(lambda _: to(0)) as two:
        servers += [one, two]
        async with ConfmanClient(ADMIN, nodes=(one.url, two.url)) as client:
            with pytest.raises(NoLeaderError):
                await client.put_entry(one.url, "n", "k", "v")
            assert (len(one.requests), len(two.requests)) == (1, 1)
    async with answering(lambda _: http(307, "", f"Location: {itself[0].url}/x")) as server:
        itself = [server]
        async with ConfmanClient(ADMIN, nodes=(server.url,)) as client:
            with pytest.raises(NoLeaderError):
                await client.put_entry(server.url, "n", "k", "v")
            assert len(server.requests) == 1


@given(st.integers(100, 599), st.text(max_size=30))
def test_a_write_counts_as_acknowledged_only_for_200(status: int, title: str) -> None:
    outcome, words = write_outcome(status, title)
    assert (outcome is WriteOutcome.ACKNOWLEDGED) == (status == 200)
    assert words.isprintable()


@given(st.text(max_size=30).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_any_key_stays_one_part_of_the_path(key: str) -> None:
    assert entry_path("n", key).count("/") == 6
    assert entry_path("n", key).isascii()


@given(st.text(max_size=1000))
def test_foreign_text_becomes_one_short_printable_line(text: str) -> None:
    shown = plain(text, 60)
    assert shown.isprintable()
    assert len(shown) <= 60
