"""What master and workers say to each other, inside Locust's messages.

Locust's own reports carry rounded statistics. Beside them go the exact seconds (`SecondCounts`), every write, the plan
and the targets. A second of 10,000 requests takes 3 KB (answers within some hundreds of µs) to 48 KB (hardly two
alike).

A worker introduces itself, and is refused or asked to wait, with plain values that are the same in every version, so
that two versions can refuse each other in a sentence (`Kind`). All else is of the kind `Kind.MESSAGE`: one of the
structs below, as MessagePack. Each field has its bounds, far beyond what an honest worker or master needs, and within
what the other side can hold; what is outside of them is a ValueError or a TypeError where it is decoded (a
RecursionError where it is nested without end). Whether a report can be true besides, `plausible` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from confman_tui import __version__
from confman_tui.cluster.elections import WriteObserver, WriteOutcome
from confman_tui.cluster.tls import MACHINE_CAS
from confman_tui.load.run_model import Cause, RunPlan
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.load.targets import Targets
from confman_tui.load.workers.plan import WorkerShare
from confman_tui.settings.values import MAX_RATE, MAX_USERS

PROTOCOL = 6
"""Raised whenever a message changes its form."""

MOST_REQUESTS = 1_000_000
"""Requests that one second of a worker may hold; a process makes 10,000."""
MOST_WRITES = 2_000
"""Writes of one report; a worker sends several where there were more."""
MOST_NODES = 64
"""A cluster has nine at most."""
LONGEST_TEXT = 300

Number = Annotated[int, Meta(ge=0, le=10**9)]
Moment = Annotated[float, Meta(ge=-1e11, le=1e11)]
"""Seconds since the epoch; one from another machine may count from elsewhere."""
Span = Annotated[float, Meta(ge=0, le=1e7)]
"""Seconds."""
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Latencies = Annotated[
    dict[Annotated[int, Meta(ge=0, le=2**40)], Annotated[int, Meta(ge=1, le=MOST_REQUESTS)]],
    Meta(max_length=200_000),
]
"""As `SecondCounts.reads`: µs and how many."""
Shares = Annotated[dict[Text, Annotated[float, Meta(ge=0, le=1e6)]], Meta(max_length=1)]
"""Of a worker, under its own name."""
Failure = tuple[bool, Cause, Text]
"""As in `SecondCounts.failures`."""
Digest = Annotated[int, Meta(ge=0)]
"""64 bits, which is what MessagePack has."""
EndedWrite = tuple[Text, Text, Digest, Moment, Moment, Text, WriteOutcome, Moment | None]
"""The arguments of `WriteObserver.ended`."""


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    """Somebody else's text as it may be shown: one line, no control characters, cut, and no formula where a spreadsheet
    opens it (OWASP, "CSV Injection")."""
    cleaned = "".join(letter if letter.isprintable() else "?" for letter in text)
    cleaned = "'" + cleaned if cleaned.startswith(("=", "+", "-", "@")) else cleaned
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"


class Kind(StrEnum):
    """Locust's messages that are ours."""

    HELLO = "confman.hello"
    """From a worker: its `identity`, its name, and the ticket of one that the master's program started."""
    REFUSED = "confman.refused"
    """From the master: a sentence that says why."""
    WAIT = "confman.wait"
    """From the master: a sentence that says why the worker joins later."""
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

    at: Moment
    """On the worker's clock."""


class PlanTaken(msgspec.Struct, frozen=True, tag=True):
    """The worker is ready to begin."""

    run: Number


class NodeOnWire(msgspec.Struct, frozen=True, array_like=True):
    """As `NodeCounts`."""

    reads: Latencies
    writes: Latencies
    reads_failed: Number
    writes_failed: Number


class SecondOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of `SecondCounts`, without the sums (see `SecondCounts.sum_up`) and without its failures."""

    start: Moment
    end: Moment
    users: Annotated[int, Meta(ge=0, le=MAX_USERS)]
    uncorrected: Latencies
    read_marks: Annotated[list[Number], Meta(max_length=20_000)]
    redirects: Latencies
    redirected: Number
    by_node: Annotated[dict[Text, NodeOnWire], Meta(max_length=MOST_NODES)]
    in_flight: Annotated[int, Meta(ge=0, le=MAX_USERS)]
    oldest_in_flight_s: Span
    engine_cpu: Span
    hub_lag_s: Span
    not_started: Annotated[int, Meta(ge=0, le=10**12)]
    schedule_lag_s: Span
    rate: Annotated[float, Meta(ge=0, le=MAX_RATE)]
    worker_cpu: Shares
    worker_wait: Shares


_PLAIN_FIELDS = [
    item.name for item in fields(SecondCounts) if item.name not in ("by_node", "reads", "writes", "failures")
]
"""What goes over the wire as it is."""


class SecondCounted(msgspec.Struct, frozen=True, tag=True):
    """A second of a run, or what a worker has had since the one before."""

    run: Number
    number: Annotated[int, Meta(ge=1, le=10**8)]
    """From 1; a worker may skip one."""
    last: bool
    counts: SecondOnWire
    failures: Annotated[dict[Failure, Annotated[int, Meta(ge=1, le=MOST_REQUESTS)]], Meta(max_length=512)]
    """How many there were of each."""

    @classmethod
    def of(cls, run: int, number: int, second: SecondCounts, *, last: bool) -> SecondCounted:
        """The message for a second."""
        by_node = {
            node: NodeOnWire(counts.reads, counts.writes, counts.reads_failed, counts.writes_failed)
            for node, counts in second.by_node.items()
        }
        plainly = {name: getattr(second, name) for name in _PLAIN_FIELDS}
        failures = Counter((is_write, cause, plain(text)) for is_write, cause, text in second.failures)
        return cls(run, number, last, SecondOnWire(**plainly, by_node=by_node), failures)

    @property
    def requests(self) -> int:
        """How many ended in it, in whatever way."""
        return sum(
            sum(node.reads.values()) + sum(node.writes.values()) + node.reads_failed + node.writes_failed
            for node in self.counts.by_node.values()
        )

    def second(self) -> SecondCounts:
        """The second, whole."""
        values = {name: getattr(self.counts, name) for name in _PLAIN_FIELDS}
        values |= {name: Counter(values[name]) for name in ("uncorrected", "redirects")}
        failures = Counter({(write, cause, plain(text)): n for (write, cause, text), n in self.failures.items()})
        by_node = {
            name: NodeCounts(Counter(node.reads), Counter(node.writes), node.reads_failed, node.writes_failed)
            for name, node in self.counts.by_node.items()
        }
        second = SecondCounts(**values, by_node=by_node, failures=[*failures.elements()])
        second.sum_up()
        return second


class WritesReported(msgspec.Struct, frozen=True, tag=True):
    """The writes that were started and that ended since the last report, on the master's clock."""

    run: Number
    started: Annotated[list[Moment], Meta(max_length=MOST_WRITES)]
    ended: Annotated[list[EndedWrite], Meta(max_length=MOST_WRITES)]

    def replay(self, observer: WriteObserver) -> None:
        """Pass them on."""
        for at in self.started:
            observer.started(at)
        for write in self.ended:
            observer.ended(*write)


class Pulse(msgspec.Struct, frozen=True, tag=True):
    """How the worker does, some times a second."""

    run: Number
    users: Annotated[int, Meta(ge=0, le=MAX_USERS)]
    in_flight: Annotated[int, Meta(ge=0, le=MAX_USERS)]
    oldest_s: Span
    """Age of the oldest request in flight."""
    lag_s: Span
    """As `EngineHealth.hub_lag_s`."""


class TroubleSeen(msgspec.Struct, frozen=True, tag=True):
    """A request failed, or is late."""

    run: Number
    what: Text


class Drained(msgspec.Struct, frozen=True, tag=True):
    """The worker's last request has ended, and all of it was reported."""

    run: Number
    ended: Moment
    """On the master's clock."""
    requests: Annotated[int, Meta(ge=0, le=10**12)]
    reported: Annotated[int, Meta(ge=0, le=10**12)]
    """Requests in Locust's own reports."""


class RunBroken(msgspec.Struct, frozen=True, tag=True):
    """The worker can't carry out the plan."""

    run: Number
    error: Text
    defect: bool = True
    """Whether its own code went wrong."""


OfRun = PlanTaken | SecondCounted | WritesReported | Pulse | TroubleSeen | Drained | RunBroken
FromWorker = ClockAsked | OfRun


# -- from the master


class ClockAnswer(msgspec.Struct, frozen=True, tag=True):
    """The answer to `ClockAsked`."""

    asked: Moment
    at: Moment
    """On the master's clock."""


class PrepareRun(msgspec.Struct, frozen=True, tag=True):
    """Take this plan, and wait."""

    run: Number
    """Number of the run, which every message about it carries."""
    plan: RunPlan
    """With this worker's part of the rate, and without what stays with the master."""
    share: WorkerShare
    targets: Targets
    observed: bool
    """Whether the run's writes are to be reported."""

    @classmethod
    def of(cls, run: int, plan: RunPlan, share: WorkerShare, targets: Targets, observed: bool) -> PrepareRun:
        """The message for a plan: without the API key and the CAs, which each worker has from elsewhere, and without
        the files."""
        return cls(run, replace(plan, api_key="", tls=MACHINE_CAS, csv_prefix=None), share, targets, observed)


class BeginRun(msgspec.Struct, frozen=True, tag=True):
    """Begin what was prepared."""

    started: Moment
    """On the master's clock."""


class UseTargets(msgspec.Struct, frozen=True, tag=True):
    """Send requests there from now on."""

    targets: Targets


class UseRate(msgspec.Struct, frozen=True, tag=True):
    """Open loop: the worker's part of the rate from now on."""

    rate: Annotated[float, Meta(ge=0, le=MAX_RATE)]


class EndRun(msgspec.Struct, frozen=True, tag=True):
    """Begin no more requests, wait for those in flight."""

    within_s: Span | None = None
    """Cut them off after so many seconds; None: wait as long as their own limits allow."""


FromMaster = ClockAnswer | PrepareRun | BeginRun | UseTargets | UseRate | EndRun


encode = msgspec.msgpack.Encoder().encode
"""A message as bytes."""
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
from_master = msgspec.msgpack.Decoder(FromMaster).decode


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
        """What has come since the last call, no more than `MOST_WRITES` of each, its times moved by ``offset_s``. What
        is left is taken by the next call. A write's start never comes after its end."""
        starts, self._started = self._started[:MOST_WRITES], self._started[MOST_WRITES:]
        most = 0 if self._started else MOST_WRITES
        ends, self._ended = self._ended[:most], self._ended[most:]
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
