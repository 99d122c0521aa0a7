"""The themes of the screen, and the one chosen last, which the program keeps for the next start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from confman_tui.core import paths

THEMES = (
    "textual-dark",
    "textual-light",
    "nord",
    "gruvbox",
    "catppuccin-mocha",
    "dracula",
    "tokyo-night",
    "monokai",
    "flexoki",
    "catppuccin-latte",
    "catppuccin-frappe",
    "catppuccin-macchiato",
    "solarized-light",
    "solarized-dark",
    "rose-pine",
    "rose-pine-moon",
    "rose-pine-dawn",
    "atom-one-dark",
    "atom-one-light",
    "ansi-dark",
    "ansi-light",
)
"""Textual's own themes. Named here, because a wrong name must be refused before the screen is opened."""


def chosen_last(file: Path | None = None) -> str | None:
    """The theme chosen last; None when none was, or when what was kept is no theme."""
    file = file or paths.theme_file()
    try:
        # the reading of a pipe would wait
        name = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return None
    return name if name in THEMES else None


def remember(name: str, file: Path | None = None) -> None:
    """Keep it for the next start. An error of the file system is ignored: the choice counts for this start anyway."""
    file = file or paths.theme_file()
    with contextlib.suppress(OSError):
        paths.ensure_folder(file.parent)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        partial.write_text(name + "\n", encoding="utf-8")
        partial.replace(file)
