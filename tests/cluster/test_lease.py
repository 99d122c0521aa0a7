"""Two programs on one cluster and tier: the second refuses and names the first. With real processes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster import lease as lease_module
from confman_tui.cluster import removal
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.lease import Lease, LeaseHeldError, Owner, owners
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.settings.tiers import PROBE_NAMESPACE, owner_namespace
from tests.support.waiting import DEADLINE_S
from tests.support.watched_cluster import Watch, watched_client

ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def holder(tier: str, folder: Path, nodes: tuple[str, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A second program; ended when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.lease_holder",
        tier,
        str(folder),
        *nodes,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def locks(folder: Path) -> list[Path]:
    """The lock files that are there."""
    return list(folder.glob("*.lock"))


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode().strip()


async def present(client: ConfmanClient, watch: Watch, tier: str) -> bool:
    leader = watch.leader()
    assert leader is not None
    paths = [one.path for one in await client.list_namespaces(leader)]
    entries = await client.list_entries(leader, owner_namespace(tier))
    assert (owner_namespace(tier) in paths) or not entries
    return owner_namespace(tier) in paths


@pytest.mark.parametrize("same_folder", [True, False], ids=["by-the-file", "by-the-cluster"])
async def test_the_second_program_refuses_and_names_the_first(
    demo: DemoCluster, tmp_path: Path, same_folder: bool
) -> None:
    theirs = tmp_path if same_folder else tmp_path / "elsewhere"
    theirs.mkdir(exist_ok=True)
    async with watched_client(demo.urls) as (client, watch), holder("small", theirs, demo.urls) as other:
        assert await line(other) == "held"
        with pytest.raises(LeaseHeldError) as caught:
            await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        assert f"pid {other.pid}," in str(caught.value)
        assert socket.gethostname() in str(caught.value)
        # Another tier is free, and what the other one uses is no leftover.
        mine = await Lease.acquire(client, watch.leader, demo.urls, "large", tmp_path)
        leader = watch.leader()
        assert leader is not None
        await client.put_namespace(leader, "bench-small-000")
        await client.put_entry(leader, PROBE_NAMESPACE, "p", "x")
        assert await removal.leftovers(client, leader) == (owner_namespace("large"),)
        assert set(await owners(client, leader, ("small", "large", "xlarge"))) == {"small", "large"}
        # The probe's namespace is everybody's: it stays while the other program writes there.
        go_on = asyncio.Event()
        await removal.remove(client, watch.leader, (PROBE_NAMESPACE,), lambda *_: None, go_on)
        assert len(await client.list_entries(leader, PROBE_NAMESPACE)) == 1
        assert await mine.release(client, watch.leader)
        assert not await present(client, watch, "large")

        assert other.stdin is not None
        other.stdin.close()
        assert await line(other) == "released: True"
        assert await other.wait() == 0
        mine = await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        assert await mine.release(client, watch.leader)
        assert not await present(client, watch, "small")
        found = await removal.leftovers(client, leader)
        assert found == (PROBE_NAMESPACE, "bench-small-000")
        await removal.remove(client, watch.leader, found, lambda *_: None, go_on)
        assert await removal.leftovers(client, leader) == ()
        assert locks(tmp_path) == []


async def test_a_killed_programs_lease_is_a_leftover(demo: DemoCluster, tmp_path: Path) -> None:
    async with watched_client(demo.urls) as (client, watch):
        async with holder("small", tmp_path, demo.urls) as other:
            assert await line(other) == "held"
            other.kill()
            await other.wait()
        leader = watch.leader()
        assert leader is not None
        assert await removal.leftovers(client, leader) == (owner_namespace("small"),)
        mine = await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        assert await mine.release(client, watch.leader)
        assert await removal.leftovers(client, leader) == ()


async def test_a_program_of_another_machine_is_refused_with_a_way_out(demo: DemoCluster, tmp_path: Path) -> None:
    async with watched_client(demo.urls) as (client, watch):
        leader = watch.leader()
        assert leader is not None
        far = replace(Owner.this_program(), user="ann", host="far-away", pid=17)
        space = owner_namespace("small")
        await client.put_namespace(leader, space)
        await client.put_entry(leader, space, "owner-1", json.dumps(asdict(far)))
        with pytest.raises(LeaseHeldError, match=r"ann@far-away, pid 17, .*`confman-tui clean`"):
            await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        assert await removal.leftovers(client, leader, claimed_elsewhere=False) == ()
        assert await removal.leftovers(client, leader) == (space,)
        await removal.remove(client, watch.leader, (space,), lambda *_: None, asyncio.Event())
        await (await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)).release(client, watch.leader)


async def test_a_claim_that_nobody_can_read_is_respected(demo: DemoCluster, tmp_path: Path) -> None:
    async with watched_client(demo.urls) as (client, watch):
        leader = watch.leader()
        assert leader is not None
        space = owner_namespace("small")
        await client.put_namespace(leader, space)
        await client.put_entry(leader, space, "owner-1", "\x1b[2Jhello")
        with pytest.raises(LeaseHeldError, match="does not say its name"):
            await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        await client.delete_namespace(leader, space)


async def test_of_two_that_begin_at_once_at_most_one_stays(
    demo: DemoCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from two machines: each with a lock folder of its own, and none of the claims of a process here."""
    monkeypatch.setattr(Owner, "gone", property(lambda owner: False))
    monkeypatch.setattr(Owner, "is_this", property(lambda owner: False))
    async with watched_client(demo.urls) as (client, watch):
        kept = 0
        for attempt in range(6):
            folders = [tmp_path / f"{attempt}-{number}" for number in range(3)]
            for folder in folders:
                folder.mkdir()
            results = await asyncio.gather(
                *(Lease.acquire(client, watch.leader, demo.urls, "small", folder) for folder in folders),
                return_exceptions=True,
            )
            leases = [result for result in results if isinstance(result, Lease)]
            assert len(leases) <= 1
            assert all(isinstance(result, Lease | LeaseHeldError) for result in results)
            kept += len(leases)
            for lease in leases:
                assert await lease.release(client, watch.leader)
            assert not await present(client, watch, "small")
        leader = watch.leader()
        assert leader is not None
        assert await client.list_entries(leader, owner_namespace("small")) == []


