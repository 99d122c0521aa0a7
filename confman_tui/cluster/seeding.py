"""The benchmark's data: seeding it, putting it back to the seeded state, removing it.

Only namespaces that this program makes are ever written to or deleted, by their exact names (`is_ours`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from confman_tui.cluster.client import ConfmanClient, Entry
from confman_tui.cluster.leader_requests import LeaderOf, Pace, Progress, StoppedError
from confman_tui.cluster.lease import owners
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.settings.tiers import PROBE_NAMESPACE, TIERS, Tier, is_ours, namespaces_of, owner_namespace

__all__ = [
    "Key",
    "fill",
    "leftovers",
    "payload",
    "read_registry",
    "remove",
    "remove_keys",
    "reset_to_seeded",
    "seed",
    "write_registry",
]

Key = tuple[str, str]
"""Namespace and key."""

_PASSES = 5
"""So often a namespace is emptied again when late writes keep filling it."""
_FINISH_S = 2.0
"""After a stop, putting a namespace back goes on for this long."""
_SETTLE_S = 0.2
"""After this a namespace that was emptied is looked at once more, for writes that were still on their way."""


def payload(size_bytes: int) -> str:
    """Base64 text of random bytes, of exactly that length: as compressible as real secrets, so not at all."""
    return b64encode(os.urandom(size_bytes * 3 // 4 + 1)).decode()[:size_bytes]


async def seed(
    client: ConfmanClient,
    leader_of: LeaderOf,
    tier: Tier,
    payload_bytes: int,
    progress: Progress,
    stop: asyncio.Event,
) -> tuple[Key, ...]:
    """Write a tier's keys, each with a random value; through elections, following the leader.

    Returns:
        The keys that were written: all of them, or those until ``stop`` was set.

    Raises:
        ClusterError: the cluster takes nothing any more, or refuses the key.
    """
    pace = Pace(leader_of, stop)
    names = namespaces_of(tier)
    keys = [(name, key) for name in names for key in _fresh_keys(tier.keys_per_namespace)]
    written: list[Key] = []

    async def make(name: str) -> None:
        await pace.do(lambda leader: client.put_namespace(leader, name, f"confman-tui, tier {tier.name}"))

    async def write(key: Key) -> None:
        # One value for all tries of a key: a try that seemed to fail may have happened.
        value = payload(payload_bytes)
        await pace.do(lambda leader: client.put_entry(leader, *key, value))
        written.append(key)
        progress(len(written), len(keys))

    progress(0, len(keys))
    with contextlib.suppress(StoppedError):
        await pace.each(names, make, client.concurrency)
        await pace.each(keys, write, client.concurrency)
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
    """Write so many more entries, spread evenly over these namespaces; otherwise as `seed`.

    Raises:
        ValueError: a namespace that is not this program's.
        ClusterError: the cluster takes nothing any more.
    """
    if not all(is_ours(name) for name in namespaces):
        raise ValueError("not this program's namespaces")
    pace = Pace(leader_of, stop)
    keys = [(namespaces[number % len(namespaces)], key) for number, key in enumerate(_fresh_keys(count))]
    written: list[Key] = []

    async def write(key: Key) -> None:
        value = payload(payload_bytes)
        await pace.do(lambda leader: client.put_entry(leader, *key, value))
        written.append(key)
        progress(len(written), len(keys))

    progress(0, len(keys))
    with contextlib.suppress(StoppedError):
        await pace.each(keys, write, client.concurrency)
    return tuple(written)


def _fresh_keys(count: int) -> list[str]:
    keys: dict[str, None] = {}
    while len(keys) < count:
        keys[f"key-{secrets.token_hex(6)}"] = None
    return list(keys)


async def leftovers(client: ConfmanClient, node: str, *, claimed_elsewhere: bool = True) -> tuple[str, ...]:
    """Namespaces of this program on the cluster that no other running program uses, in the order of their names.

    Those of this very program are among them. ``bench-probe`` counts as soon as it holds an entry: entries can be
    there without their namespace.

    Args:
        client: to ask with.
        node: any node.
        claimed_elsewhere: whether those count that a program of another machine has claimed. Nobody here can know
            whether it still runs, so they are for a person to decide on.
    """
    found = {namespace.path for namespace in await client.list_namespaces(node) if is_ours(namespace.path)}
    if PROBE_NAMESPACE not in found and await client.list_entries(node, PROBE_NAMESPACE):
        found.add(PROBE_NAMESPACE)
    for tier, owner in (await owners(client, node, tuple(TIERS))).items():
        if not owner.is_this and (owner.here or not claimed_elsewhere):
            found -= {*namespaces_of(TIERS[tier]), owner_namespace(tier), PROBE_NAMESPACE}
    return tuple(sorted(found))


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
    foreign = [name for name in namespaces if not is_ours(name)]
    if foreign:
        raise ValueError(f"not this program's namespaces: {', '.join(foreign)}")
    pace = Pace(leader_of, stop)
    if PROBE_NAMESPACE in namespaces:
        with contextlib.suppress(StoppedError):
            if await pace.do(lambda leader: _others(client, leader, namespaces)):
                namespaces = [name for name in namespaces if name != PROBE_NAMESPACE]
    if not namespaces:
        return
    total, done = 2 * len(namespaces), 0

    async def delete(name: str) -> None:
        nonlocal done
        await pace.do(lambda leader: client.delete_namespace(leader, name))
        await _empty(client, pace, name)
        done += 1
        progress(done, total)

    async def look_again(name: str) -> None:
        nonlocal done
        await _empty(client, pace, name)
        done += 1
        progress(done, total)

    progress(0, total)
    with contextlib.suppress(StoppedError):
        await pace.each(namespaces, delete, client.concurrency)
        await asyncio.sleep(_SETTLE_S)
        await pace.each(namespaces, look_again, client.concurrency)


async def _others(client: ConfmanClient, node: str, doomed: Sequence[str]) -> bool:
    """Whether other programs use tiers that stay."""
    used = await owners(client, node, [tier for tier in TIERS if owner_namespace(tier) not in doomed])
    return any(not owner.is_this for owner in used.values())


async def _empty(client: ConfmanClient, pace: Pace, name: str) -> None:
    """Remove the entries that stand in a namespace that was deleted."""
    for _ in range(_PASSES):
        strays = await pace.do(lambda leader: client.list_entries(leader, name))
        if not strays:
            return
        if len(strays) <= 2:
            for stray in strays:
                await _delete_entry(client, pace, stray)
        else:
            # Only a namespace that exists takes its entries along.
            await pace.do(lambda leader: client.put_namespace(leader, name))
            await pace.do(lambda leader: client.delete_namespace(leader, name))
    raise ClusterError(f"the namespace {name} does not stay empty: something still writes to it")


async def _delete_entry(client: ConfmanClient, pace: Pace, entry: Entry) -> None:
    await pace.do(lambda leader: client.delete_entry(leader, entry.namespace, entry.key))


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
    pace = Pace(leader_of, stop)

    async def delete(entry: Entry) -> None:
        await _delete_entry(client, pace, entry)

    with contextlib.suppress(StoppedError):
        entries = await pace.do(lambda leader: client.list_entries(leader, namespace))
        await pace.each([entry for entry in entries if doomed(entry.key)], delete, client.concurrency)


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
    foreign = [name for name in namespaces if not is_ours(name)]
    if foreign:
        raise ValueError(f"not this program's namespaces: {', '.join(foreign)}")
    seeded: dict[str, set[str]] = {name: set() for name in namespaces}
    for name, key in keys:
        if name in seeded:
            seeded[name].add(key)
    pace = Pace(leader_of, stop, finish_s=_FINISH_S)
    progress(0, len(namespaces))
    for number, name in enumerate(namespaces, start=1):
        if stop.is_set():
            return
        try:
            await _reset_one(client, pace, name, seeded[name])
        except StoppedError:
            raise ClusterError(
                f"stopped while {name} was put back: not all of its seeded entries may be there"
            ) from None
        progress(number, len(namespaces))


async def _reset_one(client: ConfmanClient, pace: Pace, name: str, seeded: set[str]) -> None:
    values: dict[str, str] = {}

    async def put(key: str) -> None:
        await pace.do(lambda leader: client.put_entry(leader, name, key, values[key]))

    async def delete(entry: Entry) -> None:
        await _delete_entry(client, pace, entry)

    for _ in range(_PASSES):
        entries = await pace.do(lambda leader: client.list_entries(leader, name))
        values |= {entry.key: entry.value for entry in entries if entry.key in seeded and entry.key not in values}
        extra = [entry for entry in entries if entry.key not in seeded]
        size = len(next(iter(values.values()), "")) or 1024
        missing = seeded - {entry.key for entry in entries}
        values |= {key: payload(size) for key in missing if key not in values}
        if not extra and not missing:
            return
        if len(extra) > len(seeded) + 2:
            await pace.do(lambda leader: client.delete_namespace(leader, name))
            await pace.do(lambda leader: client.put_namespace(leader, name))
            await pace.each(sorted(seeded), put, client.concurrency)
        else:
            await pace.each(extra, delete, client.concurrency)
            await pace.each(sorted(missing), put, client.concurrency)
    raise ClusterError(f"the namespace {name} does not stay as it was seeded: something still writes to it")


def write_registry(path: Path, keys: Iterable[Key]) -> None:
    """Write the seeded keys as the suite's users read them: a JSON list of ``{"namespace", "key"}``. The file is
    whole at every moment; OSError when it can't be written."""
    text = json.dumps([{"namespace": namespace, "key": key} for namespace, key in keys], indent=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes it readable for its owner alone; the suite's users may be others.
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def read_registry(path: Path) -> tuple[Key, ...]:
    """The keys of a registry file.

    Raises:
        UsageError: it can't be read or holds something else.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the key registry {path} can't be read: {error.strerror}") from None
    except ValueError:
        parsed = None
    keys: list[Key] = []
    for item in parsed if isinstance(parsed, list) else (None,):
        namespace, key = (item.get("namespace"), item.get("key")) if isinstance(item, dict) else (None, None)
        if not isinstance(namespace, str) or not isinstance(key, str):
            raise UsageError(f'the key registry {path} must hold a JSON list of {{"namespace", "key"}}')
        keys.append((namespace, key))
    return tuple(keys)
