"""The README says what the program has: its keys, exit codes and flags, and lines that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from confman_tui.core.errors import EXIT_CODES
from confman_tui.settings import resolve
from confman_tui.settings.command_line import parse
from confman_tui.settings.options import SETTINGS
from confman_tui.tui.keys.table import ACTIONS, display

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)


def section(heading: str) -> str:
    """What stands under this heading."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def shell_lines() -> list[str]:
    """The command lines of this program in the blocks that may be copied."""
    blocks = re.findall(r"^```\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("confman-tui")]


def test_it_is_half_as_long_as_it_was() -> None:
    """It had 2,800 words; what is moved out stands in ``tests/benchmarks`` and ``.github``."""
    assert len(README.split()) <= 1_400


def test_every_key_is_named() -> None:
    named = set(re.findall(r"`([^`]+)`", section("Keys"))) | set("123456")
    assert "`1`–`6`" in section("Keys")
    wanted = {display(action.key).replace("−", "-") for action in ACTIONS}
    assert wanted | {"tab", "enter", "home", "end", "pgup", "pgdn", "↑", "↓"} <= named


def test_every_exit_code_has_its_row() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Without a screen"), flags=re.MULTILINE)}
    assert set(EXIT_CODES) <= rows


def test_every_flag_named_exists() -> None:
    flags = set(re.findall(r"`(?:[^`]*? )?(--[a-z-]+)", PROSE))
    assert len(flags) > 10
    assert flags <= {setting.flag for setting in SETTINGS} | {"--help", "--help-keys", "--version"}


@pytest.mark.parametrize("line", shell_lines())
def test_a_line_that_may_be_copied_is_one(line: str, tmp_path: Path) -> None:
    words = shlex.split(line.partition(" > ")[0].removesuffix("&"), comments=True)
    parsed = parse(words[1:])
    resolve(parsed.command, parsed.flags, {}, tmp_path / "config.toml", None)


def test_there_are_such_lines() -> None:
    assert len(shell_lines()) >= 10


def test_what_it_links_to_is_there() -> None:
    targets = [one for one in re.findall(r"\]\(([^)]+)\)", README) if "://" not in one]
    assert len(targets) >= 4
    for target in targets:
        path, _, anchor = target.partition("#")
        text = (TOP / path).read_text(encoding="utf-8")
        headings = [one.lower().replace(" ", "-") for one in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)]
        assert not anchor or anchor in headings, target


def test_the_command_for_ci_is_found_as_it_looks_for_it() -> None:
    """`.ci/run` takes the first block after the mark."""
    block = README.partition("<!-- test command -->")[2].split("```")[1].strip()
    assert block.startswith('python3 -m venv "${VENV:=.venv}" && ')
    assert block.endswith('"$VENV/bin/pytest" -q')
