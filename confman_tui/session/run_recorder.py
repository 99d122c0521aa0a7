"""One scenario's run: the engine's seconds become events and rows, its end becomes a result with files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from confman_tui.cluster.elections import Election, Fault, Verification
from confman_tui.cluster.states import ClusterView
from confman_tui.cluster.watch_mode import WatchUse
from confman_tui.core.clock import Clock
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import RunOutcome, RunPlan, SecondSample
from confman_tui.load.saturation import BoundRule, GeneratorSample, UseTotals
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
from confman_tui.session.cluster_monitor import Monitor
from confman_tui.session.cpu_monitor import GeneratorWatch, usable_cores
from confman_tui.session.events import GeneratorLimitReached, Level, NoticeGiven, RateChanged, SampleRecorded, Sink
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Target
from confman_tui.settings.values import MAX_RATE, MIN_RATE


class ScenarioRun:
    """Runs one plan on the engine and keeps what it gives."""

    def __init__(
        self,
        plan: RunPlan,
        settings: Settings,
        entries_before: int,
        engine: Engine,
        monitor: Monitor,
        emit: Sink,
        clock: Clock,
        watch: GeneratorWatch | None = None,
        *,
        stem: str = "",
    ) -> None:
        """``stem``: the name of its files where it is a step of a series. A step leaves its seconds and its lost writes
        alone; the series' own files hold the rest, and those of an ordinary run of that scenario stay."""
        self.plan = plan
        self._step = bool(stem)
        self._stem = stem or plan.scenario
        self._settings = settings
        self.entries_before = entries_before
        self._engine = engine
        self._monitor = monitor
        self._emit = emit
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._marks: list[str] = []
        self._without_writes = False
        self._troubles: list[str] = []
        self._watch = watch
        self._bound = BoundRule(plan, usable_cores())
        self._use = UseTotals()
        self.elections: list[Election] = []
        self.outcome: RunOutcome | None = None
        self._watched_before = monitor.watch_use()
        self._watch_use: WatchUse | None = None
        self._rate = plan.rate
        self._rates: list[tuple[float, float]] = []
        self._timeline: TimelineWriter | None = None
        self.on_sample: Callable[[SecondSample], None] = lambda sample: None

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
        """Multiply an open loop's rate, within the limits of ``--rate``, and tell it. False when this is a closed
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

    def _sample(self, sample: SecondSample) -> None:
        view = self._monitor.view
        watched: GeneratorSample | None = None
        if self._watch is not None:
            watched = self._watch.latest
            self._watch.align(sample.end)
        self._judge_generator(sample, watched)
        self._emit(SampleRecorded(self.plan.scenario, sample, view.leader, view.term, watched, self._bound.lasting))
        self.on_sample(sample)
        self._row(sample, view, watched)

    def _judge_generator(self, sample: SecondSample, watched: GeneratorSample | None) -> None:
        first = self._bound.verdict is None
        self._use.add(sample, watched)
        if not self._bound.add(sample, watched):
            return
        bound = self._bound.lasting
        assert bound is not None
        self._marks.append(bound_mark(bound))
        if first:
            self._emit(GeneratorLimitReached(self.plan.scenario, self._clock(), bound))

    def _row(self, sample: SecondSample, view: ClusterView, watched: GeneratorSample | None) -> None:
        closed = [window for window in self._monitor.windows if window.end is not None and window.end >= sample.start]
        marks = [*self._marks, *(window_mark(window) for window in closed if window.end and window.end < sample.end)]
        without = self._without_writes or any(window.start < sample.end for window in closed)
        self._marks.clear()
        self._without_writes = self._monitor.open_window is not None
        if self._timeline is not None:
            self._timeline.row(sample, view, marks, without, watched)

    # -- the run and its end

    async def run(self) -> RunOutcome:
        """Run to its end (or until the engine is told to stop) and publish the files that belong to the load."""
        directory = self._settings.output_dir
        timeline_path = path_of(directory, self._settings.tier, self._stem, "timeline.csv")
        with Staging(directory) as staging:
            prefix = None if self._step else staging.prefix(self._settings.tier, self.plan.scenario)
            plan = replace(self.plan, csv_prefix=prefix)
            self._timeline = TimelineWriter(timeline_path, self._monitor.nodes)
            if self._watch is not None:
                self._watch.begin_run()
            self._watched_before = self._monitor.watch_use()
            try:
                future = self._engine.run(
                    plan,
                    on_sample=lambda sample: self._post(sample),
                    observer=self._monitor.book,
                )
                outcome = await asyncio.wrap_future(future)
            finally:
                timeline = self._timeline.close()
                self._watch_use = self._monitor.watch_use().since(self._watched_before)
            if outcome.file_error:
                self._troubles.append(outcome.file_error)
            if self._timeline.trouble:
                self._troubles.append(self._timeline.trouble)
            files: tuple[Path, ...] = ()
            try:
                files = staging.publish(outcome.files)
            except ResultsError as error:
                self._troubles.append(str(error))
        if timeline is not None:
            files = (*files, timeline)
        self.outcome = replace(outcome, files=files)
        return self.outcome

    def _post(self, sample: SecondSample) -> None:
        # On the engine's thread. The loop may be gone when the program is left in a hurry.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._sample, sample)

    def finish(
        self,
        verification: Verification | None,
        cluster: dict[str, object],
        registry: tuple[str, ...],
        *,
        ended_as_meant: bool = False,
        complete: Callable[[ScenarioResult], ScenarioResult] = lambda result: result,
    ) -> ScenarioResult:
        """Make the result and write the files that tell of the whole run. Files that can't be written are told in a
        notice; the result is whole without them.

        Args:
            verification: what became of its writes; None where nothing was verified.
            cluster: ``nodes``, ``leader`` and ``term``.
            registry: the tier's file of keys.
            ended_as_meant: a run without an end was told to stop because all was done.
            complete: adds what others know of the result, before it is written.
        """
        assert self.outcome is not None
        outcome = replace(self.outcome, stopped_early=False) if ended_as_meant else self.outcome
        result = ScenarioResult(
            name=self.plan.scenario,
            tier=self._settings.tier,
            users=self.plan.users,
            duration_s=outcome.ended - outcome.started,
            payload_bytes=self.plan.payload_bytes,
            entries_before=self.entries_before,
            outcome=outcome,
            elections=tuple(self.elections),
            verification=verification,
            files=(*(str(file) for file in outcome.files), *registry),
            rate=self.plan.rate,
            reads=self.plan.reads if self.plan.target is Target.ANY else None,
            rate_changes=tuple(RateChange(at - outcome.started, rate) for at, rate in self._rates),
            warmup_s=self.plan.warmup_s,
            generator=self._use.told(),
            watch=self._watch_use,
            generator_bound=self._bound.verdict,
            note=_note(outcome),
        )
        result = complete(result)
        try:
            if self._step:
                lost = write_lost(self._settings.output_dir, result.tier, self._stem, result.verification)
                result = replace(result, files=(*result.files, *([str(lost)] if lost is not None else [])))
            else:
                result = save_result(result, self._settings, cluster)
        except ResultsError as error:
            self._troubles.append(str(error))
        if outcome.invalid:
            text = f"{self.plan.scenario}: the figures are invalid: {outcome.invalid}"
            self._emit(NoticeGiven(Level.ERROR, text, self._clock()))
        for trouble in dict.fromkeys(self._troubles):
            self._emit(NoticeGiven(Level.ERROR, trouble, self._clock()))
        return result


def _note(outcome: RunOutcome) -> str:
    notes = ["stopped early"] if outcome.stopped_early else []
    if outcome.invalid:
        notes.append(f"INVALID: {outcome.invalid}")
    return "; ".join(notes)
