"""Where the value of a setting came from, and what that means: the higher rank wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from confman_tui.settings.options import BY_NAME


class Rank(IntEnum):
    """Where a value came from; the higher one wins."""

    DEFAULT = 0
    REMEMBERED = 1
    """The theme chosen last on the screen."""
    FILE = 2
    ENVIRONMENT = 3
    FLAG = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from."""

    rank: Rank
    where: str
    """In words: ``flag``, the variable's name, the file's path, ``default``."""
    text: str | None = field(repr=False)
    """As it was written; None: not set."""


@dataclass(slots=True)
class Draft:
    """Values on their way to `Settings`, which need not agree with one another yet."""

    command: str
    values: dict[str, Any]
    """Per field of `Settings`."""
    origins: dict[str, Origin]
    """Per setting's name."""

    def rank(self, name: str) -> Rank:
        """Where the setting's value came from."""
        return self.origins[name].rank

    def typed(self, name: str) -> bool:
        """Whether it stands on the command line. What the environment or the file sets may simply not apply here."""
        return self.rank(name) is Rank.FLAG

    def source(self, name: str) -> str:
        """What a sentence about the setting begins with: its flag, its variable, or the file and the key."""
        origin = self.origins[name]
        if origin.rank is Rank.FLAG:
            return f"--{name}"
        return f"{origin.where}: {name}" if origin.rank is Rank.FILE else origin.where

    def use_default(self, name: str, rank: Rank, why: str) -> None:
        """Put the default in the place of the value, because of a setting of that rank."""
        setting = BY_NAME[name]
        self.values[setting.field] = None if setting.default is None else setting.parse(setting.default)
        self.origins[name] = Origin(rank, why, None)
