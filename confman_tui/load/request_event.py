"""How a request ended: one event of Locust's for each, whatever it took."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.redirects import FOLLOWED, target_of
from confman_tui.core.clock import now
from confman_tui.load import causes
from confman_tui.load.context import RunContext
from confman_tui.load.run_model import CAUSE_WORDS, Cause
from confman_tui.load.write_maker import Write

_TROUBLE = frozenset(
    (Cause.REFUSED, Cause.RESET, Cause.TIMEOUT, Cause.NO_LEADER, Cause.NOT_REPLICATED, Cause.REDIRECTED_AGAIN)
)
"""Failures that a cluster in trouble makes, as opposed to a wrong key, a path that does not exist or a hostile node."""
_OF_SERVERS = frozenset((Cause.OTHER, Cause.REDIRECTED_AWAY))
"""Failures whose texts hold words of a server, who may make up ever new ones."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """What a request was redirected by."""

    node: str
    """Where to: the base URL of a configured node."""
    took_us: int
    """How long it took until the redirect was there."""
    start_time: float
    """When the request began, as Locust counts."""
    url: str
    """What was asked first."""


class Sender(Protocol):
    """The user that makes the requests, one at a time: what it says of the present one, and what it is told."""

    shared: RunContext
    number: int
    node: str
    """Base URL that the request was sent to first."""
    write: Write | None
    """What it writes; None for a read, and when it was booked."""
    due: float
    late_s: float
    begun: float
    """When it began, on the clock `time.perf_counter`."""
    redirect: Redirect | None
    failure: causes.RequestFailure | None

    def is_answered_by(self, body: bytes | None) -> bool:
        """Whether the body of a 200 is the entry that the present request asked for or wrote."""


class RequestEvent:
    """In the place of Locust's request event, one per user: decides how a request ended, once for all listeners.

    Locust's own statistics, our recorder and the booking of writes then see the same result, and the exception that
    they see is a `causes.RequestFailure`, whose text is one per cause.
    """

    __slots__ = ("_event", "_user")

    def __init__(self, user: Sender, event: Any) -> None:
        self._user = user
        self._event = event

    def fire(self, **meta: Any) -> None:
        user = self._user
        shared = user.shared
        error = meta["exception"]
        response = meta["response"]
        failure: causes.RequestFailure | None = None
        if error is not None or response.status_code != 200:
            failure = self._failure_of(error, response, meta)
            if failure is None:
                return
            meta["exception"] = failure
        elif not user.is_answered_by(response.content):
            failure = meta["exception"] = causes.of_wrong_answer()
        ended = now()
        del shared.in_flight[user.number]
        node = meta["node"] = user.node
        if failure is not None:
            if failure.cause in _OF_SERVERS and not shared.bounded(failure.text):
                failure.text = f"{CAUSE_WORDS[failure.cause]}: further texts"
            if failure.cause in _TROUBLE:
                shared.report_trouble(ended, f"a request failed: {CAUSE_WORDS[failure.cause]}")
        user.failure = failure
        redirect = user.redirect
        if redirect is not None:
            node = redirect.node
            meta["redirect_us"] = redirect.took_us
            meta["response_time"] = (time.perf_counter() - user.begun) * 1000
            meta["start_time"] = redirect.start_time
            meta["url"] = redirect.url
        intended: float | None = None
        if shared.schedule is not None:
            meta["late_us"] = int(user.late_s * 1_000_000)
            intended = user.due
        write = user.write
        if write is not None:
            user.write = None
            if shared.observer is not None:
                outcome = WriteOutcome.ACKNOWLEDGED if failure is None else failure.write_outcome
                shared.observer.ended(
                    write.namespace, write.key, write.digest, write.started, ended, node, outcome, intended
                )
        self._event.fire(**meta)

    def _failure_of(self, error: Any, response: Any, meta: dict[str, Any]) -> causes.RequestFailure | None:
        """How a request failed; None when it goes on at another node, which the user is told."""
        user = self._user
        status = response.status_code if response is not None else 0
        if error is not None or status not in FOLLOWED:
            return causes.failure_of(error, response)
        if user.redirect is not None:
            return causes.RequestFailure(Cause.REDIRECTED_AGAIN)
        node = target_of(causes.location_of(response), user.node, user.shared.board.current.nodes)
        if node is None:
            return causes.failure_of(error, response)
        user.redirect = Redirect(node, int(meta["response_time"] * 1000), meta["start_time"], meta["url"])
        return None
