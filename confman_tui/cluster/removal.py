"""Removing the benchmark's data from a cluster, and finding what was left there.

Only namespaces that this program makes are ever deleted, by their exact names (`is_ours`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confman_tui.cluster.api import Entry
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.leader_requests import LeaderOf, LeaderRequests, Progress, StoppedError
from confman_tui.cluster.lease import Owner, owners
from confman_tui.core.errors import ClusterError
from confman_tui.settings.tiers import PROBE_NAMESPACE, TIERS, is_ours, namespaces_of, owner_namespace

PASSES = 5
"""How often a namespace is emptied again when late writes keep filling it."""
_FEW = 2
"""So many entries are deleted one by one."""
_MOST_AT_ONCE = 100_000
"""Keys that are kept before they are deleted."""
_SETTLE_S = 0.2
"""After this a namespace that was emptied is looked at once more, for writes that were still on their way."""


@dataclass(frozen=True, slots=True)
class UsedTier:
    """A tier that another program uses, or has claimed."""

    tier: str
    owner: Owner
    namespaces: tuple[str, ...]
    """Those of its namespaces that are there."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a cluster holds of this program's data."""

    namespaces: int
    """All that the cluster holds, everybody's."""
    free: tuple[str, ...]
    """Namespaces of this program that nobody is known to use, in the order of their names."""
    used: tuple[UsedTier, ...]
    """Tiers that are not this very program's. Those claimed from another machine may be among ``free``, too."""


async def leftovers(client: ConfmanClient, node: str, *, claimed_elsewhere: bool = True) -> tuple[str, ...]:
    """The free namespaces of `survey`."""
    return (await survey(client, node, claimed_elsewhere=claimed_elsewhere)).free


async def survey(client: ConfmanClient, node: str, *, claimed_elsewhere: bool = True) -> Survey:
    """Look at what the cluster holds of this program's data, and who uses it.

    The namespaces of this very program are free. ``bench-probe`` counts as soon as it holds an entry: entries can be
    there without their namespace.

    Args:
        client: to ask with.
        node: any node.
        claimed_elsewhere: whether those count that a program of another machine has claimed. Nobody here can know
            whether it still runs, so they are for a person to decide on.
    """
    paths = {namespace.path for namespace in await client.list_namespaces(node)}
    found = {path for path in paths if is_ours(path)}
    if PROBE_NAMESPACE not in found and await client.list_entries(node, PROBE_NAMESPACE, first=1):
        found.add(PROBE_NAMESPACE)
    used, free = [], set(found)
    for tier, owner in (await owners(client, node, tuple(TIERS))).items():
        if owner.is_this:
            continue
        of_tier = {*namespaces_of(TIERS[tier]), owner_namespace(tier)}
        used.append(UsedTier(tier, owner, tuple(sorted(found & of_tier))))
        if owner.here or not claimed_elsewhere:
            free -= {*of_tier, PROBE_NAMESPACE}
    return Survey(len(paths), tuple(sorted(free)), tuple(used))


async def remove(
    client: ConfmanClient,
    leader_of: LeaderOf,
    namespaces: Sequence[str],
    progress: Progress,
    stop: asyncio.Event,
) -> None:
    """Delete these namespaces with all that is in them, and make sure that they are empty; stoppable.

    Deleting a namespace takes its entries along, but a write that was still on its way may come after it and stay, in
    a namespace that no longer exists. So each is listed afterwards, and all of them once more at the end.

    ``bench-probe``, which all tiers share, is left alone while another program uses another tier.

    Raises:
        ValueError: a namespace that is not this program's.
        ClusterError: the cluster takes nothing any more, or writes keep coming in.
    """
    others = [name for name in namespaces if not is_ours(name)]
    if others:
        raise ValueError(f"not this program's namespaces: {', '.join(others)}")
    requests = LeaderRequests(leader_of, stop)
    if PROBE_NAMESPACE in namespaces:
        with contextlib.suppress(StoppedError):
            if await requests.do(lambda leader: _others(client, leader, namespaces)):
                namespaces = [name for name in namespaces if name != PROBE_NAMESPACE]
    if not namespaces:
        return
    total, done = 2 * len(namespaces), 0

    async def delete(name: str) -> None:
        nonlocal done
        await requests.do(lambda leader: client.delete_namespace(leader, name))
        await _empty(client, requests, name)
        done += 1
        progress(done, total)

    async def look_again(name: str) -> None:
        nonlocal done
        await _empty(client, requests, name)
        done += 1
        progress(done, total)

    progress(0, total)
    with contextlib.suppress(StoppedError):
        await requests.each(namespaces, delete, client.concurrency)
        await asyncio.sleep(_SETTLE_S)
        await requests.each(namespaces, look_again, client.concurrency)


async def _others(client: ConfmanClient, node: str, doomed: Sequence[str]) -> bool:
    """Whether other programs use tiers that stay."""
    used = await owners(client, node, [tier for tier in TIERS if owner_namespace(tier) not in doomed])
    return any(not owner.is_this for owner in used.values())


async def _empty(client: ConfmanClient, requests: LeaderRequests, name: str) -> None:
    """Remove the entries that stand in a namespace that was deleted."""
    for _ in range(PASSES):
        strays = await requests.do(lambda leader: client.list_entries(leader, name, first=_FEW + 1))
        if not strays:
            return
        if len(strays) <= _FEW:
            for stray in strays:
                await delete_entry(client, requests, stray)
        else:
            # Only a namespace that exists takes its entries along.
            await requests.do(lambda leader: client.put_namespace(leader, name))
            await requests.do(lambda leader: client.delete_namespace(leader, name))
    raise ClusterError(f"the namespace {name} does not stay empty: something still writes to it")


async def delete_entry(client: ConfmanClient, requests: LeaderRequests, entry: Entry) -> None:
    """Delete one entry."""
    await requests.do(lambda leader: client.delete_entry(leader, entry.namespace, entry.key))


async def remove_keys(
    client: ConfmanClient, leader_of: LeaderOf, namespace: str, doomed: Callable[[str], bool], stop: asyncio.Event
) -> None:
    """Delete the entries of a namespace that others use too, as far as their keys are among the doomed; stoppable.

    Raises:
        ValueError: the namespace is not this program's.
        ClusterError: the cluster takes nothing any more.
    """
    if not is_ours(namespace):
        raise ValueError(f"not this program's namespace: {namespace}")
    requests = LeaderRequests(leader_of, stop)

    async def delete(key: str) -> None:
        await requests.do(lambda leader: client.delete_entry(leader, namespace, key))

    with contextlib.suppress(StoppedError):
        for _ in range(PASSES):
            keys = await requests.do(lambda leader: _doomed_keys(client, leader, namespace, doomed))
            await requests.each(keys, delete, client.concurrency)
            if len(keys) < _MOST_AT_ONCE:
                break


async def _doomed_keys(client: ConfmanClient, node: str, namespace: str, doomed: Callable[[str], bool]) -> list[str]:
    keys: list[str] = []
    async with contextlib.aclosing(client.each_entry(node, namespace)) as entries:
        async for entry in entries:
            if doomed(entry.key):
                keys.append(entry.key)
                if len(keys) == _MOST_AT_ONCE:
                    break
    return keys
