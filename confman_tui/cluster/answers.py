"""One answer of a node's API: what its body holds, and which error it means when it is not what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confman_tui.cluster.api import (
    NO_LEADER_TITLE,
    NOT_REPLICATED_TITLE,
    KeyReadOnlyError,
    KeyRefusedError,
    NoLeaderError,
    NotConfmanError,
    NotReplicatedError,
    RejectedError,
)
from confman_tui.cluster.http_failures import plain
from confman_tui.core.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body."""

    node: str
    """Who gave it."""
    status: int
    headers: Mapping[str, str]
    body: bytes
    redirected: bool

    @property
    def title(self) -> str:
        """The title of a problem (RFC 9457), empty when the body holds none."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return ""
        title = parsed.get("title") if isinstance(parsed, dict) else None
        return title if isinstance(title, str) else ""

    def items(self) -> Iterable[dict[str, Any]]:
        """The items of a listing; ValueError or TypeError when it is none."""
        parsed = json.loads(self.body)
        if not isinstance(parsed, list):
            raise TypeError("not a list")
        return parsed


def text_of(item: dict[str, Any], name: str) -> str:
    """A text field of an item; KeyError or TypeError when it is missing or no text."""
    text = item[name]
    if not isinstance(text, str):
        raise TypeError(name)
    return text


def optional_text(item: dict[str, Any], name: str) -> str | None:
    """As `text_of`, None when it is missing or null."""
    return None if item.get(name) is None else text_of(item, name)


def error_of(answer: Answer, name: str) -> ClusterError:
    """The error that an answer means which is not what was asked for. ``name`` is the node's, for the sentence."""
    status = answer.status
    if status == 401:
        return KeyRefusedError(f"401 from {name}: the API key was refused; --api-key or CONFMAN_BENCH_API_KEY")
    if status == 403:
        return KeyReadOnlyError(f"403 from {name}: this key may read but not write")
    if status == 307:
        return NoLeaderError(f"{name} redirects to a node that does not serve writes yet")
    title = plain(answer.title)
    if status == 503 and title == NO_LEADER_TITLE:
        return NoLeaderError(f"503 from {name}: no leader is known")
    if status == 503 and title == NOT_REPLICATED_TITLE:
        return NotReplicatedError(f"503 from {name}: the write could not be replicated, its fate is unknown")
    if status == 503 and title:
        return NoLeaderError(f"503 from {name}: {title}")
    if title and status in (400, 413, 415):
        return RejectedError(f"{status} from {name}: {title}")
    if status == 500 and (title or not answer.body):
        # A follower says so of a name with a character beyond ASCII, which its Location can't hold.
        return RejectedError(f"500 from {name}: the node failed on this request")
    return not_confman(answer)


def not_confman(answer: Answer) -> NotConfmanError:
    """The error for an answer that is not one of Confman's."""
    text = plain(answer.body[:1024].decode("utf-8", "replace"))
    shown = f"{text!r}" if text else "an empty body"
    return NotConfmanError(f"{answer.node} answers {answer.status} with something that is not Confman's: {shown}")
