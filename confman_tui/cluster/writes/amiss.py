"""What nodes showed amiss at first, kept until it is read again: keys of many slices together."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from confman_tui.cluster.writes.node_reader import NodeReader
from confman_tui.cluster.writes.rules import Demand, KeyState, suspicious
from confman_tui.cluster.writes.slices import CHUNK, Slice


@dataclass(slots=True)
class _Namespace:
    """The keys of one namespace that are amiss."""

    entries: int
    """That the namespace is thought to hold, these included."""
    demands: dict[str, Demand] = field(default_factory=dict)
    first: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """For each key, the nodes that showed something amiss at first."""
    seen: dict[str, dict[str, KeyState]] = field(default_factory=dict)
    """What each node showed last."""


class Amiss:
    """Keys of which a node showed what must not be."""

    def __init__(self) -> None:
        self._namespaces: dict[str, _Namespace] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many keys."""
        return self._count

    def add(self, work: Slice, key: str, shown: Mapping[str, KeyState]) -> None:
        """A key of a slice, and what each node shows of it."""
        entries = work.others + len(work.demands)
        held = self._namespaces.setdefault(work.namespace, _Namespace(entries))
        demand = held.demands[key] = work.demands[key]
        held.first[key] = tuple(node for node, state in shown.items() if suspicious(demand, state))
        for node, state in shown.items():
            held.seen.setdefault(node, {})[key] = state
        self._count += 1

    def keys(self) -> Iterator[tuple[Slice, str, tuple[str, ...]]]:
        """Each key with a slice that holds it, and the nodes that showed something amiss at first."""
        for namespace, held in self._namespaces.items():
            work = self._slice(namespace, held)
            for key, nodes in held.first.items():
                yield work, key, nodes

    def shown(self, work: Slice, key: str, nodes: Collection[str]) -> dict[str, KeyState]:
        """What these nodes showed last of a key."""
        seen = self._namespaces[work.namespace].seen
        return {node: seen[node][key] for node in nodes if key in seen.get(node, ())}

    async def wrong(self, nodes: Collection[str]) -> dict[str, dict[str, list[str]]]:
        """For each of these nodes that still shows something amiss, by namespace, of which keys."""
        found: dict[str, dict[str, list[str]]] = {}
        for namespace, held in self._namespaces.items():
            for node in nodes:
                keys = []
                for number, (key, state) in enumerate(held.seen.get(node, {}).items()):
                    if number % CHUNK == 0:
                        await asyncio.sleep(0)
                    if suspicious(held.demands[key], state):
                        keys.append(key)
                if keys:
                    found.setdefault(node, {})[namespace] = keys
        return found

    async def read(self, reader: NodeReader, node: str, keys: Mapping[str, list[str]]) -> None:
        """Read these keys again from a node, one namespace after the other."""
        for namespace, some in keys.items():
            held = self._namespaces[namespace]
            await reader.read(self._slice(namespace, held), node, some, held.seen[node])

    @staticmethod
    def _slice(namespace: str, held: _Namespace) -> Slice:
        return Slice(namespace, held.demands, max(0, held.entries - len(held.demands)))
