"""After a run: is every acknowledged write still there, on every node?

A write is lost when it is absent or different on more than half of the nodes read, stale on fewer, both still 5 s after
the verification began. A write whose fate was unknown is recovered when any node has it; one that was refused for
certain is a phantom when any node has it.

A node that shows something amiss and has fallen behind the cluster meanwhile proves nothing by it: from then on its
answers are left out, and the result says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Literal, Protocol, TypeVar

from confman_tui.cluster.api import RETRYABLE
from confman_tui.cluster.elections import UnreadNode, Verification, value_digest
from confman_tui.cluster.leader_requests import Progress, StoppedError
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.cluster.writes.rules import KeyState, VerificationCounts, suspicious
from confman_tui.cluster.writes.slices import CHUNK, Slice, choose, slices_of
from confman_tui.core.clock import Clock, now
from confman_tui.core.errors import ClusterError
from confman_tui.settings.tiers import PROBE_NAMESPACE

REREAD_S = 5.0
"""What is absent or different is read again until this long after the verification began: a follower may lag behind."""
LEAST_REREAD_S = 0.25
"""Found amiss later than that, it is read again once, after this long."""
CONCURRENCY = 8
"""Requests for single keys at one time, over all nodes."""
LISTING_BYTES = 256_000_000
"""Larger namespaces are read key by key: a node builds a listing in memory."""
BLOB_BYTES = 65536
"""Values of this size are kept as blobs by Confman, and never read in bulk."""
LISTED_PER_READ = 20
"""One entry read by itself costs the cluster about as much as this many in a listing."""

_ATTEMPTS = 6
_PAUSES_S = (0.25, 0.5, 1.0)
_REPORT_EVERY = 50
_T = TypeVar("_T")


class Reader(Protocol):
    """What verification needs of `ConfmanClient`."""

    def each_entry(self, node: str, namespace: str) -> AsyncGenerator[_Entry, None]:
        """All entries of a namespace, one after another."""

    def get_entry(self, node: str, namespace: str, key: str) -> Awaitable[_Entry | None]:
        """One entry, or None."""


class _Entry(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def value(self) -> str: ...


async def verify(
    client: Reader,
    ledger: WriteLedger,
    nodes: Sequence[str],
    *,
    mode: Literal["all", "sample", "off"] = "all",
    sample: int = 0,
    payload_bytes: int = 1024,
    entries_before: int = 0,
    progress: Progress = lambda done, total: None,
    stop: asyncio.Event | None = None,
    reread_s: float = REREAD_S,
    clock: Clock = now,
    without: Sequence[UnreadNode] = (),
    behind: Callable[[str], str] = lambda node: "",
) -> Verification:
    """Read the booked writes back and compare. Call it when all of ``nodes`` agree on a leader, and before any of
    the keys is removed.

    Args:
        client: reads; a namespace is listed, or read key by key where few keys of many are wanted, where the listing
            would be larger than 256 MB or its values are blobs.
        ledger: the run's writes.
        nodes: base URLs of all live nodes.
        mode: ``all`` writes; a ``sample``; or ``off``.
        sample: with mode ``sample``, how many acknowledged writes, and at most how many others, are chosen at random.
        payload_bytes: size of the values, for the choice above.
        entries_before: entries of the cluster beside the booked ones, for the choice above.
        progress: takes how many keys of how many are checked.
        stop: when set, it ends soon, with what was checked.
        reread_s: how long to read again, in seconds from now.
        clock: for the time that it took.
        without: the nodes that are not among ``nodes``, and why.
        behind: says why a node is not caught up with the cluster now; empty when it is.
    """
    begun = clock()
    counts, by_probe = ledger.outcomes(), ledger.outcomes(PROBE_NAMESPACE)[0]
    if mode == "off" or not len(ledger):
        note = "not verified (--verify off)" if mode == "off" else "nothing to judge: no write was booked"
        return Verification(*counts, note=note, asked=mode != "off", by_probe=by_probe)
    stop = stop or asyncio.Event()
    run = _ReadBack(client, tuple(nodes), payload_bytes, stop, reread_s, progress, tuple(without), behind)
    chosen = choose(ledger, sample) if mode == "sample" else None
    run.total = sum(len(some) for some in chosen.values()) if chosen is not None else len(ledger)
    others = entries_before // max(1, len(ledger.namespaces))
    for namespace in ledger.namespaces:
        if run.over:
            break
        positions: Iterable[int] | None = None if chosen is None else chosen.get(namespace, frozenset())
        async with aclosing(slices_of(ledger, namespace, positions, others)) as works:
            async for work in works:
                await run.check(work)
                if run.over:
                    break
    return replace(run.result(counts, clock() - begun), by_probe=by_probe)


class _GivenUpError(Exception):
    """A node can't be read any more, or the person stopped."""


