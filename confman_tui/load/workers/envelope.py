"""Locust's messages between master and workers, each field within bounds before anything takes it.

A message of Locust's is MessagePack: its kind, its data, and the sender's name. Which kinds there are, and what their
data may be, stands here; all else is `NoMessage`. What is ours (`messages`) goes inside, already checked.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from locust.rpc import Message
from msgspec import Meta

from confman_tui.load.workers import messages
from confman_tui.load.workers.messages import Kind, Text
from confman_tui.settings.values import MAX_USERS

MOST_FROM_WORKER = 1 << 20
"""Bytes of one message; libzmq drops the connection that brings a longer one."""
MOST_FROM_MASTER = 32 << 20
"""A plan of a hundred thousand keys takes 5 MB."""
_LONGEST_NAME = 255
_MOST_ANSWERS = 2_000_000
"""Requests that one report may count."""

_Name = Annotated[str, Meta(max_length=300)]
_Users = Annotated[int, Meta(ge=0, le=MAX_USERS)]
_UsersOfClass = Annotated[dict[Annotated[str, Meta(max_length=40)], _Users], Meta(max_length=8)]
_Counted = Annotated[int, Meta(ge=0, le=_MOST_ANSWERS)]
_Milliseconds = Annotated[float, Meta(ge=0, le=1e8)]
_Sum = Annotated[float, Meta(ge=0, le=1e14)]
_Moment = Annotated[float, Meta(ge=0, le=1e11)]
_Latencies = Annotated[dict[Annotated[int, Meta(ge=0, le=10**8)], _Counted], Meta(max_length=4_000)]
_PerSecond = Annotated[dict[Annotated[int, Meta(ge=0, le=10**11)], _Counted], Meta(max_length=4_000)]


class NoMessage(Exception):
    """Why it is none, in some words that may be shown."""


class Hello(TypedDict):
    """See `Kind.HELLO`."""

    version: Annotated[str, Meta(max_length=40)]
    protocol: Annotated[int, Meta(ge=0, le=10**6)]
    name: NotRequired[_Name]
    ticket: NotRequired[Annotated[str, Meta(max_length=64)]]


class _Heartbeat(TypedDict):
    state: Literal["ready", "spawning", "running"]
    current_cpu_usage: Annotated[float, Meta(ge=0, le=1e6)]
    current_memory_usage: Annotated[int, Meta(ge=0, le=2**60)]


class StatsEntry(TypedDict):
    """One row of Locust's statistics, as its workers report it (`locust.stats.StatsEntryDict`)."""

    name: Literal["/config/[key] GET", "/config/[key] PUT", "Aggregated"]
    method: Literal["GET", "PUT", ""]
    last_request_timestamp: _Moment | None
    start_time: _Moment
    num_requests: _Counted
    num_none_requests: _Counted
    num_failures: _Counted
    total_response_time: _Sum
    max_response_time: _Milliseconds
    min_response_time: _Milliseconds | None
    total_content_length: Annotated[int, Meta(ge=0, le=2**60)]
    response_times: _Latencies
    num_reqs_per_sec: _PerSecond
    num_fail_per_sec: _PerSecond


class _StatsError(TypedDict):
    name: Literal["/config/[key] GET", "/config/[key] PUT"]
    method: Literal["GET", "PUT"]
    error: Text
    occurrences: _Counted
    first_seen: NotRequired[_Moment | None]
    last_seen: NotRequired[_Moment | None]


class Stats(TypedDict):
    """Locust's statistics since the last report."""

    stats: Annotated[list[StatsEntry], Meta(max_length=2)]
    stats_total: StatsEntry
    errors: Annotated[dict[Annotated[str, Meta(max_length=64)], _StatsError], Meta(max_length=256)]
    user_classes_count: _UsersOfClass
    user_count: _Users


class _Spawned(TypedDict):
    user_classes_count: _UsersOfClass
    user_count: _Users


class _Exception(TypedDict):
    msg: Annotated[str, Meta(max_length=100_000)]
    traceback: Annotated[str, Meta(max_length=200_000)]


class _Acknowledged(TypedDict):
    index: Annotated[int, Meta(ge=0)]


class _Spawn(TypedDict):
    timestamp: _Moment
    user_classes_count: _UsersOfClass
    host: Annotated[str, Meta(max_length=100)] | None
    stop_timeout: Annotated[float, Meta(ge=0, le=1e5)] | None
    parsed_options: Annotated[dict[str, str], Meta(max_length=0)]


class _UserCount(TypedDict):
    user_count: _Users


_FROM_WORKER: dict[str, Any] = {
    Kind.HELLO: Hello,
    Kind.MESSAGE: bytes,
    "client_ready": Annotated[str, Meta(max_length=40)],
    "client_stopped": None,
    "heartbeat": _Heartbeat,
    "stats": Stats,
    "spawning": None,
    "spawning_complete": _Spawned,
    "exception": _Exception,
    "quit": None,
}
"""Of Locust's kinds those that our workers send: not ``logs``, and not ``locustfile``, which asks for a file."""
_FROM_MASTER: dict[str, Any] = {
    Kind.REFUSED: Annotated[str, Meta(max_length=300)],
    Kind.WAIT: Annotated[str, Meta(max_length=300)] | None,
    Kind.MESSAGE: bytes,
    "ack": _Acknowledged | None,
    "spawn": _Spawn,
    "spawning_complete": _UserCount,
    "stop": None,
    "heartbeat": None,
    "quit": None,
}

_whole = msgspec.msgpack.Decoder(
    tuple[Annotated[str, Meta(max_length=40)], msgspec.Raw, Annotated[str, Meta(max_length=_LONGEST_NAME)]]
).decode
_from_worker = {kind: msgspec.msgpack.Decoder(data).decode for kind, data in _FROM_WORKER.items()}
_from_master = {kind: msgspec.msgpack.Decoder(data).decode for kind, data in _FROM_MASTER.items()}


def connection_id(address: bytes) -> str | None:
    """The name of a worker's connection; None where it is none that Locust gives."""
    try:
        name = address.decode()
    except UnicodeDecodeError:
        return None
    return name if name and name.isprintable() and len(name) <= _LONGEST_NAME else None


def from_worker(client_id: str, data: bytes) -> Message:
    """A worker's message, its data checked, and decoded where it is ours. ``client_id`` is the connection's name, which
    stands for whatever the message says of itself.

    Raises:
        NoMessage: it is none.
    """
    return _message(data, _from_worker, messages.from_worker, client_id)


def from_master(data: bytes) -> Message:
    """The master's message, likewise.

    Raises:
        NoMessage: it is none.
    """
    return _message(data, _from_master, messages.from_master, None)


def _message(data: bytes, kinds: dict[str, Any], ours: Any, sender: str | None) -> Message:
    what = "it is no message"
    try:
        kind, raw, receiver = _whole(data)
        decode = kinds.get(kind)
        if decode is None:
            raise NoMessage("it is of no known kind")
        what = f"'{kind}' is malformed"
        content = decode(raw)
        if kind == Kind.MESSAGE:
            content = ours(content)
            what = f"'{type(content).__name__}' is malformed"
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise NoMessage(f"{what}: {messages.plain(str(error), 120)}") from None
    return Message(kind, content, receiver if sender is None else sender)  # type: ignore[no-untyped-call]
