"""The Raft links between the nodes: PySyncObj's `Transport` on Unix sockets, in the server's own event loop.

Unix sockets in the nodes' folders rather than TCP: no second set of ports to be taken, nodes find one another whatever
their HTTP ports are, and the folder's permissions keep other users out. Each node opens one connection to each other
node for what it sends, so each direction keeps its order. Nothing polls: a message is handled when it arrives.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pysyncobj.node import Node
from pysyncobj.transport import Transport

from confman_tui.demo.log_matching import Message, plain_loads

log = logging.getLogger(__name__)

SOCKET_NAME = "raft.sock"
RETRY_S = 0.1
"""Between attempts to reach a node that isn't there."""
MAX_QUEUED_BYTES = 4 * 1024 * 1024
"""With more than this waiting for a node that doesn't read, entries for it are dropped; it asks for them later."""
_FRAME = struct.Struct("<Q")


class _Frames(asyncio.Protocol):
    """Cuts what arrives into messages."""

    def __init__(self, on_message: Callable[[_Frames, Any], None], on_lost: Callable[[_Frames], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.peer: Node | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _FRAME.size:
            (size,) = _FRAME.unpack_from(buffer, at)
            end = at + _FRAME.size + size
            if end > len(buffer):
                break
            # a view, because a copy of a message is as large as the values in it
            with memoryview(buffer) as view, view[at + _FRAME.size : end] as part:
                message = plain_loads(part)
            at = end
            self._on_message(self, message)
        if at:
            del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self)

    def send(self, message: Any) -> None:
        if self.transport is not None and not self.transport.is_closing():
            data = pickle.dumps(message, protocol=5)
            self.transport.write(_FRAME.pack(len(data)))
            self.transport.write(data)

    @property
    def queued_bytes(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Links(Transport):  # type: ignore[misc]  # the library has no types
    """Connects this node to the others.

    Its working directory must be the node's own folder: paths are relative to it, because a socket's path may have only
    about a hundred characters.

    Each message from another node goes to `on_message`, which hands it to PySyncObj with `hand_over` when it sees fit.
    """

    def __init__(self, name: str, peers: tuple[str, ...], silent_after_s: float) -> None:
        super().__init__(None, None, [])
        self.node = Node(name)
        self.peers = {peer: Node(peer) for peer in peers}
        self.on_message: Callable[[Node, Message], None] = lambda _node, _message: None
        self.before_sending: Callable[[Message], Message] = lambda message: message
        self.on_cut: Callable[[Node], None] = lambda _node: None
        """Called when the link to a node is lost, and with it perhaps what was sent."""
        self._silent_after = silent_after_s
        self._outgoing: dict[str, _Frames] = {}
        """Links that the other side has welcomed."""
        self._incoming: set[_Frames] = set()
        self._connected: set[str] = set()
        self._last_message: dict[str, float] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.AbstractServer | None = None
        self._isolated = False
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- life

    async def open(self) -> None:
        """Listen, and keep trying to reach the others until `destroy`."""
        self._loop = asyncio.get_running_loop()
        Path(SOCKET_NAME).unlink(missing_ok=True)  # noqa: ASYNC240  # once, before anything is served
        self._server = await self._loop.create_unix_server(self._accept, SOCKET_NAME)
        for name in self.peers:
            self._wake[name] = asyncio.Event()
            self._tasks.append(self._loop.create_task(self._reach(name)))

    def destroy(self) -> None:
        """Close everything."""
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        self._cut()

    def _cut(self) -> None:
        for link in (*self._outgoing.values(), *self._incoming):
            link.abort()

    # -- isolation

    @property
    def isolated(self) -> bool:
        return self._isolated

    def isolate(self) -> None:
        """Cut all links, in both directions, and let none come back until `heal`."""
        self._isolated = True
        self._cut()

    def heal(self) -> None:
        """Let the links come back."""
        self._isolated = False
        for event in self._wake.values():
            event.set()

    # -- outgoing

    async def _reach(self, name: str) -> None:
        assert self._loop is not None
        loop = self._loop
        node, wake = self.peers[name], self._wake[name]
        path = f"../{name}/{SOCKET_NAME}"
        while True:
            if not self._isolated:
                welcomed, lost = asyncio.Event(), asyncio.Event()
                frames = _Frames(lambda _link, _message, e=welcomed: e.set(), lambda _link, e=lost: e.set())  # type: ignore[misc]
                try:
                    await loop.create_unix_connection(lambda f=frames: f, path)  # type: ignore[misc]
                except OSError:
                    pass
                else:
                    frames.send(self.node.id)
                    await self._serve_link(name, node, frames, welcomed, lost)
            wake.clear()
            try:
                await asyncio.wait_for(wake.wait(), RETRY_S)
            except TimeoutError:
                continue

    async def _serve_link(
        self, name: str, node: Node, frames: _Frames, welcomed: asyncio.Event, lost: asyncio.Event
    ) -> None:
        assert self._loop is not None
        waiting = [self._loop.create_task(welcomed.wait()), self._loop.create_task(lost.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if welcomed.is_set() and not lost.is_set() and not self._isolated:
                self._outgoing[name] = frames
                self._last_message[name] = self._loop.time()
                self._set_connected(name, True)
                await lost.wait()
        finally:
            for task in waiting:
                task.cancel()
            frames.abort()
            if self._outgoing.get(name) is frames:
                del self._outgoing[name]
                self.on_cut(node)
                self._set_connected(name, False)

    # -- incoming

    def _accept(self) -> _Frames:
        link = _Frames(self._received, self._incoming_lost)
        self._incoming.add(link)
        return link

    def _incoming_lost(self, link: _Frames) -> None:
        self._incoming.discard(link)

    def _received(self, link: _Frames, message: Any) -> None:
        if self._isolated:
            link.abort()
            return
        if link.peer is None:
            link.peer = self.peers.get(message) if isinstance(message, str) else None
            if link.peer is None:
                link.abort()
                return
            link.send("welcome")
            self._wake[link.peer.id].set()  # it is there: no need to wait for the next attempt
            return
        name = link.peer.id
        assert self._loop is not None
        self._last_message[name] = self._loop.time()
        if name in self._outgoing:
            self._set_connected(name, True)
        if message["type"] == "ping":
            self.send(link.peer, {"type": "pong"})
        elif message["type"] != "pong":
            self.on_message(link.peer, message)

    # -- who is there

    def _set_connected(self, name: str, connected: bool) -> None:
        if connected == (name in self._connected):
            return
        if connected:
            self._connected.add(name)
            self._onNodeConnected(self.peers[name])
        else:
            self._connected.discard(name)
            self._onNodeDisconnected(self.peers[name])

    @property
    def connected(self) -> frozenset[str]:
        """The nodes that are linked and sent something lately."""
        return frozenset(self._connected)

    def ping(self) -> None:
        """Ask each node for a sign of life."""
        for node in self.peers.values():
            self.send(node, {"type": "ping"})

    def drop_silent(self, *, forgive: bool) -> None:
        """Count nodes as gone that sent nothing for long: paused ones, whose links stay up.

        A node that sees nobody doesn't stand for election, so terms don't climb while the others are paused.
        `forgive` starts the waiting anew: this process itself was not running.
        """
        assert self._loop is not None
        now = self._loop.time()
        for name in tuple(self._connected):
            if forgive:
                self._last_message[name] = now
            elif now - self._last_message[name] > self._silent_after:
                self._set_connected(name, False)

    # -- sending

    def send(self, node: Node, message: Message) -> bool:
        """Send, or drop when there is no link; Raft copes with lost messages."""
        link = self._outgoing.get(node.id)
        if link is None:
            return False
        if link.queued_bytes > MAX_QUEUED_BYTES and "prevLogIdx" in message:
            return False
        link.send(self.before_sending(message))
        return True

    def hand_over(self, node: Node, message: Message) -> None:
        """Give a message to PySyncObj."""
        self._onMessageReceived(node, message)
