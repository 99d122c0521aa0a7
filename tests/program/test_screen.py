"""The whole program on a real terminal (a pseudo-terminal of 120×40), with real keys and real signals."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.support.confman_server import Server
from tests.support.terminal import SCREEN_DEMO, TerminalProgram
from tests.support.waiting import wait_for

SEEDED = 100
"""Keys of the small tier."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_a_key_runs_a_scenario_and_q_leaves_a_whole_terminal(home: Path) -> None:
    screen = TerminalProgram([*SCREEN_DEMO, "--duration", "1"], home)
    try:
        screen.wait_idle()
        screen.note_ports()
        screen.press("1")
        document = screen.summary("write-1u")
        assert document["requests"] > 0
        assert document["failures"] == 0
        lag = document["generator"]["screen_lag_ms"]
        assert 0 <= lag["mean"] <= lag["max"], "the screen reports to the session how late it is"
        assert len(document["generator"]["node_cpu"]) == 3
        assert screen.leave() == 0, screen.said()
        screen.wait_restored()
        assert b"Traceback" not in screen.written
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_the_leader_dies_while_users_write(home: Path) -> None:
    """The writers move by themselves, the run ends with its figures, and nothing that was acknowledged is lost."""
    screen = TerminalProgram([*SCREEN_DEMO, "--duration", "90"], home)
    try:
        screen.wait_idle()
        screen.press("2")
        timeline = home / "results" / "small-write-10u_timeline.csv.part"

        def whole_seconds() -> list[dict[str, str]]:
            """Those in which users wrote and none failed."""
            lines = timeline.read_text().split("\n")[:-1] if timeline.exists() else []
            rows = [row for row in csv.DictReader(lines) if row["term"] and row["ok"] != "0"]
            return [row for row in rows if not any(int(row[name]) for name in row if name.startswith("failed_"))]

        wait_for(lambda: len(whole_seconds()) >= 2, "two seconds of load")
        before = whole_seconds()[0]["term"]
        screen.press("k")
        wait_for(lambda: sum(row["term"] != before for row in whole_seconds()) >= 2, "the next leader's writes")
        screen.press("s")
        document = screen.summary("write-10u")
        assert len(document["elections"]) == 1
        election = document["elections"][0]
        assert election["without_writes_s"] > 0
        assert election["new_leader"] != election["old_leader"]
        assert document["verification"]["lost"] == document["verification"]["phantom"] == 0
        assert document["verification"]["acknowledged"] > 0
        rows = (home / "results" / "small-write-10u_timeline.csv").read_text().splitlines()
        assert any("kill" in row for row in rows)
        assert screen.leave() == 0
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_a_run_that_was_stopped_is_verified_all_the_same(home: Path) -> None:
    with Server() as server:
        screen = TerminalProgram(["--nodes", server.url, "--host", server.url], home)
        try:
            screen.wait_idle()
            screen.press("2")
            wait_for(lambda: server.control()["put"] > SEEDED + 50, "writes of the load")
            screen.press("s")
            document = screen.summary("write-10u")
            assert document["stopped_early"]
            verification = document["verification"]
            assert verification["judged"]
            assert verification["checked"] >= verification["acknowledged"] > 0
            assert verification["note"] == ""
            assert screen.leave() == 0, screen.said()[-4000:]
        finally:
            screen.end()
        screen.assert_nothing_left()


def test_sigkill_of_the_screen_leaves_no_process(home: Path) -> None:
    screen = TerminalProgram(SCREEN_DEMO, home)
    try:
        screen.wait_idle()
        screen.note_ports()
        assert len(screen.family()) >= 4
    finally:
        screen.end()
    screen.assert_nothing_left(temporary_too=False)


def test_an_unknown_action_in_the_keys_table_is_one_sentence(home: Path) -> None:
    folder = home / "config" / "confman-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[keys]\ndance = "d"\n')
    screen = TerminalProgram(SCREEN_DEMO, home)
    try:
        assert screen.wait_end() == 2
        wait_for(lambda: "dance" in screen.said(), "the sentence")
        assert "Traceback" not in screen.said()
    finally:
        screen.end()
