"""Errors that end the program with a sentence instead of a traceback."""

from __future__ import annotations

EXIT_OK = 0
EXIT_NO_SUCCESS = 1
"""Done, but a scenario had no successful request."""
EXIT_USAGE = 2
"""Wrong usage or settings."""
EXIT_NO_CLUSTER = 3
"""No cluster, no leader, or a refused key."""
EXIT_UNAVAILABLE = 4
"""A drill's limit was broken or a node did not come back."""
EXIT_LOST = 5
"""An acknowledged write was lost, or a refused one appeared."""
EXIT_GENERATOR_BOUND = 6
"""With ``--strict``: the generator, not the cluster, was the limit of a run."""
EXIT_WORKERS = 7
"""A worker could not be started, did not come, or was lost in a run: the figures are not those asked for."""
EXIT_CRASH = 70
"""A defect of this program (EX_SOFTWARE of sysexits.h)."""
EXIT_INTERRUPTED = 130


class ConfmanTuiError(Exception):
    """One clear sentence for the person, and the exit code that goes with it."""

    exit_code = EXIT_USAGE


class UsageError(ConfmanTuiError):
    """Wrong flag, setting or argument; names what was wrong and what is allowed."""


class ClusterError(ConfmanTuiError):
    """No cluster, no leader, or a refused key."""

    exit_code = EXIT_NO_CLUSTER
