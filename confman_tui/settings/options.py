"""All settings: `Settings` holds their values, and each field says how it is set.

Flags, environment variables, keys of the settings file, ``--help`` and ``--print-config`` are all made from it.
"""
# ruff: noqa: RUF009 (the calls make dataclass fields, not defaults)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from confman_tui.settings import scenarios, values, worker_token
from confman_tui.settings.fault_kinds import HURTING, FaultKind
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S, Reads
from confman_tui.settings.setting import (
    BENCH_ONLY,
    BENCH_OR_DRILL,
    BENCH_OR_SWEEP,
    CLEAN,
    DEMO,
    EVERY_COMMAND,
    MAKES_LOAD,
    NEEDS_CLUSTER,
    WORKER,
    Setting,
    setting,
)
from confman_tui.settings.themes import THEMES
from confman_tui.settings.tiers import TIERS
from confman_tui.settings.values import Verify

MAX_WORKERS = 64

# A setting under the heading of that name in --help.
_cluster = partial(setting, "cluster")
_runs = partial(setting, "runs")
_workers = partial(setting, "workers")
_results = partial(setting, "results")
_screen = partial(setting, "screen")
_demo = partial(setting, "demo cluster")
_faults = partial(setting, "faults")
_sweep = partial(setting, "sweep")
_drill = partial(setting, "drill")
_clean = partial(setting, "clean")
_help = partial(setting, "help")


def _scenario(text: str) -> str:
    return values.choice((*scenarios.names(), *scenarios.GROUPS))(text.strip())


