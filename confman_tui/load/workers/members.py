"""The workers of a master, as it knows them, and what the run that they make wants to hear of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from confman_tui.load.workers.envelope import Stats
from confman_tui.load.workers.launcher import LocalWorker
from confman_tui.load.workers.messages import Drained, FromMaster, OfRun, Pulse
from confman_tui.load.workers.plan import WorkerPlan

_SPARE_MESSAGES = 5_000
_MESSAGES_PER_S = 500
"""A worker sends some sixty a second; while this program is paused they queue up."""


@dataclass
class WorkerRecord:
    """One worker, as its master knows it."""

    id: str
    """Locust's, of the connection."""
    name: str
    local: LocalWorker | None
    """Its process, where this program started it."""
    heard_at: float
    joined_at: float
    messages: int = 0
    """How many came from it."""
    in_run: bool = False
    prepared: bool = False
    late: bool = False
    """It was said that it is."""
    drained: Drained | None = None
    """What it reported when its last request had ended."""
    pulse: Pulse | None = None
    """Its last one."""

    @property
    def floods(self) -> bool:
        """Whether it sends far more messages than a worker has reason to."""
        return self.messages > _SPARE_MESSAGES + _MESSAGES_PER_S * (self.heard_at - self.joined_at)


class RunListener(Protocol):
    """The run that the workers make."""

    def on_message(self, worker: WorkerRecord, message: OfRun) -> None:
        """A worker reports something of it.

        Raises:
            Implausible: it can't be true.
        """

    def on_stats(self, worker: WorkerRecord, report: Stats) -> bool:
        """A worker reports to Locust; False where that does not count.

        Raises:
            Implausible: it can't be true.
        """

    def on_lost(self, worker: WorkerRecord) -> None:
        """A worker is gone."""

    def on_trouble(self, sentence: str) -> None:
        """Something went wrong that makes its figures others than those asked for."""


class Members(Protocol):
    """The master, as what comes in at its port sees it."""

    plan: WorkerPlan
    runner: Any
    """Locust's."""
    address: str
    """``HOST:PORT`` where workers join."""
    workers: dict[str, WorkerRecord]
    """By their ids."""
    run: RunListener | None
    """The present one."""
    runs: int
    """Its number."""

    @property
    def remote_present(self) -> int:
        """Workers from elsewhere."""

    def launched(self, ticket: str) -> LocalWorker | None:
        """The local worker that was given this ticket, unless it has joined already."""

    def send(self, worker: WorkerRecord, message: FromMaster) -> None:
        """Send a message to a worker."""

    def send_plainly(self, client_id: str, kind: str, data: Any) -> None:
        """Send a message of Locust's form."""

    def lose(self, worker: WorkerRecord, sentence: str, *, told: bool = True) -> None:
        """A worker is gone: say so, if it is to be ``told``, and go on with the others."""

    def tell(self, sentence: str) -> None:
        """Tell something that is no matter of the run."""
