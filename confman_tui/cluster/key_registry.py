"""The key registry: a JSON file of the seeded keys, as the stock ``locust`` command's users read it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confman_tui.core.errors import UsageError

Key = tuple[str, str]
"""Namespace and key."""


def write_registry(path: Path, keys: Iterable[Key]) -> None:
    """Write the seeded keys as the suite's users read them: a JSON list of ``{"namespace", "key"}``. The file is
    whole at every moment; OSError when it can't be written."""
    text = json.dumps([{"namespace": namespace, "key": key} for namespace, key in keys], indent=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes it readable for its owner alone; the suite's users may be others.
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def read_registry(path: Path) -> tuple[Key, ...]:
    """The seeded keys: a JSON list of ``{"namespace", "key"}`` objects or of ``[namespace, key]`` pairs.

    Raises:
        UsageError: the file can't be read, or holds something else, or nothing.
    """
    try:
        entries: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"BENCH_KEY_REGISTRY_FILE {path} can't be read: {error.strerror}.") from None
    except ValueError:
        raise UsageError(f"BENCH_KEY_REGISTRY_FILE {path} is not JSON.") from None
    wanted = 'a JSON list of {"namespace": …, "key": …} objects or of [namespace, key] pairs'
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"BENCH_KEY_REGISTRY_FILE {path} must hold {wanted}, at least one.")
    keys = []
    for number, entry in enumerate(entries, start=1):
        pair = (entry.get("namespace"), entry.get("key")) if isinstance(entry, dict) else entry
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or not all(isinstance(part, str) and part for part in pair)
        ):
            raise UsageError(f"BENCH_KEY_REGISTRY_FILE {path}: entry {number} is not what is allowed, {wanted}.")
        keys.append((pair[0], pair[1]))
    return tuple(keys)
