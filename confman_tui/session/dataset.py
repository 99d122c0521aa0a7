"""The benchmark's data on the cluster: whose it is, what was seeded, and that it goes away again.

It gives the cluster package's seeding and cleaning a leader to write to, a progress to show and a way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from confman_tui.cluster import key_registry, removal, seeding
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.lease import STOPPED_WITHIN_S, Lease
from confman_tui.cluster.removal import Survey
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.core import paths
from confman_tui.core.clock import Clock
from confman_tui.core.errors import EXIT_UNWRITTEN, ClusterError, UsageError
from confman_tui.results.files.output_folder import ResultsError, os_error_text
from confman_tui.session.cluster_monitor import Monitor
from confman_tui.session.events import LeftoversFound, Level, NoticeGiven, Phase, ProgressMade, Sink
from confman_tui.settings import Settings
from confman_tui.settings.tiers import PROBE_NAMESPACE, TIERS, is_of_tier, namespaces_of

PROGRESS_EVERY_S = 0.1
"""Least seconds between two events about the same progress."""
SURE_S = 0.5
"""Before this many seconds a rate says nothing about the time left: the first write takes longer than the others."""


class Progress:
    """Turns counts into `ProgressMade` events with a rate and the time left."""

    def __init__(self, activity: Phase, emit: Sink) -> None:
        self._activity = activity
        self._emit = emit
        self._began = self._emitted_at = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` are done."""
        at = time.monotonic()
        if self._first is None:
            self._first = done
        if done < total and at - self._emitted_at < PROGRESS_EVERY_S:
            return
        self._emitted_at = at
        elapsed = at - self._began
        rate = (done - self._first) / elapsed if elapsed > 0 else 0.0
        left = (total - done) / rate if rate > 0 and elapsed >= SURE_S else None
        self._emit(ProgressMade(self._activity, done, total, rate, left))


