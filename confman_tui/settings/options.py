"""The one table of all settings: flags, environment, file, ``--help`` and ``--print-config`` are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confman_tui.settings import scenarios, values

ENV_PREFIX = "CONFMAN_BENCH_"
TIERS = ("small", "large", "xlarge")
FAULTS = ("kill", "pause", "isolate")
READS = ("all", "entry", "leader", "followers")
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

BENCH, DEMO, CLEAN, DRILL, SWEEP, WORKER = "bench", "demo", "clean", "drill", "sweep", "worker"
"""The commands: the benchmark itself (no word on the command line), and the subcommands."""

_RUNS = frozenset({BENCH, DRILL, SWEEP})
_CLUSTER = frozenset({BENCH, DRILL, SWEEP, CLEAN})
_EVERY = frozenset({BENCH, DRILL, SWEEP, CLEAN, DEMO, WORKER})
_FAULTY = frozenset({BENCH, DRILL})
_SERIES = frozenset({BENCH, SWEEP})


MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, from whatever source it comes."""

    name: str
    """The flag without its dashes, and the key in the settings file."""
    field: str
    """The field of `Settings` that it fills."""
    parse: Callable[[str], Any]
    """From text to value; raises ValueError with the end of a sentence."""
    default: str | None
    """As it would be written; None: not set."""
    metavar: str
    """What stands for the value in ``--help``; empty for a switch."""
    group: str
    help: str
    commands: frozenset[str]
    """The commands that take it."""
    many: bool = False
    """May be given several times; the value is then a tuple."""
    listed: bool = False
    """One value with commas; the settings file may hold an array instead."""
    flag_only: bool = False
    """It tells what to do now, so neither the environment nor the file can say it."""
    secret: bool = False
    """Its value is never shown."""

    @property
    def flag(self) -> str:
        """As typed on the command line."""
        return f"--{self.name}"

    @property
    def env(self) -> str | None:
        """The environment variable, None when there is none."""
        return None if self.flag_only else ENV_PREFIX + self.name.upper().replace("-", "_")

    @property
    def switch(self) -> bool:
        """True for a flag without a value."""
        return not self.metavar


def _scenario(text: str) -> str:
    return values.choice((*scenarios.names(), "all"))(text.strip())


