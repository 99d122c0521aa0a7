"""Refused writes that appear after their run was verified are found when they are read once more."""

from __future__ import annotations

import asyncio

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import Breach, WriteOutcome, value_digest
from confman_tui.cluster.writes.late import LateReading, LateWrites
from confman_tui.cluster.writes.ledger import WriteLedger
from tests.support.three_servers import Trio

SPACES = ("bench-small-000", "bench-small-001")


def ledger_of(*outcomes: WriteOutcome, first: int = 0) -> WriteLedger:
    ledger = WriteLedger()
    for number, outcome in enumerate(outcomes, start=first):
        key = f"key-{number:012x}"
        ledger.book(SPACES[number % 2], key, value_digest(f"value {number}"), 1.0, 2.0 + number, "n", outcome)
    return ledger


def appears(trio: Trio, number: int, *nodes: int, value: str = "") -> None:
    for node in nodes:
        trio.nodes[node].entries[SPACES[number % 2], f"key-{number:012x}"] = value or f"value {number}"


async def reading_of(late: LateWrites, trio: Trio, *nodes: int, stop: bool = False) -> LateReading:
    reading, stopped = LateReading(), asyncio.Event()
    if stop:
        stopped.set()
    async with ConfmanClient("confman_dev_abc123", nodes=trio.urls) as client:
        urls = [trio.urls[node] for node in nodes]
        await late.read(client, urls, trio.urls, stopped, reading)
    return reading


REFUSED, UNKNOWN, ACKNOWLEDGED = WriteOutcome.REFUSED, WriteOutcome.UNKNOWN, WriteOutcome.ACKNOWLEDGED


async def test_what_appeared_is_told_once_with_its_run_and_what_each_node_holds() -> None:
    late = LateWrites()
    await late.take_in("write-1u", ledger_of(ACKNOWLEDGED, REFUSED, UNKNOWN, REFUSED), 16, 100, ())
    await late.take_in("write-10u", ledger_of(REFUSED, REFUSED, first=10), 16, 100, {f"{SPACES[0]}/key-{10:012x}"})
    assert (len(late), late.unread, late.last_ended) == (4, 4, 13.0)
    async with Trio() as trio:
        for number in (0, 2):  # acknowledged, unknown: neither may be a phantom
            appears(trio, number, 0, 1, 2)
        appears(trio, 1, 1)
        appears(trio, 3, 0, 1, 2, value="not what was refused")
        appears(trio, 10, 0, 1, 2)  # known from the verification
        reading = await reading_of(late, trio, 0, 1)
        ((run, (one,)),) = reading.found.items()
        assert (run, one.key, one.breach) == ("write-1u", f"{SPACES[1]}/key-{1:012x}", Breach.LATE_PHANTOM)
        assert list(one.holds.values()) == ["nothing", "a refused value", "not read"]
        assert (reading.read, reading.total, late.unread) == (4, 4, 0)
        appears(trio, 11, 2)
        again = await reading_of(late, trio, 0, 1, 2)
        assert [(run, [one.key for one in keys]) for run, keys in again.found.items()] == [
            ("write-10u", [f"{SPACES[1]}/key-{11:012x}"])
        ]


async def test_what_could_not_be_read_is_counted() -> None:
    late = LateWrites()
    await late.take_in("write-1u", ledger_of(REFUSED, REFUSED), 16, 100, ())
    async with Trio() as trio:
        appears(trio, 0, 0, 1, 2)
        for nodes, stop in (((0, 1, 2), True), ((), False)):
            reading = await reading_of(late, trio, *nodes, stop=stop)
            assert (reading.found, reading.read, reading.total, late.unread) == ({}, 0, 2, 2)
