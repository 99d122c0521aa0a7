"""Puts the seconds of several workers together. Pure: times are arguments.

A second is whole once every worker that is waited for has reported it, or a moment after its end. What comes later
counts for the next one: nothing is dropped, and the samples' sum is the total.
"""

from __future__ import annotations

from math import inf

from confman_tui.load.second import SecondCounts

WAIT_S = 0.5
"""How long after its end a second waits for a worker that is late."""
_SHORTEST_S = 0.001
_GAUGES = ("users", "in_flight", "oldest_in_flight_s", "not_started", "rate")
"""Fields of a second that are so at its end, not counted over it."""


class SecondsMerger:
    """Takes numbered seconds (from 1) of workers and gives whole ones, in order and without a gap."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._ended = started
        """Where the next second begins."""
        self._next = 1
        self._reached: dict[str, float] = {}
        self._held: list[tuple[int, str, SecondCounts]] = []

    def join(self, worker: str) -> None:
        """Wait for this worker's seconds from now on."""
        self._reached.setdefault(worker, 0)

    def leave(self, worker: str) -> None:
        """Wait for it no longer. What it sends all the same counts."""
        if worker in self._reached:
            self._reached[worker] = inf

    def add(self, worker: str, number: int, second: SecondCounts, *, last: bool = False) -> None:
        """A worker's second, or what it has had since its last one (a worker may skip a number)."""
        self._held.append((number, worker, second))
        if worker in self._reached:
            self._reached[worker] = inf if last else max(self._reached[worker], number)

    @property
    def pending(self) -> int:
        """Requests of seconds that are not whole yet."""
        return sum(second.requests for _number, _worker, second in self._held)

    def due(self, at: float) -> list[SecondCounts]:
        """The seconds that are whole at ``at``."""
        whole = []
        while self._complete() or (self._waiting() and at >= self._started + self._next + WAIT_S):
            whole.append(self._merged())
        return whole

    def rest(self) -> list[SecondCounts]:
        """All that is left, when nobody is waited for any more."""
        whole = []
        while self._held:
            whole.append(self._merged())
        return whole

    def _waiting(self) -> bool:
        return any(reached != inf for reached in self._reached.values())

    def _complete(self) -> bool:
        """Whether everybody who is waited for has reported the next second; false when that is nobody."""
        return self._waiting() and all(reached >= self._next for reached in self._reached.values())

    def _merged(self) -> SecondCounts:
        number = self._next
        self._next += 1
        parts = [held for held in self._held if held[0] <= number]
        self._held = [held for held in self._held if held[0] > number]
        _keep_latest_gauges(parts)
        seconds = [second for _number, _worker, second in parts]
        whole = SecondCounts.merged(seconds) if seconds else SecondCounts(self._ended, self._ended)
        ends = [second.end for reported, _worker, second in parts if reported == number]
        whole.begin_at(self._ended)
        whole.end = self._ended = max(self._ended + _SHORTEST_S, *(ends or [self._started + number]))
        return whole


def _keep_latest_gauges(parts: list[tuple[int, str, SecondCounts]]) -> None:
    """Of two seconds of one worker, users and requests in flight are the later one's; the rest adds up."""
    latest: dict[str, int] = {}
    for number, worker, _second in parts:
        latest[worker] = max(latest.get(worker, 0), number)
    for number, worker, second in parts:
        if number < latest[worker]:
            for gauge in _GAUGES:
                if hasattr(second, gauge):
                    setattr(second, gauge, 0)
