"""Elections and verdicts as rows: ``_elections.csv``, ``_lost.csv`` and the same names in JSON."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from confman_tui.cluster.elections import Election, Fault, FaultKind, UnreadNode, Verification
from confman_tui.results.files import path_of, remove, replacing
from confman_tui.results.plain import count, finite, from_iso, iso, rounded

_STEPS = ("lost_s", "term_s", "claim_s", "serving_s", "agree_s", "first_write_s", "without_writes_s")
_FIGURES = ("longest_wait_s", "recover90_s", "writes_missed", "detected_s")
_UNCERTAINTIES = ("uncertainty_s", "write_uncertainty_s")
_COUNTS = ("intended_writes", "reads_ok", "reads_failed")
_COLUMNS = (
    *("origin", "fault", "fault_node", "fault_by", "old_leader", "new_leader", "term_before", "term_after", "rounds"),
    *_STEPS,
    *_UNCERTAINTIES,
    *_COUNTS,
    *_FIGURES,
    "writes_from_poll",
)
_VERDICT = ("acknowledged", "refused", "unknown", "lost", "stale", "recovered", "phantom", "checked")


def election_document(election: Election) -> dict[str, Any]:
    """An election as JSON and the CSV have it: steps in seconds from ``origin``, None for a step not seen."""
    fault = election.fault
    figures = {name: rounded(getattr(election, name)) for name in (*_STEPS, *_UNCERTAINTIES, *_FIGURES)}
    document: dict[str, Any] = {
        "origin": iso(election.origin, "microseconds"),
        "fault": str(fault.kind) if fault is not None else None,
        "fault_node": fault.node if fault is not None else None,
        "fault_by": fault.by if fault is not None else None,
        **figures,
    }
    for name in _COLUMNS:
        if name not in document:
            document[name] = getattr(election, name)
    return {name: document[name] for name in _COLUMNS}


def election_from(document: Mapping[str, Any]) -> Election:
    """What `election_document` wrote; KeyError, ValueError or TypeError for anything else.

    A fault's time is not kept of its own: it is the election's origin.
    """
    origin = from_iso(document["origin"])
    fault = None
    if document["fault"] is not None:
        node, by = _name(document["fault_node"]), _name(document["fault_by"])
        fault = Fault(FaultKind(document["fault"]), node or "", origin, by or "")
    return Election(
        origin=origin,
        fault=fault,
        old_leader=_name(document["old_leader"]),
        new_leader=_name(document["new_leader"]),
        term_before=_term(document["term_before"]),
        term_after=_term(document["term_after"]),
        rounds=count(document["rounds"]),
        uncertainty_s=finite(document["uncertainty_s"]),
        write_uncertainty_s=finite(document["write_uncertainty_s"]),
        intended_writes=count(document["intended_writes"]),
        longest_wait_s=finite(document["longest_wait_s"]),
        reads_ok=count(document["reads_ok"]),
        reads_failed=count(document["reads_failed"]),
        recover90_s=_optional(document["recover90_s"]),
        writes_missed=_optional(document["writes_missed"]),
        detected_s=_optional(document.get("detected_s")),
        writes_from_poll=bool(document.get("writes_from_poll", False)),
        **{name: _optional(document[name]) for name in _STEPS},
    )


def _optional(value: Any) -> float | None:
    return None if value is None else finite(value)


def _term(value: Any) -> int | None:
    return None if value is None else count(value)


def _name(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("no name")
    return value


def verification_document(verification: Verification | None) -> dict[str, Any] | None:
    """A verdict as JSON has it; None when nothing was verified."""
    if verification is None:
        return None
    counts: dict[str, Any] = {name: getattr(verification, name) for name in _VERDICT}
    return {
        **counts,
        "judged": verification.judged,
        "passed": verification.passed,
        "seconds": rounded(verification.seconds, 3),
        "lost_keys": list(verification.lost_keys),
        "note": verification.note,
        "without": [{"node": one.node, "why": one.why} for one in verification.without],
    }


def verification_from(document: Mapping[str, Any] | None) -> Verification | None:
    """What `verification_document` wrote; KeyError, ValueError or TypeError for anything else."""
    if document is None:
        return None
    return Verification(
        **{name: count(document[name]) for name in _VERDICT},
        seconds=finite(document["seconds"]),
        lost_keys=tuple(str(key) for key in document.get("lost_keys", ())),
        note=str(document.get("note", "")),
        without=tuple(UnreadNode(str(one["node"]), str(one["why"])) for one in document.get("without", ())),
    )


def write_elections(directory: Path, tier: str, scenario: str, elections: Sequence[Election]) -> Path:
    """Write ``_elections.csv``, one row per election. Without any it holds its heading alone, so that the file of an
    earlier run does not tell of elections that this one did not have.

    Raises:
        ResultsError: it can't be written.
    """
    path = path_of(directory, tier, scenario, "elections.csv")
    with replacing(path) as stream:
        writer = csv.DictWriter(stream, _COLUMNS)
        writer.writeheader()
        writer.writerows(election_document(election) for election in elections)
    return path


def write_lost(directory: Path, tier: str, scenario: str, verification: Verification | None) -> Path | None:
    """Write ``_lost.csv``, the namespace and key of each lost or phantom write; without any, remove an earlier one.

    Raises:
        ResultsError: it can't be written.
    """
    path = path_of(directory, tier, scenario, "lost.csv")
    if verification is None or not verification.lost_keys:
        remove(path)
        return None
    with replacing(path) as stream:
        writer = csv.writer(stream)
        writer.writerow(("namespace", "key"))
        writer.writerows(entry.partition("/")[::2] for entry in verification.lost_keys)
    return path
