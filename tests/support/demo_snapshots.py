"""Snapshots and log entries of a demo node, written as its Raft has them written."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pysyncobj.config import SERIALIZER_STATE

from confman_tui.demo import commands
from confman_tui.demo.journal import RaftEntry
from confman_tui.demo.snapshot import Snapshots
from confman_tui.demo.store import Store


def command(value: str, key: str = "k") -> bytes:
    """A write of the store as it stands in the log."""
    return bytes([commands.REGULAR]) + commands.dumps((0, ("put_entry", "n", key, value, "string", "t", "me")))


async def written(snapshots: Snapshots) -> int:
    """Wait until the snapshot is written, asking as PySyncObj does; gives the last state."""
    while snapshots.checkSerializing()[0] == SERIALIZER_STATE.SERIALIZING:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return snapshots._state


def write_snapshot(store: Store, file: Path, last: RaftEntry, previous: RaftEntry) -> None:
    """A snapshot of the store in this file, up to the entry ``last``."""

    async def write() -> None:
        snapshots = Snapshots(store, file)
        snapshots.serialize((None, last, previous, None), previous[1])
        await written(snapshots)

    asyncio.run(write())
