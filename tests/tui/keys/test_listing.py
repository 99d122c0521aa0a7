"""``--help-keys``: the names that the table ``[keys]`` of the settings file takes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from confman_tui.cli import main
from confman_tui.tui.keys.keymap import check_keymap
from confman_tui.tui.keys.listing import listing
from confman_tui.tui.keys.table import ACTIONS


def test_each_action_has_a_line_that_the_settings_file_takes() -> None:
    """The id as TOML wants it, the default key by its name, and the words of the help."""
    lines = {action.id: [x for x in listing().splitlines() if x.endswith(f"  {action.help}")] for action in ACTIONS}
    assert {len(found) for found in lines.values()} == {1}
    table = "\n".join("{} = '{}'".format(*line.split()[:2]) for (line,) in lines.values())
    keys = tomllib.loads(table)
    assert keys == {action.id: action.key for action in ACTIONS}
    check_keymap(keys)


def test_the_example_is_one() -> None:
    _, _, example = listing().partition("\n  [keys]\n")
    keys = tomllib.loads(example)
    assert keys == {"kill": "K,f9"}
    check_keymap(keys)


@pytest.mark.parametrize("argv", [["--help-keys"], ["drill", "--help-keys"], ["--demo", "--help-keys"]])
def test_the_flag_prints_it_and_nothing_else_happens(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    assert capsys.readouterr() == (f"{listing()}\n", "")


def test_it_helps_also_where_the_settings_file_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who wrote a wrong table is who needs the list."""
    folder = tmp_path / "confman-tui"
    folder.mkdir()
    (folder / "config.toml").write_text("[keys]\nkill = 3\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["--print-config"]) == 2
    assert main(["--help-keys"]) == 0
    assert "kill" in capsys.readouterr().out


def test_it_needs_no_textual() -> None:
    code = "import sys, confman_tui.tui.keys.listing as l; l.listing(); print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
