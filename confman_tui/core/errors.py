"""Errors that end the program with a sentence instead of a traceback, and the program's exit codes."""

from __future__ import annotations

EXIT_OK = 0
EXIT_NO_SUCCESS = 1
EXIT_USAGE = 2
EXIT_NO_CLUSTER = 3
EXIT_UNAVAILABLE = 4
EXIT_LOST = 5
EXIT_GENERATOR_BOUND = 6
EXIT_WORKERS = 7
EXIT_CRASH = 70
"""EX_SOFTWARE of sysexits.h."""
EXIT_INTERRUPTED = 130

EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_NO_SUCCESS: "done, but a scenario had no successful request",
    EXIT_USAGE: "wrong usage or settings",
    EXIT_NO_CLUSTER: "no cluster, no leader, or a refused API key; worker: no master",
    EXIT_UNAVAILABLE: "drill: --max-unavailable was broken, or a node did not come back",
    EXIT_LOST: "an acknowledged write was lost, or a refused one appeared",
    EXIT_GENERATOR_BOUND: "--strict: the generator, not the cluster, was the limit of a run",
    EXIT_WORKERS: "a worker did not start, did not come or was lost: the figures are invalid",
    EXIT_CRASH: "a defect of this program",
    EXIT_INTERRUPTED: "interrupted; results so far are saved, the data is cleaned",
}
"""What each means, as ``--help`` says it."""


class ConfmanTuiError(Exception):
    """One clear sentence for the person, and the exit code that goes with it."""

    exit_code = EXIT_USAGE


class UsageError(ConfmanTuiError):
    """Wrong flag, setting or argument; names what was wrong and what is allowed."""


class ClusterError(ConfmanTuiError):
    """No cluster, no leader, or a refused key."""

    exit_code = EXIT_NO_CLUSTER
