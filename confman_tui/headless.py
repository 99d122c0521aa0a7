"""The front end without a screen: prints the session's events on stderr and the results on stdout.

Progress is a bar on a terminal and plain lines otherwise, so that a CI log stays readable.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from confman_tui.cluster.states import FactKind
from confman_tui.core import errors, event_loop
from confman_tui.core.streams import write_result
from confman_tui.results.files.drill_files import drill_document
from confman_tui.results.files.series_files import series_document
from confman_tui.results.files.summary import json_document
from confman_tui.results.model import ScenarioResult, Series
from confman_tui.results.tables.drill_table import drill_table
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.sentences import reads_words
from confman_tui.results.tables.series_table import series_table, verdict_of
from confman_tui.session.events import (
    DrillEnded,
    DrillRoundEnded,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    LeftoversFound,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    RateChanged,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    SeriesEnded,
    VerificationEnded,
)
from confman_tui.session.session import Session
from confman_tui.settings import Settings

PLAIN_EVERY_S = 5.0
"""Seconds between two lines about the same activity when stderr is no terminal."""

QUIET_FACTS = {FactKind.ALL_AGREE}
"""Facts that say nothing to a reader of a log that the ones around them don't."""

UNITS = {
    Phase.GATHERING: " workers",
    Phase.SEEDING: " keys",
    Phase.VERIFYING: " writes",
    Phase.FINDING: " s",
    Phase.WAITING: " s",
}
"""What an activity counts; cleaning counts its steps."""

WARMING = "warming up"
"""What the seconds before a run are called."""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


