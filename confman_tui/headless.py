"""The front end without a screen: prints the session's events on stderr and the results on stdout.

Progress is a bar on a terminal and plain lines otherwise, so that a CI log stays readable. The words of all other
events are `confman_tui.session.event_text`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.states import FactKind
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.core import errors, event_loop, signals
from confman_tui.core.clock import now
from confman_tui.core.streams import write_result
from confman_tui.results.files.drill_files import drill_document
from confman_tui.results.files.series_files import series_document
from confman_tui.results.files.summary import json_document
from confman_tui.results.tables.drill_table import drill_table
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.series_table import series_table
from confman_tui.session import changes
from confman_tui.session.connection import MakeDemo
from confman_tui.session.drill import run_drill as run_session_drill
from confman_tui.session.event_text import EventLine, Topic, line_of
from confman_tui.session.events import (
    DrillEnded,
    ElectionMeasured,
    Event,
    FactObserved,
    LeftoversFound,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
)
from confman_tui.session.leftovers import in_use, nothing_to_remove
from confman_tui.session.series import run_series
from confman_tui.session.series import run_sweep as run_session_sweep
from confman_tui.session.session import Session
from confman_tui.settings import Settings

PLAIN_EVERY_S = 5.0
"""Seconds between two lines about the same activity when stderr is no terminal."""

QUIET_PHASES = {Phase.IDLE, Phase.RUNNING, Phase.CLOSED}
"""Phases without a line: those around them say it."""

TOPIC_WORDS = {Topic.CLUSTER: "cluster: ", Topic.FAULTS: "fault: ", Topic.RUNS: ""}
"""What stands before a line; a problem has its level there."""

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
        self._printed_at: dict[str, float] = {}
        """When each activity last had a line."""
        self._running: ScenarioStarted | None = None
        self._elections: set[float] = set()
        """The origins of those that have a line."""

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

    def __call__(self, event: Event) -> None:
        """Print the event, if it means anything to a reader of a log."""
        match event:
            case PhaseChanged(phase=phase, detail=detail):
                if phase not in QUIET_PHASES:
                    self._printed_at.pop(str(phase), None)
                    self.say(f"{phase}{': ' + detail if detail else ''}")
                return
            case ProgressMade():
                self._progress_made(event)
                return
            case SampleRecorded() if self._running is not None:
                self._second(event, self._running)
                return
            case ScenarioStarted():
                self._running = event
                self._printed_at.pop(event.name, None)
                self._printed_at.pop(WARMING, None)
            case ScenarioEnded():
                self._running = None
        line = self._line(event)
        if line is not None:
            before = f"{line.level}: " if _is_problem(event, line) else TOPIC_WORDS[line.topic]
            self.say(before + line.text)

    def _line(self, event: Event) -> EventLine | None:
        match event:
            case DrillEnded():
                return None  # its table or document on stdout says it
            case FactObserved(fact=fact) if fact.kind is FactKind.ALL_AGREE:
                return None  # a reader of a log learns nothing from it that the lines around it don't say
        line = line_of(event, lambda node: node or "?", self._elections, now())
        if isinstance(event, ElectionMeasured):
            self._elections.add(event.election.origin)
        if line is not None and isinstance(event, LeftoversFound):
            return EventLine(line.at, line.glyph, f"{line.text}; `confman-tui clean` removes them", line.topic)
        return line

    # -- what moves

    def _progress_made(self, event: ProgressMade) -> None:
        tail = f"{event.done}/{event.total}{UNITS.get(event.activity, '')}"
        tail += f", {event.rate:.0f}/s" if event.rate else ""
        tail += f", {event.left_s:.0f} s left" if event.left_s is not None else ""
        self._progress(str(event.activity), event.done, event.total, tail, asyncio.get_running_loop().time())

    def _second(self, event: SampleRecorded, running: ScenarioStarted) -> None:
        sample, warmup_s = event.sample, running.warmup_s
        speed = f"{sample.ok / max(sample.end - sample.start, 1e-9):.0f} req/s"
        speed += f", p99 {sample.p99_us / 1000:.1f} ms" if sample.p99_us is not None else ""
        speed += f", {sample.failures} failed" if sample.failures else ""
        speed += f", {sample.not_started} due and not begun" if sample.not_started else ""
        since = sample.end - running.at
        if sample.warmup:
            warm = min(since, warmup_s)
            self._progress(WARMING, warm, warmup_s, f"{_clock(warm)}/{_clock(warmup_s)}, {speed}", sample.end)
        elif running.duration_s is not None:
            self._progress(running.name, since - warmup_s, running.duration_s, speed, sample.end)

    def _progress(self, what: str, done: float, total: float, tail: str, at: float) -> None:
        share = min(1.0, done / total) if total > 0 else 1.0
        if self._bar:
            filled = round(share * 24)
            self._write(f"\r\x1b[K{what:<18} {'━' * filled}{'─' * (24 - filled)} {share:4.0%}  {tail}")
            self._bar_shown = True
        elif at - self._printed_at.get(what, -PLAIN_EVERY_S) >= PLAIN_EVERY_S:
            self._printed_at[what] = at
            self.say(f"{what}: {share:.0%}, {tail}")


def _is_problem(event: Event, line: EventLine) -> bool:
    return isinstance(event, NoticeGiven) or line.topic is Topic.PROBLEMS


@contextmanager
def _signals(session: Session, printer: Printer) -> Iterator[asyncio.Event]:
    """While inside, the first signal stops the work in order and the second leaves at once. Gives what the first
    sets."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop(name: str) -> None:
        asked.set()
        session.interrupt()
        printer.say(f"{name}: stopping, saving and cleaning up (again: leave at once)")

    def leave(name: str) -> None:
        # in the handler itself: the loop may be held up
        left = session.leave_behind()
        with contextlib.suppress(RuntimeError):  # it has interrupted a line that is being written
            printer.say(f"{name} again: leaving at once" + (f"; {left}" if left else ""))
        session.abandon()
        os._exit(errors.EXIT_INTERRUPTED)

    with signals.handled(lambda name: loop.call_soon_threadsafe(stop, name), leave):
        yield asked


