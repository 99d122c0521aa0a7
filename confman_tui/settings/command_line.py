"""The command line: from arguments to a command and its flags, made from the table of settings.

Values are taken as text here; `confman_tui.settings.resolution` parses them with the same parser as those of the other
sources.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Any, NoReturn

from confman_tui import __version__
from confman_tui.core import errors
from confman_tui.settings.options import BENCH, BY_NAME, CLEAN, DEMO, DRILL, SETTINGS, SWEEP, WORKER, Setting
from confman_tui.settings.resolution import Flags

PROGRAM = "confman-tui"

_COMMANDS = {
    DEMO: "run the demo cluster alone, in the foreground, until ^C",
    CLEAN: "remove what the benchmark left in a cluster, without a screen",
    DRILL: "make the leader fail again and again under load, and measure each election",
    SWEEP: "measure reads and writes at one number of entries after the other",
    WORKER: "make load for a benchmark that runs on another machine, until it ends",
}

_EXIT_CODES = (
    (errors.EXIT_OK, "done"),
    (errors.EXIT_NO_SUCCESS, "done, but a scenario had no successful request"),
    (errors.EXIT_USAGE, "wrong usage or settings"),
    (errors.EXIT_NO_CLUSTER, "no cluster, no leader, or a refused API key; worker: no master"),
    (errors.EXIT_UNAVAILABLE, "drill: --max-unavailable was broken, or a node did not come back"),
    (errors.EXIT_LOST, "an acknowledged write was lost, or a refused one appeared"),
    (errors.EXIT_GENERATOR_BOUND, "--strict: the generator, not the cluster, was the limit of a run"),
    (errors.EXIT_WORKERS, "a worker did not start, did not come or was lost: the figures are invalid"),
    (errors.EXIT_CRASH, "a defect of this program"),
    (errors.EXIT_INTERRUPTED, "interrupted; results so far are saved, the data is cleaned"),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command line."""

    command: str
    """``bench`` (no subcommand), ``demo``, ``clean``, ``drill``, ``sweep`` or ``worker``."""
    flags: Flags
    """Per setting's name, what was said."""


