"""What master and workers say to each other, inside Locust's messages.

Locust's own reports carry rounded statistics. Beside them go the exact seconds (`SecondCounts`), every write, the plan
and the targets. A second of 10,000 requests takes 3 KB (answers within some hundreds of µs) to 48 KB (hardly two
alike).

A worker introduces itself, and is refused or asked to wait, with plain values that are the same in every version, so
that two versions can refuse each other in a sentence (`Kind`). All else is of the kind `Kind.MESSAGE`: one of the
structs below, as MessagePack. What is none of them is a ValueError or a TypeError where it is decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, get_origin

import msgspec

from confman_tui import __version__
from confman_tui.cluster.elections import WriteObserver, WriteOutcome
from confman_tui.load.run_model import Cause, RunPlan
from confman_tui.load.second import SecondCounts
from confman_tui.load.targets import Targets
from confman_tui.load.workers.plan import WorkerShare

PROTOCOL = 5
"""Raised whenever a message changes its form."""

NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Failure = tuple[bool, Cause, str]
"""As in `SecondCounts.failures`."""
EndedWrite = tuple[str, str, NotNegative, float, float, str, WriteOutcome, float | None]
"""The arguments of `WriteObserver.ended`."""


class Kind(StrEnum):
    """Locust's messages that are ours."""

    HELLO = "confman.hello"
    """From a worker: its `identity`, name, process id and machine, and whether its master's program started it."""
    REFUSED = "confman.refused"
    """From the master: a sentence that says why."""
    WAIT = "confman.wait"
    """From the master: a run lasts, and the worker joins after it."""
    MESSAGE = "confman.message"
    """Either way."""


def identity() -> dict[str, Any]:
    """The version of this program, as a worker introduces itself with it."""
    return {"version": __version__, "protocol": PROTOCOL}


