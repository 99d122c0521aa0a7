"""Locust's two sockets with CURVE, ZeroMQ's encryption: who has not the workers' token can't say or hear a thing.

The master's key pair is made of the token. Its public half, which never goes over the wire, is what a worker must know
to begin at all (CurveZMQ, rfc.zeromq.org/spec/26: its first message is a box for that key), and nobody but the master
can answer it. Each connection has keys of its own, and each message a number that must rise. So:

- nobody without the token joins, and nothing of his is decoded: libzmq drops the connection in the handshake, also one
  that asks for an older protocol or for no encryption;
- nobody in between reads, changes, forges or repeats a message, of either direction, nor sends one worker's as
  another's or back to where it came from; what was recorded is of no use later, even with the token;
- who has the token is a worker, and a worker's figures are believed within what is possible
  (`confman_tui.load.workers.plausible`). One thing libzmq does not bound: a message of ever more parts, of a worker
  that was invited, stays in memory until its last part.

Chosen over an HMAC of our own because Locust's sockets (`locust.rpc.zmqrpc`) are plain pyzmq ones, and pyzmq's wheels
hold libzmq with CURVE. On a message of 100 bytes the cost is within the noise of the 21 µs that it takes without, on
one of 50 KB it is 55 µs more; a worker sends some sixty a second, most of them small.
"""

from __future__ import annotations

import contextlib
import hmac
import struct
from collections.abc import Callable
from typing import Any

import gevent
import zmq
import zmq.green
from locust.exception import RPCError
from locust.rpc import Message
from locust.rpc.zmqrpc import BaseSocket
from zmq.utils import z85

from confman_tui.load.workers import envelope
from confman_tui.load.workers.envelope import MOST_FROM_MASTER, MOST_FROM_WORKER, NoMessage

HANDSHAKE_S = 5.0
"""A connection whose handshake takes longer is dropped."""
_WAITING = 48
"""Messages of one worker that libzmq holds for the master; then its connection waits. With `MOST_FROM_WORKER` this
bounds what a worker can make the master hold."""
_TURN = 32
"""Messages read in a row before the others on this thread have their turn."""
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_MONITOR = "inproc://handshakes"


def master_keys(token: str) -> tuple[bytes, bytes]:
    """The master's public and secret key, in Z85 as libzmq takes them. ``token`` is in hex digits.

    A Curve25519 secret key is any 32 bytes, so a keyed hash of a label gives one (as HKDF's expansion, RFC 5869).
    """
    secret = z85.encode(hmac.digest(bytes.fromhex(token), b"confman-tui workers: key of the master", "sha256"))
    return zmq.curve_public(secret), secret


class _Socket(BaseSocket):
    """What both have in common: handshakes that fail are told."""

    def __init__(self, kind: int, ipv4_only: bool, on_refused: Callable[[], None]) -> None:
        super().__init__(kind, ipv4_only)  # type: ignore[no-untyped-call]
        zmq_socket: Any = self.socket
        zmq_socket.setsockopt(zmq.HANDSHAKE_IVL, int(HANDSHAKE_S * 1000))
        zmq_socket.monitor(_MONITOR, _FAILED)
        self._handshakes: Any = zmq_socket.context.socket(zmq.PAIR)
        # libzmq's own thread waits for room in this queue
        self._handshakes.setsockopt(zmq.RCVHWM, 0)
        self._handshakes.connect(_MONITOR)
        self._on_refused = on_refused
        self._watcher = gevent.spawn(self._watch)

    def _watch(self) -> None:
        with contextlib.suppress(zmq.ZMQError):
            while True:
                event = self._handshakes.recv_multipart()
                if len(event[0]) == 6 and struct.unpack("=Hi", event[0])[0] & _FAILED:
                    self._on_refused()

    def close(self, linger: int | None = None) -> None:
        """As Locust's."""
        self._watcher.kill(block=False)
        with contextlib.suppress(zmq.ZMQError):
            self.socket.disable_monitor()
        self._handshakes.close(linger=0)
        super().close(linger=linger)  # type: ignore[no-untyped-call]


