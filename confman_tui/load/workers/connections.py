"""The connections at the master's port, and an end for those that make libzmq hold more than it may.

libzmq gives a message out when its last part is there, and bounds each part (``ZMQ_MAXMSGSIZE``) but neither their
number nor their sum; how many connections there are it does not bound either. So a thread of its own looks at each
connection some hundred times a second: what the kernel received of it (``tcpi_bytes_received`` of ``TCP_INFO``,
linux/tcp.h), less what came of it as whole messages. Whole messages that wait are at most `WAITING`, each of bounded
size, so more than `MOST_HELD` can only be a message that does not end, however late the other threads are. Such a
connection is shut down, and libzmq then closes it and forgets what it held.

Where the kernel does not tell how much it received (macOS), only the number of connections is bounded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gevent
import zmq
from gevent.threadpool import ThreadPool

from confman_tui.load.workers.envelope import MOST_FROM_WORKER

WAITING = 8
"""Messages of one worker that libzmq holds for the master; then its connection waits."""
RECEIVED_AT_MOST = 256 << 10
"""Bytes that the kernel is to hold of a connection. Linux takes twice that."""
MOST_HELD = (WAITING + 2) * (MOST_FROM_WORKER + 64) + 2 * RECEIVED_AT_MOST
"""Bytes of a member's connection that may wait: `WAITING` messages, one on each side of those, and the kernel's."""
MOST_HELD_OF_STRANGER = 128 << 10
"""The same for a connection of no member; what it says before it is one takes some hundred bytes."""
MOST_STRANGERS = 192
"""Connections of no member. All workers that there may be (64 and 64) can knock at once."""
_LOOK_MS = 5
_EVENTS_AT_ONCE = 256
_BYTES_RECEIVED = 128
"""Where ``tcpi_bytes_received``, 64 bits, begins in Linux's ``struct tcp_info``."""
HANDSHAKE_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
"""Events of a socket that mean that."""
_MONITOR = "inproc://connections"


def on_the_wire(size: int) -> int:
    """Bytes that a part of ``size`` bytes takes: CurveZMQ puts 33 around it (rfc.zeromq.org/spec/26: name, nonce, box,
    flags), ZMTP 2 or 9 before it (rfc.zeromq.org/spec/23)."""
    return size + 33 + (2 if size + 33 <= 255 else 9)


@dataclass(slots=True)
class _Connection:
    number: int
    """They count up."""
    peer: Any
    """Address of the other side."""
    client_id: str | None = None
    """Whose it is, as its first whole message says."""
    arrived: int = 0
    """Bytes of whole messages."""
    ended: bool = False
    """It was shut down here."""


