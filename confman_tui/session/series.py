"""Conducts series: the same scenario with more and more users or larger and larger values, and the sweep over entries.

Each step is an ordinary run on the same data; what changes is told in the step. Stopping keeps what was measured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.results.model import ScenarioResult, Series, SeriesKind, SeriesPoint
from confman_tui.results.tables.series_table import value_words
from confman_tui.session.dataset import Dataset
from confman_tui.session.events import Level, Phase
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Scenario, by_name

SWEPT = ("read-1u", "write-1u")
"""What a sweep measures at each number of entries. Reads come first: they add nothing."""
SWEEP_S = 5.0
"""How long each of them runs, where ``--duration`` says nothing."""
MOST_SWEPT_BYTES = 1024**3
"""A sweep seeds no more than this: each node holds all of it."""
TOO_MANY = 1.1
"""A cluster that holds this many times the entries wanted can't be measured at that size."""


async def nothing() -> None:
    """No preparation."""


@dataclass(frozen=True)
class Step:
    """What one step of a series changes."""

    label: str
    """In words: ``step 3 of 4``."""
    stem: str
    """Of its files' names, beside the tier."""
    duration_s: float
    users: int | None = None
    """None: the scenario's own."""
    payload_bytes: int | None = None
    """None: that of the settings."""
    prepare: Callable[[], Awaitable[None]] = nothing
    """Puts the data into the state in which each of its runs begins."""


def _label(number: int, total: int, value: str = "") -> str:
    """``step 3 of 4``; with what is not told otherwise: ``step 3 of 4: 100 KB``."""
    return f"step {number} of {total}" + (f": {value}" if value else "")


class Host(Protocol):
    """What a series needs of the session."""

    settings: Settings

    @property
    def dataset(self) -> Dataset: ...

    @property
    def tier(self) -> str: ...

    @property
    def leaving(self) -> bool: ...

    def stopping(self) -> bool: ...

    def phase(self, phase: Phase, detail: str = "") -> None: ...

    def notice(self, text: str, level: Level = Level.INFO) -> None: ...

    async def count_entries(self) -> int | None: ...

    async def run_one(self, scenario: Scenario, step: Step | None = None) -> ScenarioResult | None: ...

    def keep_step(self, so_far: Series) -> None: ...

    def keep_series(self, ended: Series) -> None: ...


class _Keeper:
    """Holds a series as far as it has come; told and saved at its end, however that comes."""

    def __init__(self, host: Host, series: Series) -> None:
        self._host = host
        self.series = series

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        measured = self.series
        if measured.points:
            short = len(measured.points) < len(measured.wanted)
            self._host.keep_series(replace(measured, stopped_early=short or self._host.stopping()))

    def leave_out(self, value: int) -> None:
        """A step that can't be."""
        wanted = tuple(held for held in self.series.wanted if held != value)
        self.series = replace(self.series, wanted=wanted)

    def keep(self, value: int, results: tuple[ScenarioResult, ...]) -> None:
        """A step was measured, or a part of it."""
        if results:
            self.series = replace(self.series, points=(*self.series.points, SeriesPoint(value, results)))
            self._host.keep_step(self.series)


async def run_steps(host: Host, scenario: Scenario) -> None:
    """Run one scenario at each number of users, or at each payload, that the settings name.

    Where the scenario writes, each run begins on the seeded data: reads and writes cost more the more entries there
    are, and the steps shall differ in one thing. Where it reads, and payloads are the steps, the data is seeded anew
    with values of that size.

    Raises:
        ClusterError: no leader within ``--wait``, or the data could not be put back. What was measured is kept.
    """
    settings = host.settings
    of_users = bool(settings.user_steps)
    kind = SeriesKind.USERS if of_users else SeriesKind.PAYLOAD
    wanted = settings.user_steps or settings.payload_steps
    length = settings.duration_s or settings.step_s
    with _Keeper(host, Series(kind, (scenario.name,), host.tier, length, wanted, ())) as keeper:
        for number, value in enumerate(wanted, start=1):
            if host.stopping():
                break
            step = Step(
                label=_label(number, len(wanted), "" if of_users else value_words(kind, value)),
                stem=f"{scenario.name}-{kind}-{value}",
                duration_s=length,
                users=value if of_users else settings.users,
                payload_bytes=None if of_users else value,
                prepare=_fresh(host, scenario) if of_users else _sized(host, scenario, value),
            )
            result = await host.run_one(scenario, step)
            if result is None:
                break
            keeper.keep(value, (result,))
    if not of_users and host.dataset.seeded_bytes != settings.payload_bytes and not host.stopping():
        host.phase(Phase.SEEDING, f"{value_words(kind, settings.payload_bytes)} again")
        await host.dataset.reseed(settings.payload_bytes)


