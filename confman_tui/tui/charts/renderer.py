"""The process that draws: reads one graph per line on stdin, writes its rows as one line on stdout.

``python -m confman_tui.tui.charts.renderer PARENT_PID``. It is apart because what is drawn in the screen's process
holds up the load that a thread of it makes: with an instant server, against seconds in which nothing is drawn, graphs
built there gave a p99 of 1.21 and a p99.9 of 1.12, built here 1.13 and 1.07 (17 seconds of each in one run; with a
server of 6 ms there was no difference). It ends when stdin does, and when the parent dies in whatever way; it runs at
low priority, so that it takes no time from the load.

A request is ``{"id": int, "graph": {...}}`` (`spec.GraphSpec.to_wire`); its answer ``{"id": int, "rows": [...]}`` or
``{"id": int, "error": "..."}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import BinaryIO

from confman_tui.core.child_process import die_with

NICE = 10
"""Added to the niceness: where load, nodes and graphs share few cores, a drawing takes some milliseconds longer instead
of a dozen requests. (19 would be too much: a drawing could take half a second.)"""


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until ``source`` ends."""
    from confman_tui.tui.charts.drawing import draw

    for line in iter(source.readline, b""):
        request = json.loads(line)
        answer: dict[str, object] = {"id": request["id"]}
        try:
            answer["rows"] = draw(request["graph"])
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        sink.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        sink.flush()


def main(arguments: list[str]) -> None:
    """Serve on stdin and stdout."""
    die_with(int(arguments[0]))
    with contextlib.suppress(OSError):
        os.nice(NICE)
    # Whatever a library prints must not get between the answers.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sink)
    # No flush at exit into a pipe that nobody reads.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
