"""What master and workers say to each other, inside Locust's messages.

Locust's own reports carry rounded statistics. Beside them go the exact seconds (`SecondCounts`), every write, the plan
and the targets. Numbers go as packed little-endian arrays, so that a second of 10,000 requests is exact in 3 KB
(answers within some hundreds of µs) to 48 KB (hardly two alike).
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum, StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from confman_tui import __version__
from confman_tui.cluster.elections import WriteObserver, WriteOutcome
from confman_tui.load.run_model import Cause, RunPlan
from confman_tui.load.second import NodeCounts, SecondCounts
from confman_tui.load.targets import Targets

PROTOCOL = 3
"""Raised whenever a message changes its form."""

_SUMS = ("reads", "writes")
"""Fields of a bucket that the others add up to."""


class Kind(StrEnum):
    """The messages that are ours."""

    # from a worker
    HELLO = "confman.hello"
    PING = "confman.ping"
    PREPARED = "confman.prepared"
    SECOND = "confman.second"
    WRITES = "confman.writes"
    PULSE = "confman.pulse"
    TROUBLE = "confman.trouble"
    DRAINED = "confman.drained"
    DEFECT = "confman.defect"
    # from the master
    REFUSED = "confman.refused"
    WAIT = "confman.wait"
    PONG = "confman.pong"
    PLAN = "confman.plan"
    GO = "confman.go"
    TARGETS = "confman.targets"
    RATE = "confman.rate"
    DRAIN = "confman.drain"


FROM_WORKERS = (
    *(Kind.HELLO, Kind.PING, Kind.PREPARED, Kind.SECOND),
    *(Kind.WRITES, Kind.PULSE, Kind.TROUBLE, Kind.DRAINED, Kind.DEFECT),
)


class WireError(ValueError):
    """A message that no process of this version sends."""


def identity() -> dict[str, Any]:
    """The version of this program, as a worker's hello tells it."""
    return {"version": __version__, "protocol": PROTOCOL}


