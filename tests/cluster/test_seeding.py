"""Seeding, resetting, cleaning: on a real cluster, through a real election."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from confman_tui.cluster import key_registry, removal, seeding
from confman_tui.cluster.api import Entry
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.leader_requests import LeaderRequests, StoppedError
from confman_tui.cluster.seeded_values import seeded_value
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.settings.tiers import PROBE_NAMESPACE, TIERS, Tier, namespaces_of
from tests.support.keys import READER
from tests.support.waiting import DEADLINE_S
from tests.support.watched_cluster import watched_client

SMALL = TIERS["small"]


@pytest.fixture
def go_on() -> asyncio.Event:
    """Never set: nobody stops."""
    return asyncio.Event()


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def contents(client: ConfmanClient, node: str, names: tuple[str, ...]) -> dict[tuple[str, str], str]:
    return {(name, entry.key): entry.value for name in names for entry in await client.list_entries(node, name)}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1023, 1024, 65536])
def test_a_seeded_value_has_exactly_its_length_and_follows_from_its_key(size: int) -> None:
    text = seeded_value("bench-a", "key-1", size)
    assert len(text.encode()) == size
    assert re.fullmatch(r"[A-Za-z0-9+/]*", text)
    assert seeded_value("bench-a", "key-1", size) == text
    assert seeded_value("bench-a", "key-1", size + 3)[:size] == text
    assert size < 16 or seeded_value("bench-a", "key-2", size) != text


async def test_seeding_cleaning_and_everything_between(demo: DemoCluster, go_on: asyncio.Event) -> None:
    """One story, because each step is the next one's state."""
    async with watched_client(demo.urls) as (client, watch):
        leader = watch.leader()
        assert leader is not None
        before = await client.count_entries(leader)
        await client.put_namespace(leader, "bench-mine")
        await client.put_entry(leader, "bench-mine", "k", "v")

        steps: list[tuple[int, int]] = []
        keys = await seeding.seed(client, watch.leader, SMALL, 512, lambda *step: steps.append(step), go_on)
        assert len(set(keys)) == 100
        assert steps[0] == (0, 100)
        assert steps[-1] == (100, 100)
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        names = namespaces_of(SMALL)
        assert {name for name, _ in keys} == set(names)
        assert all(re.fullmatch(r"key-[0-9a-f]{12}", key) for _, key in keys)
        seeded = await contents(client, leader, names)
        assert set(seeded) == set(keys)
        assert {len(value) for value in seeded.values()} == {512}
        assert await client.count_entries(leader) == before + 101

        # A few entries too many go one by one, many with their namespace; the seeded ones keep their values.
        for number in range(30):
            await client.put_entry(leader, names[0], f"extra-{number}", "x")
        await client.put_entry(leader, names[1], "extra", "x")
        await client.delete_entry(leader, *keys[45])
        await seeding.reset_to_seeded(client, watch.leader, names, keys, ignore, go_on)
        after = await contents(client, leader, names)
        assert set(after) == set(keys)
        assert {key: value for key, value in after.items() if key != keys[45]} == {
            key: value for key, value in seeded.items() if key != keys[45]
        }
        assert len(after[keys[45]]) == 512

        await client.put_entry(leader, PROBE_NAMESPACE, "p", "x")
        found = await removal.leftovers(client, leader)
        assert found == (PROBE_NAMESPACE, *names)
        await removal.remove(client, watch.leader, found, ignore, go_on)
        assert await contents(client, leader, found) == {}
        assert await removal.leftovers(client, leader) == ()
        assert (await client.get_entry(leader, "bench-mine", "k")) is not None
        await client.delete_namespace(leader, "bench-mine")
        assert await client.count_entries(leader) == before


