"""What a folder of results holds, for ``--results-only``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confman_tui.results.files.locust_stats import SUFFIX, read_stats
from confman_tui.results.files.output_folder import ResultsError, os_error_text
from confman_tui.results.files.series_files import read_series, series_document
from confman_tui.results.files.summary import json_document, read_summary
from confman_tui.results.formatting import one_line
from confman_tui.results.model import ScenarioResult, Series
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.series_table import series_table
from confman_tui.settings import scenarios
from confman_tui.settings.tiers import TIERS

_SUMMARY = "_summary.json"
_SERIES = ("_users.json", "_payload.json", "-sweep.json")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The results that a folder holds."""

    results: tuple[ScenarioResult, ...]
    """By tier, then in the catalogue's order."""
    cluster: dict[str, Any]
    """Nodes, leader and term of the newest summary; empty when there is none."""
    problems: tuple[str, ...]
    """A sentence for each file that could not be read."""
    series: tuple[Series, ...]
    """By the names of their files."""


def load(directory: Path) -> Loaded:
    """Read a folder of results: our summaries, and Locust's statistics where there is no summary.

    A broken file costs its own row only.

    Raises:
        ResultsError: there is no such folder, or it can't be listed.
    """
    try:
        files = [entry.name for entry in directory.iterdir() if entry.is_file()]
    except FileNotFoundError as error:
        raise ResultsError(f"--output-dir: there is no folder {directory}") from error
    except NotADirectoryError as error:
        raise ResultsError(f"--output-dir: {directory} is a file; it must be a folder") from error
    except OSError as error:
        raise ResultsError(f"--output-dir: {directory} can't be read: {os_error_text(error)}") from error
    # hidden ones are half written
    names = sorted(name for name in files if not name.startswith("."))
    problems: list[str] = []
    results: dict[tuple[str, str], ScenarioResult] = {}
    series: list[Series] = []
    newest, cluster = float("-inf"), {}
    for name in names:
        if name.endswith(_SUMMARY):
            with _left_out(problems):
                result, document = read_summary(directory / name)
                results[result.tier, result.name] = result
                if result.outcome.ended > newest and isinstance(document.get("cluster"), dict):
                    newest, cluster = result.outcome.ended, document["cluster"]
    for name in names:
        which = _tier_and_scenario(name)
        if which is not None and which not in results:
            with _left_out(problems):
                results[which] = read_stats(directory / name, *which)
    for name in names:
        if name.endswith(_SERIES):
            with _left_out(problems):
                series.append(read_series(directory / name))
    ordered = sorted(results.values(), key=_place)
    return Loaded(tuple(ordered), cluster, tuple(problems), tuple(series))


@contextmanager
def _left_out(problems: list[str]) -> Iterator[None]:
    """A file that can't be read is left out, and its problem noted."""
    try:
        yield
    except ResultsError as error:
        problems.append(str(error))


def _tier_and_scenario(name: str) -> tuple[str, str] | None:
    """Of a file such as ``small-write-1u_stats.csv``; None for another file."""
    tier, _, scenario = name.removesuffix(SUFFIX).partition("-")
    return (tier, scenario) if name.endswith(SUFFIX) and tier in TIERS and scenario else None


def _place(result: ScenarioResult) -> tuple[int, str, int, str]:
    tiers = tuple(TIERS)
    tier = tiers.index(result.tier) if result.tier in tiers else len(tiers)
    known = scenarios.names()
    return (
        tier,
        result.tier,
        known.index(result.of_scenario) if result.of_scenario in known else len(known),
        result.name,
    )


def results_only(directory: Path, *, as_json: bool = False) -> str:
    """What ``--results-only`` prints: the table or the JSON document of what is in the folder.

    Raises:
        ResultsError: there is no folder, or not one result in it that can be read.
    """
    loaded = load(directory)
    if not (loaded.results or loaded.series):
        if loaded.problems:
            raise ResultsError(f"no results can be read: {'; '.join(loaded.problems)}")
        raise ResultsError(
            f"--output-dir: {directory} holds no results; a run with --headless or on the screen makes some"
        )
    if as_json:
        tiers = {result.tier for result in loaded.results} | {one.tier for one in loaded.series}
        tier = tiers.pop() if len(tiers) == 1 else None
        series = [series_document(one) for one in loaded.series]
        document = json_document(loaded.cluster, tier, loaded.results, loaded.problems, series)
        return json.dumps(document, indent=2, ensure_ascii=False)
    tables = [results_table(loaded.results)] if loaded.results else []
    text = "\n\n".join([*tables, *(series_table(one) for one in loaded.series)])
    return "\n".join([text, *(one_line(problem, 300) for problem in loaded.problems)])