def told_version(said: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """A version in words, and what else differs from the other's of the same number."""
    version = "".join(letter for letter in str(said.get("version"))[:30] if letter.isprintable())
    return version if version != other.get("version") else f"{version} (messages of form {said.get('protocol')})"


# -- packed numbers


def _packed(code: str, numbers: Sequence[float]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _narrowly(numbers: Sequence[int]) -> list[Any]:
    """Whole numbers from 0 on, packed to the narrowest of 1, 2, 4 and 8 bytes each, and the code that says so."""
    bits = max(numbers, default=0).bit_length()
    code = next(code for code, most in (("B", 8), ("H", 16), ("I", 32), ("Q", 64)) if bits <= most)
    return [code, _packed(code, numbers)]


def _unpacked(code: str, data: Any) -> list[Any]:
    numbers = array(code)
    try:
        numbers.frombytes(data)
    except (TypeError, ValueError) as error:
        raise WireError(f"no packed numbers: {error}") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


# -- a second


def pack_bucket(bucket: SecondCounts) -> dict[str, Any]:
    """A bucket as a message can hold it: every field, by the form of its value, but for those that are sums of others
    (see `SecondCounts.sum_up`)."""
    packed: dict[str, Any] = {}
    for item in fields(bucket):
        if item.name in _SUMS:
            continue
        value = getattr(bucket, item.name)
        if item.name == "failures":
            counts = Counter(value)
            packed[item.name] = ["f", [[w, str(cause), text, times] for (w, cause, text), times in counts.items()]]
        elif item.name == "by_node":
            packed[item.name] = ["n", {node: _pack_node(counts) for node, counts in value.items()}]
        elif isinstance(value, Counter):
            packed[item.name] = ["c", _pack_counter(value)]
        elif isinstance(value, list):
            packed[item.name] = _narrowly(value)
        else:
            packed[item.name] = ["v", value]
    return packed


def _pack_counter(counts: Counter[int]) -> list[Any]:
    return [_narrowly([*counts]), _narrowly([*counts.values()])]


def _unpack_counter(packed: Any) -> Counter[int]:
    numbers, times = (_unpacked(code, data) for code, data in packed)
    return Counter(dict(zip(numbers, times, strict=True)))


def _pack_node(counts: NodeCounts) -> list[Any]:
    latencies = (_pack_counter(counts.reads), _pack_counter(counts.writes))
    return [*latencies, counts.reads_failed, counts.writes_failed]


def _unpack_node(packed: Any) -> NodeCounts:
    reads, writes, reads_failed, writes_failed = packed
    return NodeCounts(_unpack_counter(reads), _unpack_counter(writes), int(reads_failed), int(writes_failed))


def unpack_bucket(packed: Mapping[str, Any]) -> SecondCounts:
    """The bucket of such a message. Raises WireError."""
    values: dict[str, Any] = {}
    try:
        for name, (form, value) in packed.items():
            if form == "f":
                values[name] = [
                    (bool(is_write), Cause(cause), text) for is_write, cause, text, times in value for _ in range(times)
                ]
            elif form == "v":
                values[name] = value
            elif form == "c":
                values[name] = _unpack_counter(value)
            elif form == "n":
                values[name] = {str(node): _unpack_node(held) for node, held in value.items()}
            else:
                values[name] = _unpacked(form, value)
        bucket = SecondCounts(**values)
        bucket.sum_up()
        return bucket
    except (AttributeError, TypeError, ValueError) as error:
        raise WireError(f"no second: {error}") from None


# -- the plan


def pack_plan(plan: RunPlan) -> dict[str, Any]:
    """A plan without what stays with the master: the API key, which each worker has from elsewhere, and the files."""
    return {
        item.name: _plain(getattr(plan, item.name))
        for item in fields(plan)
        if item.name not in ("api_key", "csv_prefix")
    }


def unpack_plan(packed: Mapping[str, Any], api_key: str) -> RunPlan:
    """The plan, with this process's key. Raises WireError."""
    hints = get_type_hints(RunPlan)
    try:
        return RunPlan(**{name: _as(hints[name], value) for name, value in packed.items()}, api_key=api_key)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"no plan: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _as(hint: Any, value: Any) -> Any:
    """What the wire made of a value, as the type that the plan's field has."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _as(next(argument for argument in arguments if argument is not type(None)), value)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return tuple(_as(arguments[0], item) for item in value)
        return tuple(_as(argument, item) for argument, item in zip(arguments, value, strict=True))
    if isinstance(hint, type) and issubclass(hint, Enum | Path):
        return hint(value)
    return value


# -- targets


def pack_targets(targets: Targets) -> list[Any]:
    """Where requests go, as a message can hold it."""
    return [targets.leader, list(targets.ready), targets.last_leader, list(targets.nodes)]


def unpack_targets(packed: Sequence[Any]) -> Targets:
    """The targets of such a message. Raises WireError."""
    try:
        leader, ready, last_leader, nodes = packed
        return Targets(leader, tuple(ready), last_leader, tuple(nodes))
    except (TypeError, ValueError) as error:
        raise WireError(f"no targets: {error}") from None


# -- writes


class WriteBatch:
    """Implements `WriteObserver` in a worker: keeps what it is told until it is taken, some times a second."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[tuple[str, str, int, float, float, str, WriteOutcome]] = []
        self._intended: list[float] = []

    def started(self, at: float) -> None:
        """See `WriteObserver`."""
        self._starts.append(at)

    def ended(
        self,
        namespace: str,
        key: str,
        digest: int,
        started: float,
        ended: float,
        node: str,
        outcome: WriteOutcome,
        intended: float | None = None,
    ) -> None:
        """See `WriteObserver`. Either every write of a run has an intended start (open loop) or none has."""
        self._ends.append((namespace, key, digest, started, ended, node, outcome))
        if intended is not None:
            self._intended.append(intended)

    @property
    def empty(self) -> bool:
        """Nothing was told since it was last taken."""
        return not self._starts and not self._ends

    def take(self, offset_s: float) -> dict[str, Any]:
        """What was told since the last call, its times moved by ``offset_s``: by columns, because packing a column
        costs a tenth of packing its cells."""
        starts, self._starts = self._starts, []
        ends, self._ends = self._ends, []
        intended, self._intended = self._intended, []
        message: dict[str, Any] = {"starts": _packed("d", [at + offset_s for at in starts])}
        if ends:
            spaces: dict[str, int] = {}
            nodes: dict[str, int] = {}
            message |= {
                "key": [end[1] for end in ends],
                "digest": _packed("Q", [end[2] for end in ends]),
                "started": _packed("d", [end[3] + offset_s for end in ends]),
                "ended": _packed("d", [end[4] + offset_s for end in ends]),
                "space": _packed("H", [spaces.setdefault(end[0], len(spaces)) for end in ends]),
                "node": _packed("H", [nodes.setdefault(end[5], len(nodes)) for end in ends]),
                "outcome": bytes(end[6] for end in ends),
            }
            message |= {"spaces": list(spaces), "nodes": list(nodes)}
            if intended:
                message["intended"] = _packed("d", [at + offset_s for at in intended])
        return message


def replay_writes(message: Mapping[str, Any], observer: WriteObserver) -> None:
    """Tell an observer what a batch holds. Raises WireError."""
    try:
        for at in _unpacked("d", message["starts"]):
            observer.started(at)
        if "key" not in message:
            return
        spaces, nodes = message["spaces"], message["nodes"]
        columns = [
            [spaces[number] for number in _unpacked("H", message["space"])],
            message["key"],
            _unpacked("Q", message["digest"]),
            _unpacked("d", message["started"]),
            _unpacked("d", message["ended"]),
            [nodes[number] for number in _unpacked("H", message["node"])],
            [WriteOutcome(number) for number in message["outcome"]],
        ]
        if "intended" in message:
            columns.append(_unpacked("d", message["intended"]))
        for write in zip(*columns, strict=True):
            observer.ended(*write)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise WireError(f"no writes: {error}") from None