class Connections:
    """Those of one ROUTER socket with CURVE. Made and called on a hub's thread, which the callbacks come on too."""

    def __init__(
        self,
        zmq_socket: Any,
        is_member: Callable[[str], bool],
        on_refused: Callable[[], None],
        on_bad: Callable[[str | None, str], None],
    ) -> None:
        """To be made before the socket listens.

        Args:
            zmq_socket: the ROUTER.
            is_member: whether a connection of that id may send figures; called on another thread.
            on_refused: called when a connection was dropped in its handshake.
            on_bad: gets the id of a connection that was shut down, unless it never said one, and why.
        """
        self._is_member = is_member
        self._on_refused = on_refused
        self._on_bad = on_bad
        self._hub: Any = gevent.get_hub()
        self._of: dict[int, _Connection] = {}
        """By their descriptors, which are libzmq's: it may close them at any time."""
        self._numbers = itertools.count()
        zmq_socket.setsockopt(zmq.RCVBUF, RECEIVED_AT_MOST)
        wanted = HANDSHAKE_FAILED | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
        zmq_socket.monitor(_MONITOR, wanted)
        self._socket = zmq_socket
        # no green one: a thread without a hub reads it
        self._events: Any = zmq.Socket(zmq_socket.context, zmq.PAIR)
        # libzmq's own thread waits for room in this queue
        self._events.setsockopt(zmq.RCVHWM, 0)
        self._events.connect(_MONITOR)
        # gevent's own kind is a thread also where Locust has replaced `threading`
        self._threads: Any = ThreadPool(1)
        self._ended: Any = self._threads.spawn(self._live)

    def arrived(self, descriptor: int, client_id: str | None, sizes: Iterable[int]) -> None:
        """A whole message, of parts of these sizes, came of the connection with this descriptor."""
        connection = self._of.get(descriptor)
        if connection is not None:
            connection.client_id = client_id
            connection.arrived += sum(map(on_the_wire, sizes))

    def held(self) -> dict[str | None, int]:
        """Bytes of each connection that did not arrive yet, its handshake among them."""
        return {
            connection.client_id: self._received(descriptor, connection) - connection.arrived
            for descriptor, connection in list(self._of.items())
        }

    def close(self) -> None:
        """Look no more; the ROUTER is still to be closed."""
        with contextlib.suppress(zmq.ZMQError):
            self._socket.disable_monitor()  # its last event ends the thread
        self._ended.get()
        self._threads.kill()

    # -- on the thread

    def _live(self) -> None:
        try:
            while True:
                wait = _LOOK_MS if self._of else None
                for _event in range(_EVENTS_AT_ONCE):
                    if not self._events.poll(wait):
                        break
                    if not self._take(self._events.recv_multipart()):
                        return
                    wait = 0
                self._look()
        finally:
            self._events.close(linger=0)

    def _take(self, event: list[bytes]) -> bool:
        """Take an event of the ROUTER; False when it was the last."""
        kind, descriptor = struct.unpack("=Hi", event[0])
        if kind & HANDSHAKE_FAILED:
            self._call(self._on_refused)
        elif kind == zmq.EVENT_DISCONNECTED:
            self._of.pop(descriptor, None)
        elif kind == zmq.EVENT_ACCEPTED:
            with contextlib.suppress(OSError), _copy(descriptor) as copy:
                self._of[descriptor] = _Connection(next(self._numbers), copy.getpeername())
        return bool(kind != zmq.EVENT_MONITOR_STOPPED)

    def _look(self) -> None:
        strangers: list[tuple[bool, int, int]] = []
        for descriptor, connection in list(self._of.items()):
            if connection.ended:
                continue
            try:
                received = self._received(descriptor, connection)
            except OSError:
                self._of.pop(descriptor)
                continue
            client_id = connection.client_id
            member = client_id is not None and self._is_member(client_id)
            most = MOST_HELD if member else MOST_HELD_OF_STRANGER
            if received - connection.arrived > most:
                self._end(descriptor, f"a message that goes on after {most >> 10} KB")
            elif not member:
                strangers.append((client_id is not None, connection.number, descriptor))
        # first those that have not said a thing, the oldest first: who has the token does so within milliseconds
        for _named, _number, descriptor in sorted(strangers)[: max(0, len(strangers) - MOST_STRANGERS)]:
            self._end(descriptor, f"more than {MOST_STRANGERS} connections of nobody who had joined")

    def _end(self, descriptor: int, why: str) -> None:
        connection = self._of[descriptor]
        connection.ended = True
        with contextlib.suppress(OSError), _copy(descriptor) as copy:
            if copy.getpeername() == connection.peer:
                copy.shutdown(socket.SHUT_RDWR)
        # who never said a whole message is in the handshake mostly, and libzmq reports that as a failed one
        if connection.client_id is not None:
            self._call(self._on_bad, connection.client_id, why)

    @staticmethod
    def _received(descriptor: int, connection: _Connection) -> int:
        """Bytes that came in, 0 where the kernel does not tell.

        Raises:
            OSError: the connection is no more.
        """
        with _copy(descriptor) as copy:
            if copy.getpeername() != connection.peer:
                raise OSError("another one has its descriptor")
            if sys.platform != "linux":
                return 0
            facts = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED + 8)
            # a kernel before 4.1 tells less
            return int(struct.unpack_from("=Q", facts, _BYTES_RECEIVED)[0]) if len(facts) > _BYTES_RECEIVED else 0

    def _call(self, what: Callable[..., None], *args: object) -> None:
        """Let the hub's thread do it."""
        self._hub.loop.run_callback_threadsafe(gevent.spawn, what, *args)


def _copy(descriptor: int) -> socket.socket:
    """For a moment, so that it is one and the same connection from the first look to the last, and libzmq's closing of
    it still ends it.

    Raises:
        OSError: there is none any more.
    """
    # family and type given, or they are asked for; getpeername tells the true family all the same
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=os.dup(descriptor))
