"""What the program and the observer's process say to each other (see `confman_tui.core.child_process.pipes`)."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.states import Poll
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions
from confman_tui.cluster.watch_mode import PROBE_TIMEOUT_S, WatchPace


@dataclass(frozen=True, slots=True)
class ObserverOptions:
    """What an observer must know; its first message."""

    nodes: tuple[str, ...]
    api_key: str = field(repr=False)
    pace: WatchPace
    run_id: str
    """Distinguishes this observer's probe keys from any other's."""
    clock_offset: float
    """What to add to the machine's monotonic clock for the program's clock, in seconds."""
    write_times: int
    """Descriptor of the program's `SharedWriteTimes`, which the process inherits."""
    probe_timeout_s: float = PROBE_TIMEOUT_S
    """Deadline of one of the probe's writes, in seconds."""
    tls: TlsOptions = MACHINE_CAS
    """Which certificates are taken."""


# -- to the observer


class StartProbe(msgspec.Struct, frozen=True, tag=True):
    """Begin to fill the gaps of the stream of writes."""


class StopProbe(msgspec.Struct, frozen=True, tag=True):
    """Send no further probe writes; `ProbeStopped` when those in flight have ended."""


class BookWrites(msgspec.Struct, frozen=True, tag=True):
    """Whether probe writes get keys of their own from now on, and are booked."""

    booking: bool


class BeAlert(msgspec.Struct, frozen=True, tag=True):
    """Something is, or will be, amiss."""

    reason: str


ToObserver = StartProbe | StopProbe | BookWrites | BeAlert


# -- to the program


class Polling(msgspec.Struct, frozen=True, tag=True):
    """It polls the nodes from now on."""


class NodePolled(msgspec.Struct, frozen=True, tag=True):
    """A poll of a node has ended."""

    poll: Poll


class ModeChanged(msgspec.Struct, frozen=True, tag=True):
    """The watch is alert, or calm."""

    alert: bool
    at: float
    reason: str


class ProbeWriteStarted(msgspec.Struct, frozen=True, tag=True):
    """See `WriteObserver.started`."""

    at: float


class ProbeWriteEnded(msgspec.Struct, frozen=True, tag=True):
    """One that is booked; see `WriteObserver.ended`."""

    namespace: str
    key: str
    digest: int
    started: float
    ended: float
    node: str
    outcome: WriteOutcome


class ProbeWritePassed(msgspec.Struct, frozen=True, tag=True):
    """One that is not booked; see `ProbeObserver.passed`."""

    started: float
    ended: float
    outcome: WriteOutcome
    node: str


class ProbeStopped(msgspec.Struct, frozen=True, tag=True):
    """The probe has ended."""


class ObserverCrashed(msgspec.Struct, frozen=True, tag=True):
    """Its last message: the process ends because of a defect."""

    error: str


ToProgram = (
    Polling
    | NodePolled
    | ModeChanged
    | ProbeWriteStarted
    | ProbeWriteEnded
    | ProbeWritePassed
    | ProbeStopped
    | ObserverCrashed
)
