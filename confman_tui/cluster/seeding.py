"""The benchmark's data: seeding it, and putting it back to the seeded state.

Only namespaces that this program makes are ever written to, by their exact names (`is_ours`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.key_registry import Key
from confman_tui.cluster.leader_requests import LeaderOf, LeaderRequests, Progress, StoppedError
from confman_tui.cluster.removal import PASSES
from confman_tui.cluster.seeded_values import seeded_value
from confman_tui.core.errors import ClusterError
from confman_tui.settings.tiers import Tier, is_ours, namespaces_of

_FEW_EXTRA = 2
"""So many more entries than the seeded ones are deleted one by one."""
_MOST_KEPT = 256 << 20
"""Characters of a namespace's seeded values that are kept, to write them anew."""
_FINISH_S = 0.4
"""After a stop, putting a namespace back goes on for this long."""


async def seed(
    client: ConfmanClient,
    leader_of: LeaderOf,
    tier: Tier,
    payload_bytes: int,
    progress: Progress,
    stop: asyncio.Event,
) -> tuple[Key, ...]:
    """Write a tier's keys, each with its `seeded_value`; through elections, following the leader.

    Returns:
        The keys that were written: all of them, or those until ``stop`` was set.

    Raises:
        ClusterError: the cluster takes nothing any more, or refuses the key.
    """
    requests = LeaderRequests(leader_of, stop)
    names = namespaces_of(tier)
    keys = [(name, key) for name in names for key in _fresh_keys(tier.keys_per_namespace)]
    written: list[Key] = []

    async def make(name: str) -> None:
        await requests.do(lambda leader: client.put_namespace(leader, name, f"confman-tui, tier {tier.name}"))

    async def write(key: Key) -> None:
        value = seeded_value(*key, payload_bytes)
        await requests.do(lambda leader: client.put_entry(leader, *key, value))
        written.append(key)
        progress(len(written), len(keys))

    progress(0, len(keys))
    with contextlib.suppress(StoppedError):
        await requests.each(names, make, client.concurrency)
        await requests.each(keys, write, client.concurrency)
    done = set(written)
    return tuple(key for key in keys if key in done)


async def fill(
    client: ConfmanClient,
    leader_of: LeaderOf,
    namespaces: Sequence[str],
    count: int,
    payload_bytes: int,
    progress: Progress,
    stop: asyncio.Event,
) -> tuple[Key, ...]:
    """Write ``count`` more entries, spread evenly over these namespaces; otherwise as `seed`.

    Raises:
        ValueError: a namespace that is not this program's.
        ClusterError: the cluster takes nothing any more.
    """
    if not all(is_ours(name) for name in namespaces):
        raise ValueError("not this program's namespaces")
    requests = LeaderRequests(leader_of, stop)
    keys = [(namespaces[number % len(namespaces)], key) for number, key in enumerate(_fresh_keys(count))]
    written: list[Key] = []

    async def write(key: Key) -> None:
        value = seeded_value(*key, payload_bytes)
        await requests.do(lambda leader: client.put_entry(leader, *key, value))
        written.append(key)
        progress(len(written), len(keys))

    progress(0, len(keys))
    with contextlib.suppress(StoppedError):
        await requests.each(keys, write, client.concurrency)
    return tuple(written)


def _fresh_keys(count: int) -> list[str]:
    keys: dict[str, None] = {}
    while len(keys) < count:
        keys[f"key-{secrets.token_hex(6)}"] = None
    return list(keys)


async def reset_to_seeded(
    client: ConfmanClient,
    leader_of: LeaderOf,
    namespaces: Sequence[str],
    keys: Iterable[Key],
    progress: Progress,
    stop: asyncio.Event,
) -> None:
    """Delete all entries of these namespaces that were not seeded, so that each scenario finds the same data.

    The cheaper way for the cluster is taken for each namespace: deleting what is too much key by key, or the whole
    namespace, writing its seeded entries anew with the values that they had. A stop is heeded between namespaces only,
    so that none is left without its seeded entries.

    Raises:
        ValueError: a namespace that is not this program's.
        ClusterError: the cluster takes nothing any more, writes keep coming in, or a stop cut it short.
    """
    others = [name for name in namespaces if not is_ours(name)]
    if others:
        raise ValueError(f"not this program's namespaces: {', '.join(others)}")
    seeded: dict[str, set[str]] = {name: set() for name in namespaces}
    for name, key in keys:
        if name in seeded:
            seeded[name].add(key)
    requests = LeaderRequests(leader_of, stop, finish_s=_FINISH_S)
    progress(0, len(namespaces))
    for number, name in enumerate(namespaces, start=1):
        if stop.is_set():
            return
        try:
            await _reset_one(client, requests, name, seeded[name])
        except StoppedError:
            raise ClusterError(
                f"stopped while {name} was put back: not all of its seeded entries may be there"
            ) from None
        progress(number, len(namespaces))


async def _reset_one(client: ConfmanClient, requests: LeaderRequests, name: str, seeded: set[str]) -> None:
    values: dict[str, str] = {}

    async def put(key: str) -> None:
        await requests.do(lambda leader: client.put_entry(leader, name, key, values[key]))

    async def delete(key: str) -> None:
        await requests.do(lambda leader: client.delete_entry(leader, name, key))

    for _ in range(PASSES):
        found = await requests.do(lambda leader: _look_at(client, leader, name, seeded))
        values = found.values | values
        size = len(next(iter(values.values()), "")) or 1024
        missing = seeded - found.values.keys()
        values |= {key: seeded_value(name, key, size) for key in missing if key not in values}
        if not found.extra and not missing:
            return
        if len(found.extra) > len(seeded) + _FEW_EXTRA:
            await requests.do(lambda leader: client.delete_namespace(leader, name))
            await requests.do(lambda leader: client.put_namespace(leader, name))
            await requests.each(sorted(seeded), put, client.concurrency)
        else:
            await requests.each(found.extra, delete, client.concurrency)
            await requests.each(sorted(missing), put, client.concurrency)
    raise ClusterError(f"the namespace {name} does not stay as it was seeded: something still writes to it")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a namespace holds."""

    values: dict[str, str]
    """Of its seeded entries, by key."""
    extra: list[str]
    """Keys of others: as many as need be known."""


async def _look_at(client: ConfmanClient, node: str, name: str, seeded: set[str]) -> _Found:
    """List a namespace, which may have grown to any size.

    Raises:
        ClusterError: the values of the seeded entries are larger than any that this program wrote.
    """
    found, size = _Found({}, []), 0
    async with contextlib.aclosing(client.each_entry(node, name)) as entries:
        async for entry in entries:
            if entry.key in seeded:
                found.values[entry.key] = entry.value
                size += len(entry.value)
                if size > _MOST_KEPT:
                    raise ClusterError(f"{name} was not put back: its seeded entries have grown to more than 256 MB")
            elif len(found.extra) <= len(seeded) + _FEW_EXTRA:
                found.extra.append(entry.key)
    return found
