"""The process beside the screen's: conductor, engine and Locust. ``python -m confman_tui.bench_process PARENT FD``.

Started by `confman_tui.remote_conductor` only. Its life: the settings come first; then commands, each a method of the
conductor, and events the other way. The end of the channel means that the screen's process is gone: everything is
stopped and cleaned as after ``quit``, within what a person would wait for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from typing import Any

from confman_tui import errors
from confman_tui.children import belong_to, die_with
from confman_tui.conductor import ConductorThread
from confman_tui.events import Event
from confman_tui.load.engine import prepare
from confman_tui.remote_conductor import receive, send

JOIN_S = 8.0
"""Longest wait for the conductor: its stop and its clean-up are bounded to less."""


class _Outbox:
    """Sends from several threads, whole messages; nothing once the other side is gone."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def event(self, event: Event) -> None:
        self.send("event", event)

    def send(self, kind: str, told: object) -> None:
        with self._lock, contextlib.suppress(OSError):
            send(self._channel, (kind, told))


def _serve(channel: socket.socket, conductor: ConductorThread, outbox: _Outbox) -> None:
    """Do what is asked until ``quit``, ``abandon`` or the channel's end."""
    while True:
        try:
            name, arguments, number = receive(channel)
        except EOFError:
            conductor.quit()
            return
        if name == "abandon":
            conductor.abandon()
            os._exit(errors.EXIT_INTERRUPTED)
        if not number:
            getattr(conductor, name)(*arguments)
            continue
        answer: Any
        try:
            answer = getattr(conductor, name)(*arguments)
        except Exception as error:
            answer = error
        outbox.send("answer", (number, answer))


def main(arguments: list[str]) -> None:
    """The process's life."""
    parent, descriptor = (int(text) for text in arguments)
    die_with(parent)
    belong_to(parent)
    # The screen's process is told by signals and tells this one; a ^C or a hang-up is not for it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as channel:
        try:
            settings = receive(channel)
        except EOFError:
            return
        prepare()
        outbox = _Outbox(channel)
        conductor = ConductorThread(settings)
        signal.signal(signal.SIGTERM, lambda *_: conductor.quit())
        conductor.start(outbox.event)
        threading.Thread(target=_serve, args=(channel, conductor, outbox), name="commands", daemon=True).start()
        while not conductor.join(0.25):
            pass
        if conductor.crash is not None:
            outbox.send("crash", f"{type(conductor.crash).__name__}: {conductor.crash}")
        sys.stdout.flush()
    os._exit(errors.EXIT_OK)


if __name__ == "__main__":
    main(sys.argv[1:])
