"""Calm until something happens: how closely a cluster is watched, and when that changes.

Polls and probe writes cost the nodes what they would otherwise give to the load. So while all is well, the watch is
calm: few polls, and no probe while a run lasts. The first sign of trouble makes it alert: polls and probe writes every
50 ms, until writes have been acknowledged again and all nodes have agreed for 3 s. Pure: times are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from confman_tui.cluster.states import FAILED_STATES, WELL_STATES, ClusterView, Poll, PollKind

DEFAULT_POLL_S = 0.25
DEFAULT_POLL_ALERT_S = 0.05
PROBE_TIMEOUT_S = 2.0
"""How long a probe write waits for its answer, where nobody says otherwise."""
PROBE_IDLE_S = 1.0
"""Calm, and no run under way: whether writes go through is asked this often."""
PROBE_ALERT_S = 0.05
WELL_FOR_S = 3.0
"""How long all must have been well before the watch is calm again."""
LATE_POLL_S = 0.2
"""A poll's answer that takes longer is a sign."""
LATE_WRITE_S = 0.2
"""A write in flight for longer is a sign …"""
LATE_WRITE_TIMES = 4.0
"""… if that is also this many times the p99 of the last seconds: slow writes are no trouble of their own."""


def late_write_s(p99_s: float | None) -> float:
    """For how long a write may be in flight before that is a sign of trouble, in seconds.

    Args:
        p99_s: of the latencies of the last seconds, in seconds; None where there were none.
    """
    return max(LATE_WRITE_S, LATE_WRITE_TIMES * (p99_s or 0.0))


@dataclass(frozen=True, slots=True)
class WatchPace:
    """How closely to watch: intervals in seconds, as they were set."""

    poll_s: float = DEFAULT_POLL_S
    """Between two polls of a node while calm."""
    poll_alert_s: float = DEFAULT_POLL_ALERT_S
    """The same while alert."""
    probe_s: float | None = None
    """A probe write goes out when no write was started for this long, calm or alert; 0: never; None: as needed."""

    def polls_every(self, alert: bool) -> float:
        """Seconds between two polls of one node."""
        return min(self.poll_s, self.poll_alert_s) if alert else self.poll_s

    def probes_every(self, alert: bool, running: bool) -> float:
        """Seconds without a started write after which the probe writes; 0: it does not.

        Args:
            alert: whether the watch is.
            running: whether a run is under way: its own writes show whether writing works, and its reads must not pay
                for probe writes.
        """
        if self.probe_s is not None:
            return self.probe_s
        if alert:
            return PROBE_ALERT_S
        return 0.0 if running else PROBE_IDLE_S


@dataclass(frozen=True, slots=True)
class WatchUse:
    """What watching added to the cluster's work."""

    pace: WatchPace
    """How closely it was watched, as it was set."""
    polls: int = 0
    """Health polls, of all nodes together."""
    probe_writes: int = 0
    alert_s: float = 0.0
    """For how long the watch was alert, in seconds."""

    def since(self, before: WatchUse) -> WatchUse:
        """What was added since ``before``."""
        return replace(
            self,
            polls=self.polls - before.polls,
            probe_writes=self.probe_writes - before.probe_writes,
            alert_s=max(0.0, self.alert_s - before.alert_s),
        )

    def with_more(self, more: WatchUse) -> WatchUse:
        """This and that together."""
        return replace(
            self,
            polls=self.polls + more.polls,
            probe_writes=self.probe_writes + more.probe_writes,
            alert_s=self.alert_s + more.alert_s,
        )


class WatchMode:
    """Whether the watch is calm or alert. It begins alert, until the nodes were first seen to agree: a start wants to
    know the cluster soon, and has nothing to recover from."""

    def __init__(self, at: float) -> None:
        """``at``: now, in seconds."""
        self.alert = True
        self.reason = "nothing is known yet"
        """The first sign of the present alert, or of the last one, in words."""
        self._sign_at = at
        """The last sign."""
        self._well_since: float | None = None
        """Since when all has been well, if it is."""
        self._first = True
        """Nothing was amiss yet, and the nodes were not yet seen to agree."""
        self._answered: dict[str, bool] = {}
        """Whether each node answered its last poll as Confman does."""

    def sign(self, at: float, reason: str) -> bool:
        """Something is, or will be, amiss. Gives whether the watch became alert by it."""
        self._sign_at = max(self._sign_at, at)
        self._well_since = None
        self._first = False
        if self.alert:
            return False
        self.alert, self.reason = True, reason
        return True

    def polled(self, poll: Poll, changed: bool) -> bool:
        """A poll ended. Gives whether the watch became alert by it.

        Args:
            poll: the poll.
            changed: whether it changed what is known of the cluster: who leads, the terms, the states.
        """
        answered = poll.kind is PollKind.ANSWER
        before, self._answered[poll.node] = self._answered.get(poll.node, True), answered
        if changed and not (self._first and answered):
            return self.sign(poll.answered, f"{poll.node}: {_change(poll)}")
        # a node that was away before is no news; one that answered until now is
        if before and not answered:
            return self.sign(poll.answered, f"{poll.node}: {poll.detail or poll.kind.value}")
        if answered and poll.answered - poll.sent > LATE_POLL_S:
            return self.sign(poll.answered, f"{poll.node}: its answer was late")
        return False

    def waits_for(self, node: str, at: float) -> bool:
        """A poll of that node has been without an answer for `LATE_POLL_S`. Gives whether the watch became alert."""
        return self._answered.get(node, True) and self.sign(at, f"{node}: no answer yet")

    def tick(self, at: float, view: ClusterView, started: float, acknowledged: float) -> bool:
        """Time has passed. Gives whether the watch became calm.

        Args:
            at: now.
            view: what is known of the cluster.
            started: when the last write of anybody was started; 0: none was.
            acknowledged: the start of the latest write that was acknowledged; 0: none was.
        """
        if not self.alert:
            return False
        # Where nobody tries to write (the probe is off, the run only reads), there is no write to wait for.
        writes_go = acknowledged > self._sign_at or started <= self._sign_at
        if not (writes_go and agrees(view)):
            self._well_since = None
        elif self._first:
            self._first = self.alert = False
            return True
        elif self._well_since is None:
            self._well_since = at
        elif at - self._well_since >= WELL_FOR_S:
            self.alert = False
            return True
        return False


def agrees(view: ClusterView) -> bool:
    """Whether a node leads and every node that answers leads or follows it, in its term.

    Nodes that have failed are left out: else the watch would stay alert, and disturb every run, for as long as a node
    is away.
    """
    if view.leader is None:
        return False
    return all(
        node.state in FAILED_STATES
        or (node.state in WELL_STATES and node.names_leader == view.leader and node.term == view.term)
        for node in view.nodes
    )


def _change(poll: Poll) -> str:
    if poll.kind is not PollKind.ANSWER:
        return poll.detail or poll.kind.value
    ready = "ready" if poll.ready else "not ready"
    return f"{ready}, {poll.role}, term {poll.term}"
