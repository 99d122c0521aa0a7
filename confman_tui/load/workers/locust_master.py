"""Locust's own master, so that nothing that comes from outside ends its listening, and the order of its workers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

from locust.exception import RPCError, RPCReceiveError, RPCSendError
from locust.runners import MasterRunner

from confman_tui.load.workers.plan import WorkerError

log = logging.getLogger(__name__)

OnMessage = Callable[[str, Any], bool]
"""Takes the id of a worker's connection and a message of Locust's; False where Locust has to take it."""


class _MasterRunner(MasterRunner):
    def __init__(self, environment: Any, host: str, port: int, on_message: OnMessage) -> None:
        self._on_message = on_message
        super().__init__(environment, host, port)
        server: Any = self.server
        self._receive: Any = server.recv_from_client
        server.recv_from_client = self._receive_anything

    def _receive_anything(self) -> Any:
        """What is no message of Locust's must not end the listening either; Locust expects some kinds of it only."""
        try:
            return self._receive()
        except (RPCError, RPCSendError, RPCReceiveError):
            raise
        except Exception as error:
            raise RPCReceiveError(f"no message: {type(error).__name__}", addr=None) from None

    def handle_message(self, client_id: str, msg: Any) -> None:
        """As Locust's, for what ``on_message`` leaves to it."""
        try:
            if not self._on_message(client_id, msg):
                super().handle_message(client_id, msg)
        except Exception:
            log.exception("a message of kind %r from %r was left out", msg.type, client_id)


def listen(environment: Any, host: str, port: int, on_message: OnMessage) -> Any:
    """Locust's master, listening there.

    Raises:
        WorkerError: the address can't be listened on.
    """
    try:
        if host != "*":
            socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
        return _MasterRunner(environment, host, port, on_message)
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
