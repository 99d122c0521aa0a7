"""One poll of each node, without a poller that goes on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from confman_tui.cluster.polling import _NodePoller
from confman_tui.cluster.states import Poll
from confman_tui.core.clock import now


async def poll_once(
    nodes: Sequence[str], *, deadline_s: float = 1.0, tls: ssl.SSLContext | None = None
) -> tuple[Poll, ...]:
    """Ask every node once, all at the same time."""

    async def ask(node: str) -> Poll:
        poller = _NodePoller(node, now, deadline_s, tls)
        try:
            return await poller.poll()
        finally:
            await poller.aclose()

    return tuple(await asyncio.gather(*(ask(node) for node in nodes)))
