"""When an election's throughput was back: the first moment from which on it is 90 % of what it was before. Pure.

In steps of 100 ms and not before the first acknowledged write: the acknowledgements within the next second must make up
at least 90 % of the mean rate before. Where the rate is below 10/s, the time for 10 writes is taken instead of the
second, at most 5 s: over less, chance decides.
"""

from __future__ import annotations

from math import ceil

from confman_tui.cluster.writes.ack_history import BINS_PER_SECOND, AckHistory

RECOVERED_SHARE = 0.9
"""Throughput counts as back at this share of what it was before."""
BEFORE_S = 5.0
"""What it was before: the mean over this many seconds before the outage, less when the load or an earlier election
began within them."""
LEAST_BEFORE_S = 1.0
"""With less than this to compare with, there is no recovery."""
EXPECTED_WRITES = 10
"""Throughput is taken over 1 s, or over the time in which this many writes are expected …"""
MOST_SPAN_S = 5.0
"""… at most this long."""


def rate_before(history: AckHistory, outage: float, known_from: float) -> float | None:
    """Acknowledgements per second before ``outage``; None when too little is known.

    Args:
        history: of the acknowledgements.
        outage: when it began.
        known_from: since when the load has been what it was.
    """
    until = int(outage * BINS_PER_SECOND) / BINS_PER_SECOND
    start = ceil(max(until - BEFORE_S, known_from) * BINS_PER_SECOND) / BINS_PER_SECOND
    if until - start < LEAST_BEFORE_S - 1e-6:
        return None
    count = history.between(start, until)
    return count / (until - start) if count else None


def back_at(history: AckHistory, first_write: float, rate: float, known_until: float) -> float | None:
    """When the throughput was back; None when it was not yet.

    Args:
        history: of the acknowledgements.
        first_write: the first one after the outage.
        rate: from `rate_before`.
        known_until: until when all acknowledgements are known.
    """
    span = min(max(1.0, EXPECTED_WRITES / rate), MOST_SPAN_S)
    step = ceil(first_write * BINS_PER_SECOND) - 1
    while (at := step / BINS_PER_SECOND) + span <= known_until:
        if history.between(at, at + span) >= RECOVERED_SHARE * rate * span:
            return max(at, first_write)
        step += 1
    return None
