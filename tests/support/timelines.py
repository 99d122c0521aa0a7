"""The timelines recorded from a real Confman (tests/data), as the polls that our poller would have made.

They hold changes only, so each answer is repeated until the next change. A paused node's polls time out from the
signal on, whatever the recording prober's own deadline of 2 s made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confman_tui.cluster.polling import DEADLINE_S, parse_answer
from confman_tui.cluster.states import Fact, Poll, PollKind

DATA = Path(__file__).parent.parent / "data"
A, B, C = NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))
FAST = 0.001
"""How long an answer takes here, in seconds."""

_FAILURES = {"ReadError": PollKind.RESET, "ConnectError": PollKind.REFUSED, "ReadTimeout": PollKind.TIMEOUT}
Change = tuple[float, str, Any]


def answer(node: str, sent: float, role: str, leader: str | None, term: int, *, took: float = FAST) -> Poll:
    """An answered poll; ready when a leader is named, as Confman does it."""
    kind = PollKind.ANSWER
    return Poll(node, sent, sent + took, kind, ready=leader is not None, role=role, leader=leader, term=term)


def failure(node: str, sent: float, kind: PollKind, detail: str = "") -> Poll:
    """A poll without an answer."""
    return Poll(node, sent, sent + (DEADLINE_S if kind is PollKind.TIMEOUT else FAST), kind, detail=detail)


def _poll(node: str, sent: float, recorded: Any) -> Poll:
    if isinstance(recorded, str):
        return failure(node, sent, _FAILURES[recorded])
    status, word, cluster = recorded
    body = json.dumps({"status": word, "timestamp": "", "cluster": cluster}).encode()
    return parse_answer(node, sent, sent + FAST, status, body)


def expand(changes: Sequence[Change], until: float, every_s: float) -> list[Poll]:
    """Polls on a grid, the nodes one after another within it, in the order in which they end."""
    polls: list[Poll] = []
    for place, node in enumerate(NODES):
        own = [change for change in changes if change[1] == node]
        at, sent = -1, round(place * every_s / 10, 6)
        busy_until = 0.0
        while sent < until:
            while at + 1 < len(own) and own[at + 1][0] <= sent:
                at += 1
            if at >= 0 and sent >= busy_until:
                poll = _poll(node, sent, own[at][2])
                busy_until = poll.answered
                polls.append(poll)
            sent = round(sent + every_s, 6)
    return sorted(polls, key=lambda poll: poll.answered)


def recorded(name: str) -> tuple[list[Change], list[dict[str, Any]]]:
    """The readiness answers and the signals of a recorded timeline."""
    lines = json.loads((DATA / f"{name}.json").read_text())
    changes: list[Change] = []
    paused: list[str] = []
    for line in lines:
        if line["what"] == "ready" and line["answer"] != "ReadTimeout":
            changes.append((line["t"], line["node"], line["answer"]))
        elif line.get("signal") == "SIGSTOP":
            paused = line["nodes"]
            changes += [(line["t"], node, "ReadTimeout") for node in paused]
    return sorted(changes, key=lambda change: change[0]), [line for line in lines if line["what"] == "signal"]


def timeline(name: str, every_s: float) -> list[Poll]:
    """A whole recorded timeline as polls."""
    changes, _ = recorded(name)
    return expand(changes, changes[-1][0] + 2.0, every_s)


def trials(kind: str) -> Iterator[dict[str, Any]]:
    """The ten detailed trials of leader kills (``kill``) or pauses (``pause``)."""
    yield from json.loads((DATA / "elections.json").read_text())[kind]["trials"]


def node_url(name: str) -> str:
    """``node2`` of the trials as a base URL."""
    return NODES[int(name[-1]) - 1]


def trial_polls(trial: dict[str, Any], every_s: float) -> list[Poll]:
    """A detailed trial as polls: 2 s of agreement, the signal at time 0, and what the nodes then said."""
    old = node_url(trial["old_leader"])
    before = {"leaderKnown": True, "leader": old + "/", "term": trial["term_before"]}
    changes: list[Change] = []
    for node in NODES:
        role = "leader" if node == old else "follower"
        changes.append((-2.0, node, (200, "ready", {"role": role, **before})))
    for name, answers in trial["survivor_ready"].items():
        for at, status, role, leader, term in answers:
            cluster = {"role": role, "leaderKnown": leader is not None, "leader": leader, "term": term}
            changes.append((at, node_url(name), (status, "", cluster)))
    changes.append((0.0, old, "ReadTimeout" if trial["kind"] == "pause" else "ConnectError"))
    resumed_at = trial["first_ok_write_s"] + 3.0
    polls = expand(
        [(at + 2.0, node, said) for at, node, said in changes],
        (resumed_at if trial["kind"] == "pause" else resumed_at + 1.0) + 2.0,
        every_s,
    )
    polls = [_shifted(poll, -2.0) for poll in polls]
    if trial["kind"] != "pause":
        return polls
    # The resumed node's answers, with their recorded times of asking; the survivors go on as they were.
    resumed = []
    for said in trial["resumed_ready"]:
        sent, came = resumed_at + said["asked_at"], resumed_at + said["t"]
        kind, ready = PollKind.ANSWER, said["status"] == 200
        leader = said["leader"].rstrip("/") if said["leader"] else None
        resumed.append(Poll(old, sent, came, kind, ready=ready, role=said["role"], leader=leader, term=said["term"]))
    last = {poll.node: poll for poll in polls if poll.node != old}
    steady = [_shifted(poll, resumed_at - poll.sent + step * every_s) for poll in last.values() for step in range(20)]
    final = [_shifted(resumed[-1], resumed_at + 0.2 - resumed[-1].sent + step * every_s) for step in range(20)]
    ended = [poll for poll in polls if poll.sent < resumed_at and poll.answered <= resumed[0].answered]
    kept = [poll for poll in ended if poll.node != old or poll.answered <= resumed[0].sent]
    return sorted(kept + resumed + steady + final, key=lambda poll: poll.answered)


def _shifted(poll: Poll, by_s: float) -> Poll:
    return Poll(
        poll.node,
        poll.sent + by_s,
        poll.answered + by_s,
        poll.kind,
        poll.ready,
        poll.role,
        poll.leader,
        poll.term,
        poll.detail,
    )


def rows_of(facts: Sequence[Fact]) -> list[tuple[str, str | None, int | None]]:
    """Facts as short rows: kind, port of the node, term."""
    return [(fact.kind.value, fact.node and fact.node.rpartition(":")[2], fact.term) for fact in facts]
