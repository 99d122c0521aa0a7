"""The process that draws: takes graphs on its standard input, gives their rows on its standard output.

It is apart because what is drawn in the screen's process holds up the load that a thread of it makes. It ends when its
standard input does, and when the program dies in whatever way; it runs at low priority, so that it takes no time from
the load.
"""

from __future__ import annotations

import contextlib
import os

import msgspec

from confman_tui.core.child_process.inside import STDIN, end_with_program, keep_output_for_messages
from confman_tui.core.child_process.pipes import incoming, send
from confman_tui.tui.charts.spec import DrawGraph, GraphDrawn, GraphNotDrawn, GraphSpec

NICE = 10
"""Added to the niceness: where load, nodes and graphs share few cores, a drawing takes some milliseconds longer instead
of a dozen requests. (19 would be too much: a drawing could take half a second.)"""


def serve(source: int, sink: int) -> None:
    """Answer the requests that come from the descriptor ``source`` until it ends."""
    from confman_tui.tui.charts.drawing import draw

    read_graph = msgspec.json.Decoder(GraphSpec).decode
    for request in incoming(source, DrawGraph):
        answer: GraphDrawn | GraphNotDrawn
        try:
            answer = GraphDrawn(request.id, draw(read_graph(request.graph)))
        except Exception as error:
            answer = GraphNotDrawn(request.id, f"{type(error).__name__}: {error}")
        send(sink, answer)


def main() -> None:
    """The process's life."""
    end_with_program()
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(STDIN, keep_output_for_messages())
    # No flush at exit into a pipe that nobody reads.
    os._exit(0)


if __name__ == "__main__":
    main()
