"""Who uses a tier of a cluster: two programs at once would delete each other's data.

Twice, because neither way suffices. A lock on a file of this machine goes away with its process, however that ends.
And a claim on the cluster is seen from other machines: an entry in the namespace ``bench-{tier}-owner``, one per
program, so that of two that begin at the same moment at least the later one sees the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import getpass
import json
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

import psutil

from confman_tui.cluster.api import Entry
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.http_failures import plain
from confman_tui.cluster.leader_requests import LeaderOf, LeaderRequests
from confman_tui.core.errors import EXIT_USAGE, ClusterError
from confman_tui.settings.tiers import owner_namespace

_SAME_START_S: Final = 2.0
"""Process starts closer than this are the same: their clock ticks at 10 ms, and the wall clock may be trimmed."""
_RELEASE_PATIENCE_S: Final = 3.0
_RELEASE_WITHIN_S: Final = 5.0
"""A leader that takes the word and never answers is not waited for any longer."""
STOPPED_WITHIN_S: Final = 0.5
"""The same where a claim is given up because the person stopped."""


class LeaseHeldError(ClusterError):
    """Another program uses this tier of this cluster; names it. Wrong usage: another tier, or later, would do."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Owner:
    """A program that uses a tier."""

    user: str
    host: str
    pid: int
    started: float
    """Start of its process, in seconds since the epoch: sets it apart from a later one with the same pid."""
    since: str
    """When it took the tier, in ISO 8601 with the time zone."""

    @classmethod
    def this_program(cls) -> Owner:
        """The one that runs this code."""
        try:
            user = getpass.getuser()
        except (OSError, KeyError):
            user = str(os.getuid())
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(user, socket.gethostname(), os.getpid(), psutil.Process().create_time(), since)

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """The owner in a claim's text, None when it holds none."""
        try:
            item = json.loads(text)
            owner = cls(item["user"], item["host"], item["pid"], item["started"], item["since"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        texts = (owner.user, owner.host, owner.since)
        numbers = type(owner.pid) is int and type(owner.started) in (int, float)
        if not numbers or not all(isinstance(one, str) for one in texts):
            return None
        return owner

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    @property
    def is_this(self) -> bool:
        """Whether it is the program that runs this code."""
        return self.here and self.pid == os.getpid() and not self.gone

    @property
    def gone(self) -> bool:
        """Whether it certainly runs no more: its process was on this machine and is not there."""
        if not self.here:
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) > _SAME_START_S
        except (psutil.NoSuchProcess, ValueError, OverflowError):
            return True
        except psutil.Error:
            return False

    def __str__(self) -> str:
        return plain(f"{self.user}@{self.host}, pid {self.pid}, since {self.since}")


def _refusal(tier: str, owner: Owner | None) -> LeaseHeldError:
    whom = str(owner) if owner is not None else "a program that does not say its name"
    text = f"tier {tier} of this cluster is in use by another confman-tui ({whom}): wait for it, or take another tier"
    if owner is None or not owner.here:
        text += "; if it no longer runs, `confman-tui clean` removes what it left"
    return LeaseHeldError(text)


class _FileLock:
    """A lock on this machine, held until `release` or the end of the process."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle: int | None = handle

    @classmethod
    def take(cls, path: Path, tier: str, owner: Owner) -> _FileLock:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The one before may have removed the file between our opening and locking it.
                if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, json.dumps(asdict(owner)).encode(), 0)
                    return cls(path, handle)
            except BlockingIOError:
                holder = Owner.parse(os.pread(handle, 4096, 0).decode("utf-8", "replace"))
                os.close(handle)
                raise _refusal(tier, holder) from None
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(handle)


class Lease:
    """This program's claim to one tier of one cluster."""

    def __init__(self, tier: str, key: str, lock: _FileLock) -> None:
        self.namespace = owner_namespace(tier)
        """The namespace that says so on the cluster."""
        self._key = key
        self._lock = lock

    @classmethod
    async def acquire(
        cls, client: ConfmanClient, leader_of: LeaderOf, nodes: Sequence[str], tier: str, folder: Path
    ) -> Lease:
        """Claim a tier.

        Args:
            client: to write the claim with.
            leader_of: gives the node that leads now.
            nodes: the cluster's nodes; programs that name them alike meet at the same file.
            tier: its name.
            folder: of this user on this machine, for the lock's file; exists.

        Raises:
            LeaseHeldError: another program has it; names that program.
            ClusterError: the cluster takes nothing, or refuses the key.
        """
        me = Owner.this_program()
        cluster = blake2b("\n".join(sorted(nodes)).encode(), digest_size=8).hexdigest()
        lock = _FileLock.take(folder / f"lease-{cluster}-{tier}.lock", tier, me)
        lease = cls(tier, f"owner-{secrets.token_hex(6)}", lock)
        try:
            await lease._claim(client, LeaderRequests(leader_of), tier, me)
        except BaseException:
            lease.forget()
            raise
        return lease

    async def _claim(self, client: ConfmanClient, requests: LeaderRequests, tier: str, me: Owner) -> None:
        space, key = self.namespace, self._key
        await self._refuse_others(client, requests, tier)
        text = json.dumps(asdict(me))
        try:
            await requests.do(lambda leader: client.put_namespace(leader, space, f"in use by {me}", str(me)))
            await requests.do(lambda leader: client.put_entry(leader, space, key, text))
            # Of two that came this far at the same time, the one that wrote later sees the other here. When each sees
            # the other both give way; that beats both staying.
            await self._refuse_others(client, requests, tier)
        except BaseException as error:
            stopped = isinstance(error, asyncio.CancelledError)
            with contextlib.suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(STOPPED_WITHIN_S if stopped else _RELEASE_WITHIN_S):
                    await self._withdraw(client, requests)
            raise

    async def _refuse_others(self, client: ConfmanClient, requests: LeaderRequests, tier: str) -> None:
        for entry, owner in await requests.do(lambda leader: _claims(client, leader, self.namespace)):
            if entry.key == self._key:
                continue
            # One of this very program is from before it lost the cluster: the lock on this machine is its own by now.
            if owner is None or not (owner.gone or owner.is_this):
                raise _refusal(tier, owner)
            await self._delete(client, requests, entry.key)

    async def _delete(self, client: ConfmanClient, requests: LeaderRequests, key: str) -> None:
        await requests.do(lambda leader: client.delete_entry(leader, self.namespace, key))

    async def _withdraw(self, client: ConfmanClient, requests: LeaderRequests) -> None:
        await self._delete(client, requests, self._key)
        if not await requests.do(lambda leader: client.list_entries(leader, self.namespace)):
            await requests.do(lambda leader: client.delete_namespace(leader, self.namespace))

    async def release(self, client: ConfmanClient, leader_of: LeaderOf, *, within_s: float = _RELEASE_WITHIN_S) -> bool:
        """Give the tier back; False when the cluster took no word of it within a few seconds. What then stays there
        names a process that has ended, and refuses nobody on this machine."""
        try:
            async with asyncio.timeout(within_s):
                await self._withdraw(client, LeaderRequests(leader_of, patience_s=_RELEASE_PATIENCE_S))
        except (ClusterError, TimeoutError):
            return False
        finally:
            self.forget()
        return True

    def forget(self) -> None:
        """Give the tier back on this machine, without a word to the cluster."""
        self._lock.release()


async def _claims(client: ConfmanClient, node: str, namespace: str) -> list[tuple[Entry, Owner | None]]:
    return [(entry, Owner.parse(entry.value)) for entry in await client.list_entries(node, namespace)]


async def owners(client: ConfmanClient, node: str, tiers: Sequence[str]) -> dict[str, Owner]:
    """Who uses these tiers now, by the tier's name: this program, programs of this machine that run, and all of other
    machines, of which nobody here can know whether they run."""
    found: dict[str, Owner] = {}
    for tier in tiers:
        for _, owner in await _claims(client, node, owner_namespace(tier)):
            if owner is not None and not owner.gone and (tier not in found or found[tier].is_this):
                found[tier] = owner
    return found
