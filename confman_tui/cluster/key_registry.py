"""The key registry: a JSON file of the seeded keys, as the stock ``locust`` command's users read it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

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
    """The keys of a registry file.

    Raises:
        UsageError: it can't be read or holds something else.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the key registry {path} can't be read: {error.strerror}") from None
    except ValueError:
        parsed = None
    keys: list[Key] = []
    for item in parsed if isinstance(parsed, list) else (None,):
        namespace, key = (item.get("namespace"), item.get("key")) if isinstance(item, dict) else (None, None)
        if not isinstance(namespace, str) or not isinstance(key, str):
            raise UsageError(f'the key registry {path} must hold a JSON list of {{"namespace", "key"}}')
        keys.append((namespace, key))
    return tuple(keys)
