"""What a verification reads back: the keys of the booked writes and what they demand, in slices of a namespace.

Ledgers hold millions of writes, so the loop gets a turn now and then: it polls the nodes meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.writes.ledger import BookedWrite, WriteLedger
from confman_tui.cluster.writes.rules import Demand, demand

SLICE_KEYS = 40_000
"""Keys of a namespace that are read at one time, in some 40 MB. A larger one is listed once for each slice."""
CHUNK = 500
"""Keys after which the loop gets a turn."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Keys of one namespace that are read together, and what their writes demand."""

    namespace: str
    demands: Mapping[str, Demand]
    others: int
    """Entries that the namespace is thought to hold beside."""


def choose(ledger: WriteLedger, sample: int) -> dict[str, set[int]]:
    """Positions of the chosen writes in each namespace: reservoir sampling, one reservoir for acknowledged writes and
    one for the others."""
    chance = random.Random()
    reservoirs: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
    met = [0, 0]
    for namespace in ledger.namespaces:
        for position, outcome in enumerate(ledger.each_outcome(namespace)):
            kind = int(outcome != WriteOutcome.ACKNOWLEDGED)
            kept = reservoirs[kind]
            met[kind] += 1
            if len(kept) < sample:
                kept.append((namespace, position))
            elif (place := chance.randrange(met[kind])) < sample:
                kept[place] = (namespace, position)
    chosen: dict[str, set[int]] = {}
    for namespace, position in (*reservoirs[0], *reservoirs[1]):
        chosen.setdefault(namespace, set()).add(position)
    return chosen


async def slices_of(
    ledger: WriteLedger, namespace: str, positions: Iterable[int] | None, others: int
) -> AsyncGenerator[Slice, None]:
    """What the writes of one namespace demand, at most `SLICE_KEYS` keys at a time: millions of writes at once would
    need gigabytes. All writes of one key stand in one slice."""
    several = await _written_again(ledger, namespace)
    entries = others + ledger.count(namespace) - sum(len(writes) - 1 for writes in several.values())
    chosen: set[str] | None = None
    if positions is not None:
        wanted = frozenset(positions)
        chosen = set()
        for position, write in enumerate(ledger.writes(namespace)):
            if position % CHUNK == 0:
                await asyncio.sleep(0)
            if position in wanted:
                chosen.add(write.key)
    demands: dict[str, Demand] = {}
    for number, (key, writes) in enumerate(several.items()):
        if number % CHUNK == 0:
            await asyncio.sleep(0)
        if chosen is None or key in chosen:
            demands[key] = demand(writes)
    for number, write in enumerate(ledger.writes(namespace)):
        if number % CHUNK == 0:
            await asyncio.sleep(0)
        if write.key in several or (chosen is not None and write.key not in chosen):
            continue
        demands[write.key] = demand((write,))
        if len(demands) >= SLICE_KEYS:
            yield Slice(namespace, demands, entries - len(demands))
            demands = {}
    if demands:
        yield Slice(namespace, demands, entries - len(demands))


async def _written_again(ledger: WriteLedger, namespace: str) -> dict[str, list[BookedWrite]]:
    """All writes of each key that may have been written more than once, and of few others.

    Runs write each key once, so a set of all keys would cost hundreds of bytes a key to find nothing. A bitmap of
    32 bits a write, by the keys' hashes, finds the same, and some 3 % of the others by chance.
    """
    bits = 1 << max(10, (32 * ledger.count(namespace)).bit_length())
    bitmap, again = bytearray(bits >> 3), set[str]()
    for number, write in enumerate(ledger.writes(namespace)):
        if number % CHUNK == 0:
            await asyncio.sleep(0)
        place = hash(write.key) & (bits - 1)
        mask = 1 << (place & 7)
        if bitmap[place >> 3] & mask:
            again.add(write.key)
        else:
            bitmap[place >> 3] |= mask
    del bitmap
    found: dict[str, list[BookedWrite]] = {key: [] for key in again}
    for number, write in enumerate(ledger.writes(namespace) if again else ()):
        if number % CHUNK == 0:
            await asyncio.sleep(0)
        if write.key in found:
            found[write.key].append(write)
    return found
