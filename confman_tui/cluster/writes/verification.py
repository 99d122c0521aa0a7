"""After a run: is every acknowledged write still there, on every node?

All nodes that answer are asked for all writes. What is amiss is read again until it is right, until its node has been
in step with the cluster for 5 s and still differs, or until its node is not waited for any longer; what that proves is
`confman_tui.cluster.writes.rules`' business. A write whose fate was unknown is recovered when any node has it; one that
was refused for certain is a phantom when any node has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Literal, Protocol

from confman_tui.cluster.elections import UnreadNode, Verification
from confman_tui.cluster.leader_requests import Progress
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.writes.amiss import Amiss
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.cluster.writes.node_reader import PAUSES_S, NodeReader, Reader
from confman_tui.cluster.writes.rules import KeyState, VerificationCounts, suspicious
from confman_tui.cluster.writes.slices import CHUNK, SLICE_KEYS, Slice, choose, slices_of
from confman_tui.core.clock import Clock, now
from confman_tui.settings.tiers import PROBE_NAMESPACE

REREAD_S = 5.0
"""How long a node must be in step with the cluster, and differ, until it differs for good."""


class Standing(Protocol):
    """How a node stands to the cluster now."""

    def why_behind(self, node: str) -> str:
        """Why it has not caught up with the cluster, in words; empty when it has: ready, naming the leader, in its
        term."""

    def worth_waiting(self, node: str) -> bool:
        """Whether a node that is behind may still come back within the time allowed."""


class _AllInStep:
    """Where nobody watches the nodes."""

    def why_behind(self, node: str) -> str:
        return ""

    def worth_waiting(self, node: str) -> bool:
        return False


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
    wait_s: float = 0.0,
    clock: Clock = now,
    without: Sequence[UnreadNode] = (),
    standing: Standing | None = None,
    phantoms: set[str] | None = None,
) -> Verification:
    """Read the booked writes back and compare. Call it when nodes that have fallen behind have been waited for, and
    before any of the keys is removed.

    Args:
        client: reads; a namespace is listed, or read key by key where few keys of many are wanted, where the listing
            would be larger than 256 MB or its values are blobs.
        ledger: the run's writes.
        nodes: base URLs of the nodes to read.
        mode: ``all`` writes; a ``sample``; or ``off``.
        sample: with mode ``sample``, how many acknowledged writes, and at most how many others, are chosen at random.
        payload_bytes: size of the values, for the choice above.
        entries_before: entries of the cluster beside the booked ones, for the choice above.
        progress: takes how many keys of how many are checked.
        stop: when set, it ends soon, with what was checked.
        reread_s: how long a node must be in step and differ until it differs for good, in seconds.
        wait_s: how much longer nodes that fall behind meanwhile are waited for at most, in seconds.
        clock: for the time that it took.
        without: the configured nodes that are not among ``nodes``, and why; with them, ``nodes`` are all there are.
        standing: how each node stands to the cluster; None: all are in step.
        phantoms: gets ``namespace/key`` of each phantom that was found.
    """
    begun = clock()
    counts, by_probe = ledger.outcomes(), ledger.outcomes(PROBE_NAMESPACE)[0]
    if mode == "off" or not len(ledger):
        note = "not verified (--verify off)" if mode == "off" else "nothing to judge: no write was booked"
        configured = len(nodes) + len(without)
        return Verification(*counts, note=note, asked=mode != "off", by_probe=by_probe, nodes=configured)
    run = _ReadBack(
        NodeReader(client, nodes, payload_bytes, stop or asyncio.Event()),
        tuple(without),
        standing or _AllInStep(),
        reread_s,
        wait_s,
        progress,
    )
    chosen = choose(ledger, sample) if mode == "sample" else None
    run.total = sum(len(some) for some in chosen.values()) if chosen is not None else len(ledger)
    await run.check_all(ledger, chosen, entries_before // max(1, len(ledger.namespaces)))
    await run.settle()
    if phantoms is not None:
        phantoms |= run.counts.phantoms
    return replace(run.result(counts, clock() - begun), by_probe=by_probe)


class _ReadBack:
    """One verification under way: reads the writes from all nodes and counts what is found."""

    def __init__(
        self,
        reader: NodeReader,
        without: tuple[UnreadNode, ...],
        standing: Standing,
        reread_s: float,
        wait_s: float,
        progress: Progress,
    ) -> None:
        self.counts = VerificationCounts((*reader.nodes, *(one.node for one in without)))
        self.total = 0
        self._reader = reader
        self._without = without
        self._standing = standing
        self._reread_s = reread_s
        self._wait_s = wait_s
        self._progress = progress
        self._amiss = Amiss()
        self._late: dict[str, str] = {}
        """Nodes that lacked something while they were behind, and why they were."""
        self._reported = 0
        reader.on_found = lambda found: self._report(self._done + found)

    @property
    def over(self) -> bool:
        """Stopped, or no node is left to read from."""
        return self._reader.over

    @property
    def _done(self) -> int:
        return self.counts.checked + len(self._amiss)

    async def check_all(self, ledger: WriteLedger, chosen: Mapping[str, Collection[int]] | None, others: int) -> None:
        """Reads the writes of all namespaces, or the chosen ones by their positions, until it is over."""
        for namespace in ledger.namespaces:
            if self.over:
                return
            positions: Iterable[int] | None = None if chosen is None else chosen.get(namespace, frozenset())
            async with aclosing(slices_of(ledger, namespace, positions, others)) as works:
                async for work in works:
                    await self.check(work)
                    if self.over:
                        return

    async def check(self, work: Slice) -> None:
        """Reads one slice from all nodes and counts what is right; what is amiss waits for `settle`."""
        reader, wanted = self._reader, tuple(work.demands)
        seen: dict[str, dict[str, KeyState]] = {node: {} for node in reader.nodes}
        await reader.all(reader.read(work, node, wanted, seen[node]) for node in seen)
        for number, key in enumerate(wanted):
            if number % CHUNK == 0:
                await asyncio.sleep(0)
            shown = {node: seen[node][key] for node in reader.nodes if key in seen[node]}
            # Stopped in the middle of it, a key that not all nodes were asked for is left unjudged.
            if not shown or len(shown) != len(reader.nodes):
                continue
            demand = work.demands[key]
            if any(suspicious(demand, state) for state in shown.values()):
                self._amiss.add(work, key, shown)
            else:
                self.counts.count(work.namespace, key, demand, shown)
        self._report(self._done)
        if len(self._amiss) >= SLICE_KEYS:
            await self.settle()

    async def settle(self) -> None:
        """What was amiss is read again, all of it together, so that a node that lags in hundreds of namespaces does
        not cost 5 s for each; then it is counted, but for what was not read again because of a stop."""
        amiss, self._amiss = self._amiss, Amiss()
        late = await self._read_again(amiss)
        for number, (work, key, first) in enumerate(amiss.keys()):
            if number % CHUNK == 0:
                await asyncio.sleep(0)
            demand = work.demands[key]
            shown = amiss.shown(work, key, self._reader.nodes)
            wrong = [node for node, state in shown.items() if suspicious(demand, state)]
            if not shown or (wrong and late is None):
                continue
            behind = late or {}
            self._late.update({node: behind[node] for node in wrong if node in behind})
            healed = not wrong and any(node in shown for node in first)
            self.counts.count(work.namespace, key, demand, shown, behind, healed=healed)
        self._report(self._done)

    async def _read_again(self, amiss: Amiss) -> dict[str, str] | None:
        """Reads what is amiss again, less and less often, until it is right or its node has been decided on: it was in
        step all the time for 5 s, or it is behind and not waited for. Gives the nodes that are behind, and why; None
        when it was stopped before that."""
        loop, reader, pauses = asyncio.get_running_loop(), self._reader, iter(PAUSES_S)
        until = loop.time() + self._reread_s + self._wait_s
        since: dict[str, float] = {}
        differs_for_good = set[str]()
        while not reader.over:
            wrong = await amiss.wrong(reader.nodes)
            at, late, left = loop.time(), dict[str, str](), dict[str, float]()
            for node in wrong.keys() - differs_for_good:
                if why := self._standing.why_behind(node):
                    since.pop(node, None)
                    if at < until and self._standing.worth_waiting(node):
                        left[node] = until - at
                    else:
                        late[node] = why
                elif (open_s := since.setdefault(node, at) + self._reread_s - at) > 0:
                    left[node] = open_s
                else:
                    differs_for_good.add(node)
            if not left:
                return late
            await reader.pause(min(next(pauses, PAUSES_S[-1]), *left.values()))
            await reader.all(amiss.read(reader, node, wrong[node]) for node in left)
        return None

    def _report(self, done: int) -> None:
        """Progress never goes back, though a key that one node has shown may wait for the others."""
        self._reported = max(self._reported, min(done, self.total))
        self._progress(self._reported, self.total)

    # -- what came of it

    @property
    def without(self) -> tuple[UnreadNode, ...]:
        """The nodes whose answers do not count: those that were left out, those that had not caught up, and those that
        could not be read."""
        given_up = self._reader.given_up.items()
        return (
            *self._without,
            *(UnreadNode(node, why) for node, why in self._late.items() if node not in self._reader.given_up),
            *(UnreadNode(node, f"could not be read: {why}") for node, why in given_up),
        )

    def result(self, outcomes: tuple[int, int, int], seconds: float) -> Verification:
        """What was found. ``outcomes``: acknowledged, refused and unknown writes of the ledger."""
        counts, nodes = self.counts, len(self.counts.configured)
        found = Verification(
            *outcomes,
            lost=counts.lost,
            diverged=counts.diverged,
            stale=counts.stale,
            not_caught_up=counts.not_caught_up,
            unproven=counts.unproven,
            recovered=counts.recovered,
            phantom=counts.phantom,
            checked=counts.checked,
            seconds=seconds,
            broken=tuple(counts.broken),
            without=self.without,
            unread=self._unread,
            nodes_read=nodes - len(self.without) if counts.checked else 0,
            nodes=nodes,
        )
        return replace(found, note="; ".join(self._notes(found)))

    @property
    def _unread(self) -> int:
        return max(0, self.total - self.counts.checked) if self.over else 0

    def _notes(self, found: Verification) -> list[str]:
        """What a person should know beside the counts."""
        notes, reader = list[str](), self._reader
        names = short_names(self.counts.configured)
        if not found.acknowledged:
            notes.append("nothing to judge: no write was acknowledged")
        if reader.nodes and self._unread:
            notes.append(f"stopped after {found.checked:,} of {self.total:,} writes")
        left_out = [f"{names[one.node]} ({one.why})" for one in found.without if one.node not in reader.given_up]
        if left_out:
            notes.append(f"{'judged without' if found.checked else 'not read:'} {' and '.join(left_out)}")
        if found.not_caught_up:
            notes.append(f"{found.not_caught_up:,} acknowledged writes differ there and had not caught up")
        notes += [f"{node} could not be read: {why}" for node, why in reader.given_up.items()]
        if not reader.nodes:
            notes.append(f"no node was left to read from after {found.checked:,} of {self.total:,} writes")
        elif found.checked and not found.majority_read:
            notes.append(
                f"{found.nodes_read} of {found.nodes} nodes were read, which is no majority: what the others hold "
                "decides"
            )
        return notes
