"""Raft's rules for entries that come twice, put between the links and PySyncObj.

PySyncObj 0.3.17 cuts its log after `prevLogIdx` whatever follows, also when the same entries are there already; and its
leader goes back in what it sends whenever an answer comes while more is under way, so under load entries come twice all
the time. A follower killed between cutting and re-adding lacks entries it had acknowledged. Raft (section 5.3) cuts
only on a conflict; these functions turn each message into one on which PySyncObj does just that.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NamedTuple, Protocol

Message = dict[str, Any]


class PlainUnpickler(pickle.Unpickler):
    """Loads containers, numbers and strings, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a message between nodes")


def plain_loads(data: bytes | memoryview) -> Any:
    """Unpickle what another node sent. Raises UnpicklingError or EOFError when it is cut short or not plain."""
    return PlainUnpickler(io.BytesIO(data)).load()


class Log(Protocol):
    """The part of the journal that is looked at: entries of (command, index, term), consecutive indexes."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: int, /) -> tuple[bytes, int, int]: ...


class Outcome(NamedTuple):
    """What to do with a message."""

    deliver: Message | None
    """Hand this to PySyncObj."""
    reply: Message | None = None
    """And answer this to the sender, afterwards."""


def without_known_entries(log: Log, message: Message) -> Outcome:
    """An `append_entries` with the entries left out that the log has already.

    The caller has checked that the message's term is not an old one.
    """
    entries: list[tuple[bytes, int, int]] = list(message.get("entries", ()))
    previous: int = message["prevLogIdx"]
    first, last = log[0][1], log[-1][1]
    if not first <= previous <= last or log[previous - first][2] != message["prevLogTerm"]:
        return Outcome(message)  # PySyncObj asks the leader to go back, and cuts nothing
    known = 0
    while known < len(entries) and entries[known][1] <= last and log[entries[known][1] - first][2] == entries[known][2]:
        known += 1
    matched = previous + known
    if known < len(entries) or matched == last:
        # Either there is something to append, after a conflict perhaps, or nothing to cut.
        return Outcome(_shortened(message, log, first, matched, entries[known:]))
    if log[-1][2] == message["term"]:
        # An entry of this term came from this leader: then the whole log is the beginning of its log.
        return Outcome(_shortened(message, log, first, last, []))
    # The rest may be right or wrong: the leader's next entries will show it. Keep it, but don't count it as matched.
    return Outcome(heartbeat(message, min(message["commit_index"], matched)), next_index(matched + 1))


def heartbeat(message: Message, commit_index: int = 0) -> Message:
    """The sign of life in an `append_entries`, without anything that would touch the log."""
    return {"type": "append_entries", "term": message["term"], "commit_index": commit_index}


def _shortened(message: Message, log: Log, first: int, previous: int, entries: list[tuple[bytes, int, int]]) -> Message:
    return {**message, "prevLogIdx": previous, "prevLogTerm": log[previous - first][2], "entries": entries}


def next_index(index: int) -> Message:
    """A follower's answer: I have all before this entry as you have it, send me this one next."""
    return {"type": "next_node_idx", "next_node_idx": index, "reset": False, "success": True}
