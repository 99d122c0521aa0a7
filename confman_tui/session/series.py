"""Scenarios in turn, series over users or sizes of values, and the sweep over numbers of entries.

Each step of a series is an ordinary run on the same data; what changes stands in the step. Stopping keeps what was
measured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from confman_tui.core.errors import EXIT_UNWRITTEN, ClusterError, UsageError
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.series_files import save_series
from confman_tui.results.late_phantoms import step_stem
from confman_tui.results.model import ScenarioResult, Series, SeriesKind, SeriesPoint
from confman_tui.results.statistics.repeats import runs_of
from confman_tui.results.tables.series_table import value_words
from confman_tui.session.events import Level, Phase, SeriesEnded, SeriesStepEnded, SweepRefused
from confman_tui.session.runs import Step, allow_connections, plan_for, run_scenario, settings_here
from confman_tui.session.session import Session
from confman_tui.settings.scenarios import Scenario, by_name

SWEPT = ("read-1u", "write-1u")
"""What a sweep measures at each number of entries. Reads come first: they add nothing."""
SWEEP_S = 5.0
"""How long each of them runs, where ``--duration`` says nothing."""
MOST_SWEPT_BYTES = 1024**3
"""A sweep seeds no more than this: each node holds all of it."""
OFF_BY_LEAST, OFF_BY_SHARE = 5, 0.01
"""A step that finds at least this many entries more or less than its size says so: the probe's own and those of its
last run are fewer."""
TOO_MANY = 1.1
"""A cluster that holds this many times the entries wanted can't be measured at that size."""


def _label(number: int, total: int, value: str = "") -> str:
    """``step 3 of 4``; with what is said nowhere else: ``step 3 of 4: 100 KB``."""
    return f"step {number} of {total}" + (f": {value}" if value else "")


class EntriesInTheWayError(UsageError):
    """The cluster holds more entries already than each size that a sweep was asked for."""

    def __init__(self, held: int, seeded: int) -> None:
        """Args: held: entries on the cluster. seeded: those of them that were seeded; the others were written since, or
        by others."""
        super().__init__(
            f"--entries: the cluster holds {held:,} entries already, more than each size asked for; name a larger one"
        )
        self.held = held
        self.seeded = seeded


class _Keeper:
    """Holds a series as far as it has come; saved and announced at its end, however that comes."""

    def __init__(self, session: Session, series: Series) -> None:
        self._session = session
        self.series = series

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        session, measured = self._session, self.series
        if not measured.points:
            return
        short = len(measured.points) < len(measured.wanted)
        ended = replace(measured, stopped_early=short or session.stopping())
        try:
            ended = save_series(ended, settings_here(session), session.cluster.summary())
        except ResultsError as error:
            session.notice(str(error), Level.ERROR, calls_for=EXIT_UNWRITTEN)
        session.series = (*session.series, ended)
        session.emit(SeriesEnded(ended))

    def leave_out(self, value: int) -> None:
        """A step that can't be."""
        wanted = tuple(held for held in self.series.wanted if held != value)
        self.series = replace(self.series, wanted=wanted)

    def keep(self, value: int, results: tuple[ScenarioResult, ...]) -> None:
        """A step was measured, or a part of it."""
        if results:
            self.series = replace(self.series, points=(*self.series.points, SeriesPoint(value, results)))
            self._session.emit(SeriesStepEnded(self.series))


async def run_series(session: Session, names: Sequence[str]) -> tuple[ScenarioResult, ...]:
    """Run scenarios in turn; a stop ends it and keeps the figures so far.

    Raises:
        ClusterError: no leader within ``--wait``, or the data could not be seeded.
        UsageError: more users than this system allows connections.
    """
    session.begin_activity()
    users = (*session.settings.user_steps, *(plan_for(session, by_name(name)).users for name in names))
    allow_connections(session, max(users, default=0))
    await session.seed_if_needed()
    done: list[ScenarioResult] = []
    for name in names:
        if session.stopping():
            break
        if session.settings.user_steps or session.settings.payload_steps:
            await _run_steps(session, by_name(name))
            continue
        result = await run_scenario(session, by_name(name))
        if result is not None:
            done.append(result)
    session.rest()
    return tuple(done)