class MasterSocket(_Socket):
    """In the place of ``locust.rpc.zmqrpc.Server``."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        on_refused: Callable[[], None],
        on_bad: Callable[[str | None, str], None],
    ) -> None:
        """
        Args:
            host: the interface to listen on.
            port: 0 is a free one.
            token: the workers'.
            on_refused: called when a connection was dropped in its handshake.
            on_bad: gets the id of a connection, None where that is none, and why what it sent was dropped.

        Raises:
            RPCError: the address can't be listened on.
        """
        super().__init__(zmq.ROUTER, BaseSocket.ipv4_only(self, host, port), on_refused)
        self._on_bad = on_bad
        self._read = 0
        zmq_socket: Any = self.socket
        zmq_socket.setsockopt(zmq.CURVE_SERVER, 1)
        zmq_socket.setsockopt(zmq.CURVE_SECRETKEY, master_keys(token)[1])
        zmq_socket.setsockopt(zmq.MAXMSGSIZE, MOST_FROM_WORKER)
        zmq_socket.setsockopt(zmq.RCVHWM, _WAITING)
        try:
            if port == 0:
                self.port = zmq_socket.bind_to_random_port(f"tcp://{host}")
            else:
                zmq_socket.bind(f"tcp://{host}:{port}")
                self.port = port
        except zmq.ZMQError as error:
            self.close(linger=0)
            zmq_socket.context.term()
            raise RPCError(f"Socket bind failure: {error}") from None

    def recv_from_client(self) -> tuple[str, Message]:
        """The next message that is one, and the id of the connection that it came from. All else is dropped.

        Raises:
            RPCError: the socket is broken, or closed.
        """
        while True:
            self._read += 1
            if self._read % _TURN == 0:
                # who sends without a pause must not keep this thread to himself
                gevent.sleep(0)
            try:
                address, data, more = self._frames()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            client_id = envelope.connection_id(address)
            try:
                if client_id is None:
                    raise NoMessage("its connection has no proper name")
                if more:
                    raise NoMessage("it has more than one part")
                return client_id, envelope.from_worker(client_id, data)
            except NoMessage as error:
                self._on_bad(client_id, str(error))

    def _frames(self) -> tuple[bytes, bytes, bool]:
        """The two parts of a message, and whether there were more, which are not kept."""
        socket: Any = self.socket
        address = socket.recv()
        data = socket.recv() if socket.getsockopt(zmq.RCVMORE) else b""
        more = False
        while socket.getsockopt(zmq.RCVMORE):
            more = True
            socket.recv()
        return address, data, more


class WorkerSocket(_Socket):
    """In the place of ``locust.rpc.zmqrpc.Client``."""

    def __init__(self, host: str, port: int, identity: str, token: str, on_refused: Callable[[], None]) -> None:
        """
        Args:
            host: the master's.
            port: where it listens.
            identity: name of this connection.
            token: the workers'.
            on_refused: called when the master, or what listens in its place, dropped a connection in its handshake.
        """
        super().__init__(zmq.DEALER, BaseSocket.ipv4_only(self, host, port), on_refused)
        zmq_socket: Any = self.socket
        zmq_socket.setsockopt(zmq.IDENTITY, identity.encode())
        public, secret = zmq.curve_keypair()
        zmq_socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        zmq_socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        zmq_socket.setsockopt(zmq.CURVE_SERVERKEY, master_keys(token)[0])
        zmq_socket.setsockopt(zmq.MAXMSGSIZE, MOST_FROM_MASTER)
        # the master takes so many at once and no more; what waits beyond that waits here
        zmq_socket.setsockopt(zmq.SNDHWM, 0)
        zmq_socket.connect(f"tcp://{host}:{port}")

    def send(self, msg: Message) -> None:
        """Send a message; never waits.

        Raises:
            RPCError: libzmq has given the connection up, because what answered there spoke something else.
        """
        data = msg.serialize()  # type: ignore[no-untyped-call]
        socket: Any = self.socket
        try:
            socket.send(data, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise RPCError("ZMQ sent failure") from error

    def recv(self) -> Message:
        """The next message that is one.

        Raises:
            RPCError: it is none, or the socket is broken.
        """
        socket: Any = self.socket
        try:
            data = socket.recv()
            while socket.getsockopt(zmq.RCVMORE):
                socket.recv()
                data = b""
        except zmq.ZMQError as error:
            raise RPCError("ZMQ network broken") from error
        try:
            return envelope.from_master(data)
        except NoMessage as error:
            raise RPCError(f"no message of a master: {error}") from None
