"""Why a request failed (refused, reset, timeout …): what each error and each answer counts as.

Texts hold no key and no path, so that equal failures are one row in every table and file; the only address in them is
the one that a redirect led away to.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
import zlib
from typing import Any

import gevent
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import ConnectionError as ClientError
from geventhttpclient.useragent import RetriesExceeded

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.redirects import FOLLOWED, OTHERS, cleaned
from confman_tui.load.http_hacks import AnswerTooLarge
from confman_tui.load.run_model import CAUSE_WORDS, Cause

_RESETS = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN)
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_TITLE_LENGTH = 60
_NO_LEADER = "No leader available"
_NOT_REPLICATED = "Replication failed"


class RequestFailure(Exception):
    """One failed request, as Locust's statistics get to see it: its ``repr`` is the row's text."""

    __slots__ = ("cause", "did_not_happen", "text")

    def __init__(self, cause: Cause, detail: str = "", *, did_not_happen: bool = False) -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.text = f"{CAUSE_WORDS[cause]}: {detail}" if detail else CAUSE_WORDS[cause]
        """For the count of error texts: the cause and, where there is more to say, what exactly."""
        self.did_not_happen = did_not_happen
        """True when the request was certainly not carried out."""

    def __repr__(self) -> str:
        return self.text if self.cause is Cause.OTHER else CAUSE_WORDS[self.cause]

    __str__ = __repr__

    @property
    def write_outcome(self) -> WriteOutcome:
        """What this failure says of a write's fate."""
        return WriteOutcome.REFUSED if self.did_not_happen else WriteOutcome.UNKNOWN


def failure_of(error: BaseException | None, response: Any) -> RequestFailure:
    """The failure that a request ended in: from its answer where one came, else from the client's error."""
    status = response.status_code if response is not None else 0
    if not status or status == 200:
        return of_error(error if error is not None else RuntimeError("no answer"))
    if status in FOLLOWED or status in OTHERS:
        return of_redirect(status, location_of(response)) if error is None else of_error(error)
    if isinstance(error, AnswerTooLarge):
        return of_error(error)
    try:
        body = response.content
    except Exception:
        body = None
    return of_status(status, body)


def location_of(response: Any) -> str:
    """An answer's ``Location``; empty when there is none, or more than one."""
    found = response.headers.getlist("location")
    return found[0] if len(found) == 1 else ""


def of_redirect(status: int, location: str) -> RequestFailure:
    """The failure that a redirect is which leads to no configured node, or which nobody may follow with a write."""
    return RequestFailure(Cause.REDIRECTED_AWAY, f"{status} to {cleaned(location)}")


def of_wrong_answer() -> RequestFailure:
    """The failure that a 200 is which is not the entry asked for or written."""
    return RequestFailure(Cause.WRONG_ANSWER)


def of_status(status: int, body: bytes | None) -> RequestFailure:
    """The failure that an answer other than 200 is."""
    title = _problem_title(body)
    if status == 503 and title == _NO_LEADER:
        return RequestFailure(Cause.NO_LEADER, did_not_happen=True)
    if status == 503 and title == _NOT_REPLICATED:
        return RequestFailure(Cause.NOT_REPLICATED)
    words = f"answered {status} {title}" if title else f"answered {status}"
    return RequestFailure(Cause.OTHER, words, did_not_happen=status in (401, 403))


def of_error(error: BaseException) -> RequestFailure:
    """The failure that an error raised by the HTTP client is."""
    if isinstance(error, RequestFailure):
        return error
    if isinstance(error, RetriesExceeded):
        original = getattr(error, "original", None)
        return of_error(original) if isinstance(original, BaseException) else RequestFailure(Cause.OTHER, "given up")
    if isinstance(error, OSError) and error.errno in _OUT_OF_FILES:
        return RequestFailure(Cause.OUT_OF_FILES, did_not_happen=True)
    if isinstance(error, ConnectionRefusedError):
        return RequestFailure(Cause.REFUSED, did_not_happen=True)
    if isinstance(error, TimeoutError | gevent.Timeout):
        return RequestFailure(Cause.TIMEOUT)
    if isinstance(error, AnswerTooLarge):
        return RequestFailure(Cause.TOO_LARGE, str(error))
    if isinstance(error, zlib.error):
        return RequestFailure(Cause.WRONG_ANSWER, "can't be decompressed")
    if isinstance(error, HTTPConnectionClosed):
        return RequestFailure(Cause.RESET, "closed without an answer")
    if isinstance(error, HTTPParseError):
        # an end in the middle comes with words alone; what can't be parsed comes with the parser's error number
        if len(error.args) < 2:
            return RequestFailure(Cause.RESET, "answer cut short")
        return RequestFailure(Cause.OTHER, "malformed answer")
    if isinstance(error, socket.gaierror):
        return RequestFailure(Cause.OTHER, "host name does not resolve", did_not_happen=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return RequestFailure(Cause.OTHER, "TLS certificate not trusted", did_not_happen=True)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return RequestFailure(Cause.RESET)
    if isinstance(error, ssl.SSLError):
        return RequestFailure(Cause.OTHER, "TLS error")
    if isinstance(error, OSError):
        if error.errno in _RESETS:
            return RequestFailure(Cause.RESET)
        return RequestFailure(Cause.OTHER, errno.errorcode.get(error.errno or 0, type(error).__name__))
    if isinstance(error, gevent.GreenletExit):
        return RequestFailure(Cause.OTHER, "cut off at the end of the run")
    status = _status_behind(error)
    if status is not None:
        return of_status(status, None)
    return RequestFailure(Cause.OTHER, type(error).__name__)


def _status_behind(error: BaseException) -> int | None:
    """The status of an answer that could not be read to its end or decoded: the client raises the second error while
    it handles the first."""
    seen: BaseException | None = error
    for _ in range(4):
        if seen is None:
            return None
        code = getattr(seen, "code", None)
        if isinstance(seen, ClientError) and isinstance(code, int):
            return code
        seen = seen.__context__
    return None


def _problem_title(body: bytes | None) -> str:
    """The title of an RFC 9457 problem, made harmless: printable ASCII, bounded."""
    if not body or len(body) > 65536 or not body.lstrip().startswith(b"{"):
        return ""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return ""
    title = document.get("title") if isinstance(document, dict) else None
    if not isinstance(title, str):
        return ""
    return "".join(c for c in title[:_TITLE_LENGTH] if c.isascii() and c.isprintable()).strip()
