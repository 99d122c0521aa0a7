"""The command line: one sentence for each wrong use, and never a value repeated that may be a key."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui import __version__
from confman_tui.core.errors import EXIT_CODES, UsageError
from confman_tui.settings.command_line import Parsed, parse
from confman_tui.settings.options import SETTINGS

_SECRET = "S3cret-of-the-test"


def test_no_words_open_the_screen() -> None:
    assert parse([]) == Parsed("bench", {})


def test_flags_before_and_after_the_command() -> None:
    assert parse(["--demo", "drill", "--rounds", "3"]) == Parsed("drill", {"demo": True, "rounds": "3"})
    assert parse(["drill", "--demo", "--json"]) == Parsed("drill", {"demo": True, "json": True})
    assert parse(["clean", "--yes", "--tier=large"]) == Parsed("clean", {"yes": True, "tier": "large"})


def test_scenarios_are_collected() -> None:
    assert parse(["--scenario", "read-1u", "--scenario=all"]).flags == {"scenario": ["read-1u", "all"]}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--api-kee", _SECRET], "unknown flag --api-kee; did you mean --api-key?"),
        ([f"--apikey={_SECRET}"], "unknown flag --apikey; did you mean --api-key?"),
        (["--head"], "unknown flag --head"),
        (["-x"], "unknown flag -x; confman-tui --help lists what there is"),
        (["-demo"], "unknown flag -demo; did you mean --demo?"),
        (["dril"], "did you mean drill?"),
        (
            ["benchmark"],
            "'benchmark' is neither a flag's value nor a command here; the commands are demo, clean, drill",
        ),
        ([_SECRET], "the commands are demo, clean, drill"),
        (["drill", _SECRET], "the commands are demo, clean, drill"),
        (["--api-key"], "--api-key needs a value: KEY"),
        (["--users", "--headless"], "--users needs a value: N"),
        (["--tier", "--rate", "50"], "--tier needs a value: TIER"),
        (["--scenario", "all", "--scenario", "--headless"], "--scenario needs a value: NAME"),
        (["--tier", f"--apikey={_SECRET}"], "--tier needs a value: TIER"),
        (["--json=yes"], "--json takes no value"),
        (
            ["demo", "--rounds", "3"],
            "--rounds does not go with confman-tui demo; it belongs to confman-tui and confman-tui drill",
        ),
        (["drill", "--scenario", "all"], "--scenario does not go with confman-tui drill; it belongs to confman-tui"),
        (["demo", "--users", "3"], "--users does not go with confman-tui demo"),
        (
            ["clean", "--demo"],
            "--demo does not go with confman-tui clean; it belongs to confman-tui and confman-tui drill",
        ),
    ],
)
def test_wrong_use_in_one_sentence(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert _SECRET not in str(caught.value)


def test_a_negative_value_is_a_value() -> None:
    assert parse(["--duration", "-5s"]).flags == {"duration": "-5s"}
    assert parse(["--users", "-1"]).flags == {"users": "-1"}


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*(s.flag for s in SETTINGS), "drill", "demo", "clean", "x", "-1", "--", "=", ""]), max_size=5
    )
)
def test_any_words_are_a_command_line_or_one_sentence(argv: list[str]) -> None:
    message = ""
    try:
        parse(argv)
    except UsageError as error:
        message = str(error)
    assert "\n" not in message


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"confman-tui {__version__}\n"


def test_help_names_every_flag_variable_and_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for setting in SETTINGS:
        if "bench" in setting.commands:
            assert (setting.flag in text) is not setting.env_only
        if setting.env is not None:
            assert setting.env in text
    assert "\n  --yes" not in text
    for code in EXIT_CODES:
        assert f"\n  {code:>3}  " in text
    assert "confman_dev_abc123" not in text
    assert max(map(len, text.splitlines())) <= 90


@pytest.mark.parametrize("command", ["demo", "clean", "drill", "worker"])
def test_help_of_a_command_names_its_flags_only(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([command, "--help"])
    text = capsys.readouterr().out
    for setting in SETTINGS:
        written = setting.env if setting.env_only else setting.flag
        listed = re.search(rf"^  {written}( |$)", text, re.MULTILINE) is not None
        assert listed == (command in setting.commands), setting.flag


def test_settings_need_neither_locust_nor_textual() -> None:
    """``--help`` and ``--print-config`` answer at once, because nothing heavy is imported for them."""
    code = (
        "import sys; import confman_tui.settings.command_line, confman_tui.settings.themes; "
        "print([name for name in ('locust', 'gevent', 'textual', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_help_of_clean_says_that_all_tiers_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["clean", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "small, large or xlarge data that is removed (default: all three)" in text
