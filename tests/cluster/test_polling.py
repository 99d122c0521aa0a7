"""Polling: on time, one at a time, over one connection, and right about whatever comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import accumulate, cycle, islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from confman_tui.cluster.polling import Poller, _NodePoller, parse_answer, poll_once
from confman_tui.cluster.states import FactKind, NodeState, Poll, PollKind
from confman_tui.core.clock import now
from confman_tui.demo.supervisor import DemoCluster
from tests.support.odd_servers import OddServer, answering, free_port, http, serving
from tests.support.stepped_loop import run_stepped
from tests.support.waiting import DEADLINE_S
from tests.support.watched_cluster import Watch

NODE = "http://127.0.0.1:6100"
READY = {
    "status": "ready",
    "timestamp": "2026-11-23T13:33:56.930757+00:00",
    "cluster": {"role": "follower", "leaderKnown": True, "leader": "http://127.0.0.1:6200/", "term": 1},
}


def body_with(**cluster: Any) -> bytes:
    return json.dumps({**READY, "cluster": {"role": "follower", "leader": None, "term": 1, **cluster}}).encode()


def parse(status: int, body: bytes) -> Poll:
    return parse_answer(NODE, 1.0, 1.5, status, body)


@pytest.mark.parametrize("name", ["answers", "answers_no_quorum"])
def test_the_recorded_answers_are_understood(name: str) -> None:
    recorded = json.loads((Path(__file__).parent.parent / "data" / f"{name}.json").read_text())
    cases = [case for case in recorded["cases"] if case["case"].startswith("ready") and case["method"] == "GET"]
    assert cases
    answers = [case[who] for case in cases for who in ("leader", "follower", "alone") if who in case]
    assert answers
    for answer in answers:
        poll = parse(answer["status"], answer["body"].encode())
        said = json.loads(answer["body"])["cluster"]
        assert poll.kind is PollKind.ANSWER
        assert (poll.role, poll.term) == (said["role"], said["term"])
        assert poll.leader == (said["leader"] and said["leader"].rstrip("/"))
        assert poll.ready == (answer["status"] == 200)


@pytest.mark.parametrize("leader", ["http://127.0.0.1:6200", "http://127.0.0.1:6200/", "HTTP://127.0.0.1:6200//"])
def test_a_leaders_address_is_the_same_with_and_without_a_slash(leader: str) -> None:
    assert parse(200, body_with(leader=leader)).leader == "http://127.0.0.1:6200"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", PollKind.NOT_CONFMAN),
        (200, b"", PollKind.NOT_CONFMAN),
        (200, b"<html>", PollKind.NOT_CONFMAN),
        (200, b"\xff\xfe", PollKind.NOT_CONFMAN),
        (200, b"[]", PollKind.NOT_CONFMAN),
        (200, b'{"status":"ok"}', PollKind.NOT_CONFMAN),
        (200, b'{"cluster":{}}', PollKind.NOT_CONFMAN),
        (200, b'{"cluster":' * 5000, PollKind.NOT_CONFMAN),
        (302, json.dumps(READY).encode(), PollKind.NOT_CONFMAN),
        (200, body_with(role="candidate"), PollKind.WRONG),
        (200, body_with(role=None), PollKind.WRONG),
        (200, body_with(term=-1), PollKind.WRONG),
        (200, body_with(term=True), PollKind.WRONG),
        (200, body_with(term=1.5), PollKind.WRONG),
        (200, body_with(term="7"), PollKind.WRONG),
        (200, body_with(term=2**63), PollKind.WRONG),
        (200, body_with(leader=7), PollKind.WRONG),
        (200, body_with(leader="nonsense"), PollKind.WRONG),
        (503, body_with(term=2**63 - 1), PollKind.ANSWER),
        (200, body_with(role="leader", leader=None), PollKind.ANSWER),
    ],
)
def test_wrong_answers_are_told_from_foreign_ones(status: int, body: bytes, kind: PollKind) -> None:
    poll = parse(status, body)
    assert poll.kind is kind
    assert bool(poll.detail) == (kind is not PollKind.ANSWER)


def test_a_foreign_answer_is_shown_as_plain_text() -> None:
    hostile = "\x1b[2J[red]" + "\u202e" + "x" * 5000
    detail = parse(200, hostile.encode()).detail
    assert detail.isprintable()
    assert len(detail) < 200
    assert "\x1b" not in detail
    assert "[red]" in detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
CLUSTERS = st.fixed_dictionaries({}, optional={"role": JSON, "leader": JSON, "term": JSON})


@given(st.integers(100, 599), st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()))
@example(200, b'{"cluster":{"role":"leader","term":9' + b"9" * 5000 + b"}}")
@example(200, b"[" * 100_000)
def test_any_bytes_give_a_poll(status: int, body: bytes) -> None:
    poll = parse(status, body)
    assert (poll.node, poll.sent, poll.answered) == (NODE, 1.0, 1.5)
    assert poll.detail.isprintable()


@given(st.sampled_from([200, 503]), CLUSTERS)
def test_any_cluster_section_gives_a_poll_that_can_be_trusted(status: int, cluster: dict[str, Any]) -> None:
    poll = parse(status, json.dumps({"cluster": cluster}).encode())
    assert poll.detail.isprintable()
    if poll.kind is PollKind.ANSWER:
        assert poll.role in ("leader", "follower")
        assert poll.term is not None
        assert 0 <= poll.term < 2**63


async def one_poll(url: str, deadline_s: float = DEADLINE_S) -> Poll:
    (poll,) = await poll_once((url,), deadline_s=deadline_s)
    return poll


async def test_a_port_without_a_listener_is_refused() -> None:
    for host in ("127.0.0.1", "localhost"):
        poll = await one_poll(f"http://{host}:{free_port()}")
        assert (poll.kind, poll.detail) == (PollKind.REFUSED, "connection refused")


async def test_a_name_that_does_not_resolve_is_an_error_in_words() -> None:
    poll = await one_poll("http://nowhere.invalid:6100")
    assert poll.kind is PollKind.ERROR
    assert "resolve" in poll.detail


async def test_a_listener_that_hangs_up_is_reset() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def abort(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def cut_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    for serve in (hang_up, abort, cut_short):
        async with serving(serve) as server:
            assert (await one_poll(server.url)).kind is PollKind.RESET


async def test_garbage_is_not_confman() -> None:
    for garbage in (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x00\x01\x02\r\n\r\n", http(200, "hello"), http(401)):
        async with answering(garbage) as server:
            assert (await one_poll(server.url)).kind is PollKind.NOT_CONFMAN


async def test_an_endless_answer_ends_at_the_deadline_or_at_its_size() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    async with serving(drip) as server:
        poll = await one_poll(server.url, 0.2)
        assert poll.kind is PollKind.TIMEOUT
        assert poll.answered - poll.sent >= 0.2
    async with serving(flood) as server:
        assert (await one_poll(server.url)).kind is PollKind.NOT_CONFMAN


class Polls(list[Poll]):
    """Collects polls and lets a test wait for a condition on them."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def take(self, poll: Poll) -> None:
        self.append(poll)
        self._news.set()

    async def until(self, condition: Callable[[Polls], bool], deadline_s: float = DEADLINE_S) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition(self):
                self._news.clear()
                await self._news.wait()


