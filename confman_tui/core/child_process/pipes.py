"""Messages between the program and a child: each a JSON document on a line of its own, checked against its type.

A message is a `msgspec.Struct` with a tag of its own, or a dataclass; who reads names the type, or the union of types,
that may come. The same functions serve both sides. What waits for messages without an event loop uses `receive` and
`incoming`, what has an event loop a `MessagePipe`.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    # at run time a child without an event loop must not pay for the import
    from asyncio import AbstractEventLoop

_T = TypeVar("_T")

CHUNK = 1 << 18
"""Bytes to read at once."""

log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


def line_of(message: object) -> bytes:
    """A message as it is written into a pipe."""
    return _encoder.encode(message) + b"\n"


def send(sink: int, message: object) -> None:
    """Write a message to a descriptor; waits while its pipe is full. Raises OSError."""
    line = line_of(message)
    while line:
        line = line[os.write(sink, line) :]


def receive(source: int, kind: type[_T], within_s: float | None = None) -> _T:
    """The next message from a descriptor; not a byte beyond it is read.

    Raises:
        EOFError: the pipe has ended.
        TimeoutError: it did not come within the time.
        ValueError: it is not of that kind.
        OSError: the pipe can't be read.
    """
    deadline = time.monotonic() + within_s if within_s is not None else None
    poll = select.poll()
    poll.register(source, select.POLLIN)
    line = bytearray()
    while not line.endswith(b"\n"):
        if deadline is not None and not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        byte = os.read(source, 1)
        if not byte:
            raise EOFError
        line += byte
    return msgspec.json.decode(line, type=kind)


def incoming(source: int, kind: Any) -> Iterator[Any]:
    """The messages from a descriptor until it ends. Raises OSError."""
    cutter = MessageCutter(kind)
    while data := os.read(source, CHUNK):
        yield from cutter.feed(data)


class MessageCutter:
    """Cuts what is read from a pipe into messages."""

    def __init__(self, kind: Any) -> None:
        """``kind``: the type, or the union of types, of the messages."""
        self._decode = msgspec.json.Decoder(kind).decode
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole now. A line that is none is left out, and logged."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = self._decode(line)
            except ValueError as error:
                log.error("a line that is no message was left out: %s", error)
                continue
            yield message


class MessagePipe:
    """Reads and writes messages on an event loop, without ever waiting. Used on the loop's thread only."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        source: int,
        sink: int | None,
        kind: Any,
        on_message: Callable[[Any], None],
        on_end: Callable[[], None],
    ) -> None:
        """
        Args:
            loop: reads and writes.
            source: descriptor to read from.
            sink: descriptor to write to; None: nothing is written.
            kind: the type, or the union of types, of the messages that come.
            on_message: called with each. What it raises goes to the loop's exception handler and holds up nothing.
            on_end: called when the source has ended. Neither is called after `close`.
        """
        self._loop = loop
        self._source = source
        self._sink = sink
        self._cutter = MessageCutter(kind)
        self._on_message = on_message
        self._on_end = on_end
        self._unsent = bytearray()
        self._closed = False
        for descriptor in (source, sink):
            if descriptor is not None:
                os.set_blocking(descriptor, False)
        loop.add_reader(source, self._read)

    def send(self, *messages: object) -> None:
        """Write messages as soon as the pipe takes them; without any, go on with what it did not take yet. When nobody
        reads them they are dropped."""
        if self._sink is None:
            return
        for message in messages:
            self._unsent += line_of(message)
        try:
            while self._unsent:
                del self._unsent[: os.write(self._sink, self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._sink, self.send)
            return
        except OSError:
            # the other side is gone, which the end of the source shows
            self._unsent.clear()
        self._loop.remove_writer(self._sink)

    def stop_sending(self) -> None:
        """Drop what was not written yet, and all that comes; the sink may be closed after this."""
        sink, self._sink = self._sink, None
        if sink is not None and not self._loop.is_closed():
            self._loop.remove_writer(sink)

    def close(self) -> None:
        """Read and write no more; the descriptors may be closed after this."""
        self.stop_sending()
        if not self._closed:
            self._closed = True
            if not self._loop.is_closed():
                self._loop.remove_reader(self._source)

    def _read(self) -> None:
        try:
            data = os.read(self._source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._on_end()
            return
        for message in self._cutter.feed(data):
            if self._closed:
                return
            try:
                self._on_message(message)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": f"what takes {type(message).__name__} messages failed", "exception": error}
                )
