"""An election drill's results: the JSON document, the CSV of its rounds and the table."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from confman_tui import __version__
from confman_tui.results.elections import election_document, verification_document
from confman_tui.results.files import replacing, write_text
from confman_tui.results.model import DrillEnded, DrillRound
from confman_tui.results.plain import one_line, rounded, short_node, wrapped
from confman_tui.results.tables import aligned, verdict_line

_MEASURES = {
    "detect_s": "detect",
    "elect_s": "elect",
    "agree_s": "agree",
    "without_writes_s": "no writes",
    "recover90_s": "to 90 %",
    "return_s": "return",
}
"""What is measured of each round, in seconds from the fault (``without_writes_s``: between acknowledgements;
``return_s``: from the fault's end), and its column in the table."""

_COLUMNS = (
    *("round", "fault", "node", "judged", "reason", "detect_s", "claim_s", "elect_s", "agree_s", "first_write_s"),
    *("without_writes_s", "uncertainty_s", "recover90_s", "writes_missed", "term_before", "term_after", "new_leader"),
    *("return_s", "no_return"),
)


def round_document(round_: DrillRound) -> dict[str, Any]:
    """A round as JSON and the CSV have it.

    ``detect_s``: the loss of the leader could be known; ``elect_s``: a node said that it leads; ``agree_s``: all live
    nodes named it; ``without_writes_s`` ± ``uncertainty_s``: from the last acknowledgement before to the first after;
    ``recover90_s``: throughput was back at 90 %; ``return_s``: from the fault's end until the node had caught up, and
    ``no_return`` why it had not. None: not seen.
    """
    fault, election = round_.fault, round_.election
    steps: Mapping[str, Any] = election_document(election) if election is not None else {}
    return {
        "round": round_.number,
        "fault": str(fault.kind) if fault is not None else None,
        "node": fault.node if fault is not None else None,
        "judged": round_.judged,
        "reason": round_.reason,
        "detect_s": steps.get("detected_s"),
        "claim_s": steps.get("claim_s"),
        "elect_s": steps.get("serving_s"),
        "agree_s": steps.get("agree_s"),
        "first_write_s": steps.get("first_write_s"),
        "without_writes_s": steps.get("without_writes_s"),
        "uncertainty_s": steps.get("write_uncertainty_s"),
        "recover90_s": steps.get("recover90_s"),
        "writes_missed": steps.get("writes_missed"),
        "term_before": steps.get("term_before"),
        "term_after": steps.get("term_after"),
        "new_leader": steps.get("new_leader"),
        "return_s": rounded(round_.return_s),
        "no_return": round_.no_return,
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Minimum, median, 95th percentile (nearest rank: the smallest value that at least 95 % do not exceed) and
    maximum."""
    if not values:
        return {"min": None, "median": None, "p95": None, "max": None}
    ordered = sorted(values)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return {"min": ordered[0], "median": rounded(median(ordered)), "p95": p95, "max": ordered[-1]}


def _spreads(rounds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    judged = [row for row in rounds if row["judged"]]
    return {name: spread([row[name] for row in judged if row[name] is not None]) for name in _MEASURES}


def drill_document(
    ended: DrillEnded, cluster: Mapping[str, Any] | None = None, tier: str | None = None
) -> dict[str, Any]:
    """What ``confman-tui drill --json`` prints."""
    rounds = [round_document(round_) for round_ in ended.rounds]
    return {
        "version": __version__,
        "cluster": None if cluster is None else {name: cluster.get(name) for name in ("nodes", "leader", "term")},
        "tier": tier,
        "rounds": rounds,
        "spread": _spreads(rounds),
        "verification": verification_document(ended.verification),
        "verdict": ended.verdict,
        "exit_code": ended.exit_code,
    }


def save_drill(
    ended: DrillEnded, directory: Path, tier: str, cluster: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Write ``{tier}-drill_rounds.csv`` and ``{tier}-drill.json``; returns their paths.

    Raises:
        ResultsError: one can't be written. Earlier results stay whole.
    """
    table = directory / f"{tier}-drill_rounds.csv"
    document = drill_document(ended, cluster, tier)
    with replacing(table) as stream:
        writer = csv.DictWriter(stream, _COLUMNS)
        writer.writeheader()
        writer.writerows(document["rounds"])
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return table, write_text(directory / f"{tier}-drill.json", text)


def drill_table(ended: DrillEnded) -> str:
    """The rounds, their spread, the verdict on the writes and on the drill, as text of at most 100 columns."""
    rounds = [round_document(round_) for round_ in ended.rounds]
    rows: list[tuple[str, ...]] = [("round", "fault", "node", *_MEASURES.values(), "terms")]
    for row in rounds:
        terms = "-" if row["term_after"] is None else f"{row['term_before']} to {row['term_after']}"
        node = one_line(short_node(row["node"]), 21)
        number = str(row["round"]) if row["judged"] else f"{row['round']} unjudged"
        rows.append((number, row["fault"] or "-", node, *(_seconds(row[name]) for name in _MEASURES), terms))
    spreads = _spreads(rounds)
    if any(row["judged"] for row in rounds):
        for name in ("min", "median", "p95", "max"):
            rows.append((name, "", "", *(_seconds(spreads[measure][name]) for measure in _MEASURES), ""))
    table = aligned(rows) if rounds else "no round was run"
    lines = []
    uncertain = [row["uncertainty_s"] for row in rounds if row["judged"] and row["uncertainty_s"] is not None]
    if uncertain:
        within = f"± {max(uncertain):.2f} s"
        lines.append(f"seconds from the fault, to 90 % of the writes per second before; no writes: {within};")
        lines.append("return: seconds from the end of the fault until the node had caught up")
    lines += [f"round {row['round']} unjudged: {row['reason']}" for row in rounds if not row["judged"]]
    lines += [
        f"round {row['round']}: {short_node(row['node'])} {row['no_return']}" for row in rounds if row["no_return"]
    ]
    if ended.verification is not None:
        lines.append(verdict_line(ended.verification))
        lines += [f"writes: {ended.verification.note}"] * bool(ended.verification.note)
    lines.append(ended.verdict)
    return "\n".join([table, *(wrapped(line) for line in lines)])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
