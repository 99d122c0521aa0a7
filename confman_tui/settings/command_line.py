"""The command line: from arguments to a command and its flags, made from the table of settings.

Values are taken as text here; `confman_tui.settings.resolution` parses them with the same parser as those of the other
sources.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click
from click.core import ParameterSource

from confman_tui import __version__
from confman_tui.core.errors import UsageError
from confman_tui.core.streams import write_result
from confman_tui.settings.options import BY_NAME, SETTINGS
from confman_tui.settings.resolution import Flags
from confman_tui.settings.setting import BENCH, PROGRAM, SUBCOMMANDS
from confman_tui.settings.values import closest


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command line."""

    command: str
    """``bench`` (no subcommand), ``demo``, ``clean``, ``drill``, ``sweep`` or ``worker``."""
    flags: Flags
    """Per setting's name, its text."""
    help_keys: bool = False
    """The screen's keys are to be listed, and nothing else done."""


_COMMAND_LINE = click.Command(
    PROGRAM,
    params=[
        # Any flag may stand before or behind the command; which command takes which is checked afterwards.
        *(
            click.Option([setting.flag], is_flag=setting.switch or None, multiple=setting.many)
            for setting in SETTINGS
            if not setting.env_only
        ),
        click.Option(["--help", "-h"], is_flag=True),
        click.Option(["--help-keys"], is_flag=True),
        click.Option(["--version"], is_flag=True),
        click.Argument(["words"], nargs=-1),
    ],
    add_help_option=False,
)


def parse(argv: Sequence[str]) -> Parsed:
    """Read the command line.

    ``--help`` and ``--version`` print to stdout and leave with SystemExit(0).

    Raises:
        UsageError: an unknown flag or command, a flag without its value, or a flag that the command does not take.
            The sentence never repeats a value.
    """
    try:
        context = _COMMAND_LINE.make_context(PROGRAM, list(argv))
    except click.NoSuchOption as error:
        raise UsageError(_unknown_flag(error.option_name, argv)) from None
    except click.BadOptionUsage as error:
        raise UsageError(_wrong_value(error.option_name)) from None
    flags = _flags(context)
    command = _command(context.params["words"])
    if context.params["version"]:
        write_result(f"{PROGRAM} {__version__}")
        raise SystemExit(0)
    if context.params["help"]:
        from confman_tui.settings.help import help_text

        write_result(help_text(command))
        raise SystemExit(0)
    if context.params["help_keys"]:
        # Only the screen's package knows them, and no setting counts: a wrong table [keys] is a reason to ask.
        return Parsed(command, {}, help_keys=True)
    for name in flags:
        takers = BY_NAME[name].commands
        if command not in takers:
            owners = " and ".join(_called(owner) for owner in (BENCH, *SUBCOMMANDS) if owner in takers)
            raise UsageError(f"--{name} does not go with {_called(command)}; it belongs to {owners}")
    return Parsed(command, flags)


def _flags(context: click.Context) -> dict[str, str | bool | Sequence[str]]:
    flags = {}
    for parameter, value in context.params.items():
        setting = BY_NAME.get(parameter.replace("_", "-"))
        if setting is None or context.get_parameter_source(parameter) is not ParameterSource.COMMANDLINE:
            continue
        # click takes the word behind a flag as its value, also when that is the next flag.
        if any(str(text).startswith("--") for text in (value if setting.many else [value])):
            raise UsageError(_wrong_value(setting.flag))
        flags[setting.name] = list(value) if setting.many else value
    return flags


def _command(words: Sequence[str]) -> str:
    if not words:
        return BENCH
    stray = words[1:] if words[0] in SUBCOMMANDS else words
    if stray:
        raise UsageError(_stray_word(stray[0]))
    return words[0]


def _called(command: str) -> str:
    return PROGRAM if command == BENCH else f"{PROGRAM} {command}"


def _unknown_flag(option: str, argv: Sequence[str]) -> str:
    # Of -demo, click names -d only. What follows a flag is not repeated: it may be a key.
    word = next((word for word in argv if word.startswith(option)), option).split("=")[0]
    known = BY_NAME.get(word.removeprefix("--"))
    if known is not None and known.env_only:
        return f"{word} is no flag, since others on this machine can read flags; set {known.env}"
    close = closest(
        word, [setting.flag for setting in SETTINGS if not setting.env_only] + ["--help", "--help-keys", "--version"]
    )
    hint = f"did you mean {close}?" if close else f"{PROGRAM} --help lists what there is"
    return f"unknown flag {word[:40]}; {hint}"


def _wrong_value(flag: str) -> str:
    setting = BY_NAME.get(flag.removeprefix("--"))
    return f"{flag} takes no value" if setting is None or setting.switch else f"{flag} needs a value: {setting.metavar}"


def _stray_word(word: str) -> str:
    """Repeats the word only where it looks like a command: it may as well be a key whose flag was forgotten."""
    allowed = f"the commands are {', '.join(SUBCOMMANDS)}"
    if not re.fullmatch("[a-z][a-z-]{0,15}", word):
        return f"a word on the command line is neither a flag's value nor a command; {allowed}"
    close = closest(word, SUBCOMMANDS)
    hint = f"did you mean {close}? T" if close else "t"
    return f"'{word}' is neither a flag's value nor a command here; {hint}{allowed[1:]}"
