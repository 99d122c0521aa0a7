"""Errors that end the program with a sentence instead of a traceback, and the program's exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXIT_OK = 0
EXIT_NO_SUCCESS = 1
EXIT_USAGE = 2
EXIT_NO_CLUSTER = 3
EXIT_UNAVAILABLE = 4
EXIT_LOST = 5
EXIT_GENERATOR_BOUND = 6
EXIT_WORKERS = 7
EXIT_UNJUDGED = 11
EXIT_UNWRITTEN = 12
EXIT_CRASH = 70
"""EX_SOFTWARE of sysexits.h."""
EXIT_INTERRUPTED = 130

EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_NO_SUCCESS: "done, but a scenario had no successful request",
    EXIT_USAGE: "wrong usage or settings",
    EXIT_NO_CLUSTER: "no cluster, no leader, or a refused API key; worker: no master",
    EXIT_UNAVAILABLE: "drill: --max-unavailable was broken, or a node did not come back",
    EXIT_LOST: "an acknowledged write was lost or differs for good, or a refused one appeared",
    EXIT_GENERATOR_BOUND: "--strict: the generator, not the cluster, was the limit of a run",
    EXIT_WORKERS: "a worker did not start, did not come or was lost: the figures are invalid",
    EXIT_UNJUDGED: "acknowledged writes could not be judged: stopped, nodes gone, or none acknowledged",
    EXIT_UNWRITTEN: "results could not be written",
    EXIT_CRASH: "a defect of this program",
    EXIT_INTERRUPTED: "interrupted; results so far are saved, the data is cleaned",
}
"""What each means, as ``--help`` says it."""

_EXIT_WORSE, _EXIT_THRESHOLD, _EXIT_UNEXPLAINED_READ = 8, 9, 10
"""Kept free, at their place in the order, for a run that is worse than its baseline, for a threshold that is broken and
for a read that no order of the writes explains; nothing calls for them yet."""

EXIT_ORDER = (
    *(EXIT_CRASH, EXIT_INTERRUPTED, EXIT_LOST, EXIT_USAGE, EXIT_NO_CLUSTER, _EXIT_UNEXPLAINED_READ, EXIT_UNWRITTEN),
    *(EXIT_WORKERS, EXIT_UNJUDGED, EXIT_UNAVAILABLE, _EXIT_THRESHOLD, _EXIT_WORSE, EXIT_GENERATOR_BOUND),
    EXIT_NO_SUCCESS,
)
"""Where several apply, the first of these is the program's."""


@dataclass(frozen=True, slots=True)
class ExitReason:
    """Why the program ends with another code than 0."""

    code: int
    text: str
    """In words, without the code."""


def exit_code_of(reasons: Iterable[ExitReason]) -> int:
    """The exit code that these reasons call for together: the first of `EXIT_ORDER` that applies, 0 without any."""
    codes = {reason.code for reason in reasons}
    return next((code for code in EXIT_ORDER if code in codes), EXIT_OK)


class ConfmanTuiError(Exception):
    """One clear sentence for the person, and the exit code that goes with it."""

    exit_code = EXIT_USAGE


class UsageError(ConfmanTuiError):
    """Wrong flag, setting or argument; names what was wrong and what is allowed."""


class ClusterError(ConfmanTuiError):
    """No cluster, no leader, or a refused key."""

    exit_code = EXIT_NO_CLUSTER