class Dataset:
    """The data of one tier on one cluster."""

    def __init__(
        self,
        settings: Settings,
        client: ConfmanClient,
        monitor: Monitor,
        emit: Sink,
        stop: asyncio.Event,
        clock: Clock,
        ending: asyncio.Event | None = None,
    ) -> None:
        self.settings = settings
        self.tier = TIERS[settings.tier]
        self.keys: tuple[tuple[str, str], ...] = ()
        """Seeded (namespace, key) pairs, and those that `fill` added."""
        self.seeded_bytes = 0
        """Size of the seeded values."""
        self._seeded_keys: tuple[tuple[str, str], ...] = ()
        """The seeded ones alone, while there are others."""
        self.seeded = False
        """Whether all of the tier's keys are there."""
        self.dirty = False
        """Whether anything of ours may be on the cluster."""
        self._client = client
        self._monitor = monitor
        self._emit = emit
        self._stop = stop
        self._ending = ending or asyncio.Event()
        """The program ends: what goes on after a stop is stopped, too."""
        self._clock = clock
        self._lease: Lease | None = None
        self._leftovers: tuple[str, ...] = ()
        self.registry_files: tuple[str, ...] = ()
        self.before_removing: Callable[[], Awaitable[None]] | None = None
        """Called before entries that runs have written are removed."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The tier's namespaces."""
        return namespaces_of(self.tier)

    def _leader(self) -> str | None:
        return self._monitor.view.leader

    async def claim(self) -> None:
        """Take this cluster and tier for this program; raises ClusterError naming who has it."""
        self._lease = await self._acquire(self.tier.name)
        self.dirty = True

    async def _acquire(self, tier: str) -> Lease:
        folder = paths.needed_folder(paths.runtime_dir())
        try:
            return await Lease.acquire(self._client, self._leader, self._monitor.nodes, tier, folder)
        except OSError as error:
            raise UsageError(f"the folder {folder} can't hold a lock: {os_error_text(error)}") from error

    async def survey(self, *, claimed_elsewhere: bool = True) -> Survey:
        """What the cluster holds of this program's data, of the tier asked for or of all; the free namespaces are those
        that `remove_leftovers` removes.

        Args:
            claimed_elsewhere: with those that a program on another machine claims, which may run or not.
        """
        node = self._leader() or self._monitor.live()[0]
        seen = await removal.survey(self._client, node, claimed_elsewhere=claimed_elsewhere)
        if (tier := self.settings.clean_tier) is not None:
            free = tuple(name for name in seen.free if is_of_tier(name, tier))
            seen = replace(seen, free=free, used=tuple(one for one in seen.used if one.tier == tier))
        self._leftovers = seen.free
        return seen

    async def announce_leftovers(self) -> None:
        """Announce the data of earlier runs, once, before anything is seeded."""
        mine = self._lease.namespace if self._lease is not None else ""
        found = (await self.survey(claimed_elsewhere=False)).free
        self._leftovers = tuple(name for name in found if name != mine and name != PROBE_NAMESPACE)
        if self._leftovers:
            self._emit(LeftoversFound(self._leftovers))

    async def remove_leftovers(self) -> None:
        """Remove what `survey` found free, this program's own data aside when it is seeded."""
        own = set(self.namespaces) if self.seeded else set()
        removed = tuple(name for name in self._leftovers if name not in own)
        await removal.remove(self._client, self._leader, removed, Progress(Phase.CLEANING, self._emit), self._stop)
        if self._stop.is_set():
            text = "stopped: data of earlier runs is still there"
            self._emit(NoticeGiven(Level.WARNING, text, self._clock()))
            return
        kept = len(self._leftovers) - len(removed)
        self._leftovers = ()
        self._emit(LeftoversFound(()))
        self._emit(
            NoticeGiven(
                Level.INFO,
                f"{len(removed)} namespaces of earlier runs removed"
                + (f"; {kept} are in use by this run and go at its end" if kept else ""),
                self._clock(),
            )
        )

    async def seed(self, payload_bytes: int | None = None) -> None:
        """Write the tier's keys, of the size set or of another, and the registry file; stopping leaves it unseeded."""
        self.dirty = True
        self._seeded_keys = ()
        self.seeded_bytes = payload_bytes or self.settings.payload_bytes
        keys = await seeding.seed(
            self._client,
            self._leader,
            self.tier,
            self.seeded_bytes,
            Progress(Phase.SEEDING, self._emit),
            self._stop,
        )
        self.seeded = not self._stop.is_set()
        self.keys = tuple(keys)
        if self.seeded:
            self._write_registry()

    def _write_registry(self) -> None:
        path = Path(self.settings.output_dir) / f"{self.tier.name}-key-registry.json"
        try:
            key_registry.write_registry(path, self.keys)
            self.registry_files = (str(path),)
        except (OSError, ResultsError) as error:
            text = str(error) if isinstance(error, ResultsError) else f"{path} can't be written: {os_error_text(error)}"
            self._emit(NoticeGiven(Level.ERROR, text, self._clock(), EXIT_UNWRITTEN))

    async def reset(self) -> None:
        """Back to the seeded state, or to that after `fill`: what scenarios wrote goes away."""
        await self._reset(self._stop)

    async def _reset(self, stop: asyncio.Event) -> None:
        await self._before_removing()
        try:
            await seeding.reset_to_seeded(
                self._client, self._leader, self.namespaces, self.keys, Progress(Phase.CLEANING, self._emit), stop
            )
            await self.remove_spent_probe_keys()
        except ClusterError:
            self.seeded = False  # some seeded entries may be missing: the next run seeds anew
            if not stop.is_set():
                raise

    async def reseed(self, payload_bytes: int) -> None:
        """Remove what there is and seed anew with values of that size; stopping leaves it unseeded.

        Cheaper than `reset` where values are large: nothing is read.
        """
        await self._remove(self.namespaces, self._stop)
        await self.remove_spent_probe_keys()
        if not self._stop.is_set():
            await self.seed(payload_bytes)

    async def fill(self, count: int) -> None:
        """Write ``count`` more entries, which are then read as the seeded ones are; stopping leaves fewer."""
        self._seeded_keys = self._seeded_keys or self.keys
        more = await seeding.fill(
            self._client,
            self._leader,
            self.namespaces,
            count,
            self.seeded_bytes,
            Progress(Phase.SEEDING, self._emit),
            self._stop,
        )
        self.keys = (*self.keys, *more)

    async def remove_filled(self) -> None:
        """Remove what `fill` wrote, also after a stop."""
        if self._seeded_keys:
            self.keys, self._seeded_keys = self._seeded_keys, ()
            await self._reset(self._ending)

    async def remove_spent_probe_keys(self) -> None:
        # Only these: the namespace is shared with programs on other tiers, and the probe goes on writing there.
        await removal.remove_keys(
            self._client, self._leader, PROBE_NAMESPACE, self._monitor.is_spent_probe_key, self._stop
        )

    async def change_tier(self, name: str) -> None:
        """Claim the other tier and clean the present one; stopping leaves the present one ours, and unseeded.

        Raises:
            ClusterError: the other tier is in use, or the cluster takes nothing; the present tier stays as it is.
        """
        if name != self.tier.name:
            # Before anything is removed: a refused claim must change nothing.
            try:
                other = await unless_stopped(self._acquire(name), self._stop)
            except StoppedError:
                return
            try:
                await self._remove(self.namespaces, self._stop)
                await self.remove_spent_probe_keys()
                if self._stop.is_set():
                    await other.release(self._client, self._leader, within_s=STOPPED_WITHIN_S)
                    return
                await self.release()
            except BaseException:
                await asyncio.shield(other.release(self._client, self._leader))
                raise
            self._lease = other
            self.settings = replace(self.settings, tier=name)
            self.tier = TIERS[name]
            self.keys, self.registry_files = (), ()

    async def _remove(self, namespaces: tuple[str, ...], stop: asyncio.Event) -> None:
        await self._before_removing()
        self.seeded = False
        await removal.remove(self._client, self._leader, namespaces, Progress(Phase.CLEANING, self._emit), stop)

    async def _before_removing(self) -> None:
        if self.before_removing is not None:
            await self.before_removing()

    async def clean(self) -> None:
        """Remove everything of ours: the tier's namespaces, the probe's, the lease."""
        await self._remove((*self.namespaces, PROBE_NAMESPACE), asyncio.Event())
        await self.release()
        self.dirty = False

    async def release(self) -> None:
        """Give the cluster and tier back, whatever happens to the data."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.release(self._client, self._leader)

    def close(self) -> None:
        """Forget the claim on this machine, without asking the cluster."""
        lease, self._lease = self._lease, None
        with contextlib.suppress(ClusterError):
            if lease is not None:
                lease.forget()
