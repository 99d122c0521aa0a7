"""One node of the demo cluster, as a process: ``python -m confman_tui.demo.node``.

Started by `confman_tui.demo.supervisor` only: it reads commands on its standard input and ends when that ends.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from confman_tui.core.child_process import die_with

EXIT_PORT_TAKEN = 98
"""EADDRINUSE's number: somebody else listens on this node's HTTP port."""
EXIT_FOLDER_TAKEN = 75
"""EX_TEMPFAIL of sysexits.h: another process uses this node's folder."""
FOLDER_WAIT_S = 2.0
"""For the process that had the folder before to be gone."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m confman_tui.demo.node", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--nodes", required=True, help="NAME=URL,... of all nodes, this one included")
    parser.add_argument("--election", required=True, help="LOW-HIGH in ms")
    parser.add_argument("--compact-after", required=True, type=int)
    parser.add_argument("--first-election", action="store_true")
    parser.add_argument("--parent", required=True, type=int)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    # Before the slow imports, so that there is hardly a time in which the program's death goes unnoticed.
    die_with(arguments.parent)
    os.chdir(arguments.folder)

    from confman_tui.demo.server import NodeOptions, run

    low, high = arguments.election.split("-")
    nodes = dict(pair.split("=", 1) for pair in arguments.nodes.split(","))
    options = NodeOptions(
        name=arguments.name,
        nodes=nodes,
        election_timeout_s=(int(low) / 1000, int(high) / 1000),
        compact_after=arguments.compact_after,
        first_election=arguments.first_election,
    )
    raise SystemExit(run(options))


if __name__ == "__main__":
    main()