_poll = values.seconds(0.02, 10.0, "20 ms to 10 s", bare="ms")
_run_length = values.seconds(0.0, 86_400.0, "more than 0 and at most 24 h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set, checked and typed. Times are in seconds unless a field's name says otherwise."""

    command: str
    """``bench`` (no subcommand), ``demo``, ``clean``, ``drill``, ``sweep`` or ``worker``."""
    host: str = _cluster("--host URL", NEEDS_CLUSTER, "entry of the cluster", values.text, "http://127.0.0.1:6100")
    """The entry as it was written; `confman_tui.cluster.addresses` makes addresses of it."""
    nodes: str | None = _cluster(
        "--nodes URL,URL,URL",
        NEEDS_CLUSTER | {WORKER},
        "addresses of all nodes, one to nine (default: ports 6100, 6200 and 6300 on the entry's host)",
        values.text,
        listed=True,
    )
    """The nodes as they were written, separated by commas; None: the default ones on the entry's host."""
    api_key: str = _cluster(
        "--api-key KEY",
        NEEDS_CLUSTER | {WORKER},
        "API key (default: Confman's development key); others here can read a flag, so prefer CONFMAN_BENCH_API_KEY",
        values.api_key,
        "confman_dev_abc123",
        secret=True,
        repr=False,
    )
    ca_file: Path | None = _cluster(
        "--ca-file FILE",
        NEEDS_CLUSTER | {WORKER},
        "CAs to trust, in PEM, where addresses begin with https (default: SSL_CERT_FILE, else those of this machine)",
        values.file,
    )
    insecure: bool = _cluster(
        "--insecure",
        NEEDS_CLUSTER | {WORKER},
        "take any certificate of a node: whoever stands in between gets the API key",
    )
    wait_s: float = _cluster(
        "--wait TIME",
        NEEDS_CLUSTER | {WORKER},
        "how long to wait for a leader, for workers, for a master, and in a drill and before verification for nodes to "
        "catch up",
        values.seconds(0.0, 3600.0, "0 to 1 h", zero=True),
        "30s",
    )
    request_timeout_s: float = _cluster(
        "--request-timeout TIME",
        MAKES_LOAD,
        "how long a request of the load may be without an answer before it is a timeout, 0.1 s to 120 s; seeding and "
        "cleaning wait for a minute",
        values.seconds(0.1, 120.0, "0.1 s to 120 s"),
        f"{REQUEST_TIMEOUT_S:g}s",
    )
    poll_s: float = _cluster(
        "--poll TIME", MAKES_LOAD, "interval of the health polls while all is well, 20 ms to 10 s", _poll, "250ms"
    )
    poll_alert_s: float = _cluster(
        "--poll-alert TIME",
        MAKES_LOAD,
        "their interval from the first sign of trouble until all is well again; never longer than --poll",
        _poll,
        "50ms",
    )
    probe_s: float | None = _cluster(
        "--probe auto|off|TIME",
        MAKES_LOAD,
        "small writes that show whether writing works: auto (one a second when idle, none in a calm run, 20 a second "
        "in trouble), off, or one whenever none was started for TIME",
        values.probe(0.01, 10.0, "auto, off (or 0), or 10 ms to 10 s"),
        "auto",
    )
    """A probe write goes out when no write was started for this long; 0: never; None: as often as
    `confman_tui.cluster.watch_mode` finds necessary."""

    tier: str = _runs("--tier TIER", NEEDS_CLUSTER, "small, large or xlarge data", values.choice(tuple(TIERS)), "small")
    scenario_names: tuple[str, ...] = _runs(
        "--scenario NAME",
        BENCH_ONLY,
        f"with --headless: what to run, again for more: {', '.join(scenarios.names())}, all (default: the document's "
        "five) or suite6 (the newer suite's: write-stress-10u third)",
        _scenario,
        many=True,
        listed=True,
    )
    """Names of what to run headless, in order and each once; never empty."""
    users: int | None = _runs(
        "--users N[,N…]",
        BENCH_OR_DRILL,
        f"users of a run, 1 to {values.MAX_USERS} (default: the scenario's own; with --rate as many as 2 s of requests "
        "need, more with a longer --request-timeout, at most 256); several, such as 1,10,50: a series",
        values.ascending(values.integer(1, values.MAX_USERS), "1,10,50,100"),
        listed=True,
    )
    """None: the scenario's own, or those of ``user_steps``."""
    user_steps: tuple[int, ...]
    """Users of each step of a series, ascending, at least two; empty: no such series."""
    rate: float | None = _runs(
        "--rate N",
        BENCH_OR_DRILL,
        f"requests per second of all users together, {values.MIN_RATE:g} to {values.MAX_RATE:g}, sent on schedule "
        "whatever the answers do; latency counts from when each was due (default: each user waits for its answer)",
        values.rate,
    )
    """Requests per second of an open loop. None: closed loop."""
    reads: str = _runs(
        "--reads WHERE",
        BENCH_OR_SWEEP,
        "nodes that reads, and the writes of mixed runs, are sent to: all in turn from the entry on, the entry (as the "
        "original suite does), the leader, or the followers (writes then go to the leader)",
        values.choice(tuple(Reads)),
        "all",
    )
    duration_s: float | None = _runs(
        "--duration TIME",
        BENCH_OR_SWEEP,
        "length of a run: 30, 30s, 2m or 1h (default: the scenario's own; in a sweep 5s)",
        _run_length,
    )
    """None: the scenario's own; in a series ``step_s``."""
    step_s: float = _runs(
        "--step TIME", BENCH_ONLY, "length of each step of a series of --users or --payload", _run_length, "15s"
    )
    warmup_s: float = _runs(
        "--warmup TIME",
        BENCH_OR_SWEEP,
        "seconds before each run that its figures leave out",
        values.whole_seconds(3600.0, "0 to 1 h"),
        "0s",
    )
    repeat: int = _runs(
        "--repeat N",
        BENCH_OR_SWEEP,
        "runs of each scenario or step, 1 to 100: median, spread and confidence interval",
        values.integer(1, 100),
        "1",
    )
    payload_bytes: int = _runs(
        "--payload SIZE[,SIZE…]",
        MAKES_LOAD,
        "size of a written value: 1 byte to 50 MB; 1KB is 1,024 bytes; several: a series",
        values.ascending(values.payload, "10,1KB,100KB,1MB"),
        "1KB",
        listed=True,
    )
    """In a series the first step's."""
    payload_steps: tuple[int, ...]
    """Bytes of a value at each step of a series, ascending, at least two; empty: no such series."""
    fresh: bool = _runs("--fresh", BENCH_ONLY, "put the data back to the seeded state before each scenario")
    no_cleanup: bool = _runs("--no-cleanup", MAKES_LOAD, "keep the benchmark's data in the cluster")
    verify: Verify = _runs(
        "--verify all|sample:N|off",
        MAKES_LOAD,
        "which acknowledged writes are read back afterwards",
        values.verify,
        "all",
    )
    late_s: float = _runs(
        "--late TIME",
        MAKES_LOAD,
        "refused writes are read once more when the program ends; not sooner than this after the last was refused",
        values.seconds(0.0, 3600.0, "0 to 1 h", zero=True),
        "0s",
    )
    """Seconds that the end of the program may wait for; 0: it does not wait."""
    strict: bool = _runs(
        "--strict",
        MAKES_LOAD,
        "exit with 6 when the generator, not the cluster, was the limit of a run",
    )

    workers: int = _workers(
        "--workers N",
        MAKES_LOAD,
        f"processes of their own that make the load, 0 to {MAX_WORKERS}; 0: this program makes it itself",
        values.integer(0, MAX_WORKERS),
        "0",
    )
    expect_workers: int = _workers(
        "--expect-workers N",
        MAKES_LOAD,
        "wait for N workers from elsewhere (`confman-tui worker`), no longer than --wait",
        values.integer(0, MAX_WORKERS),
        "0",
    )
    master_bind: tuple[str, int] = _workers(
        "--master-bind HOST:PORT",
        MAKES_LOAD,
        "interface and port that workers connect to, encrypted and with their token; port 0 is a free one",
        values.address(0),
        "127.0.0.1:0",
    )
    master: tuple[str, int] | None = _workers(
        "--master HOST:PORT",
        frozenset({WORKER}),
        "the master to join, as its --master-bind names it",
        values.address(1),
    )

    worker_token: str | None = _workers(
        "--worker-token TOKEN",
        MAKES_LOAD | {WORKER},
        "what workers prove that they were invited with: 128 random bits or more, in hex or base64 (default: made anew "
        "and named with the line that invites them)",
        worker_token.parse,
        secret=True,
        env_only=True,
        repr=False,
    )
    """In lower-case hex digits; None: not set."""

    output_dir: Path = _results("--output-dir DIR", MAKES_LOAD, "folder of the results", values.folder, "results")
    full_history: bool = _results(
        "--full-history",
        BENCH_OR_DRILL,
        "in _stats_history.csv a row a second for reads and writes too, with the last seconds' percentiles (as "
        "`locust --csv-full-history`)",
    )
    results_only: bool = _results(
        "--results-only", BENCH_ONLY, "show what is in the folder of the results, without a cluster", flag_only=True
    )
    json: bool = _results(
        "--json", MAKES_LOAD, "the summary as JSON on stdout (with --headless, --results-only, drill or sweep)"
    )

    headless: bool = _screen("--headless", BENCH_ONLY, "no screen: progress on stderr, the table on stdout")
    theme: str | None = _screen(
        "--theme NAME",
        BENCH_ONLY,
        "colours of the screen (default: as chosen last, else textual-dark)",
        values.choice(THEMES),
    )
    """None: never chosen."""

    demo: bool = _demo("--demo", MAKES_LOAD, "start a Raft cluster of its own on this machine and use it")
    """True for the command ``demo`` too."""
    demo_nodes: int = _demo("--demo-nodes N", MAKES_LOAD | {DEMO}, "how many nodes, 1 to 9", values.integer(1, 9), "3")
    demo_ports: tuple[int, ...] = _demo(
        "--demo-ports A,B,C|auto",
        MAKES_LOAD | {DEMO},
        "the nodes' ports (default: 6100, 6200, 6300 …); auto: free ones",
        values.ports,
        listed=True,
    )
    """As many as there are nodes; empty: free ports are to be chosen."""
    demo_election_timeout_ms: tuple[int, int] = _demo(
        "--demo-election-timeout MS-MS",
        MAKES_LOAD | {DEMO},
        "range of the random election timeout",
        values.election_timeout,
        "1000-3000",
    )
    demo_data: Path | None = _demo(
        "--demo-data DIR", MAKES_LOAD | {DEMO}, "keep the nodes' data here (default: a temporary folder)", values.folder
    )

    demo_fsync: bool = _demo(
        "--demo-fsync",
        MAKES_LOAD | {DEMO},
        "a node's journal, term and vote are on the disk before they count (default: with the kernel, which survives "
        "the death of every node, but no loss of power)",
    )

    allow_faults: bool = _faults(
        "--allow-faults", BENCH_OR_DRILL, "let this program kill and pause nodes of your own cluster on loopback"
    )
    restart_cmd: str | None = _faults(
        "--restart-cmd CMD",
        BENCH_OR_DRILL,
        "starts a killed node of your own cluster again; {port} stands for its port",
        values.restart_command,
        repr=False,
    )

    entries: tuple[int, ...] = _sweep(
        "--entries N,N…",
        BENCH_OR_SWEEP,
        f"entries that the cluster holds at each step of a sweep, 1 to {values.MAX_ENTRIES}",
        values.ascending(values.integer(1, values.MAX_ENTRIES), "100,1000,5000"),
        "100,1000,5000,10000",
        listed=True,
    )
    """Ascending, at least one."""

    rounds: int = _drill("--rounds N", BENCH_OR_DRILL, "how many rounds, 1 to 1000", values.integer(1, 1000), "5")
    fault: str = _drill(
        "--fault KIND",
        BENCH_OR_DRILL,
        "what is done to the leader: kill, pause or isolate (demo cluster only)",
        values.choice([kind.value for kind in HURTING]),
        FaultKind.KILL.value,
    )
    max_unavailable_s: float | None = _drill(
        "--max-unavailable TIME",
        BENCH_OR_DRILL,
        "exit with 4 when writes were impossible for longer in any round",
        values.seconds(0.0, 3600.0, "more than 0 and at most 1 h"),
    )
    """None: no limit."""

    yes: bool = _clean(
        "--yes",
        frozenset({CLEAN}),
        "remove it; without this flag it is only said what would be removed",
        flag_only=True,
    )
    clean_tier: str | None
    """The only tier that ``clean`` removes; None: all tiers."""
    print_config: bool = _help(
        "--print-config", EVERY_COMMAND, "show the settings in force and where each comes from", flag_only=True
    )
    keys: Mapping[str, str]
    """Per binding id, its keys, separated by commas, from the settings file."""

    def public(self) -> dict[str, Any]:
        """The settings as JSON can hold them, without the API key and the workers' token."""
        document: dict[str, Any] = {}
        for item in fields(self):
            if item.name in ("api_key", "worker_token"):
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
            document[item.name] = value
        return document


SETTINGS: tuple[Setting, ...] = tuple(Setting(item.name, **item.metadata) for item in fields(Settings) if item.metadata)
"""In the order of ``--help``."""
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