Work = Callable[[Session, asyncio.Event], Awaitable[None]]
"""What a command does with a session; the event is set when a signal came."""


def _run(settings: Settings, make_demo: MakeDemo, work: Work) -> int:
    """Run one command's work on a session, whose events are printed, and end that whatever happens."""
    return event_loop.run(_with_session(settings, make_demo, work, Printer(sys.stderr)))


async def _with_session(settings: Settings, make_demo: MakeDemo, work: Work, printer: Printer) -> int:
    session = Session(settings, printer, make_demo)
    reasons = session.exit_reasons
    with _signals(session, printer) as asked:
        try:
            await work(session, asked)
        except StoppedError:
            pass
        except errors.ConfmanTuiError as error:
            if not asked.is_set():
                printer.say(f"confman-tui: {error}")
                reasons.add(error.exit_code, str(error), told=True)
        finally:
            await session.close()
            printer.end()
        if asked.is_set():
            reasons.add(errors.EXIT_INTERRUPTED, "interrupted", told=True)
        for line in reasons.lines():
            printer.say(f"confman-tui: {line}")
    return reasons.code


async def _with_results(session: Session, settings: Settings, measure: Callable[[], Awaitable[object]]) -> None:
    """Open the session, measure, and print the results so far, whatever happens: the JSON document or the tables."""
    try:
        await session.open()
        try:
            await measure()
        finally:
            await session.read_late()
    finally:
        results, series = session.results, session.series
        if settings.json:
            documents = [series_document(ended) for ended in series]
            document = json_document(session.cluster_summary(), settings.tier, results, series=documents)
            write_result(json.dumps(document, indent=2))
        else:
            tables = [results_table(results)] if results else []
            tables += [series_table(ended) for ended in series]
            if tables:
                write_result("\n\n".join(tables))
    if not (session.results or session.series):
        session.exit_reasons.add(errors.EXIT_NO_SUCCESS, "nothing was run")


def run_headless(settings: Settings, make_demo: MakeDemo) -> int:
    """Run the chosen scenarios and print the table (or JSON). Returns the exit code."""

    async def work(session: Session, asked: asyncio.Event) -> None:
        await _with_results(session, settings, lambda: run_series(session, settings.scenario_names))

    return _run(settings, make_demo, work)


def run_sweep(settings: Settings, make_demo: MakeDemo) -> int:
    """Run the sweep over numbers of entries and print its table (or JSON). Returns the exit code."""

    async def work(session: Session, asked: asyncio.Event) -> None:
        await _with_results(session, settings, lambda: run_session_sweep(session))

    return _run(settings, make_demo, work)


def run_drill(settings: Settings, make_demo: MakeDemo) -> int:
    """Run the election drill and print its table (or JSON). Returns the exit code."""

    async def work(session: Session, asked: asyncio.Event) -> None:
        await session.open()
        await run_session_drill(session)
        await session.read_late()
        if session.drill is None:
            session.exit_reasons.add(errors.EXIT_INTERRUPTED, "the drill was stopped before it began")
            return
        ended = session.drill
        if settings.json:
            write_result(json.dumps(drill_document(ended, session.cluster_summary(), settings.tier), indent=2))
        else:
            write_result(drill_table(ended))

    return _run(settings, make_demo, work)


def run_clean(settings: Settings, make_demo: MakeDemo) -> int:
    """Say which namespaces of this program are on the cluster and, with ``--yes``, remove them."""

    async def work(session: Session, asked: asyncio.Event) -> None:
        cluster = await session.connect()
        survey = await unless_stopped(cluster.dataset.survey(), session.stop_asked)
        namespaces = survey.free
        for line in in_use(survey):
            write_result(line)
        if not namespaces:
            write_result(nothing_to_remove(survey, settings.clean_tier))
            return
        write_result("\n".join(namespaces))
        if not settings.yes:
            write_result(f"{len(namespaces)} namespaces would be removed; --yes removes them")
            return
        await changes.remove_leftovers(session)
        if not asked.is_set():
            write_result(f"{len(namespaces)} namespaces removed")

    return _run(settings, make_demo, work)
