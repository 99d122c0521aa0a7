"""``confman-tui demo``: the cluster alone, in the foreground, until a signal ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from confman_tui.core import signals
from confman_tui.core.errors import EXIT_INTERRUPTED, EXIT_OK, ClusterError
from confman_tui.demo.supervisor import DemoCluster

READY_S = 15.0
"""After this without a leader a line says so, and the cluster goes on trying."""
LOOK_EVERY_S = 1.0
"""Between two looks whether a node has ended."""


class _Ended(Exception):
    """A signal came."""


def run_foreground(cluster: DemoCluster, say: Callable[[str], None]) -> int:
    """Run the cluster until SIGINT, SIGTERM or SIGHUP, then end all of it; gives the exit code. A second signal kills
    the nodes and ends the program at once.

    Must be called on the main thread, because of the signals. What dies is not restarted. `say` gets whole lines for
    the person. Raises UsageError when the cluster can't be started and ClusterError when it does not get ready.
    """
    ended = False

    def end(name: str) -> None:
        if not ended:
            raise _Ended

    def end_at_once(name: str) -> None:
        cluster.stop(0.0)
        os._exit(EXIT_INTERRUPTED)

    with signals.handled(end, end_at_once):
        started = False
        try:
            cluster.start()
            started = True
            _introduce(cluster, say)
            while True:
                for ended_node in cluster.take_ended():
                    say(ended_node.sentence)
                time.sleep(LOOK_EVERY_S)
        except _Ended:
            return EXIT_OK
        finally:
            ended = True
            if started:
                say("Ending the demo cluster.")
            cluster.stop()


def _introduce(cluster: DemoCluster, say: Callable[[str], None]) -> None:
    if not cluster.wait_ready(READY_S):
        missing = [url for url in cluster.urls if not cluster.alive(url)]
        if missing:
            raise ClusterError(f"The demo cluster does not get ready: {', '.join(missing)} has ended.")
        say(f"No leader yet after {READY_S:g} s; the nodes go on trying.")
    say("The demo cluster runs:")
    pids = cluster.pids
    for url in cluster.urls:
        say(f"  {url}  (process {pids[url]})" if url in pids else f"  {url}  (has ended)")
    say(f"  data and log files: {cluster.data_folder}")
    say(
        "  a write counts when it is "
        + ("on the disk (--demo-fsync)" if cluster.fsync else "with the kernel (no --demo-fsync)")
    )
    say("API keys, in the header X-Api-Key: confman_dev_abc123 may do all, confman_dev_reader may read.")
    say(f"In another terminal: confman-tui --host {cluster.urls[0]} --nodes {','.join(cluster.urls)}")
    say(f"Ctrl-C or kill {os.getpid()} ends it.")
