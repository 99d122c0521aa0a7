"""Where the program keeps things of its own: the only module that knows the folders (XDG through platformdirs).

Each folder is named here and made by what writes to it (`ensure_folder`). Results are not among them: they go to
``--output-dir``.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from confman_tui.core.errors import UsageError

APP = "confman-tui"
CONFIG_NAME = "config.toml"


def config_file() -> Path:
    """The settings file, which need not exist: ``$XDG_CONFIG_HOME/confman-tui/config.toml`` on Linux."""
    return platformdirs.user_config_path(APP, appauthor=False) / CONFIG_NAME


def state_dir() -> Path:
    """What outlives a run without being a setting or a result: the log, the theme chosen last."""
    return platformdirs.user_state_path(APP, appauthor=False)


def cache_dir() -> Path:
    """What may be deleted at any time."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def runtime_dir() -> Path:
    """What must not outlive the login: locks. Where the system names no such folder, they stand with the state."""
    named = os.environ.get("XDG_RUNTIME_DIR")
    return Path(named) / APP if named else state_dir()


def log_file() -> Path:
    """The program's log, Locust's warnings included."""
    return state_dir() / "confman-tui.log"


def theme_file() -> Path:
    """Holds the name of the theme that was chosen last on the screen."""
    return state_dir() / "theme"


def ensure_folder(folder: Path) -> Path:
    """The folder, made for this user alone if it was missing.

    Raises:
        OSError: it can't be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def needed_folder(folder: Path) -> Path:
    """As `ensure_folder`, for a folder without which nothing can be done.

    Raises:
        UsageError: it can't be made.
    """
    try:
        return ensure_folder(folder)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} can't be made: {(error.strerror or str(error)).lower()}; XDG_STATE_HOME, "
            "XDG_RUNTIME_DIR and HOME say where it is"
        ) from error