async def _run_steps(session: Session, scenario: Scenario) -> None:
    """Run one scenario at each number of users, or at each payload, that the settings name.

    Where the scenario writes, each run begins on the seeded data: reads and writes cost more the more entries there
    are, and the steps must differ in one thing only. Where it reads, and payloads are the steps, the data is seeded
    anew with values of that size.

    Raises:
        ClusterError: no leader within ``--wait``, or the data could not be put back. What was measured is kept.
    """
    settings = session.settings
    of_users = bool(settings.user_steps)
    kind = SeriesKind.USERS if of_users else SeriesKind.PAYLOAD
    wanted = settings.user_steps or settings.payload_steps
    length = settings.duration_s or settings.step_s
    tier = session.cluster.dataset.tier.name
    with _Keeper(session, Series(kind, (scenario.name,), tier, length, wanted, ())) as keeper:
        for number, value in enumerate(wanted, start=1):
            if session.stopping():
                break
            step = Step(
                label=_label(number, len(wanted), "" if of_users else value_words(kind, value)),
                stem=step_stem(kind, scenario.name, value),
                duration_s=length,
                users=value if of_users else settings.users,
                payload_bytes=None if of_users else value,
                prepare=_fresh(session, scenario) if of_users else _sized(session, scenario, value),
            )
            result = await run_scenario(session, scenario, step)
            if result is None:
                break
            keeper.keep(value, (result,))
    if not of_users and session.cluster.dataset.seeded_bytes != settings.payload_bytes and not session.stopping():
        session.phase(Phase.SEEDING, f"{value_words(kind, settings.payload_bytes)} again")
        await session.cluster.dataset.reseed(settings.payload_bytes)


def _fresh(session: Session, scenario: Scenario) -> Callable[[], Awaitable[None]] | None:
    async def prepare() -> None:
        session.phase(Phase.CLEANING, "back to the seeded state")
        await session.cluster.dataset.reset()

    return prepare if scenario.write_share > 0 or session.settings.fresh else None


def _sized(session: Session, scenario: Scenario, payload_bytes: int) -> Callable[[], Awaitable[None]]:
    # What is only written needs no seeded values of that size.
    size = payload_bytes if scenario.write_share < 1 else session.settings.payload_bytes

    async def prepare() -> None:
        if scenario.write_share == 0 and session.cluster.dataset.seeded_bytes == size:
            return
        session.phase(Phase.SEEDING, f"values of {value_words(SeriesKind.PAYLOAD, size)}")
        await session.cluster.dataset.reseed(size)

    return prepare


async def run_sweep(session: Session) -> None:
    """Measure reads and writes at one number of entries after the other; a stop keeps the figures so far.

    Raises:
        UsageError: the sizes asked for can't be had here, or more users than this system allows connections.
        ClusterError: no leader within ``--wait``, or the cluster took nothing.
    """
    session.begin_activity()
    step = Step("", "", SWEEP_S)
    allow_connections(session, max(plan_for(session, by_name(name), step).users for name in SWEPT))
    await session.seed_if_needed()
    if not session.stopping():
        try:
            await _sweep(session)
        except EntriesInTheWayError as error:
            if not session.interactive:
                raise
            # the screen has a key that puts the data back
            session.emit(SweepRefused(error.held, error.seeded, session.settings.entries[-1], session.clock()))
    session.rest()


