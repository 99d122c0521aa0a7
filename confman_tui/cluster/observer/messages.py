"""What the observer's process and the program say to each other: a JSON array of messages on each line.

A message is an array that begins with its kind. To the program: ``poll`` with the fields of a `Poll`, ``start``,
``end`` and ``pass`` with the arguments of `WriteObserver.started`, `WriteObserver.ended` and `ProbeObserver.passed`,
``up`` (it polls now), ``mode`` with 1 (alert) or 0 (calm), a time and the reason, ``stopped`` (the probe has ended),
``crash`` with a sentence. To the observer: ``probe`` (begin), ``booking`` with 0 or 1, ``sign`` with a reason (be
alert), ``stop`` (end the probe). The first line to it is an object, `Config`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.states import Poll, PollKind
from confman_tui.cluster.watch_mode import WatchPace

Message = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Config:
    """What a observer needs to know. It goes through a pipe, so that the key is on no command line."""

    nodes: tuple[str, ...]
    api_key: str = field(repr=False)
    pace: WatchPace
    run_id: str
    """Distinguishes this observer's probe keys from any other's."""
    clock_offset: float
    """What to add to the machine's monotonic clock for the program's clock, in seconds."""


def config_line(config: Config) -> bytes:
    """The first line."""
    return json.dumps(asdict(config)).encode() + b"\n"


def read_config(line: bytes) -> Config:
    """Back from `config_line`."""
    told: dict[str, Any] = json.loads(line)
    return Config(**{**told, "nodes": tuple(told["nodes"]), "pace": WatchPace(**told["pace"])})


def messages_line(messages: Sequence[Message]) -> bytes:
    """One line of messages."""
    return json.dumps(messages, separators=(",", ":")).encode() + b"\n"


def read_messages(line: bytes) -> list[Message]:
    """Back from `messages_line`."""
    messages: list[Message] = json.loads(line)
    return messages


def poll_message(poll: Poll) -> Message:
    """A poll."""
    return (
        "poll",
        poll.node,
        poll.sent,
        poll.answered,
        poll.kind.value,
        poll.ready,
        poll.role,
        poll.leader,
        poll.term,
        poll.detail,
    )


def read_poll(message: Message) -> Poll:
    """Back from `poll_message`."""
    _, node, sent, answered, kind, ready, role, leader, term, detail = message
    return Poll(node, sent, answered, PollKind(kind), ready, role, leader, term, detail)


def ended_message(
    namespace: str, key: str, digest: int, started: float, ended: float, node: str, outcome: WriteOutcome
) -> Message:
    """A probe write that is booked."""
    return ("end", namespace, key, digest, started, ended, node, int(outcome))


def passed_message(started: float, ended: float, outcome: WriteOutcome, node: str) -> Message:
    """A probe write that is not."""
    return ("pass", started, ended, int(outcome), node)
