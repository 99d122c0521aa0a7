"""Verification against real servers that lose, alter, delay or invent writes on purpose."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import Breach, UnreadNode, Verification, WriteOutcome, value_digest
from confman_tui.cluster.writes import node_reader, slices
from confman_tui.cluster.writes import verification as verify_module
from confman_tui.cluster.writes.ledger import BookedWrite, WriteBook, WriteLedger
from confman_tui.cluster.writes.rules import KeyState, demand
from confman_tui.cluster.writes.verification import verify
from confman_tui.core.clock import now
from tests.support.three_servers import PutRule, Trio

NAMESPACES = ("bench-small-000", "bench-small-001")


async def load(trio: Trio, http: ConfmanClient, writes: int = 30, timeout_s: float = 2.0) -> WriteBook:
    """This many writes through the client, in turn to each node and namespace, booked as a run books them."""
    book = WriteBook()
    for number in range(writes):
        namespace, key, value = NAMESPACES[number % len(NAMESPACES)], f"key-{number:012x}", secrets.token_hex(32)
        begun = now()
        book.started(begun)
        attempt = await http.attempt_put(trio.urls[number % 3], namespace, key, value, timeout_s)
        book.ended(namespace, key, value_digest(value), begun, now(), attempt.node, attempt.outcome)
    return book


def lost_at(number: int) -> tuple[str, str]:
    return NAMESPACES[number % len(NAMESPACES)], f"key-{number:012x}"


async def verified(
    harm: Callable[[Trio], None], rule: PutRule | None = None, reread_s: float = 0.3, **options: object
) -> Verification:
    async with Trio(rule) as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        harm(trio)
        return await verify(http, book.ledger, trio.urls, reread_s=reread_s, **options)  # type: ignore[arg-type]


def delayed(seconds: float, trio: Trio) -> None:
    """Two nodes show one write that much later."""
    trio.delay(*lost_at(7), seconds, 0, 1)


@pytest.mark.parametrize("by_key", [False, True], ids=["listing", "key by key"])
class TestOneWriteOfThirty:
    """Each harm, to one acknowledged write, seen through a listing and key by key."""

    @pytest.fixture(autouse=True)
    def way(self, by_key: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if by_key:
            monkeypatch.setattr(node_reader, "LISTING_BYTES", 10)
            monkeypatch.setattr(slices, "SLICE_KEYS", 4)
            monkeypatch.setattr(verify_module, "SLICE_KEYS", 4)

    async def test_nothing_wrong(self) -> None:
        result = await verified(lambda trio: None)
        assert (result.acknowledged, result.checked, result.lost, result.stale) == (30, 30, 0, 0)
        assert result.passed
        assert result.note == ""

    async def test_gone_or_different_on_a_majority_is_lost_on_one_node_diverged(self) -> None:
        harms = [(how, nodes) for how in ("lose", "alter") for n in (1, 2, 3) for nodes in combinations(range(3), n)]

        def harm(trio: Trio) -> None:
            for number, (how, nodes) in enumerate(harms):
                getattr(trio, how)(*lost_at(number), *nodes)

        result = await verified(harm)
        expected = {"/".join(lost_at(number)) for number, (_, nodes) in enumerate(harms) if len(nodes) > 1}
        assert {one.key for one in result.broken if one.breach is Breach.LOST} == expected
        assert (result.lost, result.diverged, result.phantom, result.checked) == (len(expected), 6, 0, 30)
        assert (len(result.broken), result.stale) == (len(harms), 0)
        for one in result.broken:
            how, nodes = harms[int(one.key.rpartition("-")[2], 16)]
            wrong = "nothing" if how == "lose" else "another value"
            assert list(one.holds.values()) == [wrong if node in nodes else "as written" for node in range(3)]
        assert result.judged
        assert not result.passed

    @pytest.mark.parametrize("nodes", [(0,), (1, 2)])
    @pytest.mark.parametrize("how", ["lose", "alter"])
    async def test_one_write_alone_is_found(self, nodes: tuple[int, ...], how: str) -> None:
        result = await verified(lambda trio: getattr(trio, how)(*lost_at(7), *nodes))
        assert (result.lost, result.diverged) == ((0, 1) if len(nodes) == 1 else (1, 0))
        assert result.judged
        assert not result.passed

    async def test_what_heals_while_it_is_read_again_is_stale_and_passes(self) -> None:
        # a busy machine reads it first when it has healed
        for delay_s in (0.5, 2.0, 8.0, 30.0):
            result = await verified(partial(delayed, delay_s), reread_s=60.0)
            if result.stale:
                break
        assert (result.lost, result.diverged, result.stale, result.checked) == (0, 0, 1, 30)
        assert (result.passed, result.broken) == (True, ())
        # it did not wait for all of the time
        assert 0.25 <= result.seconds < 60.0

    async def test_delayed_by_more_is_not(self) -> None:
        assert (await verified(lambda trio: trio.delay(*lost_at(7), 600.0, 2))).diverged == 1
        assert (await verified(lambda trio: trio.delay(*lost_at(7), 600.0, 1, 2))).lost == 1


async def test_a_node_that_lags_in_many_namespaces_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.cluster.writes.test_verification.NAMESPACES", tuple(f"bench-small-{at:03}" for at in range(30))
    )

    def harm(trio: Trio) -> None:
        trio.nodes[2].entries.clear()

    result = await verified(harm, reread_s=1.2)
    assert (result.diverged, result.lost, result.checked) == (30, 0, 30)
    # once, and not thirty times
    assert 1.2 <= result.seconds < 15 * 1.2


def nth(number: int, verdict: str, keep: bool) -> PutRule:
    def rule(trio: Trio, count: int, namespace: str, key: str, value: str) -> str | None:
        if count != number:
            return None
        if not keep:
            trio.lose(namespace, key, 0, 1, 2)
        return verdict

    return rule


@pytest.mark.parametrize("verdict", ["unknown", "reset", "hang"])
async def test_unknown_and_present_is_recovered_and_absent_is_nothing(verdict: str) -> None:
    async with Trio(nth(5, verdict, keep=True)) as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http, timeout_s=2.0)
        result = await verify(http, book.ledger, trio.urls, reread_s=0.2)
    assert (result.acknowledged, result.unknown, result.recovered, result.lost) == (29, 1, 1, 0)
    assert result.passed
    async with Trio(nth(5, verdict, keep=False)) as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http, timeout_s=2.0)
        result = await verify(http, book.ledger, trio.urls, reread_s=0.2)
    assert (result.unknown, result.recovered, result.lost, result.stale) == (1, 0, 0, 0)


async def test_refused_but_present_is_a_phantom_and_absent_is_well() -> None:
    result = await verified(lambda trio: None, nth(5, "refuse", keep=True))
    assert (result.acknowledged, result.refused, result.phantom, result.lost) == (29, 1, 1, 0)
    assert result.lost_keys == ("/".join(lost_at(4)),)
    assert not result.passed
    result = await verified(lambda trio: None, nth(5, "refuse", keep=False))
    assert (result.refused, result.phantom) == (1, 0)
    assert result.passed


async def test_a_phantom_on_one_node_only_is_one_too() -> None:
    result = await verified(lambda trio: trio.lose(*lost_at(4), 0, 1), nth(5, "refuse", keep=True))
    assert result.phantom == 1


async def test_a_lying_leader_is_caught_at_every_place() -> None:
    """Each write of thirty in turn is acknowledged and dropped."""

    def rule(trio: Trio, count: int, namespace: str, key: str, value: str) -> str | None:
        if count % 3 == 0:
            trio.lose(namespace, key, 0, 1, 2)
        return None

    result = await verified(lambda trio: None, rule)
    assert result.lost == 10
    assert len(result.lost_keys) == 10


async def test_no_acknowledged_write_is_nothing_to_judge() -> None:
    result = await verified(lambda trio: None, lambda *_: "unknown")
    assert (result.acknowledged, result.unknown, result.recovered) == (0, 30, 30)
    assert not result.judged
    assert not result.passed
    assert "nothing to judge" in result.note
    async with Trio() as trio, ConfmanClient("x", nodes=trio.urls) as http:
        result = await verify(http, WriteLedger(), trio.urls)
    assert not result.passed
    assert "nothing to judge" in result.note


async def test_off_reads_nothing_and_a_sample_reads_its_number() -> None:
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        off = await verify(http, book.ledger, trio.urls, mode="off")
        assert sum(node.listings + node.reads for node in trio.nodes) == 0
        assert (off.acknowledged, off.checked) == (30, 0)
        assert (off.judged, off.missed) == (False, False)
        some = await verify(http, book.ledger, trio.urls, mode="sample", sample=7)
        assert (some.acknowledged, some.checked) == (30, 7)
        for number in range(30):
            trio.lose(*lost_at(number), 0, 1, 2)
        some = await verify(http, book.ledger, trio.urls, mode="sample", sample=7, reread_s=0.1)
        assert some.lost == some.checked == 7
        many = await verify(http, book.ledger, trio.urls, mode="sample", sample=1000, reread_s=0.1)
        assert many.lost == 30


async def test_the_cheaper_way_is_taken() -> None:
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http, writes=6)
        await verify(http, book.ledger, trio.urls)
        assert [node.listings for node in trio.nodes] == [2, 2, 2]
        assert [node.reads for node in trio.nodes] == [0, 0, 0]
        await verify(http, book.ledger, trio.urls, entries_before=10_000)
        assert [node.reads for node in trio.nodes] == [6, 6, 6]
        await verify(http, book.ledger, trio.urls, payload_bytes=70_000)
        assert [node.listings for node in trio.nodes] == [2, 2, 2]
        assert [node.reads for node in trio.nodes] == [12, 12, 12]


async def test_a_node_that_answers_again_is_waited_for_and_one_that_does_not_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_reader, "PAUSES_S", (0.05, 0.1, 0.2))
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        trio.nodes[1].down = True
        asyncio.get_running_loop().call_later(0.3, setattr, trio.nodes[1], "down", False)
        assert (await verify(http, book.ledger, trio.urls)).note == ""
        trio.nodes[1].down = True
        result = await verify(http, book.ledger, trio.urls)
        assert trio.urls[1] in result.note
        assert [one.node for one in result.without] == [trio.urls[1]]
        assert (result.checked, result.lost) == (30, 0)
        assert (result.nodes_read, result.nodes, result.passed) == (2, 3, True)
        trio.lose(*lost_at(3), 0)
        assert (await verify(http, book.ledger, trio.urls, reread_s=0.1)).diverged == 1
        trio.lose(*lost_at(3), 0, 2)
        result = await verify(http, book.ledger, trio.urls, reread_s=0.1)
        assert result.lost == 1
        assert list(result.broken[0].holds.values()) == ["nothing", "not read", "nothing"]
        for node in trio.nodes:
            node.down = True
        result = await verify(http, book.ledger, trio.urls)
        assert (result.checked, result.lost) == (0, 0)
        assert not result.judged
        assert (result.missed, result.unread, result.nodes_read, result.nodes) == (True, 30, 0, 3)
        assert "no node was left" in result.note


class Behind:
    """A node that is behind until it has been asked about so many times; implements `Standing`."""

    def __init__(self, node: str, asked: int = 1_000_000, *, worth: bool = False) -> None:
        self.node = node
        self.left = asked
        self.worth = worth

    def why_behind(self, node: str) -> str:
        if node != self.node or self.left <= 0:
            return ""
        self.left -= 1
        return "not ready for 30 s"

    def worth_waiting(self, node: str) -> bool:
        return self.worth


async def test_writes_that_stand_on_one_of_three_nodes_are_not_judged_while_the_others_cannot_be_read() -> None:
    """Both ways of not reading them: left out from the beginning, and given up."""
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        for number in range(30):
            trio.lose(*lost_at(number), 1, 2)
        gone = [UnreadNode(node, "refused for 9 s") for node in trio.urls[1:]]
        result = await verify(http, book.ledger, trio.urls[:1], without=gone, reread_s=0.1)
        assert (result.checked, result.lost, result.diverged, result.unproven) == (30, 0, 0, 30)
        assert (result.nodes_read, result.nodes) == (1, 3)
        assert (result.judged, result.passed, result.failed, result.missed) == (False, False, False, True)
        assert result.note.endswith("1 of 3 nodes were read, which is no majority: what the others hold decides")
        # what one node alone shows is enough for what is wrong on it
        trio.lose(*lost_at(3), 0)
        result = await verify(http, book.ledger, trio.urls[:1], without=gone, reread_s=0.1)
        assert (result.diverged, result.unproven, result.failed, result.missed) == (1, 29, True, True)
        # of four nodes two are no majority either
        more = [*gone, UnreadNode("http://127.0.0.1:1", "refused")]
        result = await verify(http, book.ledger, trio.urls[1:], without=more[1:], reread_s=0.1)
        assert (result.nodes_read, result.nodes, result.judged) == (2, 4, False)


async def test_what_a_node_lacks_that_is_behind_is_not_caught_up_and_it_is_named() -> None:
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        late, port = trio.urls[2], trio.urls[2].rpartition(":")[2]
        trio.lose(*lost_at(3), 2)
        trio.lose(*lost_at(4), 1, 2)
        # Of the two others one lacks the second key, which differs there for good.
        result = await verify(http, book.ledger, trio.urls, reread_s=0.1, standing=Behind(late))
        assert (result.checked, result.lost, result.diverged, result.not_caught_up) == (30, 0, 1, 1)
        assert (result.judged, result.failed) == (False, True)
        assert result.without == (UnreadNode(late, "not ready for 30 s"),)
        assert (result.nodes_read, result.nodes) == (2, 3)
        assert result.note.startswith(f"judged without :{port} (not ready for 30 s); 1 acknowledged writes differ")
        assert list(result.broken[0].holds.values()) == ["as written", "nothing", "nothing (not caught up)"]
        # Nothing is amiss on it: what it shows counts, behind or not.
        good = await verify(http, book.ledger, trio.urls[:1], reread_s=0.1, standing=Behind(trio.urls[0]))
        assert (good.checked, good.without, good.passed) == (30, (), True)
        # It is left out from the beginning.
        left_out = (UnreadNode(late, "refused for 30 s"),)
        trio.nodes[2].reads = trio.nodes[2].listings = 0
        result = await verify(http, book.ledger, trio.urls[:2], reread_s=0.1, without=left_out)
        assert (result.diverged, result.without) == (1, left_out)
        assert (trio.nodes[2].reads, trio.nodes[2].listings) == (0, 0)
        result = await verify(http, book.ledger, (), without=left_out)
        assert not result.judged
        assert (result.lost, result.without) == (0, left_out)
        assert result.note.startswith(f"not read: :{port} (refused for 30 s); no node was left")


async def test_a_node_that_is_behind_is_waited_for_and_then_has_all_its_time_to_heal() -> None:
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        late = trio.urls[2]
        trio.delay(*lost_at(3), 0.8, 2)
        standing = Behind(late, 2, worth=True)  # the first two looks: longer than what it may differ while in step
        result = await verify(http, book.ledger, trio.urls, reread_s=0.7, wait_s=60.0, standing=standing)
        assert (result.stale, result.diverged, result.not_caught_up, result.passed) == (1, 0, 0, True)
        # it never comes back: no longer than it is waited for
        trio.lose(*lost_at(3), 2)
        standing = Behind(late, worth=True)
        result = await verify(http, book.ledger, trio.urls, reread_s=0.1, wait_s=0.3, standing=standing)
        assert (result.diverged, result.not_caught_up, result.missed) == (0, 1, True)


async def test_progress_is_told_and_a_stop_ends_it_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_reader, "LISTING_BYTES", 10)
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http, writes=300)
        for number in range(1, 300, 2):  # the second namespace's
            trio.lose(*lost_at(number), 0)  # a key that only this node was asked for must not seem lost
        reports: list[tuple[int, int]] = []
        stop = asyncio.Event()

        def progress(done: int, total: int) -> None:
            reports.append((done, total))
            if done >= 200:
                stop.set()

        result = await verify(http, book.ledger, trio.urls, progress=progress, stop=stop, reread_s=0.1)
        assert {total for _, total in reports} == {300}
        assert [done for done, _ in reports] == sorted(done for done, _ in reports)
        assert 150 <= result.checked < 300
        assert result.lost == 0
        assert result.note == f"stopped after {result.checked} of 300 writes"
        assert (result.judged, result.missed, result.unread) == (False, True, 300 - result.checked)


async def test_what_was_not_read_again_because_of_a_stop_is_not_lost() -> None:
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http)
        trio.lose(*lost_at(3), 0, 1, 2)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, stop.set)
        result = await verify(http, book.ledger, trio.urls, stop=stop, reread_s=60.0)
        assert (result.lost, result.judged, result.failed) == (0, False, False)
        assert result.unread == 30 - result.checked > 0


async def test_many_writes_are_judged_in_slices_from_a_listing_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_KEYS", 10)
    async with Trio() as trio, ConfmanClient("confman_dev_abc123", nodes=trio.urls) as http:
        book = await load(trio, http, writes=50)
        trio.lose(*lost_at(3), 0, 1)
        trio.lose(*lost_at(49), 0, 1, 2)
        result = await verify(http, book.ledger, trio.urls, reread_s=0.1)
        assert (result.checked, result.lost) == (50, 2)
        assert {key.rpartition("/")[2] for key in result.lost_keys} == {lost_at(3)[1], lost_at(49)[1]}
        first_look = 2 * 3  # 25 writes in each of two namespaces
        assert all(node.listings >= first_look for node in trio.nodes)


@given(
    st.lists(st.tuples(st.sampled_from("abcdef0123456789"), st.integers(1, 3), st.sampled_from(list(WriteOutcome)))),
    st.integers(1, 5),
    st.one_of(st.none(), st.sets(st.integers(0, 30))),
)
def test_slices_hold_each_key_once_with_all_its_writes(
    writes: list[tuple[str, int, WriteOutcome]], size: int, positions: set[int] | None
) -> None:
    """However the keys repeat, and though the bitmap that finds repeated ones errs for some."""
    ledger = WriteLedger()
    by_key: dict[str, list[BookedWrite]] = {}
    for number, (letter, digest, outcome) in enumerate(writes):
        booked = BookedWrite(f"key-{letter * 12}", digest, float(number), number + 0.5, "n", outcome)
        by_key.setdefault(booked.key, []).append(booked)
        ledger.book("ns", booked.key, digest, booked.started, booked.ended, "n", outcome)
    wanted = set(by_key)
    if positions is not None:
        wanted = {f"key-{letter * 12}" for number, (letter, _, _) in enumerate(writes) if number in positions}

    async def pieces() -> list[slices.Slice]:
        return [work async for work in slices.slices_of(ledger, "ns", positions, 100)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE_KEYS", size)
        works = asyncio.run(pieces())
    found = [(key, demanded) for work in works for key, demanded in work.demands.items()]
    assert len(found) == len(dict(found)), "each key once"
    assert dict(found) == {key: demand(by_key[key]) for key in wanted}
    assert all(work.others + len(work.demands) == 100 + len(by_key) for work in works)


outcomes = st.sampled_from(list(WriteOutcome))
one_key = st.lists(
    st.builds(
        lambda digest, start, length, outcome: BookedWrite("k", digest, start, start + length, "n", outcome),
        st.integers(1, 4),
        st.integers(0, 20).map(float),
        st.integers(0, 5).map(float),
        outcomes,
    ),
    min_size=1,
    max_size=5,
)


@example([BookedWrite("k", n, 3.0 * n, 3.0 * n + 1, "n", WriteOutcome.ACKNOWLEDGED) for n in (1, 2)], 1)
@given(one_key, st.one_of(st.none(), st.integers(1, 5)))
def test_what_may_stand_is_what_some_order_of_the_writes_leaves(writes: list[BookedWrite], shown: int | None) -> None:
    """Against all orders in which the writes can have happened, each between its start and its end (or, unknown, at
    any later time, or never)."""
    acknowledged = [write for write in writes if write.outcome is WriteOutcome.ACKNOWLEDGED]
    possible: set[int | None] = set()
    if not acknowledged:
        possible.add(None)
    for last in writes:
        if last.outcome is WriteOutcome.REFUSED:
            continue
        after = [other for other in acknowledged if other is not last and other.started > last.ended]
        if last.outcome is WriteOutcome.UNKNOWN or not after:
            possible.add(last.digest)
    seen = demand(writes).see(shown)
    if shown in possible:
        assert seen in (KeyState.GOOD, KeyState.NOTHING)
    elif acknowledged:
        assert seen in (KeyState.ABSENT if shown is None else KeyState.OTHER, KeyState.PHANTOM)
    else:
        refused = {write.digest for write in writes if write.outcome is WriteOutcome.REFUSED}
        assert (seen is KeyState.PHANTOM) == (shown in refused)
