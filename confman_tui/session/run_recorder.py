"""One scenario's run: the engine's seconds become events and rows, its end becomes a result with files.

The way of a second: `ScenarioRun.post_sample` on the engine's thread, `ScenarioRun.record_sample` on the session's
loop, and from there as `SampleRecorded` to the front end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from confman_tui.cluster.elections import Election, Fault, Verification
from confman_tui.cluster.states import ClusterView
from confman_tui.cluster.watch_mode import WatchUse
from confman_tui.core.clock import Clock
from confman_tui.core.errors import EXIT_UNWRITTEN
from confman_tui.load.engine import Engine
from confman_tui.load.generator_use import UseTotals
from confman_tui.load.run_model import RunOutcome, RunPlan, SecondSample
from confman_tui.load.saturation import BoundRule, GeneratorSample
from confman_tui.results.files.election_files import write_lost
from confman_tui.results.files.output_folder import ResultsError, Staging, path_of
from confman_tui.results.files.summary import save_result
from confman_tui.results.files.timeline_csv import (
    TimelineWriter,
    bound_mark,
    election_mark,
    fault_mark,
    rate_mark,
    window_mark,
)
from confman_tui.results.model import RateChange, ScenarioResult
from confman_tui.session.connection import Connection
from confman_tui.session.cpu_monitor import usable_cores
from confman_tui.session.events import GeneratorLimitReached, Level, NoticeGiven, RateChanged, SampleRecorded, Sink
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Target, ran_as
from confman_tui.settings.values import MAX_RATE, MIN_RATE


class ScenarioRun:
    """Keeps what the engine gives while it runs one plan. Belongs to the session's loop, `post_sample` aside.
    Implements `confman_tui.session.incidents.RunUnderWay`."""

    def __init__(
        self,
        plan: RunPlan,
        settings: Settings,
        entries_before: int,
        engine: Engine,
        cluster: Connection,
        emit: Sink,
        clock: Clock,
        *,
        stem: str = "",
    ) -> None:
        """
        Args:
            plan: what runs.
            settings: those in force on this cluster.
            entries_before: entries that the cluster holds before it.
            engine: runs it.
            cluster: where it runs.
            emit: takes the events.
            clock: stamps them.
            stem: the name of its files where it is a step of a series. A step leaves its seconds and its lost writes
                alone; the series' own files hold the rest, and those of an ordinary run of that scenario stay.
        """
        self.plan = plan
        self.entries_before = entries_before
        self.elections: list[Election] = []
        self.outcome: RunOutcome | None = None
        """Set within `recording` by the caller, when the engine's run has ended."""
        self._step = bool(stem)
        # an open loop's users are as many as the rate needs
        named = bool(stem) or plan.rate is not None
        self.name = plan.scenario if named else ran_as(plan.scenario, plan.users)
        """Of what runs, with its number of users."""
        self.stem = stem or self.name
        """Of its files' names, beside the tier."""
        self.settings = settings
        self._engine = engine
        self._cluster = cluster
        self._monitor = cluster.monitor
        self._emit = emit
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._marks: list[str] = []
        self._without_writes = False
        self._troubles: list[str] = []
        self._bound = BoundRule(plan, usable_cores())
        self._use = UseTotals()
        self._watch_use: WatchUse | None = None
        self._rate = plan.rate
        self._rates: list[tuple[float, float]] = []
        self._timeline: TimelineWriter | None = None

    # -- what happens meanwhile

    def note_fault(self, fault: Fault) -> None:
        """A fault was caused while it runs."""
        self._marks.append(fault_mark(fault))

    def note_election(self, election: Election) -> None:
        """An election was measured (or measured further) while it runs or is verified."""
        known = [held for held in self.elections if held.origin != election.origin]
        if len(known) == len(self.elections):
            self._marks.append(election_mark(election))
        self.elections = sorted([*known, election], key=lambda held: held.origin)

    def change_rate(self, factor: float) -> bool:
        """Multiply an open loop's rate, within the limits of ``--rate``, and emit it. False when this is a closed
        loop, or it has ended."""
        before = self._rate
        if before is None or self.outcome is not None:
            return False
        # rounded, so that a step up and one down give the rate before
        rate = round(min(MAX_RATE, max(MIN_RATE, before * factor)), 6)
        at = self._clock()
        if rate == before:
            self._emit(NoticeGiven(Level.WARNING, f"{rate:g} requests/s is as far as the rate goes", at))
            return True
        self._engine.set_rate(rate)
        self._rate = rate
        self._rates.append((at, rate))
        self._marks.append(rate_mark(rate))
        self._emit(RateChanged(self.plan.scenario, at, rate, before))
        return True

    def note_writes(self, without: bool) -> None:
        """Whether a stretch without acknowledged writes lasts."""
        self._without_writes = self._without_writes or without

    def post_sample(self, sample: SecondSample) -> None:
        """A second has ended. Called by the engine, on its thread; must return at once."""
        # The loop may be gone when the program is left in a hurry.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.record_sample, sample)

    def record_sample(self, sample: SecondSample) -> None:
        """A second has ended: an event, a row of the timeline, and reads for the election meter."""
        view = self._monitor.view
        used = self._cluster.watch.latest
        self._cluster.watch.align(sample.end)
        self._note_generator(sample, used)
        self._emit(SampleRecorded(self.plan.scenario, sample, view.leader, view.term, used, self._bound.lasting))
        self._cluster.incidents.on_sample(sample)
        self._row(sample, view, used)

    def _note_generator(self, sample: SecondSample, used: GeneratorSample | None) -> None:
        first = self._bound.verdict is None
        self._use.add(sample, used)
        if not self._bound.add(sample, used):
            return
        bound = self._bound.lasting
        assert bound is not None
        self._marks.append(bound_mark(bound))
        if first:
            self._emit(GeneratorLimitReached(self.plan.scenario, self._clock(), bound))

    def _row(self, sample: SecondSample, view: ClusterView, used: GeneratorSample | None) -> None:
        closed = [window for window in self._monitor.windows if window.end is not None and window.end >= sample.start]
        marks = [*self._marks, *(window_mark(window) for window in closed if window.end and window.end < sample.end)]
        without = self._without_writes or any(window.start < sample.end for window in closed)
        self._marks.clear()
        self._without_writes = self._monitor.open_window is not None
        if self._timeline is not None:
            self._timeline.row(sample, view, marks, without, used)

    # -- the run and its end

    @contextmanager
    def recording(self) -> Iterator[RunPlan]:
        """While inside, seconds become rows of the timeline. Gives the plan for the engine, with the files that Locust
        writes. Who calls it sets `outcome` inside; its files are published at the end.

        A folder that can't be written to is a trouble that the run's end tells: it runs all the same, for its figures.
        """
        directory, tier = self.settings.output_dir, self.settings.tier
        with contextlib.ExitStack() as files:
            staging = self._staging(directory, files)
            prefix = None if staging is None or self._step else staging.prefix(tier, self.name)
            timeline = self._timeline = TimelineWriter(
                path_of(directory, tier, self.stem, "timeline.csv"), self._monitor.nodes
            )
            self._cluster.watch.begin_run()
            used_before = self._monitor.watch_use()
            try:
                yield replace(self.plan, csv_prefix=prefix)
            finally:
                timeline_file = timeline.close()
                self._watch_use = self._monitor.watch_use().since(used_before)
            if self.outcome is not None:
                self._publish(self.outcome, staging, timeline, timeline_file)

    def _staging(self, directory: Path, files: contextlib.ExitStack) -> Staging | None:
        try:
            return files.enter_context(Staging(directory))
        except ResultsError as error:
            self._troubles.append(str(error))
            return None

    def _publish(
        self, outcome: RunOutcome, staging: Staging | None, timeline: TimelineWriter, timeline_file: Path | None
    ) -> None:
        self._troubles += [trouble for trouble in (outcome.file_error, timeline.trouble) if trouble]
        files: tuple[Path, ...] = ()
        try:
            files = staging.publish(outcome.files) if staging is not None else ()
        except ResultsError as error:
            self._troubles.append(str(error))
        if timeline_file is not None:
            files = (*files, timeline_file)
        self.outcome = replace(outcome, files=files)

    def result(
        self, verification: Verification | None, registry: tuple[str, ...], *, ended_as_meant: bool = False
    ) -> ScenarioResult:
        """What the run gave, not written yet.

        Args:
            verification: what became of its writes; None where nothing was verified.
            registry: the tier's file of keys.
            ended_as_meant: a run without an end was stopped because all was done.
        """
        assert self.outcome is not None
        outcome = replace(self.outcome, stopped_early=False) if ended_as_meant else self.outcome
        return ScenarioResult(
            name=self.name,
            scenario="" if self.name == self.plan.scenario else self.plan.scenario,
            tier=self.settings.tier,
            users=self.plan.users,
            duration_s=outcome.ended - outcome.started,
            payload_bytes=self.plan.payload_bytes,
            entries_before=self.entries_before,
            outcome=outcome,
            elections=tuple(self.elections),
            verification=verification,
            files=(*(str(file) for file in outcome.files), *registry),
            rate=self.plan.rate,
            request_timeout_s=self.plan.request_timeout_s,
            reads=self.plan.reads if self.plan.target is Target.ANY else None,
            rate_changes=tuple(RateChange(at - outcome.started, rate) for at, rate in self._rates),
            warmup_s=self.plan.warmup_s,
            generator=self._use.use(),
            watch=self._watch_use,
            generator_bound=self._bound.verdict,
            note=_note(outcome),
            fsync=self.settings.demo_fsync if self.settings.demo else None,
        )

    def save(self, result: ScenarioResult, *, again: bool = False) -> ScenarioResult:
        """Write the files about the whole run; gives the result with their names. What can't be written is a notice;
        the result is whole without it. ``again``: they were written, and the result has changed."""
        try:
            if self._step:
                lost = write_lost(self.settings.output_dir, result.tier, self.stem, result.verification)
                result = replace(result, files=(*result.files, *([str(lost)] if lost is not None else [])))
            else:
                result = save_result(result, self.settings, self._cluster.summary())
        except ResultsError as error:
            self._troubles.append(str(error))
        invalid = self.outcome.invalid if self.outcome is not None else ""
        if invalid and not again:
            text = f"{self.plan.scenario}: the figures are invalid: {invalid}"
            self._emit(NoticeGiven(Level.ERROR, text, self._clock()))
        for trouble in dict.fromkeys(self._troubles):
            self._emit(NoticeGiven(Level.ERROR, trouble, self._clock(), EXIT_UNWRITTEN))
        self._troubles.clear()
        return result


def _note(outcome: RunOutcome) -> str:
    notes = ["stopped early"] if outcome.stopped_early else []
    if outcome.invalid:
        notes.append(f"INVALID: {outcome.invalid}")
    return "; ".join(notes)
