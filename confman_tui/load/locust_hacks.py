"""What reaches into Locust's private names. Written for Locust 2.47; each entry says what would make it unnecessary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from locust import runners
from locust.user.task import LOCUST_STATE_STOPPING


def has_begun(user: Any) -> bool:
    """Whether a user's greenlet has begun to run tasks. Unnecessary once Locust shows a user's state."""
    return user._state is not None


def stop_after_task(user: Any) -> None:
    """Let a user end after its present task, also one that waits between two tasks.

    `User.stop` kills a waiting user at once. Unnecessary once that can be asked not to.
    """
    user._state = LOCUST_STATE_STOPPING


def write_history_rows(writer: Any, at: float) -> None:
    """Write the rows of ``_stats_history.csv`` for this moment (seconds since the epoch).

    `StatsCSVFileWriter.stats_writer` writes them each second and leaves out the end of a run. Unnecessary once it
    writes its last rows when it is stopped.
    """
    writer._stats_history_data_rows(writer.stats_history_csv_writer, at)


def send_stats(worker: Any) -> None:
    """Send a worker's statistics to its master now. Unnecessary once `WorkerRunner` has a public way to."""
    worker._send_stats()


def users_dispatcher(master: Any) -> Any:
    """What hands a master's users out to its workers, None before a run. Unnecessary once a worker that is lost can
    be taken out through a public method of `MasterRunner`."""
    return master._users_dispatcher


@contextlib.contextmanager
def sockets(*, server: Callable[..., Any] | None = None, client: Callable[..., Any] | None = None) -> Iterator[None]:
    """While inside, a `MasterRunner` that is made gets its socket from ``server``, a `WorkerRunner` from ``client``;
    both are called as Locust calls its own. To be left before another thread makes one. Unnecessary once a runner takes
    its socket as an argument."""
    module: Any = runners
    own = module.rpc
    module.rpc = SimpleNamespace(Server=server, Client=client)
    try:
        yield
    finally:
        module.rpc = own
