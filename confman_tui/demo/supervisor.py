"""Starts, ends and harms the demo cluster's nodes. Imports no server and no Raft: those live in the nodes."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from confman_tui.cluster.faults.control import EndedNode, FaultRefusedError
from confman_tui.core.child_process.start import ChildProcess, start
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.demo import disk
from confman_tui.demo import ports as ports_of
from confman_tui.demo.datafolder import DataFolder
from confman_tui.demo.disk import DamagedError
from confman_tui.demo.ending import LOG, way_on, why_ended, word_for
from confman_tui.demo.node_contract import (
    EXIT_DAMAGED,
    EXIT_PORT_TAKEN,
    Heal,
    Isolate,
    NodeCommand,
    NodeOptions,
)

MAX_NODES = 9
COMPACT_AFTER = 10_000
"""Log entries after which a node writes a snapshot and starts a new log."""


@dataclass
class _Node:
    name: str
    url: str
    folder: Path
    process: ChildProcess | None = None
    paused: bool = False
    isolated: bool = False
    killed: bool = False
    """By us."""
    told: bool = False
    """That it ended by itself."""

    @property
    def ended(self) -> int | None:
        """The exit code of the process; None while it runs, and before it is started."""
        return self.process.poll() if self.process is not None else None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None


class DemoCluster:
    """A Confman cluster of this program's own, each node a process on loopback. Implements `NodeControl`.

    Every method is thread-safe. Nodes end with this process in every case, SIGKILL included.

    Args:
        nodes: 1 to 9.
        ports: one HTTP port for each node; "auto" takes free ones; None is 6100, 6200, 6300 and so on.
        election_timeout_ms: shortest and longest time without a leader's word after which a node stands for election.
        data_dir: keep the data there, and go on from what is there; None uses a temporary folder, removed by `stop`.
        compact_after: log entries after which a node writes a snapshot.
        fsync: have the nodes wait until the disk has what they store before it counts.

    Raises:
        UsageError: a wrong argument.
    """

    def __init__(
        self,
        nodes: int = 3,
        ports: Sequence[int] | Literal["auto"] | None = None,
        election_timeout_ms: tuple[int, int] = (1000, 3000),
        data_dir: Path | None = None,
        *,
        compact_after: int = COMPACT_AFTER,
        fsync: bool = False,
    ) -> None:
        if not 1 <= nodes <= MAX_NODES:
            raise UsageError(f"--demo-nodes {nodes}: a demo cluster has 1 to {MAX_NODES} nodes.")
        low, high = election_timeout_ms
        if not 100 <= low < high <= 60_000:
            raise UsageError(
                f"--demo-election-timeout {low}-{high}: give two times in ms, the first the smaller, from 100 to 60000."
            )
        self._election_timeout_ms = election_timeout_ms
        self._ports = ports_of.choose(nodes, ports)
        self._data_dir = data_dir
        self._compact_after = compact_after
        self._fsync = fsync
        self._lock = threading.RLock()
        self._folder: DataFolder | None = None
        self._nodes: dict[str, _Node] = {}

    # -- life

    @property
    def urls(self) -> tuple[str, ...]:
        """The nodes' base URLs, in order."""
        return tuple(f"http://{ports_of.HOST}:{port}" for port in self._ports)

    @property
    def fsync(self) -> bool:
        """Whether the nodes wait for the disk."""
        return self._fsync

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each node that runs (or is paused), by URL."""
        with self._lock:
            return {node.url: node.pid for node in self._nodes.values() if node.pid is not None}

    @property
    def data_folder(self) -> Path | None:
        """Where the nodes' data and log files are, while started."""
        with self._lock:
            return self._folder.path if self._folder is not None else None

    def start(self) -> None:
        """Start the nodes, without waiting for them to be ready.

        Raises:
            UsageError: a port is taken, or the data folder can't be used.
        """
        with self._lock:
            if self._folder is not None:
                return
            for port in self._ports:
                ports_of.check_free(port)
            count = len(self._ports)
            if self._data_dir is None:
                self._folder = DataFolder.temporary(count)
            else:
                self._folder = DataFolder.kept(self._data_dir, count)
            atexit.register(self.stop)
            self._nodes = {
                url: _Node(folder.name, url, folder) for url, folder in zip(self.urls, self._folder.nodes, strict=True)
            }
            try:
                for node in self._nodes.values():
                    self._spawn(node, first_election=True)
            except BaseException:
                self.stop()
                raise

    def _spawn(self, node: _Node, *, first_election: bool) -> None:
        urls = {each.name: each.url for each in self._nodes.values()}
        options = NodeOptions(
            node.name, urls, self._election_timeout_ms, self._compact_after, first_election, self._fsync
        )
        try:
            # A person may have removed it, which is how a node with damaged data is brought back.
            node.folder.mkdir(mode=0o700, exist_ok=True)
            log = disk.open_plain(node.folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                arguments = (node.name, str(node.folder))
                node.process = start("confman_tui.demo.node", *arguments, output=log, own_session=True)
            finally:
                os.close(log)
        except (OSError, DamagedError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"The demo cluster's {node.name} can't be started: {why}.") from None
        with contextlib.suppress(OSError):  # it has ended already, which `wait_ready` finds out
            node.process.send(options)
        node.paused = node.isolated = node.killed = node.told = False

    def wait_ready(self, deadline_s: float = 6.0) -> bool:
        """Wait until a node leads and all are ready; False when that takes longer.

        Nodes that refused to start on damaged data are not waited for while a majority is left; `take_ended` tells of
        them.

        Raises:
            ClusterError: a node ended meanwhile; says why, as far as its log does.
            UsageError: another program took a node's port in the moment before it did.
        """
        end = time.monotonic() + deadline_s
        while True:
            states = [_ask_ready(url) for url in self._still_starting()]
            if all(ready for ready, _ in states) and any(leads for _, leads in states):
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)

    def _still_starting(self) -> list[str]:
        """The nodes that have not ended; raises as `wait_ready` does."""
        with self._lock:
            ended = {node.url: code for node in self._nodes.values() if (code := node.ended) is not None}
            for url, code in ended.items():
                if code == EXIT_PORT_TAKEN:
                    raise ports_of.taken(url.rpartition(":")[2], "Address already in use")
            left = [url for url in self.urls if url not in ended]
            for url, code in ended.items():
                if code != EXIT_DAMAGED or len(left) <= len(self.urls) // 2:
                    node = self._nodes[url]
                    how = "did not start: it was" if code < 0 else "ended at once:"
                    raise ClusterError(f"The demo cluster's node {url} {how} {why_ended(node.folder, code)}.")
            return left

    @property
    def ended(self) -> tuple[str, ...]:
        """The nodes (URL) whose process has ended, by a fault or by itself."""
        with self._lock:
            return tuple(node.url for node in self._nodes.values() if node.ended is not None)

    def take_ended(self) -> tuple[EndedNode, ...]:
        """See `DemoControl`. While something else is done to the nodes it gives nothing."""
        if not self._lock.acquire(blocking=False):
            return ()
        try:
            found = []
            for node in self._nodes.values():
                code = node.ended
                if code is not None and not (node.killed or node.told):
                    node.told = True
                    why, way = why_ended(node.folder, code), way_on(node.folder, code)
                    sentence = f"{node.url} has ended, and not by this program: {why}; {way}"
                    found.append(EndedNode(node.url, word_for(code), sentence))
            return tuple(found)
        finally:
            self._lock.release()

    def alive(self, node: str) -> bool:
        """Whether the node's process exists; a paused one does. False for anything else than a started node."""
        with self._lock:
            found = self._nodes.get(node.rstrip("/"))
            return found is not None and found.pid is not None

    def stop(self, timeout_s: float = 3.0) -> None:
        """End all nodes, and remove the temporary folder. Does nothing when nothing runs."""
        with self._lock:
            running = [node.process for node in self._nodes.values() if node.process is not None]
            for process in running:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)
            end = time.monotonic() + timeout_s
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, end - time.monotonic()))
                process.end(0.0)
            self._nodes = {}
            if self._folder is not None:
                self._folder.close()
                self._folder = None
            atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- faults (NodeControl)

    def kill(self, node: str) -> None:
        """SIGKILL, and wait until it is gone."""
        with self._lock:
            process = self._running(node)
            self._find(node).killed = True
            process.kill()
            process.end(0.0)

    def pause(self, node: str) -> None:
        """SIGSTOP."""
        with self._lock:
            self._running(node).send_signal(signal.SIGSTOP)
            self._find(node).paused = True

    def resume(self, node: str) -> None:
        """SIGCONT; nothing happens to a node that is not paused."""
        with self._lock:
            self._running(node).send_signal(signal.SIGCONT)
            self._find(node).paused = False

    def isolate(self, node: str) -> None:
        """Cut the node's Raft links in both directions; its HTTP goes on."""
        if len(self._ports) == 1:
            raise FaultRefusedError(f"{node} is the only node: there is nothing to isolate it from.")
        self._command(node, Isolate())

    def heal(self, node: str) -> None:
        """Let the node's Raft links come back; nothing happens to a node that is not isolated."""
        self._command(node, Heal())

    def restart(self, node: str) -> None:
        """Start a node again that was killed or has ended, with its data."""
        with self._lock:
            found = self._find(node)
            if found.pid is not None:
                raise FaultRefusedError(
                    f"{node} runs already (process {found.pid}); only an ended node can be restarted."
                )
            if found.process is not None:
                found.process.end(0.0)
            try:
                self._spawn(found, first_election=False)
            except UsageError as error:
                raise FaultRefusedError(str(error)) from None

    def describe(self, node: str) -> str:
        """What a fault would hit: process id and command line."""
        with self._lock:
            found = self._find(node)
            if found.process is None or found.pid is None:
                return f"{node} has no running process"
            state = (", paused" if found.paused else "") + (", isolated" if found.isolated else "")
            return f"pid {found.pid}{state}: {found.process.command_line}"

    def _find(self, node: str) -> _Node:
        found = self._nodes.get(node.rstrip("/"))
        if found is None:
            known = ", ".join(self._nodes) or "none, it is not started"
            raise FaultRefusedError(f"{node} is not a node of the demo cluster (its nodes: {known}).")
        return found

    def _running(self, node: str) -> ChildProcess:
        found = self._find(node)
        if found.process is None or found.pid is None:
            raise FaultRefusedError(f"{node} has no running process; restart it first.")
        return found.process

    def _command(self, node: str, command: NodeCommand) -> None:
        with self._lock:
            process, found = self._running(node), self._find(node)
            if found.paused:
                raise FaultRefusedError(f"{node} is paused and would not hear it; resume it first.")
            try:
                process.send(command)
            except BrokenPipeError:
                raise FaultRefusedError(f"{node} has just ended; restart it first.") from None
            found.isolated = isinstance(command, Isolate)


def _ask_ready(url: str) -> tuple[bool, bool]:
    """Whether a node is ready, and whether it leads."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=0.5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        data = json.loads(response.read())
        return response.status == 200, data["cluster"]["role"] == "leader"
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False, False
    finally:
        connection.close()