class Printer:
    """Turns events into lines on a stream that may be closed at any time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = stream.isatty()
        self._bar_shown = False
        self._said_at: dict[str, float] = {}
        self._running: ScenarioStarted | None = None

    def say(self, text: str) -> None:
        """One line. A stream that is gone (the terminal was closed, the pipe's reader left) ends nothing."""
        self._write(("\r\x1b[K" if self._bar_shown else "") + text + "\n")
        self._bar_shown = False

    def end(self) -> None:
        """Leave the line of a bar, so that the shell's prompt gets one of its own."""
        if self._bar_shown:
            self._write("\n")
            self._bar_shown = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    def _progress(self, what: str, done: float, total: float, tail: str, at: float) -> None:
        share = min(1.0, done / total) if total > 0 else 1.0
        if self._bar:
            filled = round(share * 24)
            self._write(f"\r\x1b[K{what:<18} {'━' * filled}{'─' * (24 - filled)} {share:4.0%}  {tail}")
            self._bar_shown = True
        elif at - self._said_at.get(what, -PLAIN_EVERY_S) >= PLAIN_EVERY_S:
            self._said_at[what] = at
            self.say(f"{what}: {share:.0%}, {tail}")

    def __call__(self, event: Event) -> None:
        """Print what the event tells, if it tells a reader of a log anything."""
        match event:
            case PhaseChanged(phase=phase, detail=detail):
                if phase not in (Phase.IDLE, Phase.RUNNING, Phase.CLOSED):
                    self._said_at.pop(str(phase), None)
                    self.say(f"{phase}{': ' + detail if detail else ''}")
            case ProgressMade(activity=activity, done=done, total=total, rate=rate, left_s=left):
                tail = f"{done}/{total}{UNITS.get(activity, '')}" + (f", {rate:.0f}/s" if rate else "")
                tail += f", {left:.0f} s left" if left is not None else ""
                self._progress(str(activity), done, total, tail, asyncio.get_running_loop().time())
            case ScenarioStarted():
                self._running = event
                self._said_at.pop(event.name, None)
                self._said_at.pop(WARMING, None)
                parts = [
                    f"{event.users} user{'s' if event.users != 1 else ''}",
                    *([f"{event.rate:g} requests/s"] if event.rate is not None else []),
                    f"{event.entries_before} entries before",
                ]
                parts += [words] if (words := reads_words(event.reads)) else []
                parts += [event.step] if event.step else []
                parts += [f"run {event.run} of {event.runs}"] if event.runs > 1 else []
                self.say(f"{event.name}: {', '.join(parts)}")
            case RateChanged(rate=rate, before=before):
                self.say(f"rate: {rate:g} requests/s, was {before:g}")
            case SampleRecorded(sample=sample) if self._running is not None:
                warmup_s = self._running.warmup_s
                seconds = sample.end - self._running.at - warmup_s
                speed = f"{sample.ok / max(sample.end - sample.start, 1e-9):.0f} req/s"
                p99 = f", p99 {sample.p99_us / 1000:.1f} ms" if sample.p99_us is not None else ""
                failed = f", {sample.failures} failed" if sample.failures else ""
                failed += f", {sample.not_started} due and not begun" if sample.not_started else ""
                if sample.warmup:
                    warm = min(sample.end - self._running.at, warmup_s)
                    tail = f"{_clock(warm)}/{_clock(warmup_s)}, {speed}{p99}{failed}"
                    self._progress(WARMING, warm, warmup_s, tail, sample.end)
                elif self._running.duration_s is not None:
                    self._progress(
                        self._running.name, seconds, self._running.duration_s, f"{speed}{p99}{failed}", sample.end
                    )
            case GeneratorLimitReached(bound=bound):
                self.say(f"generator: it is the limit, not the cluster: {bound.reason}; {bound.advice}")
            case ScenarioEnded(result=result):
                self._running = None
                outcome = result.outcome
                notes = [result.note] if result.note else []
                notes += ["generator-bound"] if result.generator_bound is not None else []
                self.say(
                    f"{result.name}: {outcome.requests} requests, {outcome.failures} failed, "
                    f"{outcome.rps:.1f} req/s"
                    + (f", {outcome.not_started} never began" if outcome.not_started else "")
                    + (f" ({', '.join(notes)})" if notes else "")
                )
            case SeriesEnded(series=ended):
                for line in verdict_of(ended):
                    self.say(f"series: {line}")
            case FactObserved(fact=fact) if fact.kind not in QUIET_FACTS:
                parts = [str(fact.kind).replace("_", " "), fact.node or ""]
                parts += [f"term {fact.term}" if fact.term is not None else "", fact.detail]
                self.say("cluster: " + ", ".join(part for part in parts if part))
            case FaultCaused(fault=fault):
                self.say(f"fault: {fault.kind} {fault.node} (by {fault.by})")
            case ElectionMeasured(election=election) if election.recover90_s is None:
                gap = election.without_writes_s
                self.say(
                    f"election: {election.new_leader or 'no leader'}, term {election.term_before} to "
                    f"{election.term_after}" + (f", {gap:.2f} s without writes" if gap is not None else "")
                )
            case VerificationEnded(result=verification):
                self.say(
                    f"verified: {verification.checked} writes read back, {verification.acknowledged} acknowledged; "
                    f"{verification.lost} lost, {verification.stale} stale, {verification.phantom} phantom"
                    + (f" ({verification.note})" if verification.note else "")
                )
            case DrillRoundEnded(round=drill_round):
                back = drill_round.no_return
                if drill_round.return_s is not None:
                    back = f"back {drill_round.return_s:.2f} s after the fault's end"
                self.say(
                    f"round {drill_round.number}/{drill_round.total}: "
                    + ("measured" if drill_round.judged else f"not judged: {drill_round.reason}")
                    + (f"; {back}" if back else "")
                )
            case LeftoversFound(namespaces=namespaces) if namespaces:
                self.say(
                    f"left by an earlier run: {len(namespaces)} namespaces ({', '.join(namespaces[:3])}"
                    f"{', …' if len(namespaces) > 3 else ''}); `confman-tui clean` removes them"
                )
            case NoticeGiven(level=level, text=text):
                self.say(f"{level}: {text}")
            case _:
                pass


@asynccontextmanager
async def _signals(session: Session, printer: Printer) -> AsyncIterator[asyncio.Event]:
    """While inside, the first signal stops the work in order and the second leaves at once."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def on_signal(name: str) -> None:
        if asked.is_set():
            left = session.leave_behind()
            printer.say(f"{name} again: leaving at once" + (f"; {left}" if left else ""))
            session.abandon()
            os._exit(errors.EXIT_INTERRUPTED)
        asked.set()
        printer.say(f"{name}: stopping, saving and cleaning up (again: leave at once)")
        session.interrupt()

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in watched:
        loop.add_signal_handler(number, on_signal, number.name)
    try:
        yield asked
    finally:
        # The handlers stay until the loop closes: a late second signal must not kill a clean-up half-way.
        pass


async def _with_benchmark(
    settings: Settings, work: Callable[[Session, asyncio.Event], Awaitable[int]], printer: Printer
) -> int:
    session = Session(settings, printer)
    code = errors.EXIT_OK
    async with _signals(session, printer) as asked:
        try:
            code = await work(session, asked)
        except errors.ConfmanTuiError as error:
            if not asked.is_set():
                printer.say(f"confman-tui: {error}")
                code = error.exit_code
        finally:
            await session.close()
            printer.end()
        if asked.is_set():
            code = errors.EXIT_INTERRUPTED
    return code


def verdict(results: tuple[ScenarioResult, ...], *, strict: bool = False) -> int:
    """The exit code that these results deserve: lost writes first, then lost workers, then a generator that was the
    limit (only with ``strict``), then scenarios without any success."""
    if any(
        result.verification is not None and (result.verification.lost or result.verification.phantom)
        for result in results
    ):
        return errors.EXIT_LOST
    if any(result.outcome.invalid for result in results):
        return errors.EXIT_WORKERS
    if strict and any(result.generator_bound is not None for result in results):
        return errors.EXIT_GENERATOR_BOUND
    if not results or any(result.outcome.requests == result.outcome.failures for result in results):
        return errors.EXIT_NO_SUCCESS
    return errors.EXIT_OK


def _all_results(results: tuple[ScenarioResult, ...], series: tuple[Series, ...]) -> tuple[ScenarioResult, ...]:
    """Those of scenarios, and those of every step of a series."""
    return (*results, *(result for ended in series for point in ended.points for result in point.results))


def _tell_results(session: Session, settings: Settings) -> None:
    """The JSON document or the tables, on stdout."""
    results, series = session.results, session.series
    if settings.json:
        documents = [series_document(ended) for ended in series]
        document = json_document(session.cluster_summary(), settings.tier, results, series=documents)
        write_result(json.dumps(document, indent=2))
        return
    tables = [results_table(results)] if results else []
    tables += [series_table(ended) for ended in series]
    if tables:
        write_result("\n\n".join(tables))


def run_headless(settings: Settings) -> int:
    """Run the chosen scenarios and print the table (or JSON). Returns the exit code."""
    printer = Printer(sys.stderr)

    async def work(session: Session, asked: asyncio.Event) -> int:
        try:
            await session.open()
            await session.run_series(settings.scenario_names)
        finally:
            _tell_results(session, settings)
        return verdict(_all_results(session.results, session.series), strict=settings.strict)

    return event_loop.run(_with_benchmark(settings, work, printer))


def run_sweep(settings: Settings) -> int:
    """Run the sweep over numbers of entries and print its table (or JSON). Returns the exit code."""
    printer = Printer(sys.stderr)

    async def work(session: Session, asked: asyncio.Event) -> int:
        try:
            await session.open()
            await session.sweep()
        finally:
            _tell_results(session, settings)
        return verdict(_all_results(session.results, session.series), strict=settings.strict)

    return event_loop.run(_with_benchmark(settings, work, printer))


def run_drill(settings: Settings) -> int:
    """Run the election drill and print its table (or JSON). Returns the exit code."""
    printer = Printer(sys.stderr)

    async def work(session: Session, asked: asyncio.Event) -> int:
        await session.open()
        ended: DrillEnded | None = await session.drill()
        if ended is None:
            return errors.EXIT_INTERRUPTED
        if settings.json:
            write_result(json.dumps(drill_document(ended, session.cluster_summary(), settings.tier), indent=2))
        else:
            write_result(drill_table(ended))
        return ended.exit_code

    return event_loop.run(_with_benchmark(settings, work, printer))


def run_clean(settings: Settings) -> int:
    """Say which namespaces of this program are on the cluster and, with ``--yes``, remove them."""
    printer = Printer(sys.stderr)

    async def work(session: Session, asked: asyncio.Event) -> int:
        namespaces = await session.find_leftovers()
        if not namespaces:
            write_result("nothing to remove: the cluster holds no namespace of confman-tui")
            return errors.EXIT_OK
        write_result("\n".join(namespaces))
        if not settings.yes:
            write_result(f"{len(namespaces)} namespaces would be removed; --yes removes them")
            return errors.EXIT_OK
        await session.remove_leftovers()
        if not asked.is_set():
            write_result(f"{len(namespaces)} namespaces removed")
        return errors.EXIT_OK

    return event_loop.run(_with_benchmark(settings, work, printer))
