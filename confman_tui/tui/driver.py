"""The terminal's driver, for terminals that may be closed while the screen runs."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


class _EnduringFile(io.TextIOBase):
    """Writes to a terminal; once that is gone it swallows everything.

    Textual's writer is a thread with a bounded queue. An error in it would end the thread, the queue would fill up, and
    the screen's loop would wait for room in it for ever.
    """

    def __init__(self, file: TextIO, gone: Callable[[], None]) -> None:
        self._file = file
        self._gone: Callable[[], None] | None = gone

    def write(self, text: str) -> int:
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, work: Callable[[], object]) -> None:
        if self._gone is None:
            return
        try:
            work()
        except (OSError, ValueError):
            gone, self._gone = self._gone, None
            gone()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()


class EnduringDriver(LinuxDriver):
    """Textual's driver, which tells the app to quit when its terminal is gone, and lets it."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._leave = getattr(app, "request_quit", app.exit)
        self._file = cast(Any, _EnduringFile(sys.__stderr__ or sys.stderr, lambda: self._leave()))

    def run_input_thread(self) -> None:
        """Read keys until the end; a terminal that is gone is an end, not a defect."""
        try:
            super().run_input_thread()
        except OSError:
            self._leave()