def test_polls_keep_to_the_schedule_over_one_connection() -> None:
    """On a grid: what one answer takes is not handed on to the next polls, and a slot that passes is left out."""
    answers_s = cycle([0.0, 0.02, 0.07, 0.03, 0.18])
    slots_on = (1, 1, 2, 1, 4)

    async def slow(server: OddServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.read_request(reader)
            await asyncio.sleep(next(answers_s))
            writer.write(http(200, json.dumps(READY)))

    async def polled() -> None:
        async with serving(lambda reader, writer: slow(server, reader, writer)) as server:
            loop, polls = asyncio.get_running_loop(), Polls()
            begun = loop.time()
            poller = Poller((server.url,), polls.take, poll_s=0.05, clock=loop.time)
            poller.start()
            await polls.until(lambda seen: len(seen) >= 30)
            await poller.stop()
            assert server.connections == 1
            slots = [0, *accumulate(islice(cycle(slots_on), len(polls) - 1))]
            assert [poll.sent for poll in polls] == pytest.approx([begun + slot * 0.05 for slot in slots], abs=1e-6)
            count = len(polls)
            await server.all_closed()
            assert len(polls) == count

    run_stepped(polled())


def test_an_answer_that_does_not_come_is_given_up_after_390_ms() -> None:
    async def polled() -> None:
        async with answering(lambda _: None) as silent:
            loop, polls = asyncio.get_running_loop(), Polls()
            poller = Poller((silent.url,), polls.take, poll_s=0.1, clock=loop.time)
            poller.start()
            await polls.until(lambda seen: len(seen) >= 3)
            await poller.stop()
            assert {poll.kind for poll in polls} == {PollKind.TIMEOUT}
            assert [poll.answered - poll.sent for poll in polls] == pytest.approx([0.39] * len(polls))

    run_stepped(polled())


def test_polls_of_a_silent_node_never_pile_up_and_leave_the_others_alone() -> None:
    run_stepped(one_silent_one_well())


async def one_silent_one_well() -> None:
    async with answering(lambda _: None) as silent, answering(http(200, json.dumps(READY))) as well:
        polls = Polls()
        poller = Poller((silent.url, well.url), polls.take, poll_s=0.05, deadline_s=0.2)
        poller.start()
        await polls.until(lambda seen: sum(poll.node == silent.url for poll in seen) >= 4)
        await poller.stop()
        timeouts = [poll for poll in polls if poll.node == silent.url]
        assert {poll.kind for poll in timeouts} == {PollKind.TIMEOUT}
        for earlier, later in pairwise(timeouts):
            assert later.sent >= earlier.answered
        # Each on a connection of its own: a late answer can't be taken for the next poll's.
        assert len(silent.requests) == silent.connections >= 4
        await silent.all_closed()
        assert sum(poll.kind is PollKind.ANSWER for poll in polls) > len(timeouts)


async def test_a_poll_given_up_in_the_moment_of_its_answer_leaves_the_next_ones_a_connection() -> None:
    chance = Random(1)

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.read_request(reader)
            await asyncio.sleep(chance.uniform(0.0, 0.01))
            writer.write(http(200, json.dumps(READY)))
            await writer.drain()

    async with serving(late) as server:
        hasty, patient = 0, 0
        for _ in range(30):
            poller = _NodePoller(server.url, now, 0.39)
            try:
                for _ in range(30):
                    poller._deadline_s = chance.uniform(0.0003, 0.01)
                    hasty += (await poller.poll()).kind is PollKind.TIMEOUT
                poller._deadline_s = DEADLINE_S
                patient += (await poller.poll()).kind is PollKind.ANSWER
            finally:
                await poller.aclose()
        assert patient == 30
        assert hasty > 100


async def test_a_node_that_closes_idle_connections_is_asked_again_at_once() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(http(200, json.dumps(READY)))
        await writer.drain()
        # Waits for the next request and hangs up on it, as a server does whose idle limit just passed.
        await reader.readuntil(b"\r\n\r\n")

    async with serving(once) as server:
        polls = Polls()
        poller = Poller((server.url,), polls.take, poll_s=0.02, deadline_s=DEADLINE_S)
        poller.start()
        await polls.until(lambda seen: len(seen) >= 6)
        await poller.stop()
        assert {poll.kind for poll in polls} == {PollKind.ANSWER}


async def test_a_wall_of_failures_does_not_end_the_poller() -> None:
    port = free_port()
    polls = Polls()
    poller = Poller((f"http://127.0.0.1:{port}",), polls.take, poll_s=0.02)
    poller.start()
    await polls.until(lambda seen: len(seen) >= 3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.read_request(reader)
            writer.write(http(200, json.dumps(READY)))

    server = OddServer(serve, port)
    await server.start()
    await polls.until(lambda seen: seen[-1].kind is PollKind.ANSWER)
    await server.stop()
    await polls.until(lambda seen: seen[-1].kind is PollKind.REFUSED)
    await poller.stop()
    # A process that dies is refused from its next poll on, not reset first.
    kinds = [poll.kind for poll in polls]
    assert PollKind.RESET not in kinds


async def test_a_listener_that_fails_is_heard_of_and_polling_goes_on() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with answering(http(200, json.dumps(READY))) as server:
        polls = Polls()

        def fail_once(poll: Poll) -> None:
            polls.take(poll)
            if len(polls) == 1:
                raise ZeroDivisionError

        poller = Poller((server.url,), fail_once, poll_s=0.01, deadline_s=DEADLINE_S)
        poller.start()
        await polls.until(lambda seen: len(seen) >= 3)
        await poller.stop()
    assert [type(one["exception"]) for one in complaints] == [ZeroDivisionError]


async def test_stop_is_final_and_start_is_idempotent() -> None:
    async with answering(http(200, json.dumps(READY))) as server:
        polls = Polls()
        poller = Poller((server.url,), polls.take, poll_s=0.01, deadline_s=DEADLINE_S)
        poller.start()
        poller.start()
        await polls.until(lambda seen: len(seen) >= 3)
        await poller.stop()
        await poller.stop()
        assert server.connections == 1


async def test_real_faults_show_in_the_first_poll_after_them(mortal: DemoCluster) -> None:
    """So a killed node shows within an interval, and a paused one within that and the deadline of a poll."""
    async with Watch(mortal.urls, poll_s=0.1) as watch:
        await watch.until(lambda: {watch.state(node) for node in mortal.urls} == {NodeState.LEADER, NodeState.FOLLOWER})
        first = watch.leader()
        assert first is not None
        known = len(watch.facts)
        mortal.kill(first)
        killed_at = now()
        await watch.until(lambda: watch.state(first) is NodeState.REFUSED)
        assert {poll.kind for poll in watch.polls_of(first, killed_at)} == {PollKind.REFUSED}
        await watch.until(lambda: watch.leader() not in (None, first))
        second = watch.leader()
        assert second is not None
        (serving,) = (fact for fact in watch.facts[known:] if fact.kind is FactKind.LEADER_SERVING)
        first_word = next(poll for poll in watch.polls_of(second, killed_at) if poll.role == "leader" and poll.ready)
        assert (serving.node, serving.seen) == (second, first_word.answered)
        mortal.restart(first)
        await watch.until(lambda: watch.state(first) is NodeState.FOLLOWER)
        mortal.pause(second)
        paused_at = now()
        try:
            await watch.until(lambda: watch.state(second) is NodeState.SILENT)
            assert {poll.kind for poll in watch.polls_of(second, paused_at)} == {PollKind.TIMEOUT}
            await watch.until(lambda: watch.leader() not in (None, second))
            third = watch.leader()
        finally:
            mortal.resume(second)
        await watch.until(lambda: watch.state(second) is NodeState.FOLLOWER)
        assert watch.leader() == third


async def test_an_isolated_leader_shows_as_stale_and_the_next_one_leads(mortal: DemoCluster) -> None:
    async with Watch(mortal.urls, poll_s=0.05) as watch:
        everyone = {NodeState.LEADER, NodeState.FOLLOWER}
        await watch.until(lambda: {watch.state(node) for node in mortal.urls} == everyone)
        old = watch.leader()
        assert old is not None
        known = len(watch.facts)
        mortal.isolate(old)
        await watch.until(lambda: watch.leader() not in (None, old))
        new = watch.leader()
        # Its own candidacies without a majority change nothing.
        await watch.until(lambda: watch.state(old) is NodeState.NOT_READY)
        assert watch.leader() == new
        mortal.heal(old)
        await watch.until(lambda: {watch.state(node) for node in mortal.urls} == everyone)
        facts = [(fact.kind, fact.node) for fact in watch.facts[known:]]
        assert (FactKind.LEADER_LOST, old) in facts
        assert (FactKind.LEADER_SERVING, new) in facts
        assert FactKind.NODE_DOWN not in [kind for kind, _ in facts]
