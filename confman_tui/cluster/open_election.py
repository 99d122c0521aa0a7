"""One election while it goes on: when each of its steps was seen. `election_meter` feeds it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confman_tui.cluster.elections import Election, Fault
from confman_tui.cluster.writes.gaps import WriteStream


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an election."""

    at: float
    """When it was seen: the asking time of the poll."""
    uncertainty: float
    """How much earlier it may have happened, in seconds."""


@dataclass(slots=True)
class OpenElection:
    """What is known of it so far, in absolute times."""

    fault: Fault | None
    """What caused it, if we did."""
    origin: float
    """When it began."""
    old_leader: str
    term_before: int | None
    lost: Step
    lost_seen: float
    """When the answer that showed the loss had come."""
    term: Step | None = None
    claim: Step | None = None
    serving: Step | None = None
    serving_seen: float = 0.0
    agree: Step | None = None
    new_leader: str | None = None
    term_after: int | None = None
    ended: Election | None = None
    """Its figures, once it is over and only its recovery is waited for."""
    load_since: float = 0.0
    """Since when the load had been what it was when the leader was lost."""

    def is_written(self, writes: WriteStream) -> bool:
        """Whether a write was acknowledged, and settled, since the new leader was seen to serve."""
        until = writes.settled_until
        return self.serving is not None and until is not None and until > self.serving.at

    def figures(self, writes: WriteStream, reads: Iterable[tuple[float, float, int, int]]) -> Election:
        """What it comes to, as far as it is known.

        Args:
            writes: the stream of writes.
            reads: (start, end, succeeded, failed) of stretches of time; each counts for its share of this one.
        """
        serving = self.serving
        steps = (self.lost, self.term, self.claim, serving, self.agree)

        def since(step: Step | None) -> float | None:
            # A poll asked just before the fault can be the first to feel it.
            return None if step is None else max(0.0, step.at - self.origin)

        gap = writes.history.longest_gap(self.origin, serving.at) if serving is not None else None
        window, counts = gap if gap is not None and self.is_written(writes) else (None, False)
        first = None if window is None or window.end is None else max(0.0, window.end - self.origin)
        rounds = 0
        if self.term_before is not None and self.term_after is not None:
            rounds = max(0, self.term_after - self.term_before)
        until = self.origin + first if first is not None else serving.at if serving is not None else self.lost.at
        reads_ok, reads_failed = _reads_between(reads, self.origin, until)
        return Election(
            origin=self.origin,
            fault=self.fault,
            old_leader=self.old_leader,
            new_leader=self.new_leader,
            term_before=self.term_before,
            term_after=self.term_after,
            rounds=rounds,
            lost_s=since(self.lost),
            term_s=since(self.term) if rounds else None,
            claim_s=since(self.claim),
            serving_s=since(serving),
            agree_s=since(self.agree),
            first_write_s=first,
            without_writes_s=window.seconds if window is not None and counts else None,
            uncertainty_s=max(step.uncertainty for step in steps if step is not None),
            write_uncertainty_s=window.uncertainty_s if window is not None else 0.0,
            detected_s=max(0.0, self.lost_seen - self.origin),
            writes_from_poll=window is not None and window.from_poll,
            intended_writes=window.intended if window is not None and counts else 0,
            longest_wait_s=window.longest_wait_s if window is not None and counts else 0.0,
            reads_ok=reads_ok,
            reads_failed=reads_failed,
        )


def _reads_between(stretches: Iterable[tuple[float, float, int, int]], since: float, until: float) -> tuple[int, int]:
    ok = failed = 0.0
    for start, end, some_ok, some_failed in stretches:
        length = end - start
        within = min(end, until) - max(start, since)
        share = within / length if length > 0 else float(since <= start <= until)
        if share > 0:
            ok += some_ok * share
            failed += some_failed * share
    return round(ok), round(failed)
