"""Confman's API as values: what it holds, how requests go wrong, what an answer to a write says of its fate.

`confman_tui.cluster.client` speaks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.http_failures import plain
from confman_tui.cluster.states import PollKind
from confman_tui.core.errors import ClusterError

NO_LEADER_TITLE: Final = "No leader available"
NOT_REPLICATED_TITLE: Final = "Replication failed"


class KeyRefusedError(ClusterError):
    """401: the API key is missing or wrong."""


class KeyReadOnlyError(ClusterError):
    """403: the API key may read but not write."""


class NoLeaderError(ClusterError):
    """The node knows no leader, or the one it names does not serve writes: worth another try later."""


class NotReplicatedError(ClusterError):
    """503 "Replication failed": the write's fate is unknown."""


class RedirectedAgainError(NoLeaderError):
    """A node that a request was redirected to redirects it, too, or the node that was asked first redirects to itself:
    it is elected and does not serve yet. Nothing was carried out."""


class RedirectedAwayError(ClusterError):
    """A redirect that is not followed: to none of the configured nodes, or one that would change the request."""


class UnreachableError(ClusterError):
    """No whole answer: refused, reset, timed out. ``kind`` says which."""

    def __init__(self, message: str, kind: PollKind) -> None:
        super().__init__(message)
        self.kind = kind


class NotConfmanError(ClusterError):
    """An answer that is not one of Confman's."""


class OversizedError(NotConfmanError):
    """An answer that is larger than any of Confman's to this request; the rest of it was not read."""


class RejectedError(ClusterError):
    """Confman found fault with the request itself (400, 415, too large), or failed on it (500)."""


RETRYABLE: Final = (NoLeaderError, NotReplicatedError, UnreachableError)
"""What goes away by itself when the cluster recovers. Each method's requests may be repeated without harm."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace, as listed."""

    path: str
    description: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One configuration entry."""

    namespace: str
    key: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WriteAttempt:
    """How one write went."""

    outcome: WriteOutcome
    detail: str
    """In words; empty when acknowledged."""
    node: str
    """The node that gave the last answer, or was asked last."""
    status: int | None
    """The last answer's status, None without one."""
    redirected: bool = False


def namespace_path(namespace: str) -> str:
    """The path of a namespace, with everything escaped that has a meaning in a path."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}"


def entry_path(namespace: str, key: str) -> str:
    """The path of an entry."""
    return f"{namespace_path(namespace)}/config/{quote(key, safe='')}"


def write_outcome(status: int, title: str) -> tuple[WriteOutcome, str]:
    """What an answer to a write says of its fate, and that in words (CONFMAN.md, "Namespaces and entries").

    Args:
        status: of the last answer.
        title: of its problem, where it is one.
    """
    if status == 200:
        return WriteOutcome.ACKNOWLEDGED, ""
    if status in (401, 403):
        return WriteOutcome.REFUSED, f"{status}"
    if status == 503 and title == NO_LEADER_TITLE:
        return WriteOutcome.REFUSED, "503 no leader"
    if status == 503 and title == NOT_REPLICATED_TITLE:
        return WriteOutcome.UNKNOWN, "503 not replicated"
    return WriteOutcome.UNKNOWN, f"{status} {plain(title, 60)}".strip()
