"""Standard streams that are closed, full or left by their reader: the run and its clean-up stay whole."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.keys import ADMIN
from tests.support.program import PROGRAM, StartedProgram, environment
from tests.support.waiting import DEADLINE_S

HEADERS = {"X-Api-Key": ADMIN}


@pytest.fixture
def url(node: DemoCluster) -> str:
    return node.urls[0]


def shell(redirection: str, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A short run with its streams as the shell's redirection makes them; its exit code is the whole's."""
    line = f'set -o pipefail; "$@" --headless --nodes {url} --scenario write-1u --duration 300ms {redirection}'
    return subprocess.run(
        ["bash", "-c", line, "bash", *PROGRAM],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(home),
        cwd=home,
        check=False,
    )


def assert_cleaned(url: str) -> None:
    asked = urllib.request.Request(f"{url}/api/v1/namespaces", headers=HEADERS)
    with urllib.request.urlopen(asked) as answer:
        assert json.load(answer) == []


@pytest.mark.parametrize(
    "redirection",
    [
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("2>&-", ">&-")),
        *("2>/dev/full", "<&- >&- 2>&-", "| head -1"),
    ],
)
def test_a_stream_that_is_closed_or_left_ends_nothing(redirection: str, url: str, tmp_path: Path) -> None:
    ended = shell(redirection, url, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ("tier small" in ended.stdout) == (">&-" not in redirection or redirection == "2>&-")
    assert_cleaned(url)


def test_a_result_that_can_not_be_written_is_said(url: str, tmp_path: Path) -> None:
    ended = shell(">/dev/full", url, tmp_path)
    assert ended.returncode == 2
    assert "confman-tui: standard output can't be written: No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert_cleaned(url)


def test_a_scenario_without_any_success_is_exit_1(url: str, tmp_path: Path) -> None:
    """Somebody removes the seeded keys during the first scenario: the second finds none of them."""
    arguments = ["--headless", "--nodes", url, "--scenario", "read-1u", "--scenario", "read-10u", "--duration", "1"]
    started = StartedProgram(arguments, tmp_path)
    try:
        started.wait_said("read-1u started:")
        for number in range(5):
            address = f"{url}/api/v1/namespaces/bench-small-{number:03d}"
            urllib.request.urlopen(urllib.request.Request(address, method="DELETE", headers=HEADERS)).close()
        assert started.wait_end() == 1, started.said()
    finally:
        started.process.kill()
    table = started.output.read_text()
    assert "(100 %)" in table
    assert "answered 404" in (tmp_path / "results" / "small-read-10u_failures.csv").read_text()
    assert_cleaned(url)


def test_warnings_and_lost_tasks_are_none(url: str, tmp_path: Path) -> None:
    """In Python's development mode: unclosed sockets, coroutines never awaited, deprecated calls would be reported."""
    line = [PROGRAM[0], "-X", "dev", *PROGRAM[1:], "--headless", "--nodes", url, "--duration", "500ms"]
    ended = subprocess.run(
        [*line, "--scenario", "mixed-10u"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(tmp_path, PYTHONWARNINGS="always"),
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    for word in ("Warning", "never retrieved", "unclosed", "Traceback"):
        assert word not in ended.stderr, ended.stderr


_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (6200, 6200))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Starts a program whose files can't grow beyond 6,200 bytes: to it, the disk is full then."""


def test_results_that_find_no_room_are_exit_12_and_the_figures_are_printed(url: str, tmp_path: Path) -> None:
    arguments = [*PROGRAM, "--headless", "--json", "--nodes", url, "--scenario", "write-1u", "--duration", "300ms"]
    ended = subprocess.run(
        [sys.executable, "-c", _LIMITED, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=environment(tmp_path),
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 12, ended.stderr
    assert "confman-tui: exit code 12: " in ended.stderr
    assert "-registry.json can't be written: file too large" in ended.stderr
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert scenario["requests"] > 0
    assert not list((tmp_path / "results").glob("*registry*"))
    assert_cleaned(url)


def test_a_folder_that_is_gone_when_a_run_begins_costs_no_figures(url: str, tmp_path: Path) -> None:
    names = ("write-1u", "read-1u")
    arguments = ["--headless", "--json", "--nodes", url, "--duration", "700ms"]
    started = StartedProgram([*arguments, *(word for name in names for word in ("--scenario", name))], tmp_path)
    try:
        started.wait_said("write-1u started")
        (tmp_path / "results").rename(tmp_path / "kept")
        (tmp_path / "results").write_text("no folder")
        assert started.wait_end() == 12, started.said()
    finally:
        started.process.kill()
    document = json.loads(started.output.read_text())
    assert [(scenario["name"], scenario["requests"] > 0) for scenario in document["scenarios"]] == [
        (name, True) for name in names
    ]
    assert_cleaned(url)