async def test_a_lease_is_given_back_here_even_when_the_cluster_is_gone(
    demo: DemoCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "_RELEASE_PATIENCE_S", 0.1)
    async with watched_client(demo.urls) as (client, watch):
        mine = await Lease.acquire(client, watch.leader, demo.urls, "small", tmp_path)
        assert not await mine.release(client, lambda: None)
        assert locks(tmp_path) == []
        mine.forget()
        leader = watch.leader()
        assert leader is not None
        await client.delete_namespace(leader, owner_namespace("small"))


def test_an_owner_is_known_by_its_process_and_not_by_its_pid_alone() -> None:
    me = Owner.this_program()
    assert me.here
    assert me.is_this
    assert not me.gone
    assert Owner.parse(json.dumps(asdict(me))) == me
    assert replace(me, started=me.started - 1000).gone
    assert not replace(me, started=me.started - 1000).is_this
    free = next(pid for pid in range(2**22 - 1, 0, -1) if not psutil.pid_exists(pid))
    assert replace(me, pid=free).gone
    assert replace(me, pid=-1).gone
    far = replace(me, host="far-away", pid=free)
    assert not far.gone
    assert str(os.getpid()) in str(me)


@given(st.text(max_size=50) | st.dictionaries(st.text(max_size=5), st.integers() | st.text()).map(json.dumps))
def test_any_text_is_an_owner_or_none(text: str) -> None:
    assert Owner.parse(text) is None


@given(
    st.fixed_dictionaries(
        {name: st.text(max_size=9) | st.integers() | st.none() for name in ("user", "host", "pid", "started", "since")}
    )
)
def test_an_owner_of_any_values_can_be_shown(item: dict[str, object]) -> None:
    owner = Owner.parse(json.dumps(item))
    if owner is not None:
        assert str(owner).isprintable()
        assert isinstance(owner.gone, bool)
