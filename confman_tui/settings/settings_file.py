"""The settings file: TOML, keys named as the flags, and a table ``[keys]`` of the screen's keys."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confman_tui.core.errors import UsageError
from confman_tui.settings import values
from confman_tui.settings.options import SETTINGS
from confman_tui.settings.setting import Setting

KEYS_TABLE = "keys"
_IN_FILE = {setting.name: setting for setting in SETTINGS if not (setting.flag_only or setting.env_only)}
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What stands in a settings file."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """Per setting, its value as it would be written for a flag."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Per binding id, the keys for it."""


def read(path: Path) -> FileSettings:
    """What stands in the file; nothing when there is no such file.

    Raises:
        UsageError: the file can't be read, is no TOML, or holds a key or a type that is not allowed. The sentence
            names the file, the key and what is allowed.
    """
    try:
        text = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return FileSettings()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text") from error
    import tomllib  # most users have no such file, and the program starts faster without it

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    except RecursionError:
        raise UsageError(f"{path}: is nested too deeply: a settings file holds keys, lists and one table") from None
    keys = _keys(path, document.pop(KEYS_TABLE, {}))
    texts: dict[str, str] = {}
    for name, value in document.items():
        setting = _IN_FILE.get(name)
        if setting is None:
            raise UsageError(f"{path}: {_unknown(name)}")
        texts[name] = _text(path, setting, value)
    return FileSettings(texts, keys)


def _read(path: Path) -> str:
    """The text of a file; never waits, as the opening of a pipe would."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path}: is no ordinary file, and the settings file must be one")
        if found.st_size > _LARGEST:
            raise UsageError(f"{path}: is larger than 1 MB, which no settings file is")
        return os.read(descriptor, _LARGEST).decode()
    finally:
        os.close(descriptor)


def _unknown(name: str) -> str:
    close = values.closest(name.lower().replace("_", "-"), _IN_FILE)
    hint = f"did you mean {close}? K" if close else "k"
    return f"the key {values.shown(name)} is not known; {hint}nown keys: {', '.join((*_IN_FILE, f'[{KEYS_TABLE}]'))}"


def _text(path: Path, setting: Setting, value: object) -> str:
    """A TOML value as the text that a flag would have had, so that one parser serves all sources."""
    if setting.switch:
        if isinstance(value, bool):
            return "true" if value else "false"
        raise UsageError(f"{path}: {setting.name}: must be true or false, without quotes")
    if setting.listed and isinstance(value, list) and all(_plain(item) for item in value):
        return ",".join(str(item) for item in value)
    if _plain(value):
        return str(value)
    array = " or an array of them" if setting.listed else ""
    raise UsageError(f"{path}: {setting.name}: must be a string or a number{array}")


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _keys(path: Path, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise UsageError(f'{path}: {KEYS_TABLE}: must be a table: [{KEYS_TABLE}], then lines such as stop = "x"')
    keys: dict[str, str] = {}
    for binding, value in table.items():
        where = f"{path}: [{KEYS_TABLE}] {binding}"
        if not isinstance(value, str):
            raise UsageError(f'{where}: must be a key in quotes, such as "x"')
        try:
            keys[binding] = values.key_list(value)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from error
    return keys
