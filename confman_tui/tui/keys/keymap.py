"""The keys of the settings file: checked before the screen starts, because a key that does nothing says nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys

from confman_tui.core.errors import UsageError
from confman_tui.tui.keys.table import ACTIONS, BY_ID
from confman_tui.tui.text import clean

SHARED = frozenset({"retry", "revive"})
"""Actions that share a key by design: which one it is depends on whether there is a cluster."""

_NAMES = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values()) | set(KEY_TO_UNICODE_NAME)


def check_keymap(keymap: Mapping[str, str]) -> None:
    """Check what each action was mapped to.

    Raises:
        UsageError: an action that does not exist, a key that has no such name, or one key for two actions.
    """
    for action, keys in keymap.items():
        if action not in BY_ID:
            known = ", ".join(sorted(BY_ID))
            raise UsageError(f"keys: the action {clean(action, 40)!r} is not known; known are {known}")
        for key in _split(keys):
            if not _exists(key):
                raise UsageError(
                    f"keys: {action} = {clean(keys, 40)!r}: there is no key {clean(key, 40)!r}; "
                    "allowed are single characters, f1 to f24, and names such as space, enter, left or plus"
                )
    taken: dict[str, str] = {}
    for known_action in ACTIONS:
        own = known_action.id
        for key in _split(keymap.get(own, known_action.key)):
            other = taken.setdefault(_normal(key), own)
            if other != own and {other, own} != SHARED:
                raise UsageError(f"keys: {other} and {own} share the key {clean(key, 40)!r}; each needs its own")


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")] if keys != "," else [keys]


def _normal(key: str) -> str:
    """``+`` and ``plus`` are one key."""
    if len(key) == 1 and not key.isalnum():
        name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
        return KEY_NAME_REPLACEMENTS.get(name, name)
    return key


def _exists(key: str) -> bool:
    bare = key.split("+")[-1] if len(key) > 1 else key
    if len(bare) == 1:
        return bare.isprintable() and bare != " "
    return bare in _NAMES or _normal(bare) in _NAMES