def version_words(theirs: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """A version in words, and what else differs from another of the same number. Takes two `identity`."""
    version = "".join(letter for letter in str(theirs.get("version"))[:30] if letter.isprintable())
    return version if version != others.get("version") else f"{version} (messages of form {theirs.get('protocol')})"


# -- from a worker


class ClockAsked(msgspec.Struct, frozen=True, tag=True):
    """What the master's clock says."""

    at: float
    """On the worker's clock."""


class PlanTaken(msgspec.Struct, frozen=True, tag=True):
    """The worker is ready to begin."""

    run: int


class SecondCounted(msgspec.Struct, frozen=True, tag=True):
    """A second of a run, or what a worker has had since the one before."""

    run: int
    number: NotNegative
    """From 1; a worker may skip one."""
    last: bool
    counts: SecondCounts
    """Without the sums (see `SecondCounts.sum_up`) and without its failures."""
    failures: dict[Failure, NotNegative]
    """How many there were of each."""

    @classmethod
    def of(cls, run: int, number: int, second: SecondCounts, *, last: bool) -> SecondCounted:
        """The message for a second."""
        counts = replace(second, reads=Counter(), writes=Counter(), failures=[])
        return cls(run, number, last, counts, Counter(second.failures))

    def second(self) -> SecondCounts:
        """The second, whole."""
        second = replace(self.counts, failures=[*Counter(self.failures).elements()])
        second.sum_up()
        return second


class WritesReported(msgspec.Struct, frozen=True, tag=True):
    """The writes that were started and that ended since the last report, on the master's clock."""

    run: int
    started: list[float]
    ended: list[EndedWrite]

    def replay(self, observer: WriteObserver) -> None:
        """Pass them on."""
        for at in self.started:
            observer.started(at)
        for write in self.ended:
            observer.ended(*write)


class Pulse(msgspec.Struct, frozen=True, tag=True):
    """How the worker does, some times a second."""

    run: int
    users: int
    in_flight: int
    oldest_s: float
    """Age of the oldest request in flight."""
    lag_s: float
    """As `EngineHealth.hub_lag_s`."""


class TroubleSeen(msgspec.Struct, frozen=True, tag=True):
    """A request failed, or is late."""

    run: int
    what: str


class Drained(msgspec.Struct, frozen=True, tag=True):
    """The worker's last request has ended, and all of it was reported."""

    run: int
    ended: float
    """On the master's clock."""
    requests: int
    reported: int
    """Requests in Locust's own reports."""


class RunBroken(msgspec.Struct, frozen=True, tag=True):
    """The worker's own code went wrong, or it can't carry out the plan."""

    run: int
    error: str


OfRun = PlanTaken | SecondCounted | WritesReported | Pulse | TroubleSeen | Drained | RunBroken
FromWorker = ClockAsked | OfRun


# -- from the master


class ClockAnswer(msgspec.Struct, frozen=True, tag=True):
    """The answer to `ClockAsked`."""

    asked: float
    at: float
    """On the master's clock."""


class PrepareRun(msgspec.Struct, frozen=True, tag=True):
    """Take this plan, and wait."""

    run: int
    """Number of the run, which every message about it carries."""
    plan: RunPlan
    """With this worker's part of the rate, and without what stays with the master."""
    share: WorkerShare
    targets: Targets
    observed: bool
    """Whether the run's writes are to be reported."""

    @classmethod
    def of(cls, run: int, plan: RunPlan, share: WorkerShare, targets: Targets, observed: bool) -> PrepareRun:
        """The message for a plan: without the API key, which each worker has from elsewhere, and without the files."""
        return cls(run, replace(plan, api_key="", csv_prefix=None), share, targets, observed)


class BeginRun(msgspec.Struct, frozen=True, tag=True):
    """Begin what was prepared."""

    started: float
    """On the master's clock."""


class UseTargets(msgspec.Struct, frozen=True, tag=True):
    """Send requests there from now on."""

    targets: Targets


class UseRate(msgspec.Struct, frozen=True, tag=True):
    """Open loop: the worker's part of the rate from now on."""

    rate: float


class EndRun(msgspec.Struct, frozen=True, tag=True):
    """Begin no more requests, wait for those in flight."""

    within_s: float | None = None
    """Cut them off after so many seconds; None: wait as long as their own limits allow."""


FromMaster = ClockAnswer | PrepareRun | BeginRun | UseTargets | UseRate | EndRun


def _decoded(kind: Any, value: Any) -> Any:
    """What msgspec does not know: counters, whose type it gives as ``Counter[int]``."""
    if get_origin(kind) is Counter:
        return Counter(msgspec.convert(value, dict[NotNegative, NotNegative]))
    raise NotImplementedError


encode = msgspec.msgpack.Encoder().encode
"""A message as bytes."""
from_worker = msgspec.msgpack.Decoder(FromWorker, dec_hook=_decoded).decode
from_master = msgspec.msgpack.Decoder(FromMaster, dec_hook=_decoded).decode


class WriteBatch:
    """Implements `WriteObserver` in a worker: keeps the writes until they are taken, some times a second."""

    def __init__(self) -> None:
        self._started: list[float] = []
        self._ended: list[EndedWrite] = []

    def started(self, at: float) -> None:
        """See `WriteObserver`."""
        self._started.append(at)

    def ended(
        self,
        namespace: str,
        key: str,
        digest: int,
        started: float,
        ended: float,
        node: str,
        outcome: WriteOutcome,
        intended: float | None = None,
    ) -> None:
        """See `WriteObserver`."""
        self._ended.append((namespace, key, digest, started, ended, node, outcome, intended))

    @property
    def empty(self) -> bool:
        """Nothing has come since it was last taken."""
        return not self._started and not self._ended

    def take(self, run: int, offset_s: float) -> WritesReported:
        """What has come since the last call, its times moved by ``offset_s``."""
        starts, self._started = self._started, []
        ends, self._ended = self._ended, []
        return WritesReported(
            run,
            [at + offset_s for at in starts],
            [
                (
                    *(namespace, key, digest, began + offset_s, ended + offset_s, node, outcome),
                    None if intended is None else intended + offset_s,
                )
                for namespace, key, digest, began, ended, node, outcome, intended in ends
            ],
        )
