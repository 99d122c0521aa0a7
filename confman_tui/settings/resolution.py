"""From flags, environment, settings file and defaults to one frozen `Settings`.

Flags win over the environment, the environment over the file, the file over the defaults.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

from confman_tui.core.errors import UsageError
from confman_tui.settings import scenarios
from confman_tui.settings import settings_file as files
from confman_tui.settings.options import BENCH, BY_NAME, CLEAN, DEMO, DRILL, SETTINGS, SWEEP, THEMES, WORKER, Setting
from confman_tui.settings.values import Verify, shown

Flags = Mapping[str, str | bool | Sequence[str]]
"""Per setting's name, what the command line said: text, True for a switch, or a list of texts."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set, checked and typed."""

    command: str
    """``bench`` (no subcommand), ``demo``, ``clean``, ``drill``, ``sweep`` or ``worker``."""
    host: str
    """The entry as it was written; `confman_tui.cluster.addresses` makes addresses of it."""
    nodes: str | None
    """The nodes as they were written, separated by commas; None: the default ones on the entry's host."""
    api_key: str = field(repr=False)
    wait_s: float
    """How long to wait for a leader, or for a node to catch up, in seconds."""
    poll_s: float
    """Interval of the health polls while all is well, in seconds."""
    poll_alert_s: float
    """Interval of the health polls in trouble, in seconds; never longer than ``poll_s``."""
    probe_s: float | None
    """A probe write goes out when no write was started for this many seconds; 0: never; None: as the watch needs it
    (`confman_tui.cluster.watch_mode`)."""
    tier: str
    scenario_names: tuple[str, ...]
    """Names of what to run headless, in order and each once; never empty."""
    users: int | None
    """None: the scenario's own, or those of ``user_steps``."""
    user_steps: tuple[int, ...]
    """Users of each step of a series, ascending, at least two; empty: no such series."""
    rate: float | None
    """Requests per second of an open loop. None: closed loop."""
    reads: str
    """Where the requests of scenarios that read go: ``all``, ``entry``, ``leader`` or ``followers``."""
    duration_s: float | None
    """In seconds. None: the scenario's own; in a series ``step_s``."""
    step_s: float
    """Length of each step of a series of users or payloads, in seconds."""
    warmup_s: float
    """Seconds before each run that its figures leave out."""
    repeat: int
    """Runs of each scenario, or of each step of a series."""
    entries: tuple[int, ...]
    """Entries at each step of a sweep, ascending, at least one."""
    payload_bytes: int
    """In a series the first step's."""
    payload_steps: tuple[int, ...]
    """Bytes of a value at each step of a series, ascending, at least two; empty: no such series."""
    fresh: bool
    no_cleanup: bool
    verify: Verify
    strict: bool
    """A run in which the generator was the limit is a failure."""
    workers: int
    """Worker processes that this program starts; 0: its engine's thread makes the load."""
    expect_workers: int
    """Workers from elsewhere that are waited for."""
    master_bind: tuple[str, int]
    """Interface and port that workers connect to; port 0 is a free one."""
    master: tuple[str, int] | None
    """The master that the command ``worker`` joins."""
    output_dir: Path
    results_only: bool
    json: bool
    headless: bool
    theme: str | None
    """None: never chosen."""
    demo: bool
    """True for the command ``demo`` too."""
    demo_nodes: int
    demo_ports: tuple[int, ...]
    """As many as there are nodes; empty: free ports are to be chosen."""
    demo_election_timeout_ms: tuple[int, int]
    demo_data: Path | None
    """None: a temporary folder."""
    allow_faults: bool
    restart_cmd: str | None = field(repr=False)
    """May hold secrets of its own, so that no repr shows it."""
    rounds: int
    fault: str
    """``kill``, ``pause`` or ``isolate``."""
    max_unavailable_s: float | None
    """In seconds. None: no limit."""
    yes: bool
    print_config: bool
    keys: Mapping[str, str]
    """Per binding id, its keys, separated by commas, from the settings file."""
    clean_tier: str | None
    """The only tier that ``clean`` removes; None: all tiers."""

    def public(self) -> dict[str, Any]:
        """The settings as JSON can hold them, without the API key."""
        told: dict[str, Any] = {}
        for item in fields(self):
            if item.name == "api_key":
                continue
            value = getattr(self, item.name)
            if isinstance(value, (Path, Verify)):
                value = str(value)
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            elif isinstance(value, str):
                value = value.replace(self.api_key, "(hidden)")
            told[item.name] = value
        return told


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
            told = _told(setting, origin).replace(self.settings.api_key, "(hidden)")
            rows.append((setting.name, told, origin.where))
        rows += [(f"keys.{name}", keys, str(self.config_file)) for name, keys in sorted(self.settings.keys.items())]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {where}" for name, value, where in rows]
        if self.config_file is not None:
            there = "" if self.config_file.exists() else " (not there)"
            lines.append(f"settings file: {self.config_file}{there}")
        return "\n".join(lines)


