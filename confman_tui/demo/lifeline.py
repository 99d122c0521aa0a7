"""Ties a node's process to the program that started it, and carries what that program says to it.

Two ties, because each alone has a hole: the standard input ends when the program does, but a paused node doesn't
notice; the kernel's parent-death signal (Linux) ends a paused node too, but is lost when the program dies before it is
set.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from confman_tui.core.child_process import EXIT_ORPHANED

log = logging.getLogger(__name__)


class _Commands(asyncio.Protocol):
    def __init__(self, handlers: dict[str, Callable[[], None]]) -> None:
        self._handlers = handlers
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            command: Any = json.loads(line)
            self._handlers[command["do"]]()

    def connection_lost(self, exc: Exception | None) -> None:
        log.error("the program that started this node has ended")
        os._exit(EXIT_ORPHANED)


async def obey(handlers: dict[str, Callable[[], None]]) -> None:
    """Read commands, a JSON object with "do" on each line, from the standard input; its end ends this process."""
    await asyncio.get_running_loop().connect_read_pipe(lambda: _Commands(handlers), sys.stdin)
