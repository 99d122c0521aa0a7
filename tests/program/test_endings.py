"""The program leaves nothing behind, however it ends: no process, no port, no temporary file."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.keys import ADMIN, READER
from tests.support.program import HEADLESS_DEMO, SUITE, StartedProgram


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_the_suite_on_the_demo_cluster(home: Path) -> None:
    # long enough that a busy machine elects nobody in between
    timeouts = ["--demo-election-timeout", "2000-4000"]
    started = StartedProgram([*HEADLESS_DEMO, *timeouts, "--duration", "500ms", "--json"], home)
    try:
        started.wait_said("write-1u started:")
        started.note_ports()
        assert len(started.ports) >= 3
        assert started.wait_end() == 0, started.said()
    finally:
        started.process.kill()
    document = json.loads(started.output.read_text())
    assert [row["name"] for row in document["scenarios"]] == SUITE
    assert [row["failures"] for row in document["scenarios"]] == [0] * 5
    assert all(row["requests"] > 0 for row in document["scenarios"])
    assert document["scenarios"][0]["entries_before"] == 101, "the seeded keys and the probe's"
    assert document["scenarios"][1]["verification"]["lost"] == 0
    assert document["cluster"]["leader"] in document["cluster"]["nodes"]
    for row in document["scenarios"]:
        for kind in ("stats", "stats_history", "failures", "exceptions", "timeline"):
            assert (home / "results" / f"small-{row['name']}_{kind}.csv").exists()
        assert (home / "results" / f"small-{row['name']}_summary.json").exists()
    started.assert_nothing_left()
    for path in (home / "results").iterdir():
        assert ADMIN not in path.read_text(), path


PHASES = {
    "seeding": (["--tier", "xlarge"], "seeding:", (signal.SIGHUP,)),
    "run": (["--scenario", "write-10u"], "write-10u started:", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
    "cleaning": (
        ["--scenario", "write-1u", "--duration", "300ms", "--demo-data", "kept"],
        "cleaning:",
        (signal.SIGTERM,),
    ),
}
"""Each phase's arguments, what says that it has begun, and signals: they take one way through the program, so that all
three are tried in one phase only."""


@pytest.mark.parametrize("phase", PHASES)
def test_signals_end_it_in_order(phase: str, home: Path) -> None:
    """One program per signal, beside each other, because most of the time goes into starting them."""
    arguments, said, signals = PHASES[phase]
    programs: dict[signal.Signals, StartedProgram] = {}
    try:
        for number in signals:
            place = home / number.name
            place.mkdir()
            programs[number] = StartedProgram([*HEADLESS_DEMO, "--demo-nodes", "1", *arguments], place)
        for number, started in programs.items():
            started.wait_said(said)
            if phase != "cleaning":  # which is over in a moment
                started.note_ports()
            started.process.send_signal(number)
        for number, started in programs.items():
            code = started.wait_end()
            # A signal that comes when the last cleaning is all but done may find nothing left to interrupt.
            assert code == 130 or (phase == "cleaning" and code == 0), started.said()
            assert said in started.said()
            assert phase == "cleaning" or f"{number.name}: stopping" in started.said()
            assert "Traceback" not in started.said()
            started.assert_nothing_left()
            if phase == "run":
                assert (started.home / "results" / "small-write-10u_summary.json").exists(), "the figures so far"
    finally:
        for started in programs.values():
            started.process.kill()


def test_sigkill_leaves_no_node(home: Path) -> None:
    started = StartedProgram([*HEADLESS_DEMO, "--scenario", "write-10u"], home)
    try:
        started.wait_said("write-10u started:")
        assert len(started.family()) >= 4
        started.note_ports()
    finally:
        os.kill(started.process.pid, signal.SIGKILL)
        started.process.wait()
    started.assert_nothing_left(temporary_too=False)


def test_what_a_killed_run_left_is_announced_and_cleaned(node: DemoCluster, home: Path) -> None:
    """Kill the program in a run and start again on the same cluster: announced; `clean` removes it."""
    # The entry must be one of the nodes.
    nodes = ["--nodes", node.urls[0], "--host", node.urls[0]]
    first = StartedProgram(["--headless", *nodes, "--scenario", "write-10u"], home)
    try:
        first.wait_said("write-10u started:")
    finally:
        first.process.kill()
        first.process.wait()
    short = ["--scenario", "read-1u", "--duration", "300ms", "--no-cleanup"]
    again = StartedProgram(["--headless", *nodes, *short], home)
    assert again.wait_end() == 0, again.said()
    assert "leftovers of an earlier run" in again.said()
    asked = StartedProgram(["clean", *nodes], home)
    assert asked.wait_end() == 0, asked.said()
    assert "bench-small-000" in asked.output.read_text()
    assert "--yes" in asked.output.read_text()
    done = StartedProgram(["clean", *nodes, "--yes"], home)
    assert done.wait_end() == 0, done.said()
    after = StartedProgram(["clean", *nodes], home)
    assert after.wait_end() == 0
    assert "nothing to remove" in after.output.read_text()


def test_a_second_program_on_the_same_tier_refuses_and_names_the_first(node: DemoCluster, home: Path) -> None:
    nodes = ["--nodes", node.urls[0], "--host", node.urls[0]]
    first = StartedProgram(["--headless", *nodes, "--scenario", "write-1u", "--duration", "300"], home)
    try:
        first.wait_said("write-1u started:")
        second = StartedProgram(["--headless", *nodes, "--scenario", "read-1u"], home, "-second")
        assert second.wait_end() == 2, second.said()
        assert f"pid {first.process.pid}" in second.said()
        cleaning = StartedProgram(["clean", *nodes, "--yes"], home, "-clean")
        assert cleaning.wait_end() == 0, cleaning.said()
        text = cleaning.output.read_text()
        assert "tier small: 6 namespaces in use, by " in text
        assert f"pid {first.process.pid}" in text
        assert "bench-small-000, bench-small-001" in text
        assert "nothing to remove: all that the cluster holds of confman-tui is in use" in text
    finally:
        first.process.send_signal(signal.SIGINT)
        assert first.wait_end() == 130, first.said()
    assert "Traceback" not in first.said() + second.said()


def test_a_wrong_key_and_a_readers_key(node: DemoCluster, home: Path) -> None:
    nodes = ["--headless", "--nodes", node.urls[0], "--host", node.urls[0]]
    for key, status in (("nope-secret", "401"), (READER, "403")):
        started = StartedProgram([*nodes, "--api-key", key], home)
        assert started.wait_end() == 3, started.said()
        assert status in started.said()
        assert key not in started.said()
        assert "Traceback" not in started.said()
