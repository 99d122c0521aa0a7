"""Adds late phantoms to the results of a session, and to their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from confman_tui.cluster.elections import BrokenKey
from confman_tui.core.errors import EXIT_UNWRITTEN
from confman_tui.results.files.drill_files import save_drill
from confman_tui.results.files.output_folder import ResultsError
from confman_tui.results.files.series_files import save_series
from confman_tui.results.late_phantoms import drill_with_late, result_with_late, series_with_late
from confman_tui.results.model import DrillEnded, ScenarioResult, Series
from confman_tui.session.events import Level
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.settings.scenarios import DRILL_NAME


class HoldsResults(Protocol):
    """What it needs of `confman_tui.session.session.Session`."""

    results: tuple[ScenarioResult, ...]
    series: tuple[Series, ...]
    drill: DrillEnded | None
    drill_load: ScenarioResult | None

    def keep_result(self, result: ScenarioResult) -> None:
        """Take the place of the result of that name."""

    def notice(self, text: str, level: Level, *, calls_for: int) -> None:
        """Tell the person."""

    def cluster_summary(self) -> dict[str, object]:
        """For the documents."""


def amend(session: HoldsResults, run: ScenarioRun, keys: Sequence[BrokenKey]) -> None:
    """Late phantoms of this run were found: its result, its series' or its drill's, and their files, tell of them."""
    settings, summary = run.settings, session.cluster_summary()
    for result in session.results:
        if result.name == run.stem:
            session.keep_result(run.save(result_with_late(result, keys), again=True))
    if session.drill_load is not None and run.stem == DRILL_NAME:
        session.drill_load = run.save(result_with_late(session.drill_load, keys), again=True)
    try:
        session.series = tuple(
            save_series(amended, settings, summary)
            if (amended := series_with_late(series, run.stem, keys)) != series
            else series
            for series in session.series
        )
        if session.drill is not None and run.stem == DRILL_NAME:
            session.drill = drill_with_late(session.drill, keys)
            save_drill(session.drill, settings.output_dir, settings.tier, summary)
    except ResultsError as error:
        session.notice(str(error), Level.ERROR, calls_for=EXIT_UNWRITTEN)
