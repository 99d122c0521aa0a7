"""What reaches into geventhttpclient, which Locust's FastHttpUser sends its requests with. Written for 2.6.1.

Both changes touch names that the library calls private, so they stand here alone and are checked against what is
installed. Each says what would make it unnecessary.

- No silent replay. When a connection is closed or reset before an answer, geventhttpclient sends GET, PUT and DELETE
  again, up to its pool's size plus one times, unseen. One Locust event then stands for up to twelve writes.
  Here a request is sent once; what follows is the caller's decision, and its own event. A kept connection that the
  server closed while it was idle is still noticed before the request is sent. Unnecessary once the library has a
  setting for it.
- A check of idle connections that lets other users run and has no limit. The library asks ``select.select``, which
  never yields to gevent (one user can starve the others) and refuses file descriptors above 1,023, where the library
  then takes every connection for dead and opens a new one for each request. Unnecessary once the library asks
  ``poll`` in a way that yields to gevent.
"""

from __future__ import annotations

import select as _blocking_select
from collections.abc import Sequence
from types import CodeType
from typing import Any

import gevent
from geventhttpclient import __version__ as _installed
from geventhttpclient import client as _client
from geventhttpclient import connectionpool as _connectionpool

from confman_tui.core.errors import ConfmanTuiError

_READABLE = _blocking_select.POLLIN | _blocking_select.POLLPRI | _blocking_select.POLLHUP | _blocking_select.POLLERR


class PatchError(ConfmanTuiError):
    """The installed geventhttpclient is not one that these changes fit."""


def _never(_method: str) -> bool:
    """In place of ``client._may_retry_after_send_error``: no method is sent twice."""
    return False


class _YieldingSelect:
    """In place of the module ``select`` in ``geventhttpclient.connectionpool``."""

    @staticmethod
    def select(
        readers: Sequence[Any], _writers: Sequence[Any], _errors: Sequence[Any], _timeout: float
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Which of ``readers`` are readable now; never waits, but lets the other users run first."""
        gevent.sleep(0)
        poll = _blocking_select.poll()
        for reader in readers:
            poll.register(reader.fileno(), _READABLE)
        ready = {number for number, _event in poll.poll(0)}
        return [reader for reader in readers if reader.fileno() in ready], [], []


def _uses(function: Any, name: str) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and name in code.co_names


def check() -> None:
    """Raise `PatchError` unless the names that `apply` changes exist and are used where they are expected."""
    missing = [
        what
        for what, present in (
            (
                "client._may_retry_after_send_error, used by HTTPClient.request",
                hasattr(_client, "_may_retry_after_send_error")
                and _uses(getattr(_client.HTTPClient, "request", None), "_may_retry_after_send_error"),
            ),
            (
                "connectionpool.select, used by ConnectionPool._is_socket_alive",
                hasattr(_connectionpool, "select")
                and _uses(getattr(_connectionpool.ConnectionPool, "_is_socket_alive", None), "select"),
            ),
        )
        if not present
    ]
    if missing:
        raise PatchError(
            f"geventhttpclient {_installed} is installed, but confman-tui was made for 2.6: "
            f"{'; '.join(missing)} is gone, and without it requests could be sent twice unseen. "
            "Install geventhttpclient>=2.6.1,<2.7."
        )


def apply() -> None:
    """Check, then change geventhttpclient for the whole process. Doing it again does nothing new."""
    check()
    _client._may_retry_after_send_error = _never  # type: ignore[assignment]
    _connectionpool.select = _YieldingSelect  # type: ignore[assignment, attr-defined]