class _Parser(argparse.ArgumentParser):
    """argparse, with one sentence instead of the usage, and without abbreviations."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Format, **kwargs)

    def error(self, message: str) -> NoReturn:
        match = re.fullmatch(r"argument (--[a-z-]+): expected one argument", message)
        if match is not None:
            raise errors.UsageError(f"{match[1]} needs a value: {BY_NAME[match[1][2:]].metavar}")
        if re.match(r"argument .*ignored explicit argument", message):
            flag = message.split(":")[0].removeprefix("argument ")
            raise errors.UsageError(f"{flag} takes no value")
        raise errors.UsageError(_stray_word(message))


def _stray_word(message: str) -> str:
    """A word that is neither a flag's value nor a command. Repeated only where it looks like a command: it may as
    well be a key whose flag was forgotten."""
    allowed = f"the commands are {', '.join(_COMMANDS)}"
    match = re.search(r"(?:invalid choice: '|unrecognized arguments: )([a-z][a-z-]{0,15})(?:'|$| )", message)
    if match is None:
        return f"a word on the command line is neither a flag's value nor a command; {allowed}"
    close = get_close_matches(match[1], _COMMANDS, 1)
    hint = f"did you mean {close[0]}? T" if close else "t"
    return f"'{match[1]}' is neither a flag's value nor a command here; {hint}{allowed[1:]}"


class _Format(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def parse(argv: Sequence[str]) -> Parsed:
    """Read the command line.

    ``--help`` and ``--version`` print to stdout and leave with SystemExit(0), as argparse does.

    Raises:
        UsageError: an unknown flag or command, a flag without its value, or a flag that the command does not take.
            The sentence never repeats a value.
    """
    words = _joined(argv)
    _refuse_unknown_flags(words)
    said = vars(_parser().parse_args(words))
    command = said.pop("command", None) or BENCH
    for name in said:
        if command not in BY_NAME[name].commands:
            raise errors.UsageError(f"--{name} does not go with {_called(command)}; it belongs to {_owners(name)}")
    return Parsed(command, said)


def _called(command: str) -> str:
    return PROGRAM if command == BENCH else f"{PROGRAM} {command}"


def _owners(name: str) -> str:
    return " and ".join(_called(command) for command in (BENCH, *_COMMANDS) if command in BY_NAME[name].commands)


def _joined(argv: Sequence[str]) -> list[str]:
    """``--duration -5s`` as ``--duration=-5s``, so that the sentence is about the value and not about a flag -5s."""
    words: list[str] = []
    for word in argv:
        before = BY_NAME.get(words[-1][2:]) if words and words[-1].startswith("--") else None
        if before is not None and not before.switch and re.match(r"-[0-9.]", word):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _refuse_unknown_flags(words: Sequence[str]) -> None:
    """Before argparse does, which would repeat what follows the flag: perhaps a key."""
    known = [setting.flag for setting in SETTINGS] + ["--help", "--version"]
    for word in words:
        flag = word.split("=", 1)[0]
        if not word.startswith("-") or flag in (*known, "-h"):
            continue
        close = get_close_matches(flag, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"{PROGRAM} --help lists what there is"
        raise errors.UsageError(f"unknown flag {flag[:40]}; {hint}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [flags] [{'|'.join(_COMMANDS)}]",
        description="Benchmark a Confman cluster from the terminal, and watch its elections under load.\n"
        f"Without a command and without --headless it opens the screen.\n\nFirst try: {PROGRAM} --demo",
        epilog=_epilog(),
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND", parser_class=_Parser)
    _add_flags(parser, BENCH)
    for command, summary in _COMMANDS.items():
        subparser = commands.add_parser(
            command,
            help=summary,
            usage=f"{PROGRAM} {command} [flags]",
            description=_sentence(summary),
            epilog=f"Environment variables and exit codes: {PROGRAM} --help",
        )
        _add_flags(subparser, command)
    return parser


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """The command's flags, by group, as the table has them. The other commands' are taken too, but not shown: that
    they stand in the wrong place can then be told in a sentence."""
    for group, settings in groupby(SETTINGS, key=lambda setting: setting.group):
        listed = list(settings)
        shown = [setting for setting in listed if command in setting.commands]
        section = parser.add_argument_group(group) if shown else parser
        for setting in listed:
            _add(section, setting, _help(setting) if setting in shown else argparse.SUPPRESS)


def _add(section: argparse._ActionsContainer, setting: Setting, text: str) -> None:
    # Without a default of argparse's own, a subcommand can't undo what was said before it.
    common: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text}
    if setting.switch:
        section.add_argument(setting.flag, action="store_true", **common)
    elif setting.many:
        section.add_argument(setting.flag, action="append", metavar=setting.metavar, **common)
    else:
        section.add_argument(setting.flag, metavar=setting.metavar, **common)


def _help(setting: Setting) -> str:
    text = setting.help
    if setting.default is not None and not setting.switch and not setting.secret:
        text += f" (default: {setting.default})"
    return text.replace("%", "%%")


def _epilog() -> str:
    variables = [(setting.env, setting.flag) for setting in SETTINGS if setting.env is not None]
    width = max(len(name) for name, _ in variables)
    lines = ["environment variables (flags win over them, they win over the settings file):"]
    lines += [f"  {name:<{width}}  as {flag}" for name, flag in variables]
    lines += [
        f"  {'NO_COLOR':<{width}}  no colours on the screen",
        "",
        "settings file: confman-tui/config.toml in $XDG_CONFIG_HOME (TOML: keys as the flags,",
        "and a table [keys] for the screen's keys); --print-config tells where it is looked for",
        "",
        "exit codes:",
    ]
    lines += [f"  {code:>3}  {meaning}" for code, meaning in _EXIT_CODES]
    return "\n".join(lines)
