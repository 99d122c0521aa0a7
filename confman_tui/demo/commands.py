"""The store's commands as they stand in the journal and travel between nodes: MessagePack of known shapes.

PySyncObj pickles them, and whoever can write a pickle into a node's folder can have the node run anything. This module
stands in the place of its `pickle` (`pysyncobj_hacks.use`): what is not one of these commands is refused.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _PutNamespace(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="put_namespace"):
    path: str
    description: str | None
    owner: str
    at: str


class _DeleteNamespace(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="delete_namespace"
):
    path: str


class _PutEntry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="put_entry"):
    namespace: str
    key: str
    value: str
    kind: str
    at: str
    by: str


class _DeleteEntry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="delete_entry"):
    namespace: str
    key: str


_decode = msgspec.msgpack.Decoder(_PutNamespace | _DeleteNamespace | _PutEntry | _DeleteEntry).decode
_encode = msgspec.msgpack.Encoder().encode
_tuple = msgspec.structs.astuple

_APPLY = 0
"""PySyncObj's number of the only replicated method, `Store.apply`."""
REGULAR, NO_OP = 0, 1
"""The first byte of an entry, by PySyncObj's numbers: a call of that method, or nothing, which a new leader appends."""
_NO_OP = bytes([NO_OP])
_REGULAR = bytes([REGULAR])


def encoded(data: Any) -> bytes:
    """Plain data as MessagePack. Half a surrogate pair, which JSON can carry and UTF-8 can't, becomes a question mark,
    as it does in every answer."""
    try:
        return _encode(data)
    except UnicodeEncodeError:
        return _encode(_whole_characters(data))


def _whole_characters(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode()
    if isinstance(data, (tuple, list)):
        return [_whole_characters(item) for item in data]
    return data


def dumps(call: tuple[int, tuple[Any, ...]]) -> bytes:
    """A call of `Store.apply`, as PySyncObj describes it: the method's number and the arguments."""
    number, arguments = call
    if number != _APPLY:
        raise ValueError(f"method {number} is no command of the store")
    return encoded(arguments)


def loads(data: bytes) -> tuple[int, tuple[Any, ...]]:
    """The same call. Raises msgspec.DecodeError when it is none of the store's commands."""
    command = _decode(data)
    return _APPLY, (command.__struct_config__.tag, *_tuple(command))


def check(command: bytes) -> None:
    """Raise ValueError when this is no entry of a log that this program has written: a command of the store, or what a
    new leader appends."""
    if command == _NO_OP:
        return
    if command[:1] != _REGULAR:
        raise ValueError("it is of a kind that this program does not write")
    try:
        _decode(memoryview(command)[1:])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no command of the store ({error})") from None
