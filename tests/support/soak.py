"""A soak: the program's load goes on for long while its cluster's nodes are killed and paused, and memory is watched.

The load is bounded by design, so that memory can be asked to be flat. A cluster holds every key that was written, and
the program books every write of a run until it is verified; so the load is a scenario at a fixed rate, in runs of a
minute (``--repeat``), and before each of them the data is put back to the seeded state. What grows within a run is the
same in each.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.support.program import StartedProgram
from tests.support.waiting import wait_for

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
"""How long the load goes on, in all."""
EVERY_S = 10.0
"""From one fault to the next."""
RUN_S = 60.0
"""Of one run, in a soak that is long enough for several."""
LOOK_EVERY_S = 1.0
FLAT = 0.1
"""The share by which memory may differ."""
MB = 1024.0 * 1024.0

Fault = tuple[str, Callable[[str], None], Callable[[str], None]]
"""Its name, what does it to a node, and what undoes it."""


def runs() -> tuple[int, float]:
    """How many runs, and how long each is, in seconds."""
    length = min(RUN_S, max(5.0, SECONDS / 3))
    return max(1, round(SECONDS / length)), length


class Faults:
    """Does something to one node every 10 s, and undoes it 1 to 4 s later; a node at a time, the leader or another."""

    def __init__(self, urls: Sequence[str], faults: Sequence[Fault], seed: int) -> None:
        self.done: list[str] = []
        """What was done, in words."""
        self.broke: BaseException | None = None
        self._urls = urls
        self._faults = faults
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="faults", daemon=True)

    def _work(self) -> None:
        begun = time.monotonic()
        try:
            # by turns as well as by chance: each fault hits each node sooner or later
            for number in range(1, 1_000_000):
                if self._over.wait(max(0.0, begun + number * EVERY_S - time.monotonic())):
                    return
                name, do, undo = self._faults[number % len(self._faults)]
                url, held = self._chance.choice(self._urls), self._chance.uniform(1.0, 4.0)
                do(url)
                self.done.append(f"{time.monotonic() - begun:.0f} s: {name} of {url} for {held:.1f} s")
                self._over.wait(held)
                undo(url)
        except BaseException as error:
            self.broke = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


@dataclass
class Memory:
    """Resident memory of each process by what it is: a node that was killed and started again is the same one."""

    begun: float = field(default_factory=time.monotonic)
    seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Per process, seconds since the beginning and MB."""

    def look(self, pids: Mapping[str, int]) -> None:
        """Note what each of these takes now."""
        at = time.monotonic() - self.begun
        for name, pid in pids.items():
            with suppress(psutil.Error):
                self.seen.setdefault(name, []).append((at, psutil.Process(pid).memory_info().rss / MB))

    def median(self, name: str, start: float, end: float) -> float | None:
        """MB between two moments; None where nothing was seen."""
        found = [mb for at, mb in self.seen[name] if start <= at <= end]
        return statistics.median(found) if found else None

    def early_and_late(self, name: str) -> tuple[float | None, float | None]:
        """The medians of minutes five to ten and of the last five, of thirty; of so large parts of another time."""
        whole = max(at for rows in self.seen.values() for at, _ in rows)
        return self.median(name, whole / 6, whole / 3), self.median(name, whole * 5 / 6, whole)

    def growth(self, names: Iterable[str]) -> dict[str, float]:
        """Those of these processes whose memory is not flat, with the share by which it grew or shrank."""
        grown = {}
        for name in names:
            early, late = self.early_and_late(name)
            if early is not None and late is not None and abs(late / early - 1) > FLAT:
                grown[name] = round(late / early - 1, 3)
        return grown

    def table(self) -> str:
        """A line for each process: the medians of twelve equal parts of the time, in MB."""
        whole = max(at for rows in self.seen.values() for at, _ in rows)
        lines = [f"resident memory, MB, medians of {whole / 12:.0f} s each"]
        for name in sorted(self.seen):
            medians = [self.median(name, part * whole / 12, (part + 1) * whole / 12) for part in range(12)]
            lines.append(f"{name:<34}" + " ".join("    -" if one is None else f"{one:5.1f}" for one in medians))
        return "\n".join(lines)


def parts_of(started: StartedProgram) -> dict[str, int]:
    """The processes of the program by what they run."""
    found = {"program": started.process.pid}
    for process in psutil.Process(started.process.pid).children(recursive=True):
        with suppress(psutil.Error, IndexError):
            found[process.cmdline()[3].removeprefix("confman_tui.")] = process.pid
    return found


def soak(
    urls: Sequence[str],
    faults: Sequence[Fault],
    node_pids: Callable[[], Mapping[str, int]],
    home: Path,
    rate: int,
) -> tuple[dict[str, Any], Memory, StartedProgram]:
    """Run the load to its end; gives the program's document, what its processes and the nodes took, and itself.

    Nothing of the program may be left then, and it must have ended by itself with exit code 0.
    """
    count, length = runs()
    seed = random.randrange(10_000)
    arguments = ["--headless", "--json", "--nodes", ",".join(urls), "--scenario", "mixed-10u", "--rate", str(rate)]
    arguments += ["--duration", f"{length:g}s", "--repeat", str(count), "--wait", "60s"]
    started = StartedProgram(arguments, home)
    memory = Memory()
    try:
        started.wait_said("mixed-10u started:")
        started.note_ports()
        with Faults(urls, faults, seed) as harm:
            end = time.monotonic() + 3 * SECONDS + 300.0
            while started.process.poll() is None:
                assert time.monotonic() < end, f"it does not end by itself:\n{started.said()[-2000:]}"
                memory.look({**parts_of(started), **node_pids()})
                # not psutil's wait: it would take the exit code for itself, and 0 would be left
                with suppress(subprocess.TimeoutExpired):
                    started.process.wait(LOOK_EVERY_S)
        code = started.wait_end()
    finally:
        started.process.kill()
        print(f"\nseed {seed}, {count} runs of {length:g} s, {rate}/s", *harm.done, memory.table(), sep="\n")
    assert harm.broke is None, harm.broke
    assert code == 0, started.said()[-3000:]
    started.assert_nothing_left()
    document: dict[str, Any] = json.loads(started.output.read_text())
    (row,) = document["scenarios"]
    assert len(row["repeats"]) == count, "it ended before its time"
    for run in row["repeats"]:
        print(f"run {run['number']}: {run['rps']:.0f} req/s, {run['failures']} failed, p99 {run['p99_us']} µs")
    print(f"verification: {row['verification']}")
    return row, memory, started


def wait_gone(pids: Iterable[int]) -> None:
    """Until none of these processes is there any more, not even as a zombie."""
    wait_for(lambda: not [pid for pid in pids if psutil.pid_exists(pid)], f"the end of {pids}")