def _told(setting: Setting, origin: Origin) -> str:
    if origin.text is None:
        return "(not set)"
    return "(set)" if setting.secret else origin.text


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
        flags: What the command line said (`confman_tui.settings.command_line.parse`).
        environ: The environment, usually ``os.environ``. An empty variable counts as not set.
        config_file: The settings file, usually `confman_tui.core.paths.config_file`; None reads none.
        remembered_theme: The theme chosen last on the screen (`confman_tui.settings.remembered`).

    Raises:
        UsageError: a value is wrong, or two settings contradict each other; names the flag, variable or file.
    """
    said = files.read(config_file) if config_file is not None else files.FileSettings()
    origins: dict[str, Origin] = {}
    parsed: dict[str, Any] = {}
    for setting in SETTINGS:
        origin = _origin(setting, flags, environ, said, config_file)
        if setting.name == "theme" and origin.rank is Rank.DEFAULT and remembered_theme in THEMES:
            origin = Origin(Rank.REMEMBERED, "chosen last", remembered_theme)
        origins[setting.name] = origin
        parsed[setting.field] = _parse(setting, origin, config_file)
    _settle_cluster(command, parsed, origins)
    _settle_demo(parsed, origins)
    parsed["poll_alert_s"] = min(parsed["poll_alert_s"], parsed["poll_s"])
    _settle_series(command, parsed, origins)
    _check_together(command, parsed, origins)
    settings = Settings(
        command=command,
        keys=dict(said.keys),
        clean_tier=parsed["tier"] if command == CLEAN and origins["tier"].rank is Rank.FLAG else None,
        **parsed,
    )
    return Resolved(settings, origins, config_file)


def _origin(
    setting: Setting, flags: Flags, environ: Mapping[str, str], said: files.FileSettings, config_file: Path | None
) -> Origin:
    if setting.name in flags:
        value = flags[setting.name]
        if isinstance(value, bool):
            value = "true" if value else "false"
        return Origin(Rank.FLAG, "flag", value if isinstance(value, str) else ",".join(value))
    if setting.env is not None and environ.get(setting.env):
        return Origin(Rank.ENVIRONMENT, setting.env, environ[setting.env])
    if setting.name in said.texts:
        return Origin(Rank.FILE, str(config_file), said.texts[setting.name])
    return Origin(Rank.DEFAULT, "default", setting.default)


def _source(setting: Setting, origin: Origin) -> str:
    """What an error begins with."""
    if origin.rank is Rank.FLAG:
        return setting.flag
    return f"{origin.where}: {setting.name}" if origin.rank is Rank.FILE else origin.where


def _parse(setting: Setting, origin: Origin, config_file: Path | None) -> Any:
    if origin.text is None:
        return () if setting.many else None
    try:
        if setting.many:
            return tuple(setting.parse(part) for part in origin.text.split(","))
        return setting.parse(origin.text)
    except ValueError as error:
        raise UsageError(f"{_source(setting, origin)}: {error}") from None


def _settle_cluster(command: str, parsed: dict[str, Any], origins: dict[str, Origin]) -> None:
    """Demo cluster or named cluster: the source of higher rank wins; of equal rank, they contradict each other."""
    names = list(dict.fromkeys(parsed["scenario_names"]))
    if not names or "all" in names:
        suite = [scenario.name for scenario in scenarios.suite()]
        names = suite + [name for name in names if name not in (*suite, "all")]
    parsed["scenario_names"] = tuple(names)
    if command == DEMO:
        parsed["demo"] = True
        return
    if not parsed["demo"]:
        _settle_entry(parsed, origins)
        return
    for name in ("nodes", "host"):
        rival = origins[name]
        if rival.rank is Rank.DEFAULT:
            continue
        demo = origins["demo"]
        if rival.rank is demo.rank:
            raise UsageError(
                f"{_source(BY_NAME['demo'], demo)} starts a cluster of its own, so "
                f"{_source(BY_NAME[name], rival)} can't be given with it; leave one of the two out"
            )
        if rival.rank > demo.rank:
            parsed["demo"] = False
            origins["demo"] = Origin(rival.rank, f"{_source(BY_NAME[name], rival)} names a cluster", "false")
            return
    for name in ("nodes", "host"):
        parsed[name] = BY_NAME[name].default
        origins[name] = Origin(origins["demo"].rank, "the demo cluster's own", None)


def _settle_entry(parsed: dict[str, Any], origins: dict[str, Origin]) -> None:
    """Nodes that a source of higher rank names are another cluster than the one that the entry was said for."""
    host, nodes = origins["host"], origins["nodes"]
    if parsed["nodes"] is not None and Rank.DEFAULT is not host.rank < nodes.rank:
        parsed["host"] = BY_NAME["host"].default
        origins["host"] = Origin(nodes.rank, f"{_source(BY_NAME['nodes'], nodes)} names the nodes", None)


def _settle_demo(parsed: dict[str, Any], origins: dict[str, Origin]) -> None:
    """As many ports as nodes: each follows from the other where only one was said."""
    ports, count = parsed["demo_ports"], parsed["demo_nodes"]
    if ports is None:
        parsed["demo_ports"] = tuple(6100 + 100 * number for number in range(count))
    elif ports and origins["demo-nodes"].rank < origins["demo-ports"].rank:
        parsed["demo_nodes"] = len(ports)
    elif ports and len(ports) != count:
        if origins["demo-ports"].rank < origins["demo-nodes"].rank:
            parsed["demo_ports"] = tuple(6100 + 100 * number for number in range(count))
        else:
            source = _source(BY_NAME["demo-ports"], origins["demo-ports"])
            raise UsageError(f"{source}: names {len(ports)} ports, but there are {count} demo nodes; name as many")


def _settle_series(command: str, parsed: dict[str, Any], origins: Mapping[str, Origin]) -> None:
    """One value of ``users`` or ``payload`` is that of each run; several are the steps of a series."""
    users, payloads = parsed["users"] or (), parsed["payload_bytes"]
    for name, single, steps, given in (
        ("users", "users", "user_steps", users),
        ("payload", "payload_bytes", "payload_steps", payloads),
    ):
        if len(given) > 1 and command in (DRILL, SWEEP):
            if origins[name].rank is Rank.FLAG:
                raise UsageError(f"--{name}: a {command} takes one value; several make a series of runs")
            # what the environment or the file says of series does not apply here
            default = BY_NAME[name].default
            given = () if default is None else BY_NAME[name].parse(default)
        parsed[steps] = given if len(given) > 1 else ()
        parsed[single] = given[0] if given else None
    if command == SWEEP:
        # it measures one user each, who waits for the answer; what was said of other runs does not apply
        parsed["users"] = parsed["rate"] = None
    if not (parsed["user_steps"] or parsed["payload_steps"]):
        return
    if parsed["user_steps"] and parsed["payload_steps"]:
        one, other = (_source(BY_NAME[name], origins[name]) for name in ("users", "payload"))
        raise UsageError(f"{one} and {other} both name several values; a series changes one of them, so give one alone")
    if parsed["user_steps"]:
        parsed["users"] = None
        if parsed["rate"] is not None:
            one, other = (_source(BY_NAME[name], origins[name]) for name in ("users", "rate"))
            raise UsageError(
                f"{one} names several values and {other} a rate, which fixes the throughput; give one alone"
            )
    step, duration = origins["step"].rank, origins["duration"].rank
    if step is duration is Rank.FLAG:
        raise UsageError("--step and --duration both give the length of a step; leave one of the two out")
    if step >= duration:
        parsed["duration_s"] = None


def _check_together(command: str, parsed: dict[str, Any], origins: Mapping[str, Origin]) -> None:
    def typed(name: str) -> bool:
        """Said on the command line: what the environment or the file says may simply not apply here."""
        return origins[name].rank is Rank.FLAG

    if command == BENCH:
        if typed("json") and not (parsed["headless"] or parsed["results_only"]):
            raise UsageError("--json needs --headless, --results-only or the command drill or sweep")
        if typed("scenario") and not parsed["headless"]:
            raise UsageError("--scenario needs --headless; on the screen a key starts a scenario")
        if parsed["headless"] or parsed["results_only"]:
            for name in ("rounds", "fault", "max-unavailable"):
                if typed(name):
                    raise UsageError(
                        f"--{name} is for drills: the drill command, or the screen, where a key starts one"
                    )
        if parsed["results_only"]:
            for name in (
                *("demo", "scenario", "fresh", "users", "rate", "reads", "duration", "payload", "nodes", "host"),
                *("step", "warmup", "repeat", "entries"),
            ):
                if typed(name):
                    raise UsageError(f"--results-only only shows what is there and runs nothing, so leave --{name} out")
        unattended = parsed["headless"]
        if unattended and typed("step") and not (parsed["user_steps"] or parsed["payload_steps"]):
            raise UsageError("--step is the length of a step: it needs --users or --payload with several values")
        if unattended and typed("entries"):
            raise UsageError("--entries needs the command sweep, or the screen")
    else:
        unattended = command in (DRILL, SWEEP)
    if unattended and not parsed["demo"]:
        for name in ("demo-nodes", "demo-ports", "demo-election-timeout", "demo-data"):
            if typed(name):
                raise UsageError(f"--{name} needs --demo")
    if command == WORKER and parsed["master"] is None:
        raise UsageError("a worker needs --master HOST:PORT, the address that its master tells")
    if typed("master-bind") and not (parsed["workers"] or parsed["expect_workers"]):
        raise UsageError("--master-bind needs --expect-workers (or --workers)")
    if command == DRILL and not parsed["demo"]:
        if parsed["fault"] == "isolate":
            raise UsageError("--fault isolate works on the demo cluster only, so it needs --demo")
        if not parsed["allow_faults"]:
            raise UsageError(
                "a drill kills or pauses nodes: name --demo for a cluster of its own, or --allow-faults for yours"
            )
    if typed("restart-cmd") and not parsed["allow_faults"]:
        raise UsageError("--restart-cmd needs --allow-faults")


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
