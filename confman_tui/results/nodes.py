"""Which nodes a run was sent to and how each did: in JSON, the way back, and as sentences for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from confman_tui.load.run_model import NodeOutcome
from confman_tui.results.model import ScenarioResult
from confman_tui.results.plain import count, per_cent, rounded, short_node
from confman_tui.settings.scenarios import Reads

READS_WORDS = {
    Reads.ALL: "all nodes",
    Reads.ENTRY: "the entry",
    Reads.LEADER: "the leader",
    Reads.FOLLOWERS: "the followers",
}


def reads_words(reads: Reads | None) -> str:
    """Where the reads of a run go, in words; empty where they go as they do by default, and where there are none."""
    return "" if reads is None or reads is Reads.ALL else f"reads from {READS_WORDS[reads]}"


def nodes_document(result: ScenarioResult) -> dict[str, Any]:
    """What a scenario's document holds of the nodes.

    ``reads`` is where its reads went (``--reads``), None for a scenario that only writes. ``by_node`` has an entry for
    each node that was sent something: ``requests`` (of which ``reads`` and ``writes``) and ``failed`` count as those of
    the scenario do, and a redirected one for the node it was sent to first. ``rps`` counts successful requests per
    second of the whole run; so the nodes' add up to the scenario's. Percentiles are of successful requests, in µs.
    """
    outcome = result.outcome
    seconds = outcome.ended - outcome.started
    return {
        "reads": None if result.reads is None else str(result.reads),
        "by_node": [
            {
                "node": held.node,
                "requests": held.requests,
                "failed": held.failed,
                "reads": held.reads,
                "writes": held.writes,
                "reads_failed": held.reads_failed,
                "writes_failed": held.writes_failed,
                "rps": rounded(held.ok / seconds, 3) if seconds > 0 else 0.0,
                "p50_us": held.p50_us,
                "p99_us": held.p99_us,
            }
            for held in outcome.by_node
        ],
    }


def reads_from(document: Mapping[str, Any]) -> Reads | None:
    """Where the reads went; None for a scenario that only wrote, and for what was written before there was a choice."""
    held = document.get("reads")
    return None if held is None else Reads(held)


def by_node_from(document: Mapping[str, Any]) -> tuple[NodeOutcome, ...]:
    """What `nodes_document` wrote of each node; KeyError, ValueError or TypeError for anything else. A document without
    it is one of an earlier version."""
    return tuple(_node_from(item) for item in document.get("by_node", ()))


def _node_from(item: Mapping[str, Any]) -> NodeOutcome:
    def latency(name: str) -> int | None:
        return None if item[name] is None else count(item[name])

    reads, reads_failed = count(item["reads"]), count(item["reads_failed"])
    writes, writes_failed = count(item["writes"]), count(item["writes_failed"])
    if reads_failed > reads or writes_failed > writes:
        raise ValueError("more failures than requests")
    return NodeOutcome(
        node=str(item["node"]),
        reads_ok=reads - reads_failed,
        writes_ok=writes - writes_failed,
        reads_failed=reads_failed,
        writes_failed=writes_failed,
        p50_us=latency("p50_us"),
        p99_us=latency("p99_us"),
    )


def nodes_notes(result: ScenarioResult) -> list[str]:
    """Which nodes were read from, a sentence: where that isn't all of them, and of one user, who reads from one."""
    if result.reads is None or (result.reads is Reads.ALL and result.users != 1):
        return []
    read = [held for held in result.outcome.by_node if held.reads]
    if not read:
        return []
    words = reads_words(result.reads)
    return [f"{words}: {_shares(read)}" if words else f"reads from {_shares(read)}"]


def _shares(read: Sequence[NodeOutcome]) -> str:
    """``127.0.0.1:6100``; of several nodes each with its share of the reads."""
    if len(read) == 1:
        return short_node(read[0].node)
    whole = sum(held.reads for held in read)
    return ", ".join(f"{short_node(held.node)} {per_cent(held.reads, whole)}" for held in read)
