"""Puts a node together: its folder's lock, Raft, HTTP and the commands from the program, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from confman_tui.core.child_process.inside import EXIT_ORPHANED, STDIN
from confman_tui.core.child_process.pipes import MessagePipe
from confman_tui.demo.api import application
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.node_contract import (
    EXIT_DAMAGED,
    EXIT_DISK,
    EXIT_FOLDER_TAKEN,
    EXIT_PORT_TAKEN,
    Heal,
    Isolate,
    NodeCommand,
    NodeOptions,
)
from confman_tui.demo.raft import RaftNode
from confman_tui.demo.raft_model import RaftSettings
from confman_tui.demo.store import Store

log = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 130
"""Kestrel's."""
FOLDER_WAIT_S = 2.0
"""For the process that had the folder before to be gone."""


class _Server(uvicorn.Server):
    """Leaves the signals to us: every write is stored before it is answered, so there is nothing to wait for."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def end(self) -> None:
        self.should_exit = self.force_exit = True


def run(options: NodeOptions) -> int:
    """Serve until SIGTERM; gives the exit code. The working directory is the node's folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It warns on each tick while a snapshot can't be written; `Snapshots` says so itself.
    logging.getLogger("pysyncobj").setLevel(logging.ERROR)
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(lock):
        log.error("another process uses this folder")
        return EXIT_FOLDER_TAKEN
    try:
        listening = _listen(options.nodes[options.name])
    except OSError as error:
        log.error("can't listen on %s: %s", options.nodes[options.name], error.strerror)
        return EXIT_PORT_TAKEN if error.errno == errno.EADDRINUSE else 1
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(options, listening))


def _locked(fd: int) -> bool:
    deadline = time.monotonic() + FOLDER_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _listen(url: str) -> socket.socket:
    parts = urlsplit(url)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((parts.hostname, parts.port))
        # Two programs may have bound the port at once; only one can listen.
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


async def _serve(options: NodeOptions, listening: socket.socket) -> int:
    store = Store()
    peers = tuple(name for name in options.nodes if name != options.name)
    low, high = options.election_timeout_ms
    settings = RaftSettings(
        options.name, peers, (low / 1000, high / 1000), options.compact_after, options.first_election, options.fsync
    )
    try:
        raft = RaftNode(settings, store)
    except DamagedError as error:
        log.error("%s", error)
        return EXIT_DAMAGED
    except OSError as error:
        log.error("what this node stores can't be used: %s: %s", error.filename or Path.cwd(), error.strerror)
        return EXIT_DISK
    await raft.open()
    config = uvicorn.Config(
        application(raft, store, options.nodes),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        headers=[("Server", "Kestrel")],
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=BACKLOG,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.end)

    def on_command(command: NodeCommand) -> None:
        match command:
            case Isolate():
                raft.isolate()
            case Heal():
                raft.heal()

    MessagePipe(loop, STDIN, None, NodeCommand, on_command, _orphaned)
    # What is loaded now stays: let the collector not walk it again and again.
    gc.collect()
    gc.freeze()
    log.info("%s serves %s", options.name, options.nodes[options.name])
    await server.serve(sockets=[listening])
    raft.close()
    return 0


def _orphaned() -> None:
    log.error("the program that started this node has ended")
    os._exit(EXIT_ORPHANED)
