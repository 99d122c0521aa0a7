"""Keeps what Locust and gevent log away from stderr, where it would tear the screen."""

from __future__ import annotations

import logging
from pathlib import Path


class LogCapture:
    """Sends Locust's and the root logger's records to a file, or nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._handler: logging.Handler | None = None

    def install(self) -> None:
        """Begin. Without a file, or when it can't be opened, records are dropped."""
        if self._handler is not None:
            return
        handler: logging.Handler = logging.NullHandler()
        if self._path is not None:
            try:
                handler = logging.FileHandler(self._path, encoding="utf-8", delay=False)
            except OSError:
                handler = logging.NullHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._handler = handler
        # a record of "locust" climbs to the root logger: one handler there takes both, and a handler, even one that
        # drops everything, keeps logging from writing to stderr by itself
        logging.getLogger().addHandler(handler)

    def remove(self) -> None:
        """End, and close the file."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def stream(self) -> LogStream:
        """Something to write tracebacks to that ends in the log."""
        return LogStream()


class LogStream:
    """A text stream whose lines are log records."""

    def write(self, text: str) -> None:
        """Log what is not blank."""
        if text.strip():
            logging.getLogger(__name__).error("%s", text.rstrip())

    def flush(self) -> None:
        """Nothing waits here."""
