"""How results become JSON and CSV, and how JSON is read back: types checked by msgspec, numbers here."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from confman_tui.results.files.output_folder import ResultsError, os_error_text, replacing
from confman_tui.results.formatting import rounded

DAMAGE = (msgspec.ValidationError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a document raises that this program can't have written."""
_LARGEST_FILE = 32 * 1024 * 1024
_LARGEST_NUMBER = 1e15
_T = TypeVar("_T")


def to_json(value: object, digits: int = 6) -> Any:
    """A value of the model as JSON holds it: dataclasses by the names of their fields, floats rounded, null for what is
    not finite."""
    return _rounded(msgspec.to_builtins(value), digits)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return rounded(value, digits)
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value


def write_json(path: Path, document: Mapping[str, Any]) -> Path:
    """Write the whole document, or leave the earlier file.

    Raises:
        ResultsError: it can't be written.
    """
    with replacing(path) as stream:
        stream.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a CSV table with its heading, or leave the earlier file.

    Raises:
        ResultsError: it can't be written.
    """
    with replacing(path) as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_json(path: Path, what: str) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        what: What it should hold, for the sentence: ``summary``, ``series``.

    Raises:
        ResultsError: the file can't be read or is far too large.
        ValueError, RecursionError: it is no JSON.
    """
    try:
        if not path.is_file():
            # the reading of a pipe would wait; what is not there has a reason of its own
            path.stat()
            raise ResultsError(f"{path} is no ordinary file")
        if path.stat().st_size > _LARGEST_FILE:
            raise ResultsError(f"{path} is larger than any {what} of confman-tui")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path} can't be read: {os_error_text(error)}") from error
    return json.loads(text)


def from_json(fields: object, kind: type[_T]) -> _T:
    """A value of the model from its fields, every type and number checked; raises ValueError where one is wrong."""
    value = msgspec.convert(fields, kind)
    _check_numbers(msgspec.to_builtins(value))
    return value


def _check_numbers(value: Any) -> None:
    """Raise ValueError for a number out of all range. All whole numbers of the model are counts."""
    if isinstance(value, float) and not abs(value) <= _LARGEST_NUMBER:
        raise ValueError("no number that this program could have written")
    if isinstance(value, int) and not 0 <= value <= _LARGEST_NUMBER:
        raise ValueError("no count that this program could have written")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _check_numbers(item)


def is_other_document(error: BaseException) -> bool:
    """Whether one of the errors of `DAMAGE` says that fields are missing or of another type (the file is something
    else), rather than that they hold wrong values."""
    if isinstance(error, msgspec.ValidationError):
        # msgspec distinguishes the two in its text only
        return ", got `" in str(error) or "missing required" in str(error)
    return isinstance(error, (KeyError, TypeError, AttributeError, OverflowError))
