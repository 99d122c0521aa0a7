"""Refused writes, kept to be read once more: one that appears after its run was verified is a phantom, too.

A write that was refused for certain cannot have happened; verification reads it back when its run ends. It may still be
on its way then, so it is read again before its data is removed, and last of all at the end of the program's life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from confman_tui.cluster.elections import Breach, BrokenKey, WriteOutcome
from confman_tui.cluster.writes.ledger import WriteLedger
from confman_tui.cluster.writes.node_reader import NodeReader, Reader
from confman_tui.cluster.writes.rules import KeyState, broken_key
from confman_tui.cluster.writes.slices import CHUNK, Slice, slices_of

_REFUSED = WriteOutcome.REFUSED


@dataclass(slots=True)
class LateReading:
    """What reading the refused writes once more gave."""

    total: int = 0
    """Writes that were to be read."""
    read: int = 0
    """Those that were."""
    found: dict[str, list[BrokenKey]] = field(default_factory=dict)
    """The late phantoms of each run."""


class LateWrites:
    """The refused writes of all runs so far: 34 bytes each, as the ledger books them."""

    def __init__(self) -> None:
        self._ledger = WriteLedger()
        self._known: set[str] = set()
        """``namespace/key`` of phantoms that were counted already."""
        self._payload_bytes = self._entries = 1
        self.unread = 0
        """Those that were not read once more yet."""
        self.last_ended = 0.0
        """When the last of them ended, on the program's clock."""

    def __len__(self) -> int:
        return len(self._ledger)

    async def take_in(
        self, run: str, ledger: WriteLedger, payload_bytes: int, entries_before: int, phantoms: Collection[str]
    ) -> None:
        """Keep the refused writes of a run, each of which had a value of its own.

        Args:
            run: its name, unique among those whose results differ.
            ledger: its writes.
            payload_bytes: size of its values.
            entries_before: entries of the cluster before it.
            phantoms: ``namespace/key`` of those that are known to be there.
        """
        self._known |= set(phantoms)
        self._payload_bytes = max(self._payload_bytes, payload_bytes)
        self._entries = max(self._entries, entries_before + len(ledger))
        for namespace in ledger.namespaces:
            for number, write in enumerate(ledger.writes_that_ended(namespace, _REFUSED)):
                if number % CHUNK == 0:
                    await asyncio.sleep(0)
                # in the place of the node stands the run: that is what a phantom is told with
                self._ledger.book(namespace, write.key, write.digest, write.started, write.ended, run, _REFUSED)
                self.unread += 1
                self.last_ended = max(self.last_ended, write.ended)

    async def read(
        self,
        client: Reader,
        nodes: Sequence[str],
        configured: Sequence[str],
        stop: asyncio.Event,
        reading: LateReading,
    ) -> None:
        """Read all of them once more from every node that answers.

        Args:
            client: reads, as verification does.
            nodes: base URLs of the nodes that answer.
            configured: those of all nodes.
            stop: when set, it ends soon.
            reading: gets what is found, as it is found.
        """
        reading.total = len(self._ledger)
        reader = NodeReader(client, nodes, self._payload_bytes, stop)
        others = self._entries // max(1, len(self._ledger.namespaces))
        for namespace in self._ledger.namespaces:
            async with aclosing(slices_of(self._ledger, namespace, None, others)) as works:
                async for work in works:
                    await self._read_slice(reader, work, configured, reading)
        if reading.read == reading.total:
            self.unread = 0

    async def _read_slice(
        self, reader: NodeReader, work: Slice, configured: Sequence[str], reading: LateReading
    ) -> None:
        wanted, found = tuple(work.demands), dict[str, BrokenKey]()
        seen: dict[str, dict[str, KeyState]] = {node: {} for node in reader.nodes}
        await asyncio.gather(*(reader.read(work, node, wanted, seen[node]) for node in seen))
        for number, key in enumerate(wanted):
            if number % CHUNK == 0:
                await asyncio.sleep(0)
            shown = {node: states[key] for node, states in seen.items() if key in states}
            name = f"{work.namespace}/{key}"
            if KeyState.PHANTOM in shown.values() and name not in self._known:
                self._known.add(name)
                found[key] = broken_key(work.namespace, key, Breach.LATE_PHANTOM, configured, shown)
            reading.read += bool(shown) and all(node in shown for node in reader.nodes)
        for number, write in enumerate(self._ledger.writes(work.namespace) if found else ()):
            if number % CHUNK == 0:
                await asyncio.sleep(0)
            if (broken := found.pop(write.key, None)) is not None:
                reading.found.setdefault(write.node, []).append(broken)
