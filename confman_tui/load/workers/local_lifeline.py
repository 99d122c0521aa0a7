"""Ties a local worker to the program that started it, and carries what that program says to it first.

Two ties, as with the demo's nodes, because each alone has a hole: the standard input ends when the program does, but a
paused process doesn't notice; the kernel's parent-death signal (Linux) ends a paused one too, but is lost when the
program dies before it is set.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confman_tui.core.child_process import EXIT_ORPHANED, die_with


@dataclass(frozen=True, slots=True)
class Orders:
    """What a local worker is told when it starts. It comes through a pipe, because arguments can be read by others."""

    name: str
    host: str
    port: int
    """Where the master listens."""
    parent: int
    """Process id of the master."""
    anchor: float
    """See `confman_tui.load.workers.clock_offset.anchor`."""
    log: str
    """Path of the worker's log, which it removes itself when its master is gone."""
    api_key: str = field(repr=False)

    def line(self) -> bytes:
        """As it is written into the pipe."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def read(cls) -> Orders:
        """From the standard input. Raises ValueError when something else comes, or nothing."""
        line = b""
        while not line.endswith(b"\n"):
            # no buffer of Python's own: what follows belongs to whoever waits for the end
            more = os.read(0, 1)
            if not more:
                raise ValueError("the pipe ended before the orders did")
            line += more
        told: Any = json.loads(line)
        return cls(**told)


def tie(orders: Orders) -> None:
    """End this process when its master ends, however that happens."""
    die_with(orders.parent)
    # a thread of its own: the hub may be busy with the load
    threading.Thread(target=_watch, args=(orders,), name="lifeline", daemon=True).start()


def _watch(orders: Orders) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 64):
            pass
    _leave(orders)


def _leave(orders: Orders) -> None:
    # nobody will read it, and whoever would have removed it is gone
    with contextlib.suppress(OSError):
        log = Path(orders.log)
        log.unlink(missing_ok=True)
        log.parent.rmdir()
    os._exit(EXIT_ORPHANED)
