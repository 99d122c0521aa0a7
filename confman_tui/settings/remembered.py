"""What the screen remembers without being told in the settings file: the theme chosen last."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from confman_tui.core import paths
from confman_tui.settings.options import THEMES


def theme(file: Path | None = None) -> str | None:
    """The theme chosen last; None when none was, or when what was kept is no theme."""
    try:
        name = (file or paths.theme_file()).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if name in THEMES else None


def remember_theme(name: str, file: Path | None = None) -> None:
    """Keep it for the next start. That it can't be kept is no reason to bother anybody."""
    file = file or paths.theme_file()
    with contextlib.suppress(OSError):
        paths.ensure_folder(file.parent)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        partial.write_text(name + "\n", encoding="utf-8")
        partial.replace(file)
