"""Standard streams that a shell may have closed, filled or left: what is printed must not break what is done."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Mapping

from confman_tui.core.errors import UsageError

ASCII_PICTURES = "confman-tui-ascii"
"""Name of the way in which a stream writes what its encoding lacks."""
_IN_ASCII = str.maketrans(
    {
        **dict.fromkeys("━█▇▆▅▄▃▂▉▊▋▌▍▎▏■", "#"),
        **dict.fromkeys("─–—−▁", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("●◆★◒◔⚑", "*"),
        **dict.fromkeys("○◌☆·", "."),
        **dict.fromkeys("✗✕×", "x"),
        **dict.fromkeys("▲↑", "^"),
        **dict.fromkeys("→▸↗⇅↻", ">"),
        **dict.fromkeys("←◀", "<"),
        "▼": "v",
        "✓": "+",
        "⚠": "!",
        "±": "~",
        "µ": "u",
        "²": "2",
        "≥": ">",
        "≤": "<",
        "…": ".",
        "ä": "a",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
    }
)
"""One character for one, so that columns stay straight."""


def open_missing_streams() -> None:
    """Give each standard stream that was closed (``2>&-``) the null device.

    Otherwise Python has no stream at all there, and the next socket that is opened gets the descriptor: what a library
    writes to "stderr" would then be sent to a node.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor is this one: all below it are open by now.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (lives as long as the program)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    write_what_can_not_be_encoded()


def write_what_can_not_be_encoded() -> None:
    """Have standard output and error write ASCII in place of what their encoding lacks, instead of raising."""
    codecs.register_error(ASCII_PICTURES, _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ASCII_PICTURES)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_IN_ASCII)
    return "".join(letter if letter.isascii() else "?" for letter in text), error.end


def check_can_show(environ: Mapping[str, str]) -> None:
    """Make sure that the terminal can show a screen, which would be drawn without end otherwise.

    Raises:
        UsageError: it can't move its cursor, or has no size.
    """
    if environ.get("TERM") == "dumb":
        raise UsageError("the screen needs a terminal that can move its cursor, and TERM is dumb: use --headless")
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return
    given = [environ.get(name, "") for name in ("COLUMNS", "LINES")]
    if (columns == 0 or rows == 0) and not all(size.isdecimal() and int(size) > 0 for size in given):
        raise UsageError(
            f"the screen needs a terminal with a size, and this one has {columns} columns and {rows} rows: "
            "use --headless, or set it with stty cols 120 rows 40"
        )


def write_result(text: str) -> None:
    """Print a result on stdout. That its reader left (``| head -1``) is no error.

    Raises:
        UsageError: it can't be written: a full disk, for instance.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        raise UsageError(f"standard output can't be written: {error.strerror}") from None


def try_print(text: str) -> None:
    """Print a line on stdout if that is possible; a stream that is gone or full is no error."""
    with contextlib.suppress(UsageError):
        write_result(text)


def _forget_stdout() -> None:
    """What is still buffered must not raise again when Python flushes at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
