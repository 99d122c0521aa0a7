"""A whole cluster that lies: health, namespaces and entries, so that the real program runs against it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.three_servers import Node, PutRule, Trio
from tests.support.waiting import DEADLINE_S

_STAMP = "2026-02-01T00:00:00Z"


class Whole(Trio):
    """Adds to `Trio` what the program asks beside entries."""

    def __init__(self, rule: PutRule) -> None:
        super().__init__(rule)
        self.namespaces: dict[str, str] = {}
        self.not_ready: set[int] = set()
        """Nodes that answer ``/health/ready`` with 503: they know no leader."""
        self.hidden: dict[tuple[str, str], str] = {}
        """Entries that each node holds once it was asked for them, or for all of their namespace."""
        self.unreadable: set[int] = set()
        """Nodes whose entries of the tier can't be read."""

    def hide(self, namespace: str, key: str, value: str) -> None:
        """Absent when a verification reads it, there when somebody reads it once more."""
        self.lose(namespace, key, 0, 1, 2)
        self.hidden[namespace, key] = value

    async def _answer(self, node: Node, method: str, path: str, body: bytes) -> tuple[int, object, str | None] | None:
        parts = path.split("?")[0].strip("/").split("/")
        if parts[0] == "health":
            if self.nodes.index(node) in self.not_ready:
                cluster = {"role": "follower", "leaderKnown": False, "leader": None, "term": 1}
                return 503, {"status": "not_ready", "timestamp": _STAMP, "cluster": cluster}, None
            leads = self.leader is not None and self.nodes[self.leader] is node
            cluster = {
                "role": "leader" if leads else "follower",
                "leaderKnown": True,
                "leader": self.urls[self.leader or 0] + "/",
                "term": 1,
            }
            return 200, {"status": "ready", "timestamp": _STAMP, "cluster": cluster}, None
        if parts[2:] == ["configs"]:
            return 200, [{"ns": ns, "key": key, "value": value} for (ns, key), value in node.entries.items()], None
        if len(parts) < 5:
            return self._namespaces(method, parts[3] if len(parts) == 4 else None)
        if method == "DELETE":
            self.lose(parts[3], parts[5], 0, 1, 2)
            return 204, None, None
        if self.nodes.index(node) in self.unreadable and parts[3].startswith("bench-small-"):
            return 503, {"title": "Read barrier failed", "status": 503}, None
        answer = await super()._answer(node, method, path, body)
        if method == "GET":
            asked = {place: value for place, value in self.hidden.items() if place[0] == parts[3]}
            node.entries.update({place: value for place, value in asked.items() if place[1] in (parts[5:] or place)})
        return answer

    def _namespaces(self, method: str, name: str | None) -> tuple[int, object, str | None]:
        def shown(namespace: str) -> dict[str, str]:
            return {"path": namespace, "description": self.namespaces[namespace], "owner": "", "createdAt": _STAMP}

        if name is None:
            return 200, [shown(namespace) for namespace in self.namespaces], None
        if method == "PUT":
            self.namespaces[name] = ""
            return 200, shown(name), None
        if name not in self.namespaces:
            return 404, {"title": "Namespace not found", "status": 404}, None
        if method == "DELETE":
            del self.namespaces[name]
            for node in self.nodes:
                node.entries = {place: value for place, value in node.entries.items() if place[0] != name}
            return 204, None, None
        return 200, shown(name), None


SEEDED = 100
"""Keys of the small tier."""


class WritesOfTheRun:
    """Tells the writes of a run's users from all others: the seeding's, which may come twice where an answer was late,
    and the probe's, which come whenever nobody else writes, on a busy machine more often."""

    def __init__(self) -> None:
        self._seeds: set[tuple[str, str]] = set()
        self.count = 0
        """Such writes so far."""

    def takes(self, namespace: str, key: str) -> bool:
        """Whether this one is of the run; to be called with each."""
        if not namespace.startswith("bench-small-") or (namespace, key) in self._seeds:
            return False
        if len(self._seeds) < SEEDED:
            self._seeds.add((namespace, key))
            return False
        self.count += 1
        return True


class LyingCluster:
    """`Whole` on a thread of its own, for tests that wait for a child process."""

    def __init__(self, rule: PutRule, trio: Whole | None = None) -> None:
        """``trio``: the cluster, where `Whole` is not enough."""
        self.trio = trio or Whole(rule)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def nodes(self) -> str:
        """For ``--nodes``."""
        return ",".join(self.trio.urls)

    def soon(self, action: Callable[[Whole], None]) -> None:
        """Have something done to the cluster on its thread."""
        self._loop.call_soon_threadsafe(action, self.trio)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.trio.__aenter__(), self._loop).result(DEADLINE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.trio.__aexit__(), self._loop).result(DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()
