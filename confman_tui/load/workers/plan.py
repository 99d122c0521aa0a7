"""Which workers make the load, and which part each takes: plain values, without Locust."""

from __future__ import annotations

from dataclasses import dataclass, field

from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.core.errors import EXIT_INTERRUPTED, EXIT_NO_CLUSTER, EXIT_WORKERS, ConfmanTuiError


class WorkerError(ConfmanTuiError):
    """A worker could not be started or did not come; one sentence."""

    exit_code = EXIT_WORKERS


class LeftAtOnceError(ConfmanTuiError):
    """A second signal came: a worker left without waiting for its requests in flight."""

    exit_code = EXIT_INTERRUPTED


class NoMasterError(WorkerError):
    """A worker found no master, or one that does not take it; one sentence."""

    exit_code = EXIT_NO_CLUSTER


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """Which workers make the load."""

    local: int
    """Processes that this program starts on this machine."""
    remote: int = 0
    """Workers that join by themselves (``confman-tui worker``), and are waited for."""
    bind: tuple[str, int] = ("127.0.0.1", 0)
    """Interface and port that workers connect to; port 0 is a free one."""
    wait_s: float = 30.0
    """How long remote workers are waited for, in seconds."""
    api_key: str = field(default="", repr=False)
    """For the local workers; remote ones have their own."""
    token: str = field(default="", repr=False)
    """What workers prove that they were invited with, in hex digits; empty: one that is random for each program. See
    `confman_tui.load.workers.sockets`."""
    tls: TlsOptions = MACHINE_CAS
    """As the API key."""

    @property
    def size(self) -> int:
        """How many workers there are to be."""
        return self.local + self.remote


@dataclass(frozen=True, slots=True)
class WaitProgress:
    """How far the wait for workers has come."""

    present: int
    wanted: int
    address: str
    """``HOST:PORT`` that workers connect to."""
    left_s: float
    """Seconds until it is given up."""


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """Which part of a run one worker takes."""

    index: int
    """From 0."""
    count: int
    """Workers that take part."""
    first_user: int
    """Number of its first user."""
    token: str
    """Five hex digits that the keys of its writes begin with, and no other worker's."""
    name: str
    """What the worker is called in figures and sentences."""
