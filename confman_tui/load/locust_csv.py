"""Locust's four CSV files of one run: written by Locust's own writer, complete, and never half of one.

They are written under temporary names in the same folder and take their real names when the run is over, so a full
disk, a folder that vanishes or a kill leaves an earlier run's files as they were.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Any

from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter

from confman_tui.load import locust_hacks

SUFFIXES = ("_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv")


class CsvFiles:
    """The files of one run. None of its methods raises `OSError`; `error` says what went wrong."""

    def __init__(self, environment: Any, prefix: Path, *, full_history: bool = False) -> None:
        """``full_history``: ``_stats_history.csv`` gets a row a second for each kind of request, with the percentiles
        of the last seconds, and not one row for all together since the start."""
        self._prefix = prefix
        self._temporary = prefix.parent / f".{prefix.name}.{os.getpid()}.part"
        self._writer: Any = None
        self.error = ""
        """One sentence, empty while all is well."""
        _sweep(prefix)
        try:
            self._writer = StatsCSVFileWriter(
                environment, PERCENTILES_TO_REPORT, str(self._temporary), full_history=full_history
            )
        except OSError as error:
            self._fail(error)

    def write_each_second(self) -> None:
        """Locust's own loop; runs in a greenlet from before the users start until it is killed."""
        if self._writer is None:
            return
        try:
            self._writer.stats_writer()
        except OSError as error:
            self._fail(error)

    def finish(self) -> tuple[Path, ...]:
        """Write the end, which Locust's loop leaves out, and give the files their names; returns those.

        To be called when the users are gone and `write_each_second` runs no more.
        """
        writer = self._writer
        if writer is None or self.error:
            self.discard()
            return ()
        try:
            for handle, out, write in (
                (writer.requests_csv_filehandle, writer.requests_csv_writer, writer.requests_csv),
                (writer.failures_csv_filehandle, writer.failures_csv_writer, writer.failures_csv),
                (writer.exceptions_csv_filehandle, writer.exceptions_csv_writer, writer.exceptions_csv),
            ):
                handle.seek(0)
                write(out)
                handle.truncate()
            if writer.stats_history_csv_filehandle.tell() == 0:
                writer.stats_history_csv_writer.writerow(writer.stats_history_csv_columns)
            locust_hacks.write_history_rows(writer, time.time())
            writer.close_files()
            final = tuple(self._prefix.parent / (self._prefix.name + suffix) for suffix in SUFFIXES)
            for suffix, path in zip(SUFFIXES, final, strict=True):
                os.replace(f"{self._temporary}{suffix}", path)  # noqa: PTH105 (the temporary name is a prefix)
        except OSError as error:
            self._fail(error)
            self.discard()
            return ()
        self._writer = None
        return final

    def discard(self) -> None:
        """Close and remove what is unfinished."""
        writer, self._writer = self._writer, None
        if writer is not None:
            for handle in (
                writer.requests_csv_filehandle,
                writer.stats_history_csv_filehandle,
                writer.failures_csv_filehandle,
                writer.exceptions_csv_filehandle,
            ):
                with contextlib.suppress(OSError):
                    handle.close()
        for suffix in SUFFIXES:
            with contextlib.suppress(OSError):
                Path(f"{self._temporary}{suffix}").unlink()

    def _fail(self, error: OSError) -> None:
        if not self.error:
            reason = error.strerror or type(error).__name__
            self.error = f"Locust's CSV files {self._prefix.name}_*.csv were not written: {reason}."


def _sweep(prefix: Path) -> None:
    """Remove what a run of this name left unfinished when its process was killed."""
    with contextlib.suppress(OSError):
        for path in prefix.parent.iterdir():
            match = re.fullmatch(rf"\.{re.escape(prefix.name)}\.(\d+)\.part(?:{'|'.join(SUFFIXES)})", path.name)
            if match and not _lives(int(match[1])):
                path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
