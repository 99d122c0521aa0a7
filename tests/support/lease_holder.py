"""Another program that holds a lease: ``python -m tests.support.lease_holder TIER FOLDER NODE…`` prints ``held`` or
why not, and holds it until its stdin is closed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.lease import Lease
from confman_tui.core.errors import ConfmanTuiError
from tests.support.keys import ADMIN
from tests.support.watched_cluster import watched_client


async def main(tier: str, folder: Path, nodes: tuple[str, ...]) -> None:
    async with watched_client(nodes, ADMIN) as (client, watch):
        try:
            lease = await Lease.acquire(client, watch.leader, nodes, tier, folder)
        except ConfmanTuiError as error:
            say(f"refused: {error}")
            return
        say("held")
        await asyncio.to_thread(sys.stdin.read)
        await release(lease, client, watch.leader())


async def release(lease: Lease, client: ConfmanClient, leader: str | None) -> None:
    say(f"released: {await lease.release(client, lambda: leader)}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:])))
