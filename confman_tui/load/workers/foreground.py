"""``confman-tui worker``: makes load for a benchmark that runs elsewhere, until its master goes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

from confman_tui import __version__
from confman_tui.cluster.addresses import parse_nodes
from confman_tui.cluster.tls import TlsOptions
from confman_tui.core import errors, signals
from confman_tui.load.locust_logs import LogCapture
from confman_tui.load.locust_setup import prepare
from confman_tui.load.workers.plan import NoMasterError
from confman_tui.settings import Settings, worker_token


def run_worker(settings: Settings) -> int:
    """Join the master, make the load that it asks for, and say on stderr what happens. Returns the exit code.

    Must be called on the main thread, because of the signals.

    Raises:
        UsageError: it has no token, or its nodes are malformed or not those of the master.
    """
    assert settings.master is not None
    host, port = settings.master
    if settings.worker_token is None:
        raise errors.UsageError(
            f"a worker needs {worker_token.VARIABLE}: the master's line that invites workers has it, or it is set for "
            "both"
        )
    nodes = parse_nodes(settings.nodes) if settings.nodes is not None else ()
    prepare()
    LogCapture(None).install()
    from confman_tui.load.workers.worker import WorkerOptions, work

    name = f"{socket.gethostname()}-{os.getpid()}"
    _say(f"confman-tui {__version__}: worker {name}; looking for the master at {host}:{port}")
    if settings.insecure:
        _say("--insecure: any certificate of a node is taken, so whoever stands in between gets the API key")
    try:
        reason = work(
            WorkerOptions(
                host,
                port,
                name=name,
                api_key=settings.api_key,
                token=settings.worker_token,
                tls=TlsOptions.of(settings),
                wait_s=settings.wait_s,
                anchor=None,
                say=_say,
                nodes=nodes,
            )
        )
    except NoMasterError as error:
        _say(f"confman-tui: {error}")
        return error.exit_code
    finally:
        signals.stand()  # gevent gives the signals back to the system, not to what stood before
    _say(f"worker ends: {reason}")
    return errors.EXIT_OK


def _say(text: str) -> None:
    """One line; a stream that is gone ends nothing."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
