"""``_summary.json`` of a scenario, written and read back, and the document that ``--json`` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from confman_tui import __version__
from confman_tui.results.files.election_files import write_elections, write_lost, write_verdict
from confman_tui.results.files.environment import circumstances, cluster_document
from confman_tui.results.files.formats import DAMAGE, is_other_document, read_json, write_json
from confman_tui.results.files.output_folder import ResultsError, path_of
from confman_tui.results.files.scenario_json import result_from, scenario_document
from confman_tui.results.model import ScenarioResult
from confman_tui.settings import Settings

_HIDDEN = "(hidden)"


def json_document(
    cluster: Mapping[str, Any],
    tier: str | None,
    results: Sequence[ScenarioResult],
    problems: Sequence[str] = (),
    series: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The whole of ``--json``.

    Args:
        cluster: ``nodes``, ``leader`` and ``term``, as at the end.
        tier: None when the results are of several tiers; each scenario names its own too.
        results: In the order to show.
        problems: What could not be read, a sentence each; the key is left out when there is none.
        series: Documents of series (`confman_tui.results.files.series_files`); the key is left out when there is none.
    """
    document: dict[str, Any] = {
        "version": __version__,
        "cluster": cluster_document(cluster),
        "tier": tier,
        "scenarios": [scenario_document(result) for result in results],
    }
    if series:
        document["series"] = list(series)
    if problems:
        document["problems"] = list(problems)
    return document


def _summary_document(result: ScenarioResult, settings: Settings, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The whole of ``_summary.json``: the scenario, and under what circumstances it was measured.

    The API key is in none of it: the settings leave it out, and wherever else a text holds it, it is replaced.
    """
    outcome = result.outcome
    histograms = {"all": outcome.histogram, "reads": outcome.read_histogram, "writes": outcome.write_histogram}
    if outcome.uncorrected is not None:
        histograms["uncorrected"] = outcome.uncorrected.histogram
    document = {**scenario_document(result), "histograms": histograms, **circumstances(settings, cluster)}
    return dict(_without(settings.api_key, document))


def _without(secret: str, value: Any) -> Any:
    """The same value with the secret replaced in every text of it, keys of objects included."""
    if isinstance(value, str):
        return value.replace(secret, _HIDDEN)
    if isinstance(value, Mapping):
        return {_without(secret, key): _without(secret, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(secret, item) for item in value]
    return value


def save_result(result: ScenarioResult, settings: Settings, cluster: Mapping[str, Any]) -> ScenarioResult:
    """Write ``_elections.csv``, ``_verification.csv`` (if writes were read back), ``_lost.csv`` (if the cluster broke
    its promise about one) and ``_summary.json`` of a finished scenario.

    Returns:
        The result with these files added to its own.

    Raises:
        ResultsError: one can't be written. Earlier results stay whole.
    """
    directory = settings.output_dir
    elections = write_elections(directory, result.tier, result.name, result.elections)
    verdict = write_verdict(directory, result.tier, result.name, result.verification)
    lost = write_lost(directory, result.tier, result.name, result.verification)
    summary = path_of(directory, result.tier, result.name, "summary.json")
    written = [str(path) for path in (elections, verdict, lost, summary) if path is not None]
    result = replace(result, files=tuple(dict.fromkeys((*result.files, *written))))
    write_json(summary, _summary_document(result, settings, cluster))
    return result


def read_summary(path: Path) -> tuple[ScenarioResult, dict[str, Any]]:
    """A result as `save_result` wrote it, and the whole document that it was in.

    Raises:
        ResultsError: the file can't be read or is not such a summary; names the file.
    """
    try:
        document = read_json(path, "summary")
        return result_from(document), document
    except DAMAGE as error:
        if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
            why = "is broken"
        else:
            why = "is not a summary of confman-tui" if is_other_document(error) else "holds wrong values"
        raise ResultsError(f"{path} {why}, so it is left out") from error
