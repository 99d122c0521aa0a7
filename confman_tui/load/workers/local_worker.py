"""The process of one local worker. Its argument is the path of its log.

Started by `confman_tui.load.workers.launcher` only; it ends when its master says so, or when its standard input does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from confman_tui.cluster.tls import TlsOptions
from confman_tui.core.child_process.inside import EXIT_ORPHANED, STDIN, end_with_program
from confman_tui.core.child_process.pipes import receive
from confman_tui.load.workers.plan import NoMasterError

CONNECT_S = 20.0
"""How long the master, which waits already, may take to answer."""


@dataclass(frozen=True, slots=True)
class LocalWorkerOptions:
    """What a local worker must know; its first and only message."""

    name: str
    host: str
    port: int
    """Where the master listens."""
    anchor: float
    """See `confman_tui.load.workers.clock_offset.anchor`."""
    api_key: str = field(repr=False)
    token: str = field(repr=False)
    """See `WorkerOptions`, as the ticket."""
    ticket: str = field(repr=False)
    tls: TlsOptions
    """Which certificates of nodes are taken."""


def main() -> int:
    """Work until the master says that it is over. Returns the exit code."""
    (log,) = end_with_program()
    try:
        options = receive(STDIN, LocalWorkerOptions)
    except EOFError:
        return EXIT_ORPHANED
    # a thread of its own: the hub may be busy with the load
    threading.Thread(target=_end_with_input, args=(Path(log),), name="end-with-input", daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from confman_tui.load.locust_setup import prepare

    prepare()
    from confman_tui.load.workers.worker import WorkerOptions, work

    try:
        work(
            WorkerOptions(
                options.host,
                options.port,
                name=options.name,
                api_key=options.api_key,
                token=options.token,
                ticket=options.ticket,
                tls=options.tls,
                wait_s=CONNECT_S,
                anchor=options.anchor,
                say=lambda text: None,
            )
        )
    except NoMasterError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _end_with_input(log: Path) -> None:
    with contextlib.suppress(OSError):
        while os.read(STDIN, 64):
            pass
    # nobody will read the log, and the program that would have removed it is gone
    with contextlib.suppress(OSError):
        log.unlink(missing_ok=True)
        log.parent.rmdir()
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
