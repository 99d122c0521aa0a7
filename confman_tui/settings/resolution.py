"""From flags, environment, settings file and defaults to one frozen `Settings`.

Flags win over the environment, the environment over the file, the file over the defaults.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confman_tui.core.errors import UsageError
from confman_tui.settings import settings_file
from confman_tui.settings.consistency import make_consistent
from confman_tui.settings.options import SETTINGS, Settings
from confman_tui.settings.origins import Draft, Origin, Rank
from confman_tui.settings.setting import CLEAN, Setting
from confman_tui.settings.settings_file import FileSettings
from confman_tui.settings.themes import THEMES
from confman_tui.settings.values import shown

Flags = Mapping[str, str | bool | Sequence[str]]
"""Per setting's name, what the command line says: text, True for a switch, or a list of texts."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings in force, and where each came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    """Per setting's name."""
    config_file: Path | None
    """The settings file that was asked for; it need not exist."""

    def explain(self) -> str:
        """What ``--print-config`` shows: a line per setting with its value and its source. The API key is hidden."""
        rows = []
        for setting in SETTINGS:
            if setting.flag_only or self.settings.command not in setting.commands:
                continue
            origin = self.origins[setting.name]
            rows.append((setting.name, self._value_shown(setting, origin), origin.where))
        rows += [(f"keys.{name}", keys, str(self.config_file)) for name, keys in sorted(self.settings.keys.items())]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {where}" for name, value, where in rows]
        if self.config_file is not None:
            there = "" if self.config_file.exists() else " (not there)"
            lines.append(f"settings file: {self.config_file}{there}")
        return "\n".join(lines)

    def _value_shown(self, setting: Setting, origin: Origin) -> str:
        if setting.name == "tier" and self.settings.command == CLEAN and self.settings.clean_tier is None:
            return "(all)"
        if origin.text is None:
            return "(not set)"
        return "(set)" if setting.secret else origin.text.replace(self.settings.api_key, "(hidden)")


def resolve(
    command: str,
    flags: Flags,
    environ: Mapping[str, str],
    config_file: Path | None = None,
    remembered_theme: str | None = None,
) -> Resolved:
    """Settle every setting.

    Args:
        command: ``bench``, ``demo``, ``clean``, ``drill``, ``sweep`` or ``worker``.
        flags: What the command line says (`confman_tui.settings.command_line.parse`).
        environ: The environment, usually ``os.environ``. An empty variable counts as not set.
        config_file: The settings file, usually `confman_tui.core.paths.config_file`; None reads none.
        remembered_theme: The theme chosen last on the screen (`confman_tui.settings.themes`).

    Raises:
        UsageError: a value is wrong, or two settings contradict each other; names the flag, variable or file.
    """
    file = settings_file.read(config_file) if config_file is not None else FileSettings()
    draft = Draft(command, {}, {})
    for setting in SETTINGS:
        origin = _origin(setting, flags, environ, file, config_file)
        if setting.name == "theme" and origin.rank is Rank.DEFAULT and remembered_theme in THEMES:
            origin = Origin(Rank.REMEMBERED, "chosen last", remembered_theme)
        draft.origins[setting.name] = origin
        try:
            draft.values[setting.field] = _value(setting, origin.text)
        except ValueError as error:
            raise UsageError(f"{draft.source(setting.name)}: {error}") from None
    make_consistent(draft)
    clean_tier = draft.values["tier"] if command == CLEAN and draft.typed("tier") else None
    settings = Settings(command=command, keys=dict(file.keys), clean_tier=clean_tier, **draft.values)
    return Resolved(settings, draft.origins, config_file)


def _origin(
    setting: Setting, flags: Flags, environ: Mapping[str, str], file: FileSettings, config_file: Path | None
) -> Origin:
    flag = flags.get(setting.name)
    if flag is not None:
        if isinstance(flag, bool):
            flag = "true" if flag else "false"
        return Origin(Rank.FLAG, "flag", flag if isinstance(flag, str) else ",".join(flag))
    if setting.env is not None and environ.get(setting.env):
        return Origin(Rank.ENVIRONMENT, setting.env, environ[setting.env])
    if setting.name in file.texts:
        return Origin(Rank.FILE, str(config_file), file.texts[setting.name])
    return Origin(Rank.DEFAULT, "default", setting.default)


def _value(setting: Setting, text: str | None) -> Any:
    if setting.many:
        return tuple(setting.parse(part) for part in text.split(",")) if text is not None else ()
    return setting.parse(text) if text is not None else None


def check_keys(resolved: Resolved, known: Collection[str]) -> None:
    """Check the binding ids of the table ``[keys]``, which only the screen knows.

    Raises:
        UsageError: one of them is not among ``known``.
    """
    for binding in resolved.settings.keys:
        if binding not in known:
            raise UsageError(
                f"{resolved.config_file}: [keys]: the action {shown(binding)} is not known; "
                f"known actions: {', '.join(sorted(known))}"
            )