async def test_strays_without_a_namespace_are_removed_too(demo: DemoCluster, go_on: asyncio.Event) -> None:
    async with watched_client(demo.urls) as (client, watch):
        leader = watch.leader()
        assert leader is not None
        name = "bench-large-007"
        for number in range(5):
            await client.put_entry(leader, name, f"late-{number}", "x")
        assert not await client.delete_namespace(leader, name)
        assert len(await client.list_entries(leader, name)) == 5
        await removal.remove(client, watch.leader, (name, "bench-large-008"), ignore, go_on)
        assert await client.list_entries(leader, name) == []
        assert name not in [one.path for one in await client.list_namespaces(leader)]


async def test_a_write_that_comes_after_its_namespace_went_is_removed_too(
    demo: DemoCluster, go_on: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched_client(demo.urls) as (client, watch):
        name, late = "bench-large-003", asyncio.Event()
        listed = client.list_entries

        async def list_then_write(node: str, namespace: str, **more: int) -> list[Entry]:
            entries = await listed(node, namespace, **more)
            if not entries and not late.is_set():
                late.set()
                await client.put_entry(node, namespace, "late", "x")
            return entries

        monkeypatch.setattr(client, "list_entries", list_then_write)
        await removal.remove(client, watch.leader, (name,), ignore, go_on)
        assert late.is_set()
        leader = watch.leader()
        assert leader is not None
        assert await listed(leader, name) == []


async def test_only_our_own_namespaces_are_ever_removed(demo: DemoCluster, go_on: asyncio.Event) -> None:
    async with watched_client(demo.urls) as (client, watch):
        for name in ("bench-mine", "bench-small-0", "production"):
            with pytest.raises(ValueError, match=name):
                await removal.remove(client, watch.leader, ("bench-small-000", name), ignore, go_on)
            with pytest.raises(ValueError, match=name):
                await seeding.reset_to_seeded(client, watch.leader, (name,), (), ignore, go_on)


async def test_seeding_can_be_stopped_and_says_what_it_wrote(demo: DemoCluster, go_on: asyncio.Event) -> None:
    async with watched_client(demo.urls) as (client, watch):
        stop = asyncio.Event()
        tier = Tier("large", 2, 400)

        def stop_soon(done: int, total: int) -> None:
            if done >= 20:
                stop.set()

        keys = await seeding.seed(client, watch.leader, tier, 64, stop_soon, stop)
        assert 20 <= len(keys) < 60
        leader = watch.leader()
        assert leader is not None
        names = namespaces_of(tier)
        assert set(await contents(client, leader, names)) == set(keys)
        await removal.remove(client, watch.leader, names, ignore, go_on)
        stop.set()
        await removal.remove(client, watch.leader, names, ignore, stop)


async def test_seeding_and_cleaning_go_through_an_election(mortal: DemoCluster, go_on: asyncio.Event) -> None:
    async with watched_client(mortal.urls) as (client, watch):
        killed: list[str] = []

        def kill_at(done: int, total: int) -> None:
            leader = watch.leader()
            if done == 30 and not killed and leader is not None:
                killed.append(leader)
                mortal.kill(leader)

        keys = await seeding.seed(client, watch.leader, SMALL, 64, kill_at, go_on)
        assert len(killed) == 1
        assert len(keys) == 100
        leader = watch.leader()
        assert leader is not None
        assert leader not in killed
        assert set(await contents(client, leader, namespaces_of(SMALL))) == set(keys)

        mortal.restart(killed[0])
        await watch.until(lambda: watch.state(killed[0]).value == "follower")

        def pause_at(done: int, total: int) -> None:
            now_leading = watch.leader()
            if done == 3 and len(killed) == 1 and now_leading is not None:
                killed.append(now_leading)
                mortal.pause(now_leading)

        try:
            await removal.remove(client, watch.leader, namespaces_of(SMALL), pause_at, go_on)
        finally:
            mortal.resume(killed[-1])
        assert len(killed) == 2
        leader = watch.leader()
        assert leader is not None
        assert await contents(client, leader, namespaces_of(SMALL)) == {}


async def test_a_refused_key_ends_seeding_at_once(demo: DemoCluster, go_on: asyncio.Event) -> None:
    async with watched_client(demo.urls, "wrong") as (client, watch):
        with pytest.raises(ClusterError, match="--api-key"):
            await seeding.seed(client, watch.leader, SMALL, 64, ignore, go_on)
    async with watched_client(demo.urls, READER) as (client, watch):
        with pytest.raises(ClusterError, match="may read but not write"):
            await seeding.seed(client, watch.leader, SMALL, 64, ignore, go_on)


async def test_without_a_leader_patience_ends_with_a_sentence_and_a_stop_ends_it_at_once() -> None:
    async def never(node: str) -> None:
        raise AssertionError(node)

    with pytest.raises(ClusterError, match="no leader is known"):
        await LeaderRequests(lambda: None, patience_s=0.1).do(never)
    stop = asyncio.Event()
    waiting = asyncio.create_task(LeaderRequests(lambda: None, stop).do(never))
    await asyncio.sleep(0)
    stop.set()
    with pytest.raises(StoppedError):
        await asyncio.wait_for(waiting, DEADLINE_S)


async def test_a_request_to_a_lost_leader_is_given_up_for_the_next_one() -> None:
    leader, asked = "old", list[str]()

    async def ask(node: str) -> str:
        nonlocal leader
        asked.append(node)
        if node == "old":
            leader = "new"
            await asyncio.Event().wait()
        return node

    assert await asyncio.wait_for(LeaderRequests(lambda: leader).do(ask), DEADLINE_S) == "new"
    assert asked == ["old", "new"]


async def test_work_is_bounded_and_its_first_error_ends_it() -> None:
    running, most = 0, 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.001)
            if item == 50:
                raise ClusterError("fifty")
        finally:
            running -= 1

    done: list[int] = []
    await LeaderRequests(lambda: None).each(range(20), lambda item: _append(done, item), 3)
    assert sorted(done) == list(range(20))
    with pytest.raises(ClusterError, match="fifty"):
        await LeaderRequests(lambda: None).each(range(10_000), work, 4)
    assert most == 4
    assert running == 0


