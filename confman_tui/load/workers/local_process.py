"""The process of one local worker; its orders come on its standard input."""

from __future__ import annotations

import logging
import sys

from confman_tui.load.workers.local_lifeline import Orders, tie
from confman_tui.load.workers.plan import NoMasterError

CONNECT_S = 20.0
"""How long the master, which waits already, may take to answer."""


def main() -> int:
    """Work until the master says that it is over. Returns the exit code."""
    orders = Orders.read()
    tie(orders)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from confman_tui.load.engine import prepare

    prepare()
    from confman_tui.load.workers.worker import WorkerOptions, work

    membership = WorkerOptions(
        orders.host,
        orders.port,
        name=orders.name,
        api_key=orders.api_key,
        wait_s=CONNECT_S,
        anchor=orders.anchor,
        say=lambda text: None,
    )
    try:
        work(membership)
    except NoMasterError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