def _fresh(host: Host, scenario: Scenario) -> Callable[[], Awaitable[None]]:
    async def prepare() -> None:
        host.phase(Phase.CLEANING, "back to the seeded state")
        await host.dataset.reset()

    return prepare if scenario.write_share > 0 or host.settings.fresh else nothing


def _sized(host: Host, scenario: Scenario, payload_bytes: int) -> Callable[[], Awaitable[None]]:
    # What is only written needs no seeded values of that size.
    size = payload_bytes if scenario.write_share < 1 else host.settings.payload_bytes

    async def prepare() -> None:
        if scenario.write_share == 0 and host.dataset.seeded_bytes == size:
            return
        host.phase(Phase.SEEDING, f"values of {value_words(SeriesKind.PAYLOAD, size)}")
        await host.dataset.reseed(size)

    return prepare


async def run_sweep(host: Host) -> None:
    """Measure reads and writes at each number of entries that the settings name, in the tier's own namespaces, and put
    the data back to the seeded state. What the writes add is removed before the next size.

    Raises:
        UsageError: the cluster holds more entries already than each size asked for, or a size would take too much room.
        ClusterError: no leader within ``--wait``, or the cluster took nothing. What was measured is kept.
    """
    settings = host.settings
    sizes = settings.entries
    if sizes[-1] * settings.payload_bytes > MOST_SWEPT_BYTES:
        payload = value_words(SeriesKind.PAYLOAD, settings.payload_bytes)
        raise UsageError(
            f"--entries {sizes[-1]} of --payload {payload} are more than 1 GB on each node; name fewer, or smaller ones"
        )
    length = settings.duration_s or SWEEP_S
    with _Keeper(host, Series(SeriesKind.ENTRIES, SWEPT, host.tier, length, sizes, ())) as keeper:
        try:
            held = 0
            for number, size in enumerate(sizes, start=1):
                held = await _grow(host, size)
                if host.stopping():
                    break
                if held > TOO_MANY * size:
                    keeper.leave_out(size)
                    host.notice(f"{size:,} entries are left out: the cluster holds {held:,} already", Level.WARNING)
                    continue
                keeper.keep(size, await _measure(host, _label(number, len(sizes)), size, length))
            if not keeper.series.points and not host.stopping():
                raise UsageError(
                    f"--entries: the cluster holds {held:,} entries already, more than each size asked for; "
                    "name a larger one"
                )
        except ClusterError:
            raise  # it takes nothing: neither would it take this away
        except BaseException:
            await _shed(host)
            raise
        await _shed(host)


async def _shed(host: Host) -> None:
    """Take the sweep's entries away, also after a stop; not at the program's end, which removes all."""
    if not host.leaving:
        host.phase(Phase.CLEANING, "the entries of the sweep")
        await host.dataset.shed()


async def _grow(host: Host, size: int) -> int:
    """Seed up to that many entries on the whole cluster; returns how many there are."""
    held = await host.count_entries()
    if held is None or held >= size or host.stopping():
        return held or 0
    host.phase(Phase.SEEDING, f"up to {size:,} entries")
    await host.dataset.fill(size - held)
    return size


async def _measure(host: Host, label: str, size: int, length: float) -> tuple[ScenarioResult, ...]:
    results: list[ScenarioResult] = []
    for name in SWEPT:
        scenario = by_name(name)

        async def prepare(writes: bool = scenario.write_share > 0) -> None:
            host.phase(Phase.CLEANING, "what was written meanwhile")
            # the probe writes while nobody else does
            await (host.dataset.reset() if writes else host.dataset.remove_spent_probe_keys())

        stem = f"sweep-{name}-{size}"
        result = await host.run_one(scenario, Step(label, stem, length, prepare=prepare))
        if result is None:
            return tuple(results)
        results.append(result)
    if not host.stopping():
        host.phase(Phase.CLEANING, "what was written")
        await host.dataset.reset()
    return tuple(results)
