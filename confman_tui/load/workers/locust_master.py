"""Locust's own master on a socket of ours, and the order of its workers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from locust.exception import RPCError
from locust.runners import MasterRunner

from confman_tui.load import locust_hacks
from confman_tui.load.workers.plan import WorkerError
from confman_tui.load.workers.sockets import MasterSocket

log = logging.getLogger(__name__)


class MessageTaker(Protocol):
    """Takes what comes in."""

    def on_message(self, client_id: str, msg: Any) -> bool:
        """A message of the connection of that id; False where Locust has to take it."""

    def on_bad(self, client_id: str | None, why: str) -> None:
        """Something that is no message was dropped; the id is None where the connection has none."""

    def on_refused(self) -> None:
        """A connection without the token was dropped."""


class _MasterRunner(MasterRunner):
    def __init__(self, environment: Any, host: str, port: int, token: str, taker: MessageTaker) -> None:
        self._taker = taker
        self._listen: Callable[[str, int], MasterSocket] = lambda at, port: MasterSocket(
            at, port, token, taker.on_refused, taker.on_bad
        )
        with locust_hacks.sockets(server=self._listen):
            super().__init__(environment, host, port)

    def reset_connection(self) -> None:
        """As Locust's, with a socket like the first."""
        with locust_hacks.sockets(server=self._listen):
            super().reset_connection()

    def handle_message(self, client_id: str, msg: Any) -> None:
        """As Locust's, for what the taker leaves to it."""
        try:
            if not self._taker.on_message(client_id, msg):
                super().handle_message(client_id, msg)
        except Exception as error:
            log.exception("a message of kind %r from %r was left out", msg.type, client_id)
            self._taker.on_bad(client_id, f"'{msg.type}' can't be taken: {type(error).__name__}")


def listen(environment: Any, host: str, port: int, token: str, taker: MessageTaker) -> Any:
    """Locust's master, listening there for who has the token.

    Raises:
        WorkerError: the address can't be listened on.
    """
    try:
        if host != "*":
            socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
        return _MasterRunner(environment, host, port, token, taker)
    except OSError as error:
        reason = error.strerror or str(error)
    except (RPCError, SystemExit) as error:
        # depending on how the words are, Locust ends the program when the port is taken
        taken = isinstance(error, SystemExit) or "in use" in str(error)
        reason = "the port is taken" if taken else str(error).removeprefix("Socket bind failure: ")
    raise WorkerError(f"workers can't be listened for on {host}:{port}: {reason}")


def in_order_of_users(client_ids: Iterable[str]) -> list[str]:
    """The order in which Locust's dispatcher hands users out to workers: the machines take turns."""
    of_host: dict[str, int] = {}
    order: dict[str, tuple[int, str]] = {}
    for client_id in sorted(client_ids):
        host = client_id.split("_")[0]
        order[client_id] = (of_host.get(host, 0), client_id)
        of_host[host] = of_host.get(host, 0) + 1
    return sorted(order, key=lambda client_id: order[client_id])
