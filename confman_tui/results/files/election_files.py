"""Elections and verdicts as rows: ``_elections.csv``, ``_verification.csv``, ``_lost.csv`` and their names in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from confman_tui.cluster.elections import Breach, Election, Verification
from confman_tui.results.files.formats import to_json, write_rows
from confman_tui.results.files.output_folder import path_of, remove
from confman_tui.results.formatting import from_iso, iso
from confman_tui.results.statistics.repeats import VERDICT_COUNTS

_COLUMNS = (
    *("origin", "fault", "fault_node", "fault_by", "old_leader", "new_leader", "term_before", "term_after", "rounds"),
    *("lost_s", "term_s", "claim_s", "serving_s", "agree_s", "first_write_s", "without_writes_s"),
    *("uncertainty_s", "write_uncertainty_s", "intended_writes", "reads_ok", "reads_failed"),
    *("longest_wait_s", "recover90_s", "writes_missed", "detected_s", "writes_from_poll", "stalled"),
)
_ADDED_LATER = {"detected_s", "writes_from_poll", "stalled"}
"""What files of early versions lack."""


def election_document(election: Election) -> dict[str, Any]:
    """An election as JSON and the CSV have it: steps in seconds from ``origin``, None for a step not seen. ``stalled``:
    the leader was lost for a while and led on in its term, nobody was elected."""
    document = to_json(election)
    fault = document["fault"] or {"kind": None, "node": None, "by": None}
    document["origin"] = iso(election.origin, "microseconds")
    document.update(stalled=election.stalled, fault=fault["kind"], fault_node=fault["node"], fault_by=fault["by"])
    return {name: document[name] for name in _COLUMNS}


def election_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `Election` that `election_document` wrote, their types not yet checked.

    A fault's time is not kept of its own: it is the election's origin.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: `election_document` wrote no such thing.
    """
    if not set(_COLUMNS) - _ADDED_LATER <= document.keys():
        raise KeyError("a step or figure")
    origin = from_iso(document["origin"])
    fault = None
    if document["fault"] is not None:
        node, by = document["fault_node"] or "", document["fault_by"] or ""
        fault = {"kind": document["fault"], "node": node, "at": origin, "by": by}
    return {**document, "origin": origin, "fault": fault}


def verification_document(verification: Verification | None) -> dict[str, Any] | None:
    """A verdict as JSON has it; None when nothing was verified."""
    if verification is None:
        return None
    verdict = {"judged": verification.judged, "passed": verification.passed}
    return {**to_json(verification, 3), "lost_keys": list(verification.lost_keys), **verdict}


def verification_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `Verification` that `verification_document` wrote, their types not yet checked; KeyError
    without one of the counts: no count may pass for none lost.

    Early versions kept the keys alone, of lost and phantom writes.
    """
    broken = document.get("broken")
    if broken is None:
        broken = [{"key": key, "breach": Breach.LOST} for key in document.get("lost_keys", ())]
    return {**document, **{name: document[name] for name in VERDICT_COUNTS}, "broken": broken}


def write_elections(directory: Path, tier: str, scenario: str, elections: Sequence[Election]) -> Path:
    """Write ``_elections.csv``, one row per election. Without any it holds its heading alone, so that the file of an
    earlier run does not show elections that this one did not have.

    Raises:
        ResultsError: it can't be written.
    """
    path = path_of(directory, tier, scenario, "elections.csv")
    return write_rows(path, _COLUMNS, [election_document(election) for election in elections])


_VERDICT_COLUMNS = (
    *("judged", "passed", "nodes_read", "nodes", "acknowledged", "refused", "unknown", "checked", "lost", "diverged"),
    *("stale", "not_caught_up", "unproven", "recovered", "phantom", "late", "unread", "by_probe", "seconds"),
)


def write_verdict(directory: Path, tier: str, scenario: str, verification: Verification | None) -> Path | None:
    """Write ``_verification.csv``, the verdict on a run's writes in one row of figures, with the names that JSON has;
    without any, remove an earlier one.

    Raises:
        ResultsError: it can't be written.
    """
    path = path_of(directory, tier, scenario, "verification.csv")
    document = verification_document(verification)
    if document is None:
        remove(path)
        return None
    return write_rows(path, _VERDICT_COLUMNS, [{name: document[name] for name in _VERDICT_COLUMNS}])


def write_lost(directory: Path, tier: str, scenario: str, verification: Verification | None) -> Path | None:
    """Write ``_lost.csv``: a row for each lost, diverged or phantom write, with what each node holds and from how many
    of the nodes the run's writes were read back; without any, remove an earlier one.

    Raises:
        ResultsError: it can't be written.
    """
    path = path_of(directory, tier, scenario, "lost.csv")
    if verification is None or not verification.broken:
        remove(path)
        return None
    nodes = tuple(dict.fromkeys(chain.from_iterable(one.holds for one in verification.broken)))
    rows: list[dict[str, object]] = []
    for one in verification.broken:
        namespace, _, key = one.key.partition("/")
        read = {"nodes_read": verification.nodes_read, "nodes": verification.nodes}
        rows.append({"namespace": namespace, "key": key, "verdict": one.breach, **read, **one.holds})
    return write_rows(path, ("namespace", "key", "verdict", "nodes_read", "nodes", *nodes), rows)
