"""The probe against real servers: its rhythm, its turns, its bound, and its silence on a busy cluster."""

from __future__ import annotations

import asyncio

import pytest

from confman_tui.cluster.api import WriteAttempt
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome, value_digest
from confman_tui.cluster.observer.probe import WriteProbe
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.core.clock import now
from confman_tui.settings.tiers import PROBE_NAMESPACE
from tests.support.stepped_loop import run_stepped
from tests.support.three_servers import Trio
from tests.support.waiting import until


def client(trio: Trio) -> ConfmanClient:
    return ConfmanClient("confman_dev_abc123", concurrency=64, nodes=trio.urls)


async def test_each_node_gets_its_turn_and_every_write_is_booked() -> None:
    async with Trio() as trio, client(trio) as http:
        book = WriteBook()
        probe = WriteProbe(http, book, lambda: book.stream.last_started, lambda: trio.urls, probe_s=0.02)
        begun = now()
        probe.start()
        await until(lambda: probe.sent >= 30)
        took = now() - begun
        await probe.stop()
        assert probe.in_flight == 0
        assert took >= 29 * 0.02
        writes = list(book.ledger.writes(PROBE_NAMESPACE))
        assert len(writes) == probe.sent
        assert book.ledger.outcomes() == (probe.sent, 0, 0)
        assert len({write.key for write in writes}) == probe.sent
        for node in trio.nodes:
            for write in writes:
                assert value_digest(node.entries[PROBE_NAMESPACE, write.key]) == write.digest
        assert trio.nodes[1].puts >= 9
        assert trio.nodes[2].puts >= 9
        assert {write.node for write in writes} == {trio.urls[0]}


async def test_outside_of_runs_it_overwrites_one_key_and_books_nothing() -> None:
    async with Trio() as trio, client(trio) as http:
        book = WriteBook()
        probe = WriteProbe(http, book, lambda: book.stream.last_started, lambda: trio.urls, probe_s=0.02, booking=False)
        probe.start()
        await until(lambda: probe.sent >= 10)
        await probe.stop()
        assert len(trio.nodes[0].entries) == 1
        assert len(book.ledger) == 0
        assert book.stream.last_ack is not None


def test_it_is_silent_while_others_write_and_wakes_when_they_stop() -> None:
    async def others_write() -> None:
        now = asyncio.get_running_loop().time
        async with Trio() as trio, client(trio) as http:
            book = WriteBook()
            probe = WriteProbe(http, book, lambda: book.stream.last_started, lambda: trio.urls, probe_s=0.5, clock=now)
            book.started(now())
            probe.start()
            for _ in range(120):
                book.started(now())
                await asyncio.sleep(0.01)
            assert probe.sent == 0
            stopped = book.stream.last_started
            assert stopped is not None
            await until(lambda: probe.sent == 1)
            assert book.stream.last_started == pytest.approx(stopped + 0.5, abs=0.001)
            await probe.stop()

    run_stepped(others_write())


async def test_it_goes_on_while_earlier_ones_hang_but_not_beyond_its_bound() -> None:
    async with Trio(rule=lambda *_: "hang") as trio, client(trio) as http:
        book = WriteBook()
        probe = WriteProbe(
            http,
            book,
            lambda: book.stream.last_started,
            lambda: trio.urls[:1],
            probe_s=0.01,
            timeout_s=1.0,
            max_in_flight=8,
        )
        probe.start()
        await until(lambda: probe.skipped > 3)
        assert probe.in_flight == 8
        await probe.stop()
        assert probe.in_flight == 0
        assert book.ledger.outcomes() == (0, 0, probe.sent)


def test_a_node_that_owes_an_answer_loses_its_turns() -> None:
    run_stepped(one_owes_an_answer())


async def one_owes_an_answer() -> None:
    class OneHangs:
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def attempt_put(self, node: str, *_: object) -> WriteAttempt:
            self.asked.append(node)
            if node == "http://127.0.0.1:2":
                await asyncio.sleep(0.5)
            return WriteAttempt(WriteOutcome.REFUSED, "", node, 503)

    book, fake = WriteBook(), OneHangs()
    nodes = tuple(f"http://127.0.0.1:{number}" for number in (1, 2, 3))
    now = asyncio.get_running_loop().time
    probe = WriteProbe(fake, book, lambda: book.stream.last_started, lambda: nodes, probe_s=0.02, clock=now)
    probe.start()
    await until(lambda: probe.sent >= 12)
    await probe.stop()
    assert fake.asked[:3] == list(nodes)
    assert set(fake.asked[3:9]) == {nodes[0], nodes[2]}


async def test_no_live_node_no_write_and_off_means_off() -> None:
    async with Trio() as trio, client(trio) as http:
        book = WriteBook()
        live: list[str] = []
        asked = 0

        def nodes() -> list[str]:
            nonlocal asked
            asked += 1
            return live

        probe = WriteProbe(http, book, lambda: book.stream.last_started, nodes, probe_s=0.01)
        probe.start()
        await until(lambda: asked > 5)
        assert probe.sent == 0
        live.append(trio.urls[2])
        await until(lambda: probe.sent > 2)
        await probe.stop()
        off = WriteProbe(http, book, lambda: None, lambda: trio.urls, probe_s=0)
        off.start()
        await off.stop()
        assert off.sent == 0


async def test_a_cancelled_stop_books_what_was_in_flight() -> None:
    class NeverAnswers:
        async def attempt_put(self, *_: object) -> object:
            return await asyncio.Event().wait()

    book = WriteBook()
    probe = WriteProbe(NeverAnswers(), book, lambda: None, lambda: ("http://127.0.0.1:1",), probe_s=0.1, timeout_s=-0.9)  # type: ignore[arg-type]
    probe.start()
    await until(lambda: probe.in_flight > 0)
    await probe.stop()
    assert book.ledger.outcomes() == (0, 0, probe.sent)


@pytest.mark.parametrize("nobody_leads", [True, False])
async def test_refusals_and_lies_are_booked_as_what_they_say(nobody_leads: bool) -> None:
    async with Trio(rule=lambda *_: "unknown") as trio, client(trio) as http:
        trio.leader = None if nobody_leads else 1
        book = WriteBook()
        probe = WriteProbe(http, book, lambda: book.stream.last_started, lambda: trio.urls, probe_s=0.01)
        probe.start()
        await until(lambda: probe.sent > 5)
        await probe.stop()
        assert book.ledger.outcomes() == ((0, probe.sent, 0) if nobody_leads else (0, 0, probe.sent))


async def test_a_node_that_was_just_seen_to_lead_is_written_to_at_once() -> None:
    async with Trio() as trio, client(trio) as http:
        book = WriteBook()
        probe = WriteProbe(http, book, lambda: book.stream.last_started, lambda: trio.urls, probe_s=30.0)
        probe.nudge(trio.urls[0])
        assert probe.sent == 0, "it was not started"
        book.started(now())
        probe.start()
        probe.nudge(trio.urls[0])
        await until(lambda: book.ledger.outcomes() == (1, 0, 0))
        assert [node.puts for node in trio.nodes] == [1, 0, 0]
        await probe.stop()
