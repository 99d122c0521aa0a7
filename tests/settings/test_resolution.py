"""Which source wins, what contradicts what, and what is shown of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from confman_tui.core.errors import UsageError
from confman_tui.settings import Rank, Resolved, Settings, check_keys, resolve, themes
from confman_tui.settings.options import SETTINGS
from confman_tui.settings.resolution import Flags

_SECRET = "s3cret-of-the-test"
_DERIVED = {"command", "keys", "clean_tier", "user_steps", "payload_steps"}
"""Fields that no setting fills by itself."""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _bench(flags: Flags | None = None, environ: dict[str, str] | None = None, file: Path | None = None) -> Resolved:
    return resolve("bench", flags or {}, environ or {}, file)


def test_the_table_fills_the_settings() -> None:
    from_table = {setting.field for setting in SETTINGS}
    assert from_table | _DERIVED == {item.name for item in fields(Settings)}
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_defaults() -> None:
    settings = _bench().settings
    assert settings.host == "http://127.0.0.1:6100"
    assert settings.api_key == "confman_dev_abc123"
    assert settings.tier == "small"
    assert settings.payload_bytes == 1024
    assert settings.users is None
    assert settings.reads == "all"
    assert settings.duration_s is None
    assert settings.wait_s == 30.0
    assert settings.poll_s == pytest.approx(0.25)
    assert settings.poll_alert_s == pytest.approx(0.05)
    assert settings.probe_s is None
    assert settings.output_dir == Path("results")
    assert settings.demo_ports == (6100, 6200, 6300)
    assert settings.scenario_names == ("write-1u", "write-10u", "read-1u", "read-10u", "mixed-10u")
    assert not settings.headless
    assert settings.clean_tier is None


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = _file(tmp_path, 'users = 3\nduration = "2m"\ntier = "large"\n')
    environ = {"CONFMAN_BENCH_USERS": "5", "CONFMAN_BENCH_DURATION": "10", "CONFMAN_BENCH_THEME": ""}
    resolved = _bench({"users": "7"}, environ, file)
    settings = resolved.settings
    assert (settings.users, settings.duration_s, settings.tier, settings.theme) == (7, 10.0, "large", None)
    ranks = [resolved.origins[name].rank for name in ("users", "duration", "tier", "theme")]
    assert ranks == [Rank.FLAG, Rank.ENVIRONMENT, Rank.FILE, Rank.DEFAULT]


def test_every_setting_can_come_from_the_environment_and_the_file(tmp_path: Path) -> None:
    texts = {
        "host": "http://10.0.0.1:6100",
        "nodes": "http://10.0.0.1:6100,http://10.0.0.2:6100",
        "api-key": _SECRET,
        "ca-file": "ca.pem",
        "insecure": "true",
        "wait": "5s",
        "request-timeout": "7s",
        "poll": "200ms",
        "poll-alert": "40ms",
        "probe": "0",
        "tier": "xlarge",
        "scenario": "read-1u,write-1u",
        "users": "4",
        "rate": "0.5",
        "reads": "followers",
        "duration": "3s",
        "step": "4s",
        "warmup": "2s",
        "repeat": "5",
        "entries": "10,20",
        "payload": "2KB",
        "fresh": "true",
        "no-cleanup": "true",
        "verify": "sample:10",
        "late": "10s",
        "output-dir": "elsewhere",
        "full-history": "true",
        "json": "true",
        "headless": "true",
        "theme": "nord",
        "demo": "false",
        "demo-nodes": "1",
        "demo-ports": "7001",
        "demo-election-timeout": "150-300",
        "demo-data": "kept",
        "demo-fsync": "true",
        "allow-faults": "true",
        "restart-cmd": "run {port}",
        "rounds": "9",
        "fault": "pause",
        "max-unavailable": "5s",
        "strict": "true",
        "workers": "2",
        "expect-workers": "1",
        "master-bind": "0.0.0.0:5557",
        "master": "elsewhere:5557",
    }
    assert set(texts) == {setting.name for setting in SETTINGS if not (setting.flag_only or setting.env_only)}
    environ = {"CONFMAN_BENCH_" + name.upper().replace("-", "_"): text for name, text in texts.items()}
    lines = [f"{name} = {text if text in ('true', 'false') else repr(text)}" for name, text in texts.items()]
    from_environment = _bench(environ=environ).settings
    from_file = _bench(file=_file(tmp_path, "\n".join(lines))).settings
    assert from_environment == from_file
    assert from_file.scenario_names == ("read-1u", "write-1u")
    assert from_file.max_unavailable_s == 5.0
    default = _bench().settings
    same = {item.name for item in fields(Settings) if getattr(from_file, item.name) == getattr(default, item.name)}
    assert same == {
        "command",
        "results_only",
        "yes",
        "print_config",
        "worker_token",
        "demo",
        "keys",
        "clean_tier",
        "user_steps",
        "payload_steps",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("teir = 'small'", ["'teir'", "did you mean tier", "api-key", "[keys]"]),
        ("tier = 'huge'", ["tier", "'huge'", "small, large, xlarge"]),
        ("users = 0", ["users", "1 to 100000"]),
        ("users = true", ["users", "a string or a number"]),
        ("users = [[1]]", ["users", "a string or a number or an array"]),
        ("users = [1, 10, 5]", ["users", "ascending order"]),
        ("duration = nan", ["duration", "more than 0"]),
        ("demo = 'yes'", ["demo", "true or false"]),
        ("print-config = true", ["'print-config'", "not known"]),
        ("scenario = ['read-1u', 'red-1u']", ["scenario", "'red-1u'", "write-stress-10u"]),
        ("nodes = [[1]]", ["nodes", "array"]),
        ("tier = ", ["not TOML"]),
        ("keys = 3", ["keys", "table"]),
        ("[keys]\nstop = 'ctrl+c'", ["[keys] stop", "f1 to f24"]),
        ("[keys]\nstop = 3", ["[keys] stop", "in quotes"]),
        ("theme = 'pink'", ["theme", "textual-dark"]),
    ],
)
def test_a_wrong_file_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, message: list[str]) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        _bench(file=file)
    for part in [str(file), *message]:
        assert part in str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert _bench(file=tmp_path / "missing.toml").settings == _bench().settings
    with pytest.raises(UsageError, match="is no ordinary file"):
        _bench(file=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"theme = '\xe9'")
    with pytest.raises(UsageError, match="UTF-8"):
        _bench(file=tmp_path / "latin.toml")


def test_arrays_and_numbers_in_the_file(tmp_path: Path) -> None:
    text = """
        nodes = ["http://a:1", "http://b:1"]
        demo-ports = [7001, 7002]
        poll = 250
        wait = 1.5
        [keys]
        stop = "x, f9"
    """
    settings = _bench(file=_file(tmp_path, text)).settings
    assert settings.nodes == "http://a:1,http://b:1"
    assert (settings.demo_ports, settings.demo_nodes) == ((7001, 7002), 2)
    assert (settings.poll_s, settings.wait_s) == (0.25, 1.5)
    assert settings.keys == {"stop": "x,f9"}


def test_wrong_values_name_the_flag_or_the_variable() -> None:
    with pytest.raises(UsageError, match=r"^--users: 0 is outside 1 to 100000$"):
        _bench({"users": "0"})
    with pytest.raises(
        UsageError, match=r"^CONFMAN_BENCH_TIER: 'huge' is not known; choose from small, large, xlarge$"
    ):
        _bench(environ={"CONFMAN_BENCH_TIER": "huge"})
    with pytest.raises(UsageError) as caught:
        _bench({"api-key": f"{_SECRET} {_SECRET}"})
    assert _SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        ("bench", {"demo": True, "nodes": "http://a:1"}, "--demo starts a cluster of its own"),
        ("bench", {"demo": True, "host": "http://a:1"}, "--host can't be given with it"),
        ("bench", {"json": True}, "--json needs --headless"),
        ("bench", {"scenario": ["read-1u"]}, "--scenario needs --headless"),
        ("bench", {"results-only": True, "demo": True}, "leave --demo out"),
        ("bench", {"headless": True, "demo-nodes": "5"}, "--demo-nodes needs --demo"),
        ("bench", {"demo": True, "demo-nodes": "3", "demo-ports": "7001,7002"}, "2 ports, but there are 3"),
        ("bench", {"headless": True, "rounds": "3"}, "--rounds is for drills: the drill command, or the screen"),
        ("bench", {"restart-cmd": "x {port}"}, "--restart-cmd needs --allow-faults"),
        ("bench", {"users": "1,10", "payload": "1KB,2KB"}, "--users and --payload both name several values"),
        ("bench", {"users": "1,10", "rate": "50"}, "--users names several values and --rate a rate"),
        ("bench", {"users": "1,10", "step": "5", "duration": "5"}, "leave one of the two out"),
        ("bench", {"headless": True, "step": "5"}, "--step is the length of a step"),
        ("bench", {"headless": True, "entries": "5"}, "--entries needs the command sweep"),
        ("bench", {"results-only": True, "repeat": "5"}, "leave --repeat out"),
        ("bench", {"results-only": True, "reads": "entry"}, "leave --reads out"),
        ("drill", {"demo": True, "users": "1,10"}, "--users: a drill takes one value"),
        ("sweep", {"payload": "1KB,2KB"}, "--payload: a sweep takes one value"),
        ("sweep", {"demo-nodes": "1"}, "--demo-nodes needs --demo"),
        ("drill", {}, "--allow-faults"),
        ("drill", {"allow-faults": True, "fault": "isolate"}, "demo cluster only"),
        ("drill", {"demo-ports": "auto", "allow-faults": True}, "--demo-ports needs --demo"),
    ],
)
def test_contradictions(command: str, flags: Flags, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(command, flags, {})
    assert message in str(caught.value)


def test_several_users_or_payloads_are_the_steps_of_a_series(tmp_path: Path) -> None:
    one = _bench({"users": "10", "payload": "2KB"}).settings
    assert (one.users, one.user_steps, one.payload_bytes, one.payload_steps) == (10, (), 2048, ())
    users = _bench({"users": "1, 10,50"}).settings
    assert (users.users, users.user_steps, users.duration_s, users.step_s) == (None, (1, 10, 50), None, 15.0)
    payloads = _bench(file=_file(tmp_path, 'payload = [10, "1KB", "1.5KB"]\nstep = 3')).settings
    assert (payloads.payload_bytes, payloads.payload_steps, payloads.step_s) == (10, (10, 1024, 1536), 3.0)
    assert _bench({"users": "1,2", "duration": "7"}).settings.duration_s == 7.0, "the length of a step"
    both = _bench({"users": "1,2", "step": "5"}, {"CONFMAN_BENCH_DURATION": "7"}).settings
    assert (both.duration_s, both.step_s) == (None, 5.0)


def test_a_series_of_the_environment_does_not_hinder_a_drill_or_a_sweep() -> None:
    environ = {"CONFMAN_BENCH_USERS": "1,10", "CONFMAN_BENCH_PAYLOAD": "1KB,1MB"}
    with pytest.raises(UsageError, match="CONFMAN_BENCH_USERS and CONFMAN_BENCH_PAYLOAD"):
        _bench(environ=environ)
    alone = resolve("sweep", {"demo": True}, {"CONFMAN_BENCH_USERS": "7", "CONFMAN_BENCH_RATE": "50"}).settings
    assert (alone.users, alone.rate) == (None, None), "a sweep measures one user who waits for the answer"
    for command in ("drill", "sweep"):
        settings = resolve(command, {"demo": True}, environ).settings
        assert (settings.users, settings.user_steps, settings.payload_bytes) == (None, (), 1024)


def test_warm_up_repeats_and_sizes_of_a_sweep() -> None:
    default = _bench().settings
    assert (default.warmup_s, default.repeat, default.entries) == (0.0, 1, (100, 1000, 5000, 10000))
    given = resolve("sweep", {"entries": "50", "warmup": "2", "repeat": "3", "duration": "2"}, {}).settings
    assert (given.entries, given.warmup_s, given.repeat, given.duration_s) == ((50,), 2.0, 3, 2.0)


def test_where_reads_go_and_where_that_came_from() -> None:
    resolved = _bench({}, {"CONFMAN_BENCH_READS": "entry"})
    assert resolved.settings.reads == "entry"
    (line,) = [line for line in resolved.explain().splitlines() if line.startswith("reads ")]
    assert line.split() == ["reads", "entry", "CONFMAN_BENCH_READS"]


@pytest.mark.parametrize("text", ["1.5", "500ms", "2h", "-1", "x"])
def test_a_warm_up_is_whole_seconds(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--warmup: .*0 to 1 h$"):
        _bench({"warmup": text})


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("users", "1,1", "in ascending order, each once, such as 1,10,50,100"),
        ("users", "10,1", "in ascending order"),
        ("users", "1,,2", "must be a whole number from 1 to 100000"),
        ("users", "1,x", "must be a whole number"),
        ("users", ",".join(map(str, range(1, 34))), "up to 32"),
        ("payload", "1KB,1024", "in ascending order"),
        ("payload", "1KB,60MB", "1 byte to 50 MB"),
        ("entries", "100,50", "such as 100,1000,5000"),
        ("entries", "100001", "1 to 100000"),
        ("repeat", "0", "1 to 100"),
        ("step", "0", "more than 0"),
        ("reads", "any", "choose from all, entry, leader, followers"),
    ],
)
def test_wrong_steps_name_what_is_allowed(flag: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _bench({flag: text})
    assert str(caught.value).startswith(f"--{flag}: ")
    assert message in str(caught.value)


def test_nodes_of_a_stronger_source_leave_a_weaker_entry_aside(tmp_path: Path) -> None:
    file = _file(tmp_path, 'host = "http://10.0.0.1:6100"')
    assert _bench({"nodes": "http://10.0.0.9:6100"}, file=file).settings.host == "http://127.0.0.1:6100"
    assert _bench({"host": "http://10.0.0.9:6100"}, file=file).settings.host == "http://10.0.0.9:6100"
    assert _bench({}, {"CONFMAN_BENCH_NODES": "http://10.0.0.9:6100"}, file).settings.host == "http://127.0.0.1:6100"


def test_the_stronger_source_chooses_between_demo_and_a_named_cluster(tmp_path: Path) -> None:
    file = _file(tmp_path, 'host = "http://10.0.0.1:6100"')
    settings = _bench({"demo": True}, file=file).settings
    assert settings.demo
    assert settings.host == "http://127.0.0.1:6100"
    resolved = _bench({"host": "http://10.0.0.1:6100"}, {"CONFMAN_BENCH_DEMO": "1"})
    assert not resolved.settings.demo
    assert "--host names a cluster" in resolved.explain()


def test_what_the_environment_asks_for_in_vain_does_not_hinder_the_screen() -> None:
    settings = _bench(environ={"CONFMAN_BENCH_JSON": "1", "CONFMAN_BENCH_SCENARIO": "read-1u"}).settings
    assert settings.json
    assert not settings.headless


def test_ports_and_nodes_of_the_demo_follow_each_other() -> None:
    assert _bench({"demo": True, "demo-nodes": "5"}).settings.demo_ports == (6100, 6200, 6300, 6400, 6500)
    assert _bench({"demo": True, "demo-ports": "7001"}).settings.demo_nodes == 1
    assert _bench({"demo": True, "demo-ports": "auto", "demo-nodes": "2"}).settings.demo_ports == ()
    stronger = _bench({"demo": True, "demo-nodes": "1"}, {"CONFMAN_BENCH_DEMO_PORTS": "7001,7002"}).settings
    assert (stronger.demo_nodes, stronger.demo_ports) == (1, (6100,))
    assert resolve("demo", {"demo-nodes": "1"}, {}).settings.demo


def test_scenarios_are_taken_once_and_all_means_the_suite() -> None:
    def chosen(*names: str) -> tuple[str, ...]:
        return _bench({"headless": True, "scenario": list(names)}).settings.scenario_names

    assert chosen("read-1u", "write-1u", "read-1u") == ("read-1u", "write-1u")
    assert len(chosen("all")) == 5
    assert chosen("write-stress-10u", "all")[-1] == "write-stress-10u"
    six = ("write-1u", "write-10u", "write-stress-10u", "read-1u", "read-10u", "mixed-10u")
    assert chosen("suite6") == chosen("read-1u", "suite6") == chosen("all", "suite6") == six
    assert _bench({"headless": True}).settings.scenario_names == tuple(name for name in six if "stress" not in name)


def test_clean_removes_one_tier_only_when_it_was_typed() -> None:
    assert resolve("clean", {}, {"CONFMAN_BENCH_TIER": "large"}).settings.clean_tier is None
    assert resolve("clean", {"tier": "large"}, {}).settings.clean_tier == "large"
    shown = {line.split()[0]: line.split()[1] for line in resolve("clean", {}, {}).explain().splitlines()}
    assert shown["tier"] == "(all)"


def test_the_key_is_shown_nowhere(tmp_path: Path) -> None:
    resolved = _bench({"api-key": _SECRET, "allow-faults": True, "restart-cmd": f"x {_SECRET} {{port}}"})
    for text in (repr(resolved), repr(resolved.settings), str(resolved.settings.public()), resolved.explain()):
        assert _SECRET not in text
    assert ["api-key", "(set)", "flag"] in [line.split() for line in resolved.explain().splitlines()]


def test_print_config_shows_value_and_source(tmp_path: Path) -> None:
    file = _file(tmp_path, 'tier = "large"\n[keys]\nstop = "x"\n')
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in _bench(file=file).explain().splitlines()}
    assert lines["tier"].split() == ["large", str(file)]
    assert lines["keys.stop"].split() == ["x", str(file)]
    assert lines["users"].startswith("(not set)")
    assert "yes" not in lines


def test_unknown_actions_in_the_keys_table(tmp_path: Path) -> None:
    resolved = _bench(file=_file(tmp_path, '[keys]\nstopp = "x"\n'))
    check_keys(resolved, {"stopp"})
    with pytest.raises(
        UsageError, match=r"config.toml: \[keys\]: the action 'stopp' is not known; known actions: quit, stop"
    ):
        check_keys(resolved, {"stop", "quit"})


def test_the_theme_chosen_last_is_kept_and_yields_to_the_file(tmp_path: Path) -> None:
    kept = tmp_path / "state" / "theme"
    assert themes.chosen_last(kept) is None
    themes.remember("nord", kept)
    assert themes.chosen_last(kept) == "nord"
    assert resolve("bench", {}, {}, None, "nord").settings.theme == "nord"
    file = _file(tmp_path, 'theme = "dracula"')
    assert resolve("bench", {}, {}, file, "nord").settings.theme == "dracula"
    kept.write_text("[red]no theme", encoding="utf-8")
    assert themes.chosen_last(kept) is None
    themes.remember("nord", tmp_path / "config.toml" / "theme")


def test_demo_fsync_is_off_unless_flag_environment_or_file_turn_it_on(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert not resolve("demo", {}, {}, file).settings.demo_fsync
    assert resolve("demo", {"demo-fsync": True}, {}, file).settings.demo_fsync
    assert resolve("bench", {"demo": True}, {"CONFMAN_BENCH_DEMO_FSYNC": "true"}, file).settings.demo_fsync
    file.write_text("demo-fsync = true\n")
    assert resolve("demo", {}, {}, file).settings.demo_fsync
    with pytest.raises(UsageError, match="--demo-fsync needs --demo"):
        resolve("drill", {"demo-fsync": True, "allow-faults": True}, {}, tmp_path / "none")
