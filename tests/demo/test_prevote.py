"""Who may stand for election, and who says yes to whom."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pysyncobj.node import Node

from confman_tui.demo.links import Links
from confman_tui.demo.prevote import ASK_AGAIN_S, PreVote
from confman_tui.demo.pysyncobj_hacks import SyncObjInternals


class FakeInside:
    """The election deadline and the end of the log: all that is looked at."""

    election_deadline = 10.0
    log = ((b"", 7, 3),)


class FakeLinks:
    def __init__(self, *names: str) -> None:
        self.peers = {name: Node(name) for name in names}
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, node: Node, message: dict[str, Any]) -> bool:
        self.sent.append((node.id, message))
        return True


def made(*peers: str) -> tuple[PreVote, FakeInside, FakeLinks]:
    inside, links = FakeInside(), FakeLinks(*peers)
    return PreVote(cast(SyncObjInternals, inside), cast(Links, links), (1.0, 3.0)), inside, links


def test_it_stands_only_with_a_majority() -> None:
    pre_vote, inside, links = made("b", "c", "d", "e")
    pre_vote.before_tick(9.9)
    assert (pre_vote.standing, links.sent) == (False, [])
    pre_vote.before_tick(10.1)
    assert pre_vote.standing
    assert inside.election_deadline > 10.1, "PySyncObj must not stand yet"
    assert [name for name, _ in links.sent] == ["b", "c", "d", "e"]
    granted = {"type": "pre_vote_granted", "round": links.sent[0][1]["round"]}
    pre_vote.on_granted(links.peers["b"], granted)
    pre_vote.on_granted(links.peers["b"], granted)
    pre_vote.before_tick(10.11)
    assert inside.election_deadline > 10.11, "the same node twice is no majority"
    pre_vote.on_granted(links.peers["c"], granted)
    pre_vote.before_tick(10.12)
    assert inside.election_deadline < 10.12, "now PySyncObj may stand"


def test_it_asks_again_and_forgets_old_answers() -> None:
    pre_vote, _, links = made("b", "c", "d", "e")
    pre_vote.before_tick(10.1)
    first = {"round": links.sent[-1][1]["round"]}
    pre_vote.on_granted(links.peers["b"], first)
    pre_vote.before_tick(10.1 + ASK_AGAIN_S)
    assert len(links.sent) == 8
    pre_vote.on_granted(links.peers["c"], first)
    pre_vote.before_tick(10.11 + ASK_AGAIN_S)
    assert pre_vote.standing


def test_a_word_from_a_leader_ends_it() -> None:
    pre_vote, inside, links = made("b", "c")
    pre_vote.before_tick(10.1)
    inside.election_deadline = 12.5  # as PySyncObj does when a leader sends something or it gives its vote
    assert not pre_vote.standing
    pre_vote.on_granted(links.peers["b"], {"round": links.sent[-1][1]["round"]})
    pre_vote.before_tick(10.2)
    assert inside.election_deadline == 12.5


def test_a_node_alone_needs_nobody() -> None:
    pre_vote, inside, _ = made()
    pre_vote.before_tick(10.1)
    assert inside.election_deadline < 10.1


@pytest.mark.parametrize(
    ("heard_ago", "leads", "term", "index", "agrees"),
    [
        (1.0, False, 3, 7, True),
        (None, False, 3, 7, True),
        (0.9, False, 3, 7, False),
        (1.0, True, 3, 7, False),
        (1.0, False, 3, 6, False),
        (1.0, False, 2, 9, False),
        (1.0, False, 4, 1, True),
    ],
)
def test_a_node_agrees_when_its_leader_is_silent_and_the_log_is_no_worse(
    heard_ago: float | None, leads: bool, term: int, index: int, agrees: bool
) -> None:
    pre_vote, _, links = made("b", "c")
    if heard_ago is not None:
        pre_vote.on_leader(20.0 - heard_ago)
    pre_vote.on_question(links.peers["b"], {"round": 5, "term": term, "index": index}, 20.0, leads=leads)
    assert links.sent == ([("b", {"type": "pre_vote_granted", "round": 5})] if agrees else [])