class _ReadBack:
    """One verification under way: reads the writes from all nodes and counts what is found."""

    def __init__(
        self,
        client: Reader,
        nodes: tuple[str, ...],
        payload_bytes: int,
        stop: asyncio.Event,
        reread_s: float,
        progress: Progress,
        without: tuple[UnreadNode, ...],
        behind: Callable[[str], str],
    ) -> None:
        self.counts = VerificationCounts()
        self.total = 0
        self._client = client
        self._nodes = list(nodes)
        self._payload = payload_bytes
        self._stop = stop
        self._until = asyncio.get_running_loop().time() + reread_s
        self._progress = progress
        self._turns = asyncio.Semaphore(CONCURRENCY)
        self._given_up: dict[str, str] = {}
        self._without = list(without)
        self._behind = behind
        self._reported = 0

    @property
    def over(self) -> bool:
        """Stopped, or no node is left to read from."""
        return self._stop.is_set() or not self._nodes

    @property
    def without(self) -> tuple[UnreadNode, ...]:
        """The nodes whose answers do not count: those that were left out, and those that could not be read."""
        return (
            *self._without,
            *(UnreadNode(node, f"could not be read: {why}") for node, why in self._given_up.items()),
        )

    async def check(self, work: Slice) -> None:
        """Reads one namespace from all nodes, again where something is amiss, and counts."""
        wanted = tuple(work.demands)
        seen: dict[str, dict[str, KeyState]] = {node: {} for node in self._nodes}
        await self._all(self._read(work, node, wanted, seen[node]) for node in seen)
        amiss = await self._read_again(work, seen)
        cut_short = amiss is None
        self._leave_out_those_behind(amiss or {})
        for number, key in enumerate(wanted):
            if number % CHUNK == 0:
                await asyncio.sleep(0)
            shown = [seen[node][key] for node in self._nodes if key in seen[node]]
            # Stopped in the middle of it, a key that not all nodes were asked for, or that was to be read again, is
            # left unjudged.
            if not shown or len(shown) != len(self._nodes) or (cut_short and self._doubtful(work, key, shown)):
                continue
            self.counts.count(work.namespace, key, work.demands[key], shown)
        self._report(self.counts.checked)

    def _report(self, done: int) -> None:
        """Progress never goes back, though a key that one node has shown may wait for the others."""
        self._reported = max(self._reported, min(done, self.total))
        self._progress(self._reported, self.total)

    def result(self, outcomes: tuple[int, int, int], seconds: float) -> Verification:
        """What was found. ``outcomes``: acknowledged, refused and unknown writes of the ledger."""
        return Verification(
            *outcomes,
            lost=self.counts.lost,
            stale=self.counts.stale,
            recovered=self.counts.recovered,
            phantom=self.counts.phantom,
            checked=self.counts.checked,
            seconds=seconds,
            lost_keys=tuple(self.counts.keys),
            note="; ".join(self._notes(outcomes[0])),
            without=self.without,
            unread=self._unread,
        )

    @property
    def _unread(self) -> int:
        return max(0, self.total - self.counts.checked) if self.over else 0

    def _notes(self, acknowledged: int) -> list[str]:
        """What a person should know beside the counts."""
        notes = []
        if not acknowledged:
            notes.append("nothing to judge: no write was acknowledged")
        if self._stop.is_set() and self._unread:
            notes.append(f"stopped after {self.counts.checked:,} of {self.total:,} writes")
        if self._without:
            names = short_names([*(one.node for one in self._without), *self._nodes, *self._given_up])
            left_out = [f"{names[one.node]} ({one.why})" for one in self._without]
            notes.append(f"{'judged without' if self.counts.checked else 'not read:'} {' and '.join(left_out)}")
        notes += [f"{node} could not be read: {why}" for node, why in self._given_up.items()]
        if not self._nodes:
            notes.append(f"no node was left to read from after {self.counts.checked:,} of {self.total:,} writes")
        return notes

    @staticmethod
    def _doubtful(work: Slice, key: str, shown: Iterable[KeyState]) -> bool:
        return any(suspicious(work.demands[key], state) for state in shown)

    async def _read_again(self, work: Slice, seen: dict[str, dict[str, KeyState]]) -> dict[str, list[str]] | None:
        """What is amiss is read again, less and less often, until it is right or the time is over; gives the keys of
        each node that still are, None when it ended before that."""
        loop = asyncio.get_running_loop()
        # One deadline for all namespaces: a node that lags in each of hundreds must not cost 5 s for each.
        until = max(self._until, loop.time() + LEAST_REREAD_S)
        pauses = iter(_PAUSES_S)
        while not self.over:
            amiss = await self._amiss(work, seen)
            left = until - loop.time()
            if not any(amiss.values()) or left <= 0:
                return amiss
            await self._pause(min(next(pauses, _PAUSES_S[-1]), left))
            await self._all(self._read(work, node, keys, seen[node]) for node, keys in amiss.items() if keys)
        return None

    async def _all(self, reads: Iterable[Awaitable[None]]) -> None:
        """Do these; when the person stops, what has no answer soon is given up."""
        with suppress(StoppedError):
            await unless_stopped(asyncio.gather(*reads), self._stop)

    async def _amiss(self, work: Slice, seen: dict[str, dict[str, KeyState]]) -> dict[str, list[str]]:
        """For each node, the keys of which it shows what must not be."""
        amiss: dict[str, list[str]] = {node: [] for node in self._nodes}
        for node, keys in amiss.items():
            for number, (key, state) in enumerate(seen[node].items()):
                if number % CHUNK == 0:
                    await asyncio.sleep(0)
                if suspicious(work.demands[key], state):
                    keys.append(key)
        return amiss

    def _leave_out_those_behind(self, amiss: Mapping[str, Sequence[str]]) -> None:
        """What a node lacks that is not caught up now says nothing of what the cluster lost."""
        for node, keys in amiss.items():
            if keys and (why := self._behind(node)) and node in self._nodes:
                self._nodes.remove(node)
                self._without.append(UnreadNode(node, why))

    async def _read(self, work: Slice, node: str, keys: Sequence[str], seen: dict[str, KeyState]) -> None:
        """Reads the keys from one node, by whichever way is cheaper, and notes what they show."""
        entries = work.others + len(work.demands)
        bulk = entries * self._payload <= LISTING_BYTES and self._payload < BLOB_BYTES
        try:
            if bulk and len(keys) * LISTED_PER_READ >= entries:
                absent = await self._try(node, lambda: self._list(work, node, keys, seen))
                for number, key in enumerate(absent):
                    if number % CHUNK == 0:
                        await asyncio.sleep(0)
                    seen[key] = work.demands[key].see(None)
                return
            left = iter(keys)
            await asyncio.gather(*(self._walk(work, node, left, seen) for _ in range(CONCURRENCY)))
        except _GivenUpError:
            return

    async def _list(self, work: Slice, node: str, keys: Sequence[str], seen: dict[str, KeyState]) -> set[str]:
        """Notes what a listing of one node shows of the keys; gives those that it does not hold. Ends early when the
        person stops."""
        absent, found = set(keys), 0
        checked = self.counts.checked
        async with aclosing(self._client.each_entry(node, work.namespace)) as entries:
            async for entry in entries:
                if entry.key not in absent:
                    continue
                absent.discard(entry.key)
                seen[entry.key] = work.demands[entry.key].see(value_digest(entry.value))
                found += 1
                if found % _REPORT_EVERY == 0:
                    if self._stop.is_set():
                        raise _GivenUpError
                    if node == self._nodes[0]:
                        self._report(checked + found)
        return absent

    async def _walk(self, work: Slice, node: str, left: Iterator[str], seen: dict[str, KeyState]) -> None:
        """One of several that read the keys one by one."""
        for key in left:
            async with self._turns:
                entry = await self._try(node, partial(self._client.get_entry, node, work.namespace, key))
            seen[key] = work.demands[key].see(None if entry is None else value_digest(entry.value))
            if node == self._nodes[0] and len(seen) % _REPORT_EVERY == 0:
                self._report(self.counts.checked + len(seen))

    async def _try(self, node: str, read: Callable[[], Awaitable[_T]]) -> _T:
        """Reads, again when it fails for a moment; gives the node up when it fails for good."""
        for attempt in range(_ATTEMPTS):
            if self._stop.is_set() or node not in self._nodes:
                raise _GivenUpError
            try:
                return await read()
            except ClusterError as error:
                if node in self._nodes and (attempt == _ATTEMPTS - 1 or not isinstance(error, RETRYABLE)):
                    self._nodes.remove(node)
                    self._given_up[node] = str(error)
                    raise _GivenUpError from error
            await self._pause(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
        raise _GivenUpError

    async def _pause(self, seconds: float) -> None:
        """Waits, but not when the person stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
