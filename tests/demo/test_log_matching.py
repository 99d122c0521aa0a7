"""Raft's log matching put before PySyncObj: against what its handler does with a message, on all kinds of messages."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.demo.log_matching import plain_loads, without_known_entries

Entry = tuple[bytes, int, int]


def pysyncobj_appends(log: list[Entry], message: dict[str, Any]) -> int | None:
    """What PySyncObj 0.3.17 does with an `append_entries`: cut behind `prevLogIdx`, append. Gives the index it
    acknowledges, None when it does not."""
    if "prevLogIdx" not in message:
        return None
    previous, first = message["prevLogIdx"], log[0][1]
    if not first <= previous <= log[-1][1] or log[previous - first][2] != message["prevLogTerm"]:
        return None
    del log[previous - first + 1 :]
    log.extend(message["entries"])
    return log[-1][1]


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Entry], list[Entry], int]:
    """A leader's log and a follower's, as Raft allows them: equal up to a point, different terms after it."""
    terms = sorted(draw(st.lists(st.integers(1, 4), min_size=1, max_size=12)))
    leader = [(b"L%d" % index, index, term) for index, term in enumerate(terms, 1)]
    shared = draw(st.integers(1, len(leader)))
    follower = leader[:shared]
    # What another leader appended here: in terms that this leader did not lead, never above its own.
    own_term = draw(st.integers(terms[-1], 6))
    not_ours = [term for term in range(follower[-1][2], own_term) if term not in terms[shared:]]
    if not_ours:
        for term in sorted(draw(st.lists(st.sampled_from(not_ours), max_size=5))):
            follower.append((b"F%d" % len(follower), follower[-1][1] + 1, term))
    return leader, follower, own_term


def common(leader: list[Entry], follower: list[Entry]) -> int:
    """The index up to which two logs are the same."""
    same = 0
    for ours, theirs in zip(leader, follower, strict=False):
        if ours != theirs:
            break
        same = ours[1]
    return same


@given(both=logs(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_any_messages_in_any_order_never_cost_a_matching_entry(
    both: tuple[list[Entry], list[Entry], int], data: st.DataObject
) -> None:
    leader, follower, term = both
    # As a leader does first of all, it appends an entry of its own term.
    if leader[-1][2] != term:
        leader.append((b"noop", leader[-1][1] + 1, term))
    for _ in range(data.draw(st.integers(1, 12))):
        previous = data.draw(st.integers(1, len(leader)))
        upto = data.draw(st.integers(previous, len(leader)))
        message = {
            "type": "append_entries",
            "term": term,
            "commit_index": 0,
            "prevLogIdx": previous,
            "prevLogTerm": leader[previous - 1][2],
            "entries": leader[previous:upto],
        }
        before, matched = list(follower), common(leader, follower)
        deliver, reply = without_known_entries(follower, message)
        acknowledged = pysyncobj_appends(follower, deliver) if deliver is not None else None
        if reply is not None:
            assert acknowledged is None
            acknowledged = reply["next_node_idx"] - 1
        assert common(leader, follower) >= matched, "an entry that the leader has was cut"
        if acknowledged is not None:
            assert common(leader, follower) >= acknowledged >= upto, "more was acknowledged than matches"
        if deliver is not None and "prevLogIdx" not in deliver:
            assert deliver["commit_index"] <= common(leader, follower)
            assert follower == before
    # At last the leader sends everything: the logs become equal.
    message = {**message, "prevLogIdx": 1, "prevLogTerm": leader[0][2], "entries": leader[1:]}
    deliver, _ = without_known_entries(follower, message)
    if deliver is not None:
        pysyncobj_appends(follower, deliver)
    assert follower == leader


def test_entries_from_before_the_log_begins_are_left_to_pysyncobj() -> None:
    log = [(b"a", 5, 1), (b"b", 6, 1)]
    message = {"type": "append_entries", "term": 1, "prevLogIdx": 3, "prevLogTerm": 1, "entries": [], "commit_index": 0}
    assert without_known_entries(log, message).deliver is message


def test_a_message_between_nodes_can_not_run_code() -> None:
    assert plain_loads(pickle.dumps({"a": [(b"c", 1, 2)], "b": None})) == {"a": [(b"c", 1, 2)], "b": None}
    with pytest.raises(pickle.UnpicklingError, match="no place"):
        plain_loads(pickle.dumps(print))