async def _append(to: list[int], item: int) -> None:
    to.append(item)


def test_a_registry_is_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "small-key-registry.json"
    keys = (("bench-small-000", "key-1"), ("bench-small-001", 'q"'))
    key_registry.write_registry(path, keys)
    assert json.loads(path.read_text()) == [{"namespace": name, "key": key} for name, key in keys]
    assert key_registry.read_registry(path) == keys
    key_registry.write_registry(path, keys[:1])
    assert key_registry.read_registry(path) == keys[:1]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_registry_in_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="ermission"):
        key_registry.write_registry(tmp_path / "r.json", ())


def test_a_failed_write_leaves_the_earlier_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    key_registry.write_registry(path, (("a", "b"),))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        key_registry.write_registry(path, (("c", "d"),))
    assert key_registry.read_registry(path) == (("a", "b"),)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{", "{}", "3", "[1]", '[{"namespace": "a"}]', '[{"namespace": 1, "key": "k"}]'])
def test_a_wrong_registry_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="JSON"):
        key_registry.read_registry(path)
    with pytest.raises(UsageError, match="can't be read"):
        key_registry.read_registry(tmp_path / "absent.json")


async def test_a_slow_leader_that_is_not_known_for_a_moment_is_waited_for() -> None:
    leader: str | None = "slow"
    asked: list[str] = []

    async def ask(node: str) -> str:
        nonlocal leader
        asked.append(node)
        leader = None
        await asyncio.sleep(0.6)
        leader = "slow"
        return node

    assert await LeaderRequests(lambda: leader).do(ask) == "slow"
    assert asked == ["slow"]


async def test_a_leader_that_stays_unknown_is_given_up_when_the_time_is_over() -> None:
    async def ask(node: str) -> None:
        await asyncio.Event().wait()

    known = iter(["silent"])
    with pytest.raises(ClusterError, match="the leader was lost with a request under way"):
        await LeaderRequests(lambda: next(known, None), patience_s=0.2).do(ask)
