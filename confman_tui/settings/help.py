"""The text of ``--help``, of the program and of each command."""

from __future__ import annotations

from itertools import groupby

import click

from confman_tui.core.errors import EXIT_CODES
from confman_tui.settings.options import SETTINGS
from confman_tui.settings.setting import BENCH, CLEAN, PROGRAM, SUBCOMMANDS, WORKER, Setting

_FLAG_WIDTH = 26
"""Columns of the flags; a longer one has its text on the next line."""


def help_text(command: str) -> str:
    """What ``--help`` shows for the command, as wide as the terminal."""
    formatter = click.HelpFormatter(max_width=10_000)
    general = [("-h, --help", "show this help message and exit")]
    if command == BENCH:
        formatter.write_usage(PROGRAM, f"[flags] [{'|'.join(SUBCOMMANDS)}]", prefix="usage: ")
        formatter.write(
            "\nBenchmark a Confman cluster from the terminal, and watch its elections under load.\n"
            f"Without a command and without --headless it opens the screen.\n\nFirst try: {PROGRAM} --demo\n"
        )
        general.append(("--help-keys", "list the screen's keys and their names for the settings file, and exit"))
        general.append(("--version", "show program's version number and exit"))
    else:
        summary = SUBCOMMANDS[command]
        formatter.write_usage(f"{PROGRAM} {command}", "[flags]", prefix="usage: ")
        formatter.write(f"\n{summary[0].upper()}{summary[1:]}.\n")
    shown = [setting for setting in SETTINGS if command in setting.commands]
    groups = [
        (name, [_row(setting, command) for setting in settings])
        for name, settings in groupby(shown, key=lambda setting: setting.group)
    ]
    if command == BENCH:
        groups.insert(0, ("commands", [(f"  {name}", summary) for name, summary in SUBCOMMANDS.items()]))
    width = min(_FLAG_WIDTH, max(len(left) for _, rows in groups for left, _ in rows))
    for name, rows in [("options", general), *groups]:
        with formatter.section(name):
            if name == "commands":
                formatter.write("  COMMAND\n")
            formatter.write_dl([(f"{left:<{width}}", right) for left, right in rows], col_max=width)
    formatter.write(_environment() if command == BENCH else f"\nEnvironment variables and exit codes: {PROGRAM} --help")
    return formatter.getvalue()


def _row(setting: Setting, command: str) -> tuple[str, str]:
    """A setting's flag, or its variable where it has none, and its description, as the command means it."""
    text = setting.help
    if setting.env_only:
        return str(setting.env), text
    if command == CLEAN and setting.name == "tier":
        text += " that is removed (default: all three)"
    elif command == WORKER and setting.name == "nodes":
        text = "the only nodes that it sends to, one to nine; a master that names others is refused (default: its own)"
    elif setting.default is not None and not setting.switch and not setting.secret:
        text += f" (default: {setting.default})"
    return f"{setting.flag} {setting.metavar}".rstrip(), text


def _environment() -> str:
    """Environment variables, settings file and exit codes, which are the same for all commands."""
    variables = [(setting.env, setting.flag) for setting in SETTINGS if setting.env and not setting.env_only]
    width = max(len(name) for name, _ in variables)
    lines = ["", "environment variables (flags win over them, they win over the settings file):"]
    lines += [f"  {name:<{width}}  as {flag}" for name, flag in variables]
    lines += [
        f"  {'NO_COLOR':<{width}}  no colours on the screen",
        "",
        "settings file: confman-tui/config.toml in $XDG_CONFIG_HOME (TOML: keys as the flags,",
        "and a table [keys] for the screen's keys, which --help-keys lists); --print-config says",
        "where it is looked for",
        "",
        "exit codes:",
    ]
    lines += [f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()]
    return "\n".join(lines)
