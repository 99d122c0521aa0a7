"""One answer of a node's API: what its body holds, and which error it means when it is not what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    RedirectedAgainError,
    RedirectedAwayError,
    RejectedError,
)
from confman_tui.cluster.http_failures import plain
from confman_tui.cluster.redirects import FOLLOWED, NO_LOCATION, cleaned
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
        except (ValueError, RecursionError):
            return ""
        title = parsed.get("title") if isinstance(parsed, dict) else None
        return title if isinstance(title, str) else ""


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


def redirected_again(node: str, location: str) -> RedirectedAgainError:
    """The error for a second redirect."""
    return RedirectedAgainError(f"redirected again: {node} redirects to {cleaned(location)}, which leads on")


def redirected_away(node: str, status: int, location: str) -> RedirectedAwayError:
    """The error for a redirect that is not followed."""
    shown = cleaned(location)
    if status not in FOLLOWED:
        why = "only 307 and 308 are followed, as Confman answers"
    elif shown == NO_LOCATION:
        why = "there is nowhere to go"
    else:
        why = "it is none of the nodes that this program was given"
    return RedirectedAwayError(f"redirected away: {node} answers {status} to {shown}, and {why}")
