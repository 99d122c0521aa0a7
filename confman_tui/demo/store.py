"""What the cluster holds: namespaces and entries, changed only by commands that Raft has committed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

from pysyncobj import SyncObjConsumer, replicated

BLOB_BYTES = 64 * 1024
"""Values of this many bytes (UTF-8) and more are kept apart, as Confman's blobs."""


class Namespace(NamedTuple):
    description: str | None
    owner: str
    created_at: str
    """As it is read: milliseconds, with offset."""


class Entry(NamedTuple):
    value: str
    type: str
    version: int
    """Counts the writes of this key, from 1."""
    updated_at: str
    updated_by: str

    @property
    def is_blob(self) -> bool:
        # No character takes more than four bytes: most values need no encoding for this.
        size = len(self.value)
        return size >= BLOB_BYTES or (
            size * 4 >= BLOB_BYTES and len(self.value.encode("utf-8", "replace")) >= BLOB_BYTES
        )

    @property
    def blob_id(self) -> str:
        return hashlib.sha256(self.value.encode("utf-8", "replace")).hexdigest()


class Store(SyncObjConsumer):  # type: ignore[misc]  # the library has no types
    """The replicated state. Reads are plain method calls on what this node has applied.

    The state lives in a consumer handed to PySyncObj, and goes in and out of snapshots through `rows` and `load`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._namespaces: dict[str, Namespace] = {}
        self._entries: dict[tuple[str, str], Entry] = {}
        """In the order the keys were created."""
        self._keys: dict[str, dict[str, None]] = {}
        """The keys of each namespace, so that listing or deleting one doesn't walk them all."""
        self.characters = 0
        """Of all values together: about the bytes that a snapshot takes."""

    # -- commands: applied on every node in the same order, so they must not look at a clock or at chance

    @replicated  # type: ignore[untyped-decorator]
    def apply(self, name: str, *args: Any) -> bool:
        """Do one committed command. True when it found what it was to change."""
        return self._COMMANDS[name](self, *args)

    def _put_namespace(self, path: str, description: str | None, owner: str, at: str) -> bool:
        old = self._namespaces.get(path)
        self._namespaces[path] = Namespace(description, owner, old.created_at if old else at)
        return True

    def _delete_namespace(self, path: str) -> bool:
        if self._namespaces.pop(path, None) is None:
            return False
        for key in self._keys.pop(path, ()):
            self.characters -= len(self._entries.pop((path, key)).value)
        return True

    def _put_entry(self, namespace: str, key: str, value: str, type_: str, at: str, by: str) -> bool:
        old = self._entries.get((namespace, key))
        self._entries[namespace, key] = Entry(value, type_, old.version + 1 if old else 1, at, by)
        self.characters += len(value) - (len(old.value) if old else 0)
        if old is None:
            self._keys.setdefault(namespace, {})[key] = None
        return True

    def _delete_entry(self, namespace: str, key: str) -> bool:
        old = self._entries.pop((namespace, key), None)
        if old is None:
            return False
        self.characters -= len(old.value)
        keys = self._keys[namespace]
        del keys[key]
        if not keys:
            del self._keys[namespace]
        return True

    _COMMANDS: ClassVar[dict[str, Callable[..., bool]]] = {
        "put_namespace": _put_namespace,
        "delete_namespace": _delete_namespace,
        "put_entry": _put_entry,
        "delete_entry": _delete_entry,
    }

    # -- reads

    def namespace(self, path: str) -> Namespace | None:
        return self._namespaces.get(path)

    def namespaces(self) -> list[tuple[str, Namespace]]:
        return list(self._namespaces.items())

    def entry(self, namespace: str, key: str) -> Entry | None:
        return self._entries.get((namespace, key))

    def entries_of(self, namespace: str) -> list[tuple[str, Entry]]:
        """The entries of one namespace; those written more than once come last, as in the recorded answers."""
        found = [(key, self._entries[namespace, key]) for key in self._keys.get(namespace, ())]
        found.sort(key=lambda pair: pair[1].version)
        return found

    def entries(self) -> list[tuple[str, str, Entry]]:
        return [(namespace, key, entry) for (namespace, key), entry in self._entries.items()]

    # -- snapshots

    def __len__(self) -> int:
        return len(self._entries)

    def rows(self) -> tuple[list[tuple[Any, ...]], list[tuple[tuple[str, str], Entry]]]:
        """Everything as of now, for a snapshot: each namespace as a row, and the entries, which never change."""
        return [(path, *namespace) for path, namespace in self._namespaces.items()], list(self._entries.items())

    def load(self, namespaces: Iterable[tuple[Any, ...]], entries: Iterable[tuple[Any, ...]]) -> None:
        """Replace everything by rows: path and fields, namespace and key and fields. Where they raise, nothing is."""
        loaded = {(namespace, key): Entry(*rest) for namespace, key, *rest in entries}
        self._namespaces = {path: Namespace(*rest) for path, *rest in namespaces}
        self._entries = loaded
        self._keys = {}
        self.characters = 0
        for (namespace, key), entry in self._entries.items():
            self._keys.setdefault(namespace, {})[key] = None
            self.characters += len(entry.value)
