"""A node of the embedded cluster that speaks TLS, as a process. Its last argument is its certificate with its key, PEM.

Started by `tests.support.tls_cluster` only.
"""

from __future__ import annotations

import functools
import sys

import uvicorn

from confman_tui.demo import node


def main() -> None:
    """The process's life: the demo's node, with two more options for its server."""
    uvicorn.Config = functools.partial(uvicorn.Config, ssl_certfile=sys.argv.pop())  # type: ignore[assignment, misc]
    node.main()


if __name__ == "__main__":
    main()