async def _sweep(session: Session) -> None:
    """Measure reads and writes at each number of entries that the settings name, in the tier's own namespaces, and put
    the data back to the seeded state. What the writes add is removed before the next size.

    Raises:
        UsageError: the cluster holds more entries already than each size asked for, or a size would take too much room.
        ClusterError: no leader within ``--wait``, or the cluster took nothing. What was measured is kept.
    """
    settings = session.settings
    sizes = settings.entries
    if sizes[-1] * settings.payload_bytes > MOST_SWEPT_BYTES:
        payload = value_words(SeriesKind.PAYLOAD, settings.payload_bytes)
        raise UsageError(
            f"--entries {sizes[-1]} of --payload {payload} are more than 1 GB on each node; name fewer, or smaller ones"
        )
    length = settings.duration_s or SWEEP_S
    tier = session.cluster.dataset.tier.name
    with _Keeper(session, Series(SeriesKind.ENTRIES, SWEPT, tier, length, sizes, ())) as keeper:
        try:
            held, left_out, too_many = 0, list[str](), ""
            # What an earlier run left in our namespaces would be counted here, and gone before the first writes.
            session.phase(Phase.CLEANING, "what earlier runs left")
            await session.cluster.dataset.reset()
            for number, size in enumerate(sizes, start=1):
                held = await _grow(session, size)
                if session.stopping():
                    break
                if held > TOO_MANY * size:
                    keeper.leave_out(size)
                    left_out.append(f"{size:,}")
                    too_many = f"entries are left out: the cluster holds {held:,} already"
                    continue
                if left_out:
                    which = " and ".join(", ".join(left_out).rsplit(", ", 1))
                    session.notice(f"{which} {too_many}", Level.WARNING)
                    left_out.clear()
                keeper.keep(size, await _measure(session, _label(number, len(sizes)), size, length))
            if not keeper.series.points and not session.stopping():
                raise EntriesInTheWayError(held, len(session.cluster.dataset.keys))
        except ClusterError:
            raise  # it takes nothing: neither would it take this away
        except BaseException:
            await _remove_entries(session)
            raise
        await _remove_entries(session)


async def _remove_entries(session: Session) -> None:
    """Take the sweep's entries away, also after a stop; not at the program's end, which removes all."""
    if not session.interrupted:
        session.phase(Phase.CLEANING, "the entries of the sweep")
        await session.cluster.dataset.remove_filled()


async def _grow(session: Session, size: int) -> int:
    """Seed up to that many entries on the whole cluster; returns how many there are."""
    held = await session.cluster.count_entries()
    if held is None or held >= size or session.stopping():
        return held or 0
    session.phase(Phase.SEEDING, f"up to {size:,} entries")
    await session.cluster.dataset.fill(size - held)
    return size


def _with_size(result: ScenarioResult, size: int) -> ScenarioResult:
    """The result; with a note where any of its runs did not find the entries that its step is about."""
    found = [run.entries_before for run in runs_of(result)]
    off = max(found, key=lambda entries: abs(entries - size))
    if abs(off - size) <= max(OFF_BY_LEAST, OFF_BY_SHARE * size):
        return result
    why = "others wrote" if off > size else "others removed some"
    note = f"ran with {off:,} entries, not {size:,}: {why} meanwhile"
    return replace(result, note="; ".join(filter(None, [result.note, note])))


async def _measure(session: Session, label: str, size: int, length: float) -> tuple[ScenarioResult, ...]:
    results: list[ScenarioResult] = []
    for name in SWEPT:
        scenario = by_name(name)

        async def prepare(writes: bool = scenario.write_share > 0) -> None:
            session.phase(Phase.CLEANING, "what was written meanwhile")
            # the probe writes while nobody else does
            await (session.cluster.dataset.reset() if writes else session.cluster.dataset.remove_spent_probe_keys())

        stem = step_stem(SeriesKind.ENTRIES, name, size)
        result = await run_scenario(session, scenario, Step(label, stem, length, prepare=prepare))
        if result is None:
            return tuple(results)
        results.append(_with_size(result, size))
    if not session.stopping():
        session.phase(Phase.CLEANING, "what was written")
        await session.cluster.dataset.reset()
    return tuple(results)
