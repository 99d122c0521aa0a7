"""An election drill as files: ``_drill_rounds.csv``, ``_drill.json`` and the same document for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confman_tui import __version__
from confman_tui.results.files.election_files import verification_document
from confman_tui.results.files.environment import cluster_document
from confman_tui.results.files.formats import write_json, write_rows
from confman_tui.results.model import DrillEnded, DrillRound
from confman_tui.results.statistics.drill_rounds import distributions, figures_of

_COLUMNS = (
    *("round", "fault", "node", "judged", "reason", "detect_s", "claim_s", "elect_s", "agree_s", "first_write_s"),
    *("without_writes_s", "uncertainty_s", "recover90_s", "writes_missed", "term_before", "term_after", "new_leader"),
    *("return_s", "no_return"),
)


def _round_document(round_: DrillRound) -> dict[str, Any]:
    """A round as JSON and the CSV have it: see `figures_of`; ``no_return``: why the node had not caught up."""
    fault, election = round_.fault, round_.election
    return {
        "round": round_.number,
        "fault": str(fault.kind) if fault is not None else None,
        "node": fault.node if fault is not None else None,
        "judged": round_.judged,
        "reason": round_.reason,
        **figures_of(round_),
        "term_before": election.term_before if election is not None else None,
        "term_after": election.term_after if election is not None else None,
        "new_leader": election.new_leader if election is not None else None,
        "no_return": round_.no_return,
    }


def drill_document(
    ended: DrillEnded, cluster: Mapping[str, Any] | None = None, tier: str | None = None
) -> dict[str, Any]:
    """What ``confman-tui drill --json`` prints."""
    return {
        "version": __version__,
        "cluster": None if cluster is None else cluster_document(cluster),
        "tier": tier,
        "rounds": [_round_document(round_) for round_ in ended.rounds],
        "spread": distributions(ended.rounds),
        "verification": verification_document(ended.verification),
        "verdict": ended.verdict,
        "exit_code": ended.exit_code,
        "reasons": [{"exit_code": reason.code, "text": reason.text} for reason in ended.reasons],
    }


def save_drill(
    ended: DrillEnded, directory: Path, tier: str, cluster: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Write ``{tier}-drill_rounds.csv`` and ``{tier}-drill.json``; returns their paths.

    Raises:
        ResultsError: one can't be written. Earlier results stay whole.
    """
    document = drill_document(ended, cluster, tier)
    table = write_rows(directory / f"{tier}-drill_rounds.csv", _COLUMNS, document["rounds"])
    return table, write_json(directory / f"{tier}-drill.json", document)
