"""The program with workers: its own, and those that join by the command ``worker``."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from confman_tui.cli import make_demo
from confman_tui.load.workers.plan import WorkerError
from confman_tui.session.events import Event, Phase, PhaseChanged
from confman_tui.session.series import run_series
from confman_tui.session.session import Session
from confman_tui.settings.worker_token import VARIABLE
from tests.support.confman_server import Server
from tests.support.odd_servers import free_port
from tests.support.program import HEADLESS_DEMO, StartedProgram
from tests.support.program import run as run_program
from tests.support.session_events import RecordedEvents, settings_for
from tests.support.waiting import DEADLINE_S, wait_for

TOKEN = "00112233445566778899aabbccddeeff"
GIVEN = {VARIABLE: TOKEN}
WORKER = "confman_tui.load.workers.local_worker"
SERVED = ["--headless", "--no-cleanup", "--probe", "0", "--scenario", "write-10u"]


def served(server: Server) -> list[str]:
    """Flags for a run on the small server."""
    return [*SERVED, "--host", server.url, "--nodes", server.url]


def place(home: Path, name: str) -> Path:
    """A folder for one more program."""
    folder = home / name
    folder.mkdir()
    return folder


def invitation_of(started: StartedProgram) -> tuple[str, dict[str, str]]:
    """Where workers join, and the variable that they need, as the program says."""
    started.wait_said("workers join: ")
    match = re.search(rf"({VARIABLE})=([0-9a-f]{{32}}) confman-tui worker --master (\S+)", started.said())
    assert match is not None, started.said()
    return match[3], {match[1]: match[2]}


def workers_of(started: StartedProgram) -> list[psutil.Process]:
    return [each for each in started.family() if WORKER in " ".join(each.cmdline())]


def test_every_acknowledged_write_of_the_workers_is_verified(tmp_path: Path) -> None:
    started = StartedProgram(
        [*HEADLESS_DEMO, "--scenario", "write-10u", "--workers", "2", "--duration", "3s", "--json"], tmp_path
    )
    try:
        started.wait_said("write-10u started: 10 users")
        assert len(workers_of(started)) == 2
        assert started.wait_end() == 0, started.said()
    finally:
        started.process.kill()
    (row,) = json.loads(started.output.read_text())["scenarios"]
    verified = row["verification"]
    assert row["failures"] == 0
    assert row["invalid"] is None
    # the probe's writes are verified too
    assert verified["checked"] == verified["acknowledged"] >= row["writes_ok"] == row["requests"] > 0
    assert (verified["lost"], verified["phantom"], verified["stale"]) == (0, 0, 0)
    assert row["duration_s"] >= 3.0
    summary = json.loads((tmp_path / "results" / "small-write-10u_summary.json").read_text())
    assert summary["settings"]["workers"] == 2
    started.assert_nothing_left()
    assert not list((tmp_path / "state").rglob("workers-*"))


def test_workers_from_elsewhere_join_and_make_the_load_unless_they_are_of_another_version(tmp_path: Path) -> None:
    with Server() as server:
        master = StartedProgram(
            [*served(server), "--expect-workers", "2", "--duration", "2s", "--json"], place(tmp_path, "master")
        )
        programs = [master]
        try:
            address, variables = invitation_of(master)
            other = place(tmp_path, "other")
            (other / "sitecustomize.py").write_text("import confman_tui\nconfman_tui.__version__ = '0.0.7'\n")
            path = os.pathsep.join([str(other), os.environ.get("PYTHONPATH", "")])
            refused = run_program(
                ["worker", "--master", address], other, PYTHONPATH=path, CONFMAN_BENCH_WORKER_TOKEN=variables[VARIABLE]
            )
            assert refused.returncode == 3, refused.stderr
            assert re.search(r"the master runs confman-tui \d\S+, and this is 0\.0\.7\n", refused.stderr)
            assert "Traceback" not in refused.stderr
            master.wait_said("was refused: it runs confman-tui 0.0.7, and this is")
            for name in ("first", "second"):
                programs.append(StartedProgram(["worker", "--master", address], place(tmp_path, name), **variables))
            assert master.wait_end() == 0, master.said()
            (row,) = json.loads(master.output.read_text())["scenarios"]
            assert row["requests"] == written(server) > 0
            assert row["invalid"] is None
            for worker in programs[1:]:
                assert worker.wait_end() == 0, worker.said()
                assert f"joined the master at {address}" in worker.said()
                assert "write-10u: share " in worker.said()
                assert "worker ends: the master has ended" in worker.said()
                assert "Traceback" not in worker.said()
                assert variables[VARIABLE] not in worker.said()
            summary = "".join(path.read_text() for path in (tmp_path / "master" / "results").iterdir())
            assert variables[VARIABLE] not in summary + master.output.read_text()
        finally:
            for program in programs:
                program.process.kill()
        for program in programs:
            program.assert_nothing_left()


def written(server: Server) -> int:
    """Keys that users wrote: those of the seeding, a hundred in this tier, excepted."""
    values = server.control(values=True)["values"]
    return sum(re.match(r"bench-small-\d+/key-", name) is not None for name in values) - 100


@pytest.mark.slow
def test_a_worker_that_leaves_in_a_run_makes_it_invalid(tmp_path: Path) -> None:
    with Server() as server:
        master = StartedProgram(
            [*served(server), "--workers", "1", "--expect-workers", "1", "--duration", "6s", "--json"],
            place(tmp_path, "master"),
        )
        address, variables = invitation_of(master)
        worker = StartedProgram(["worker", "--master", address], place(tmp_path, "worker"), **variables)
        try:
            worker.wait_said("write-10u: share")
            master.wait_said("write-10u started: 10 users")
            wait_for(lambda: written(server) > 40, "some load")
            worker.process.send_signal(signal.SIGINT)
            assert worker.wait_end() == 0, worker.said()
            assert "worker ends: SIGINT came" in worker.said()
            master.wait_said("has left")
            assert master.wait_end() == 7, master.said()
        finally:
            master.process.kill()
            worker.process.kill()
        (row,) = json.loads(master.output.read_text())["scenarios"]
        assert f"-{worker.process.pid} has left" in row["invalid"]
        assert "the figures are invalid" in master.said()
        # it waited for its requests and reported them: nothing is missing
        assert row["requests"] == written(server)
        master.assert_nothing_left()
        worker.assert_nothing_left()


@contextmanager
def encryption_less_master() -> Iterator[str]:
    """Where something listens as masters of before the token did."""
    context: zmq.Context[Any] = zmq.Context()
    listener: Any = context.socket(zmq.ROUTER)
    try:
        yield f"127.0.0.1:{listener.bind_to_random_port('tcp://127.0.0.1')}"
    finally:
        listener.close(linger=0)
        context.term()


def test_a_worker_without_a_master_gives_up(tmp_path: Path) -> None:
    done = run_program(
        ["worker", "--master", "127.0.0.1:1", "--wait", "1s"], tmp_path, CONFMAN_BENCH_WORKER_TOKEN=TOKEN
    )
    assert done.returncode == 3
    assert "no master answered at 127.0.0.1:1 within 1 s" in done.stderr
    with encryption_less_master() as address:
        refused = run_program(
            ["worker", "--master", address, "--wait", "1s"], tmp_path, CONFMAN_BENCH_WORKER_TOKEN=TOKEN
        )
    assert refused.returncode == 3
    assert f"what answers at {address} is no master, or has another {VARIABLE} than this worker" in refused.stderr
    nowhere = run_program(["worker", "--master", "nowhere.invalid:5557"], tmp_path, CONFMAN_BENCH_WORKER_TOKEN=TOKEN)
    assert nowhere.returncode == 3
    assert "host 'nowhere.invalid' is not known" in nowhere.stderr
    assert "Traceback" not in done.stderr + refused.stderr + nowhere.stderr


@pytest.mark.slow
def test_workers_that_do_not_come_end_the_program_with_a_sentence(tmp_path: Path) -> None:
    with Server() as server:
        done = run_program([*served(server), "--expect-workers", "1", "--wait", "1s"], tmp_path)
    assert done.returncode == 7, done.stderr
    assert re.search(r"0 of 1 workers from elsewhere joined at 127\.0\.0\.1:\d+ within 1 s", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker"], "a worker needs --master HOST:PORT"),
        (["worker", "--master", "here:5"], f"a worker needs {VARIABLE}: the master's line"),
        (["worker", "--master", "here:5", "--worker-token", "x"], "--worker-token is no flag, since others on this"),
        (["worker", "--master", "here"], "--master: 'here' must be HOST:PORT"),
        (["worker", "--master", "here:0"], "--master: 'here:0' must be HOST:PORT"),
        (["--workers", "65"], "--workers: 65 is outside 0 to 64"),
        (["--workers", "2", "--master-bind", "::1:5"], "--master-bind: '::1:5' must be HOST:PORT"),
        (["--master-bind", "0.0.0.0:5557"], "--master-bind needs --expect-workers"),
        (["--master", "here:5"], "--master does not go with confman-tui; it belongs to confman-tui worker"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run_program(arguments, tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


MOMENTS = {"start": "gathering: 2 workers", "run": "write-10u started: 10 users"}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_signals_leave_no_worker(moment: str, tmp_path: Path) -> None:
    with Server() as server:
        programs: dict[signal.Signals, StartedProgram] = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                # a tier each: two programs on one tier refuse each other
                tier = "small" if number is signal.SIGINT else "large"
                arguments = [*served(server), "--workers", "2", "--tier", tier]
                programs[number] = StartedProgram(arguments, place(tmp_path, number.name))
            for number, started in programs.items():
                started.wait_said(MOMENTS[moment])
                started.process.send_signal(number)
            for started in programs.values():
                assert started.wait_end() == 130, started.said()
                assert "Traceback" not in started.said()
                started.assert_nothing_left()
                if moment == "run":
                    assert (started.home / "results").exists()
        finally:
            for started in programs.values():
                started.process.kill()


def test_no_worker_outlives_a_killed_program(tmp_path: Path) -> None:
    """Its own workers and one from elsewhere, in the middle of a run; as in CI, where the worker may be there first."""
    with Server() as server:
        address = f"127.0.0.1:{free_port()}"
        nodes = ["--nodes", server.url]
        worker = StartedProgram(["worker", "--master", address, *nodes], place(tmp_path, "worker"), **GIVEN)
        worker.wait_said("looking for the master")
        arguments = [*served(server), "--workers", "1", "--expect-workers", "1", "--duration", "60s"]
        master = StartedProgram([*arguments, "--master-bind", address], place(tmp_path, "master"), **GIVEN)
        try:
            master.wait_said("write-10u started: 10 users")
            worker.wait_said("write-10u: share")
            own = workers_of(master)
            assert len(own) == 1
            os.kill(master.process.pid, signal.SIGKILL)
            master.process.wait()
            assert worker.wait_end() == 0, worker.said()
            assert "the master has not answered for 3 s" in worker.said()
            wait_for(lambda: not master.family(), "no worker left")
        finally:
            master.process.kill()
            worker.process.kill()
        assert "Traceback" not in worker.said()
        assert f"workers join: confman-tui worker --master {address} (with {VARIABLE} as" in master.said()
        assert TOKEN not in worker.said() + master.said()
        worker.assert_nothing_left()


def test_a_worker_sends_to_its_own_nodes_only_and_who_has_another_token_does_not_join(tmp_path: Path) -> None:
    with Server() as server:
        address = f"127.0.0.1:{free_port()}"
        other = {VARIABLE: "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}
        stranger = StartedProgram(["worker", "--master", address, "--wait", "3s"], place(tmp_path, "stranger"), **other)
        arguments = [*served(server), "--workers", "1", "--expect-workers", "1", "--duration", "2s", "--json"]
        master = StartedProgram([*arguments, "--master-bind", address], place(tmp_path, "master"), **GIVEN)
        strict = ["worker", "--master", address, "--nodes", "http://127.0.0.1:1"]
        programs = [master, stranger]
        try:
            master.wait_said("somebody without the workers' token knocked at")
            programs.append(StartedProgram(strict, place(tmp_path, "strict"), **GIVEN))
            assert programs[2].wait_end() == 2, programs[2].said()
            assert f"the master sends to {server.url}, which this worker's --nodes do not name" in programs[2].said()
            assert stranger.wait_end() == 3, stranger.said()
            assert f"is no master, or has another {VARIABLE} than this worker" in stranger.said()
            assert master.wait_end() == 7, master.said()
        finally:
            for program in programs:
                program.process.kill()
        for program in programs:
            assert "Traceback" not in program.said()
            program.assert_nothing_left()
        assert master.said().count("somebody without the workers' token") == 1
        (row,) = json.loads(master.output.read_text())["scenarios"]
        assert f"its --nodes do not name {server.url}" in row["invalid"]
        assert row["requests"] == written(server) > 0, "the other worker's"


async def test_a_person_whose_workers_do_not_come_sees_the_cluster_all_the_same(tmp_path: Path) -> None:
    recorded = RecordedEvents()
    with Server() as server:
        settings = settings_for(server.url, tmp_path, ("expect-workers", "1"), ("wait", "300ms"))
        session = Session(settings, recorded, make_demo, interactive=True)
        try:
            await session.open()
            assert session.is_open
            assert "0 of 1 workers from elsewhere joined" in recorded.texts()
            # a run waits for them again; a stop ends the wait, and is no error
            session.settings = replace(settings, wait_s=60.0)

            def waits(event: Event) -> bool:
                return isinstance(event, PhaseChanged) and event.phase is Phase.GATHERING

            recorded.when(waits, session.stop)
            async with asyncio.timeout(DEADLINE_S):
                assert await run_series(session, ("write-1u",)) == ()
            assert isinstance(recorded.events[-1], PhaseChanged)
            assert recorded.events[-1].phase is Phase.IDLE
            session.settings = settings
            with pytest.raises(WorkerError, match="0 of 1 workers"):
                await run_series(session, ("write-1u",))
        finally:
            await session.close()


@pytest.mark.slow
def test_a_drill_with_workers_loses_nothing(tmp_path: Path) -> None:
    flags = ["--demo", "--demo-ports", "auto", "--rounds", "1", "--workers", "2", "--json"]
    started = StartedProgram(["drill", *flags], tmp_path)
    try:
        assert started.wait_end(110.0) == 0, started.said()
    finally:
        started.process.kill()
    document = json.loads(started.output.read_text())
    (row,) = document["rounds"]
    assert row["judged"], row
    assert row["without_writes_s"] > 0.3
    assert 0 < row["uncertainty_s"] < row["without_writes_s"]
    verified = document["verification"]
    assert verified["checked"] >= verified["acknowledged"] > 0
    assert (verified["lost"], verified["phantom"]) == (0, 0)
    started.assert_nothing_left()
