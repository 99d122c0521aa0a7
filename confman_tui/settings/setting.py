"""What one setting is, and the commands that take settings. The settings themselves stand in `options`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confman_tui.settings import values

BENCH, DEMO, CLEAN, DRILL, SWEEP, WORKER = "bench", "demo", "clean", "drill", "sweep", "worker"
"""The commands: the benchmark itself (no word on the command line), and the subcommands."""
SUBCOMMANDS = {
    DEMO: "run the demo cluster alone, in the foreground, until ^C",
    CLEAN: "remove what the benchmark left in a cluster, without a screen",
    DRILL: "make the leader fail again and again under load, and measure each election",
    SWEEP: "measure reads and writes at one number of entries after the other",
    WORKER: "make load for a benchmark that runs on another machine, until it ends",
}
"""Per subcommand, what it does, as ``--help`` says it."""

BENCH_ONLY = frozenset({BENCH})
BENCH_OR_DRILL = frozenset({BENCH, DRILL})
BENCH_OR_SWEEP = frozenset({BENCH, SWEEP})
MAKES_LOAD = frozenset({BENCH, DRILL, SWEEP})
NEEDS_CLUSTER = MAKES_LOAD | {CLEAN}
EVERY_COMMAND = NEEDS_CLUSTER | {DEMO, WORKER}

PROGRAM = "confman-tui"
ENV_PREFIX = "CONFMAN_BENCH_"


@dataclass(frozen=True, slots=True)
class Setting:
    """How one field of `Settings` is set: by flag, environment variable, settings file or default."""

    field: str
    """The field of `Settings` that it fills."""
    name: str
    """The flag without its dashes, and the key in the settings file."""
    metavar: str
    """What stands for the value in ``--help``; empty for a switch."""
    group: str
    """The heading in ``--help`` that it stands under."""
    commands: frozenset[str]
    """The commands that take it."""
    parse: Callable[[str], Any]
    """From text to value; raises ValueError with the end of a sentence."""
    default: str | None
    """As it would be written; None: not set."""
    help: str
    many: bool = False
    """May be given several times; the value is then a tuple."""
    listed: bool = False
    """One value with commas; the settings file may hold an array instead."""
    flag_only: bool = False
    """It says what to do now, so it can't stand in the environment or in the file."""
    secret: bool = False
    """Its value is never shown."""
    env_only: bool = False
    """Only the environment sets it: a flag can be read by others, and a file is kept for too long."""

    @property
    def flag(self) -> str:
        """As typed on the command line, where it can be."""
        return f"--{self.name}"

    @property
    def env(self) -> str | None:
        """The environment variable, None when there is none."""
        return None if self.flag_only else ENV_PREFIX + self.name.upper().replace("-", "_")

    @property
    def switch(self) -> bool:
        """True for a flag without a value."""
        return not self.metavar


def setting(
    group: str,
    usage: str,
    commands: frozenset[str],
    help: str,
    parse: Callable[[str], Any] = values.boolean,
    default: str | None = None,
    *,
    repr: bool = True,
    **more: bool,
) -> Any:
    """A field of `Settings` that can be set. The arguments are those of `Setting`, but for two.

    Args:
        usage: The flag and its metavar, such as ``--wait TIME``; a flag alone is a switch, which is off by default.
        repr: False for what may hold a secret.
    """
    flag, _, metavar = usage.partition(" ")
    described: dict[str, Any] = {
        "name": flag.removeprefix("--"),
        "metavar": metavar,
        "group": group,
        "commands": commands,
        "parse": parse,
        "default": default if metavar else "false",
        "help": help,
        **more,
    }
    return field(metadata=described, repr=repr)