_poll_ms = values.seconds(0.02, 10.0, "20 ms to 10 s", bare="ms")
_probe_ms = values.probe(0.01, 10.0, "auto, off (or 0), or 10 ms to 10 s")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host",
        "host",
        values.text,
        "http://127.0.0.1:6100",
        "URL",
        "cluster",
        "entry of the cluster",
        _CLUSTER,
    ),
    Setting(
        "nodes",
        "nodes",
        values.text,
        None,
        "URL,URL,URL",
        "cluster",
        "addresses of all nodes, one to nine (default: ports 6100, 6200 and 6300 on the entry's host)",
        _CLUSTER,
        listed=True,
    ),
    Setting(
        "api-key",
        "api_key",
        values.api_key,
        "confman_dev_abc123",
        "KEY",
        "cluster",
        "API key (default: Confman's development key); others here can read a flag, so prefer CONFMAN_BENCH_API_KEY",
        _CLUSTER | {WORKER},
        secret=True,
    ),
    Setting(
        "wait",
        "wait_s",
        values.seconds(0.0, 3600.0, "0 to 1 h", zero=True),
        "30s",
        "TIME",
        "cluster",
        "how long to wait for a leader, for workers, for a master, and in a drill and before verification for nodes to "
        "catch up",
        _CLUSTER | {WORKER},
    ),
    Setting(
        "poll",
        "poll_s",
        _poll_ms,
        "250ms",
        "TIME",
        "cluster",
        "interval of the health polls while all is well, 20 ms to 10 s",
        _RUNS,
    ),
    Setting(
        "poll-alert",
        "poll_alert_s",
        _poll_ms,
        "50ms",
        "TIME",
        "cluster",
        "their interval from the first sign of trouble until all is well again; never longer than --poll",
        _RUNS,
    ),
    Setting(
        "probe",
        "probe_s",
        _probe_ms,
        "auto",
        "auto|off|TIME",
        "cluster",
        "small writes that show whether writing works: auto (one a second when idle, none in a calm run, 20 a second "
        "in trouble), off, or one whenever none was started for TIME",
        _RUNS,
    ),
    Setting("tier", "tier", values.choice(TIERS), "small", "TIER", "runs", "small, large or xlarge data", _CLUSTER),
    Setting(
        "scenario",
        "scenario_names",
        _scenario,
        None,
        "NAME",
        "runs",
        f"with --headless: what to run, again for more: {', '.join(scenarios.names())} or all (default)",
        frozenset({BENCH}),
        many=True,
        listed=True,
    ),
    Setting(
        "users",
        "users",
        values.ascending(values.integer(1, values.MAX_USERS), "1,10,50,100"),
        None,
        "N[,N…]",
        "runs",
        f"users of a run, 1 to {values.MAX_USERS} (default: the scenario's own; with --rate as many as 2 s of requests "
        "need, at most 256); several, such as 1,10,50: a series",
        _FAULTY,
        listed=True,
    ),
    Setting(
        "rate",
        "rate",
        values.rate,
        None,
        "N",
        "runs",
        f"requests per second of all users together, {values.MIN_RATE:g} to {values.MAX_RATE:g}, sent on schedule "
        "whatever the answers do; latency counts from when each was due (default: each user waits for its answer)",
        _FAULTY,
    ),
    Setting(
        "reads",
        "reads",
        values.choice(READS),
        "all",
        "WHERE",
        "runs",
        "nodes that reads, and the writes of mixed runs, are sent to: all in turn from the entry on, the entry (as the "
        "original suite does), the leader, or the followers (writes then go to the leader)",
        _SERIES,
    ),
    Setting(
        "duration",
        "duration_s",
        values.seconds(0.0, 86_400.0, "more than 0 and at most 24 h"),
        None,
        "TIME",
        "runs",
        "length of a run: 30, 30s, 2m or 1h (default: the scenario's own; in a sweep 5s)",
        _SERIES,
    ),
    Setting(
        "step",
        "step_s",
        values.seconds(0.0, 86_400.0, "more than 0 and at most 24 h"),
        "15s",
        "TIME",
        "runs",
        "length of each step of a series of --users or --payload",
        frozenset({BENCH}),
    ),
    Setting(
        "warmup",
        "warmup_s",
        values.whole_seconds(3600.0, "0 to 1 h"),
        "0s",
        "TIME",
        "runs",
        "seconds before each run that its figures leave out",
        _SERIES,
    ),
    Setting(
        "repeat",
        "repeat",
        values.integer(1, 100),
        "1",
        "N",
        "runs",
        "runs of each scenario or step, 1 to 100: median, spread and confidence interval",
        _SERIES,
    ),
    Setting(
        "payload",
        "payload_bytes",
        values.ascending(values.payload, "10,1KB,100KB,1MB"),
        "1KB",
        "SIZE[,SIZE…]",
        "runs",
        "size of a written value: 1 byte to 50 MB; 1KB is 1,024 bytes; several: a series",
        _RUNS,
        listed=True,
    ),
    Setting(
        "fresh",
        "fresh",
        values.boolean,
        "false",
        "",
        "runs",
        "put the data back to the seeded state before each scenario",
        frozenset({BENCH}),
    ),
    Setting(
        "no-cleanup",
        "no_cleanup",
        values.boolean,
        "false",
        "",
        "runs",
        "keep the benchmark's data in the cluster",
        _RUNS,
    ),
    Setting(
        "verify",
        "verify",
        values.verify,
        "all",
        "all|sample:N|off",
        "runs",
        "which acknowledged writes are read back afterwards",
        _RUNS,
    ),
    Setting(
        "strict",
        "strict",
        values.boolean,
        "false",
        "",
        "runs",
        "with --headless and drill: exit with 6 when the generator, not the cluster, was the limit of a run",
        _RUNS,
    ),
    Setting(
        "workers",
        "workers",
        values.integer(0, MAX_WORKERS),
        "0",
        "N",
        "workers",
        f"processes of their own that make the load, 0 to {MAX_WORKERS}; 0: this program makes it itself",
        _RUNS,
    ),
    Setting(
        "expect-workers",
        "expect_workers",
        values.integer(0, MAX_WORKERS),
        "0",
        "N",
        "workers",
        "wait for so many workers from elsewhere (`confman-tui worker`), no longer than --wait",
        _RUNS,
    ),
    Setting(
        "master-bind",
        "master_bind",
        values.address(0),
        "127.0.0.1:0",
        "HOST:PORT",
        "workers",
        "interface and port that workers connect to, unencrypted; port 0 is a free one",
        _RUNS,
    ),
    Setting(
        "master",
        "master",
        values.address(1),
        None,
        "HOST:PORT",
        "workers",
        "the master to join, as its --master-bind tells it",
        frozenset({WORKER}),
    ),
    Setting("output-dir", "output_dir", values.folder, "results", "DIR", "results", "folder of the results", _RUNS),
    Setting(
        "results-only",
        "results_only",
        values.boolean,
        "false",
        "",
        "results",
        "show what is in the folder of the results, without a cluster",
        frozenset({BENCH}),
        flag_only=True,
    ),
    Setting(
        "json",
        "json",
        values.boolean,
        "false",
        "",
        "results",
        "the summary as JSON on stdout (with --headless, --results-only, drill or sweep)",
        _RUNS,
    ),
    Setting(
        "headless",
        "headless",
        values.boolean,
        "false",
        "",
        "screen",
        "no screen: progress on stderr, the table on stdout",
        frozenset({BENCH}),
    ),
    Setting(
        "theme",
        "theme",
        values.choice(THEMES),
        None,
        "NAME",
        "screen",
        "colours of the screen (default: as chosen last, else textual-dark)",
        frozenset({BENCH}),
    ),
    Setting(
        "demo",
        "demo",
        values.boolean,
        "false",
        "",
        "demo cluster",
        "start a Raft cluster of its own on this machine and use it",
        _RUNS,
    ),
    Setting(
        "demo-nodes",
        "demo_nodes",
        values.integer(1, 9),
        "3",
        "N",
        "demo cluster",
        "how many nodes, 1 to 9",
        _RUNS | {DEMO},
    ),
    Setting(
        "demo-ports",
        "demo_ports",
        values.ports,
        None,
        "A,B,C|auto",
        "demo cluster",
        "the nodes' ports (default: 6100, 6200, 6300 …); auto: free ones",
        _RUNS | {DEMO},
        listed=True,
    ),
    Setting(
        "demo-election-timeout",
        "demo_election_timeout_ms",
        values.election_timeout,
        "1000-3000",
        "MS-MS",
        "demo cluster",
        "range of the random election timeout",
        _RUNS | {DEMO},
    ),
    Setting(
        "demo-data",
        "demo_data",
        values.folder,
        None,
        "DIR",
        "demo cluster",
        "keep the nodes' data here (default: a temporary folder)",
        _RUNS | {DEMO},
    ),
    Setting(
        "allow-faults",
        "allow_faults",
        values.boolean,
        "false",
        "",
        "faults",
        "let this program kill and pause nodes of your own cluster on loopback",
        _FAULTY,
    ),
    Setting(
        "restart-cmd",
        "restart_cmd",
        values.restart_command,
        None,
        "CMD",
        "faults",
        "starts a killed node of your own cluster again; {port} stands for its port",
        _FAULTY,
    ),
    Setting(
        "entries",
        "entries",
        values.ascending(values.integer(1, values.MAX_ENTRIES), "100,1000,5000"),
        "100,1000,5000,10000",
        "N,N…",
        "sweep",
        f"entries that the cluster holds at each step of a sweep, 1 to {values.MAX_ENTRIES}",
        _SERIES,
        listed=True,
    ),
    Setting("rounds", "rounds", values.integer(1, 1000), "5", "N", "drill", "how many rounds, 1 to 1000", _FAULTY),
    Setting(
        "fault",
        "fault",
        values.choice(FAULTS),
        "kill",
        "KIND",
        "drill",
        "what is done to the leader: kill, pause or isolate (demo cluster only)",
        _FAULTY,
    ),
    Setting(
        "max-unavailable",
        "max_unavailable_s",
        values.seconds(0.0, 3600.0, "more than 0 and at most 1 h"),
        None,
        "TIME",
        "drill",
        "exit with 4 when writes were impossible for longer in any round",
        _FAULTY,
    ),
    Setting(
        "yes",
        "yes",
        values.boolean,
        "false",
        "",
        "clean",
        "remove it; without this flag it is only said what would be removed",
        frozenset({CLEAN}),
        flag_only=True,
    ),
    Setting(
        "print-config",
        "print_config",
        values.boolean,
        "false",
        "",
        "help",
        "show the settings in force and where each comes from",
        _EVERY,
        flag_only=True,
    ),
)

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
