"""One node of the demo cluster, as a process. Its arguments are its name and its folder.

Started by `confman_tui.demo.supervisor` only: it reads commands on its standard input and ends when that ends.
"""

from __future__ import annotations

import os

from confman_tui.core.child_process.inside import EXIT_ORPHANED, STDIN, end_with_program
from confman_tui.core.child_process.pipes import receive
from confman_tui.demo.node_contract import NodeOptions


def main() -> None:
    """The process's life."""
    # Before the slow imports, so that there is hardly a time in which the program's death goes unnoticed.
    _name, folder = end_with_program()
    os.chdir(folder)
    try:
        options = receive(STDIN, NodeOptions)
    except EOFError:
        raise SystemExit(EXIT_ORPHANED) from None

    from confman_tui.demo.server import run

    raise SystemExit(run(options))


if __name__ == "__main__":
    main()
