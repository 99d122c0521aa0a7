"""Samples the CPU time of processes by what they do, so that a run's share is known afterwards."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

import psutil

from confman_tui.cluster.observer import process as observer_process

ROLES = ("nodes", "poller", "other")
"""``other`` is the program without the process that polls (and the stock command, all of it)."""
_EVERY_S = 0.5
_LOOK_EVERY = 4


def role_of(command: Sequence[str]) -> str:
    """What a process of the program does, by its command line."""
    return "poller" if observer_process.__name__ in command else "other"


class ProcessorTime:
    """Reads the processes' CPU time twice a second, in a thread; a context manager.

    Args:
        nodes: processes of the cluster.
        root: a process of the side that is measured: it and all its children are read.
        beside: gives one more running count, or raises OSError; read along.
    """

    def __init__(self, nodes: Sequence[int], root: int, beside: Callable[[], int] | None = None) -> None:
        self._nodes = [psutil.Process(pid) for pid in nodes]
        self._root = psutil.Process(root)
        self._family: dict[int, tuple[psutil.Process, str]] = {}
        self._last: dict[int, tuple[str, float]] = {}
        self._beside = beside
        self.samples: list[tuple[float, dict[str, float]]] = []
        """Seconds since the epoch, and seconds of CPU per role so far."""
        self.counted: list[tuple[float, int]] = []
        """Seconds since the epoch, and ``beside``'s count."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, name="processor-time", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _read(self) -> None:
        number = 0
        while True:
            if number % _LOOK_EVERY == 0:
                self._look()
            number += 1
            self._sample()
            if self._end.wait(_EVERY_S):
                return

    def _look(self) -> None:
        with contextlib.suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                # a child that has just been forked has its parent's command line still
                with contextlib.suppress(psutil.Error):
                    self._family[process.pid] = (process, role_of(process.cmdline()))

    def _sample(self) -> None:
        for process, role in (*((node, "nodes") for node in self._nodes), *self._family.values()):
            # what a process that has ended used stays counted
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                self._last[process.pid] = (role, used.user + used.system)
        totals = dict.fromkeys(ROLES, 0.0)
        for role, seconds in self._last.values():
            totals[role] += seconds
        self.samples.append((time.time(), totals))
        if self._beside is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                self.counted.append((time.time(), self._beside()))

    def used(self, start: float, end: float) -> dict[str, float]:
        """Seconds of CPU per role between two moments (seconds since the epoch), interpolated between samples."""
        return {role: self._at(end, role) - self._at(start, role) for role in ROLES}

    def _at(self, moment: float, role: str) -> float:
        before = self.samples[0]
        for sample in self.samples:
            if sample[0] >= moment:
                span = sample[0] - before[0]
                part = (moment - before[0]) / span if span > 0 else 0.0
                return before[1][role] + (sample[1][role] - before[1][role]) * part
            before = sample
        return before[1][role]

    def rate(self, start: float, end: float) -> float | None:
        """By how much ``beside``'s count rose per second, between the first and the last reading within; None with
        fewer than two."""
        within = [one for one in self.counted if start <= one[0] <= end]
        if len(within) < 2:
            return None
        return (within[-1][1] - within[0][1]) / (within[-1][0] - within[0][0])
