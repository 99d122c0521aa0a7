"""A child process for tests: gives back what it is sent, and says what it can see.

It prints before it answers, as a library might. ``stubborn`` as its argument: it ignores the end of its input.
"""

from __future__ import annotations

import os
import sys
import time

import msgspec

from confman_tui.core.child_process.inside import STDIN, end_with_program, keep_output_for_messages
from confman_tui.core.child_process.pipes import incoming, receive, send


class Echo(msgspec.Struct, frozen=True, tag=True):
    """Goes there and back."""

    text: str


class Seen(msgspec.Struct, frozen=True, tag=True):
    """Its first message: what anybody could see of it."""

    arguments: list[str]
    variables: list[str]
    path: list[str]


def main() -> None:
    """The process's life."""
    arguments = end_with_program()
    sink = keep_output_for_messages()
    sys.stdout.write("a library prints\n")
    sys.stdout.flush()
    send(sink, receive(STDIN, Echo))
    send(sink, Seen(arguments, sorted(os.environ), sys.path))
    for message in incoming(STDIN, Echo):
        send(sink, message)
    while "stubborn" in arguments:
        time.sleep(1)


if __name__ == "__main__":
    main()
