"""Runs of several processes: real workers, a real server, and what they say agrees with what reached it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from math import inf
from pathlib import Path

import psutil
import pytest

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load.engine import Engine, EngineBusyError
from confman_tui.load.histogram import decode
from confman_tui.load.run_model import SecondSample
from confman_tui.load.second import SecondCounts
from confman_tui.load.workers.launcher import Launcher
from confman_tui.load.workers.messages import SecondCounted
from confman_tui.load.workers.plan import WaitProgress, WorkerError, WorkerPlan
from confman_tui.settings.scenarios import Reads, Target
from confman_tui.settings.worker_token import VARIABLE
from tests.support.confman_server import Server
from tests.support.load_agreement import check_bookings, check_locust_files, check_totals, rows
from tests.support.load_runs import API_KEY, KEYS, Book, plan, replace, run, wait_until
from tests.support.waiting import DEADLINE_S

TOKEN = "00112233445566778899aabbccddeeff"
TWO_LOCAL = WorkerPlan(2, api_key=API_KEY, token=TOKEN)


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The logs of these tests' workers go to a folder of their own."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder / "confman-tui"


class WithWorkers:
    """An engine with two workers, and what it said of them."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.engine = Engine()
        self.engine.on_trouble = self.troubles.append
        self.engine.start()
        self.wait_for_workers()

    def wait_for_workers(self) -> str:
        return self.engine.wait_for_workers(TWO_LOCAL, on_wait=lambda waiting: None).result(DEADLINE_S)

    def workers(self) -> list[psutil.Process]:
        return [
            child for child in psutil.Process().children() if "load.workers.local_worker" in " ".join(child.cmdline())
        ]


@pytest.fixture(scope="module")
def kept(state: Path) -> Iterator[WithWorkers]:
    made = WithWorkers()
    yield made
    assert made.engine.close(DEADLINE_S)
    assert not made.workers()


@pytest.fixture
def workers(kept: WithWorkers) -> Iterator[WithWorkers]:
    """An engine with its two workers, complete and with nothing said."""
    kept.wait_for_workers()
    kept.troubles.clear()
    yield kept
    # a test that failed leaves its run
    kept.engine.stop_run()
    wait_until(lambda: not kept.engine.health().running)


@pytest.fixture
def engine(workers: WithWorkers) -> Engine:
    return workers.engine


def test_samples_totals_files_writes_and_the_server_agree(workers: WithWorkers, server: Server, tmp_path: Path) -> None:
    engine = workers.engine
    server.seed(list(KEYS))
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    book = Book()
    outcome = run(
        engine,
        replace(
            plan(users=5, seconds=2, write_share=0.4, target=Target.ANY, csv_prefix=tmp_path / "small-mixed"), workers=2
        ),
        observer=book,
        samples=samples,
    )
    check_totals(outcome, samples, server)
    # complete, from the master
    check_locust_files(outcome, tmp_path, "small-mixed")
    # every write was booked before the outcome was given, on this process's clock
    check_bookings(book, outcome, server)
    assert len(samples) == 2
    assert outcome.ended - outcome.started >= 2.0
    assert all(sample.users == 5 and 0 < sample.engine_cpu < 0.6 for sample in samples)
    names = {name for sample in samples for name in sample.worker_cpu}
    assert len(names) == 2
    assert all(0.01 < sample.worker_cpu[name] <= 1.2 for sample in samples for name in names)
    assert all(0.0 <= wait <= 1.05 for sample in samples for wait in sample.worker_wait.values())
    assert {name for sample in samples for name in sample.worker_wait} <= names
    assert len({key[4:9] for _namespace, key, *_rest in book.ends}) == 2, "each worker's keys have a token of their own"
    assert workers.troubles == []
    assert outcome.invalid == ""


def test_the_masters_own_lag_is_not_the_loads(engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds the master's hub up delays the reports; requests do not wait for it."""
    server.seed(list(KEYS))
    engine.set_targets(server.url, (server.url,))
    whole, lags, samples = SecondCounted.second, set[float](), list[SecondSample]()

    def reported(message: SecondCounted) -> SecondCounts:
        second = whole(message)
        lags.add(second.hub_lag_s)
        return second

    def hold_up(sample: SecondSample) -> None:
        samples.append(sample)
        time.sleep(0.4)

    monkeypatch.setattr(SecondCounted, "second", reported)
    engine.run(replace(plan(seconds=3.0), workers=2), on_sample=hold_up).result(DEADLINE_S)
    assert len(samples) >= 3
    assert {sample.hub_lag_s for sample in samples} <= lags, "each is what a worker reported"


def test_workers_stay_for_the_next_run_and_the_warm_up_is_left_out(
    workers: WithWorkers, server: Server, tmp_path: Path
) -> None:
    before = {process.pid for process in workers.workers()}
    workers.engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    outcome = run(
        workers.engine,
        replace(plan(seconds=1, csv_prefix=tmp_path / "warm", wait_s=(0.001, 0.001)), workers=2, warmup_s=1.0),
        samples=samples,
    )
    assert [sample.warmup for sample in samples] == [True, False]
    assert 0 < outcome.requests == samples[1].ok
    assert server.control()["put"] == samples[0].ok + samples[1].ok
    assert int(rows(tmp_path / "warm_stats.csv")[-1]["Request Count"]) == outcome.requests
    assert {process.pid for process in workers.workers()} == before


def test_readers_of_all_workers_are_spread_over_the_nodes(engine: Engine, server: Server) -> None:
    with Server() as other, Server() as third:
        urls = (server.url, other.url, third.url)
        for one in (server, other, third):
            one.seed(list(KEYS))
            one.control(delay_s=0.02)
        engine.set_targets(server.url, urls)
        outcome = run(engine, replace(plan(users=6, seconds=0.6, write_share=0.0, target=Target.ANY), workers=2))
        assert outcome.per_node == {one.url: one.control()["get"] for one in (server, other, third)}
        # two users each
        assert max(outcome.per_node.values()) < 1.5 * min(outcome.per_node.values())


@pytest.mark.parametrize(("reads", "read", "written"), [(Reads.ENTRY, {0}, {0}), (Reads.FOLLOWERS, {0, 2}, {1})])
def test_reads_of_all_workers_go_where_they_are_sent_to(
    engine: Engine, server: Server, reads: Reads, read: set[int], written: set[int]
) -> None:
    with Server() as leader, Server() as third:
        servers = (server, leader, third)
        urls = tuple(one.url for one in servers)
        for one in servers:
            one.seed(list(KEYS))
        engine.set_targets(leader.url, (leader.url, third.url, server.url), urls)
        mixed = plan(users=6, write_share=0.5, target=Target.ANY, wait_s=(0.001, 0.002), reads=reads)
        outcome = run(engine, replace(mixed, workers=2))
        counted = [one.control() for one in servers]
        assert outcome.failures == 0
        assert {index for index, one in enumerate(counted) if one["get"]} == read
        assert {index for index, one in enumerate(counted) if one["put"]} == written
        by_node = {held.node: (held.reads_ok, held.writes_ok) for held in outcome.by_node}
        assert by_node == {
            url: (one["get"], one["put"]) for url, one in zip(urls, counted, strict=True) if one["get"] or one["put"]
        }


def test_writers_move_to_a_new_leader_at_once(engine: Engine, server: Server) -> None:
    with Server() as other:
        engine.set_targets(server.url, (server.url, other.url))
        book = Book()
        future = engine.run(
            replace(plan(users=4, seconds=None, wait_s=(0.001, 0.002)), workers=2),
            on_sample=lambda _: None,
            observer=book,
        )
        wait_until(lambda: len(book.ends) > 50)
        engine.set_targets(other.url, (server.url, other.url))
        wait_until(lambda: Counter(end[5] for end in list(book.ends))[other.url] > 50)
        engine.stop_run()
        outcome = future.result(DEADLINE_S)
        assert outcome.failures == 0
        assert outcome.stopped_early
        # each worker's writers move together: the keys begin with the worker's token
        for token in {key[4:9] for _namespace, key, *_rest in book.ends}:
            mine = [end for end in book.ends if end[1][4:9] == token]
            moved = min((end[3] for end in mine if end[5] == other.url), default=inf)
            assert max(end[3] for end in mine if end[5] == server.url) < moved
        assert outcome.per_node == {server.url: server.control()["put"], other.url: other.control()["put"]}


def test_stopping_waits_for_what_is_in_flight_and_shows_it(engine: Engine, server: Server) -> None:
    server.control(delay_s=0.9)
    engine.set_targets(server.url, (server.url,))
    future = engine.run(replace(plan(users=3, seconds=None), workers=2), on_sample=lambda _: None)
    wait_until(lambda: engine.health().in_flight == 3)
    assert engine.health().users == 3
    engine.stop_run()
    wait_until(lambda: engine.health().stopping)
    outcome = future.result(DEADLINE_S)
    assert outcome.stopped_early
    assert outcome.requests == outcome.writes_ok == server.control()["put"] >= 3
    assert not engine.health().running


def test_the_number_of_users_changes_while_it_runs(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    future = engine.run(replace(plan(users=1, seconds=None, wait_s=(0.01, 0.01)), workers=2), on_sample=lambda _: None)
    for count in (6, 3):
        engine.set_users(count)
        wait_until(lambda wanted=count: engine.health().users == wanted)  # type: ignore[misc]
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.failures == 0
    assert outcome.requests == server.control()["put"]


def test_an_open_loop_is_one_schedule_over_all_workers(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    book = Book()
    open_loop = replace(plan(users=5, seconds=2, rate=100.0), workers=2)
    future = engine.run(open_loop, on_sample=samples.append, observer=book)
    wait_until(lambda: len(samples) == 1)
    engine.set_rate(300.0)
    outcome = future.result(DEADLINE_S)
    counted = server.control()
    assert outcome.requests == counted["put"]
    assert samples[0].ok <= 105
    assert samples[0].ok + samples[1].ok <= 420
    # three and two users: each worker has its part of the rate
    assert [sample.rate for sample in samples] == pytest.approx([100.0, 300.0])
    # 200 would have been due without the change, which came within the second second
    assert 210 < outcome.requests + outcome.not_started <= 420
    assert outcome.uncorrected is not None
    assert decode(outcome.uncorrected.histogram).get_total_count() == outcome.requests
    assert len(book.intended) == outcome.requests
    for (_, _, _, started, ended, _, _), intended in zip(book.ends, book.intended, strict=True):
        assert intended is not None
        assert outcome.started - 0.1 < intended <= started + 1e-6 < ended


def test_a_stall_shows_with_workers_too_even_if_one_has_no_user(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    half_us = 600_000
    open_loop = replace(plan(users=1, seconds=3, rate=100.0), workers=2)
    future = engine.run(open_loop, on_sample=samples.append)
    wait_until(lambda: server.control()["put"] > 20)
    server.control(stall_s=2 * half_us / 1e6)
    outcome = future.result(DEADLINE_S)
    assert outcome.requests + outcome.not_started == 300
    assert outcome.p90_us is not None
    assert outcome.p90_us > half_us
    assert outcome.uncorrected is not None
    assert outcome.uncorrected.p90_us is not None
    # one request was in flight during the stall; nothing else takes half of it
    assert outcome.uncorrected.p90_us < half_us
    assert max(sample.not_started for sample in samples) > 10
    assert outcome.schedule_lag_s > half_us / 1e6


def test_what_goes_wrong_is_reported_by_cause(engine: Engine, server: Server) -> None:
    server.control(mode="no_leader")
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, replace(plan(users=4, seconds=0.5), workers=2), observer=book)
    assert outcome.requests == outcome.failures == outcome.writes_failed == server.control()["put"]
    assert outcome.error_texts == {"503 no leader": outcome.failures}
    assert book.outcomes() == {WriteOutcome.REFUSED}


def test_a_defect_of_a_worker_ends_the_run(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    broken = replace(plan(), namespaces=(), workers=2)
    with pytest.raises(Exception, match=r"worker-\d: "):
        run(engine, broken)
    # and the workers go on to the next
    assert run(engine, replace(plan(seconds=0.2), workers=2)).requests > 0


def test_a_worker_that_dies_is_reported_at_once_and_the_others_go_on(workers: WithWorkers, server: Server) -> None:
    workers.engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = workers.engine.run(
        replace(plan(users=4, seconds=None, wait_s=(0.01, 0.01)), workers=2), on_sample=samples.append
    )
    wait_until(lambda: workers.engine.health().users == 4 and len(samples) >= 1)
    victim = workers.workers()[0]
    victim.kill()
    wait_until(lambda: bool(workers.troubles))
    assert "ended by signal 9; the run goes on" in workers.troubles[0]
    known = len(samples)
    wait_until(lambda: len(samples) >= known + 2)
    assert samples[-1].users == 2
    assert samples[-1].ok > 0
    workers.engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert workers.troubles[0].startswith(outcome.invalid)
    assert outcome.requests == sum(sample.ok for sample in samples)
    # the next wait_for_workers replaces it, and the next run is a valid one
    workers.wait_for_workers()
    assert len(workers.workers()) == 2
    assert run(workers.engine, replace(plan(seconds=0.2), workers=2)).invalid == ""


@pytest.mark.slow
def test_a_worker_that_is_late_is_reported_and_what_it_did_still_counts(workers: WithWorkers, server: Server) -> None:
    workers.engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = workers.engine.run(
        replace(plan(users=4, seconds=None, wait_s=(0.01, 0.01)), workers=2), on_sample=samples.append
    )
    wait_until(lambda: workers.engine.health().users == 4 and len(samples) >= 1)
    sleeper = workers.workers()[0]
    sleeper.suspend()
    try:
        wait_until(lambda: bool(workers.troubles))
    finally:
        sleeper.resume()
    assert "is late" in workers.troubles[0]
    known = len(samples)
    wait_until(lambda: len(samples) >= known + 2)
    workers.engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert "is late" in outcome.invalid
    assert outcome.requests == sum(sample.ok + sample.failures for sample in samples) == server.control()["put"]


def test_a_run_without_its_last_worker_ends(workers: WithWorkers, server: Server) -> None:
    workers.engine.set_targets(server.url, (server.url,))
    future = workers.engine.run(replace(plan(users=2, seconds=None), workers=2), on_sample=lambda _: None)
    wait_until(lambda: workers.engine.health().users == 2)
    for worker in workers.workers():
        worker.kill()
    outcome = future.result(DEADLINE_S)
    assert "ended by signal 9" in outcome.invalid
    assert outcome.invalid.endswith("(and 1 more)")


def test_the_key_is_on_no_command_line_and_in_no_environment(workers: WithWorkers, state: Path) -> None:
    for worker in workers.workers():
        assert API_KEY not in " ".join(worker.cmdline())
        assert API_KEY not in "".join(worker.environ().values())
        assert os.getpgid(worker.pid) == worker.pid
        assert os.getsid(worker.pid) == os.getsid(0)
        assert TOKEN not in " ".join(worker.cmdline()) + "".join(worker.environ().values())
    for file in state.rglob("*.log"):
        assert API_KEY not in file.read_text()
        assert TOKEN not in file.read_text()


def test_only_one_thing_at_a_time(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    future = engine.run(replace(plan(seconds=None), workers=2), on_sample=lambda _: None)
    wait_until(lambda: engine.health().running)
    with pytest.raises(EngineBusyError):
        engine.wait_for_workers(TWO_LOCAL, on_wait=lambda waiting: None).result(DEADLINE_S)
    engine.stop_run()
    future.result(DEADLINE_S)


# -- gathering


@pytest.fixture
def bare(state: Path) -> Iterator[Engine]:
    """An engine without workers."""
    engine = Engine()
    engine.start()
    yield engine
    assert engine.close(DEADLINE_S)


def test_logs_go_away_when_all_was_well(bare: Engine, server: Server, state: Path) -> None:
    bare.set_targets(server.url, (server.url,))
    assert run(bare, replace(plan(users=1, seconds=0.2), workers=1)).requests > 0
    mine = [folder for folder in state.iterdir() if folder.name.startswith(f"workers-{os.getpid()}-")]
    assert any(list(folder.glob("worker-1.log")) for folder in mine)
    assert bare.close(DEADLINE_S)
    assert len([folder for folder in mine if folder.exists()]) == len(mine) - 1


def test_a_worker_that_cannot_start_is_reported_in_a_sentence(
    bare: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gevent.py").write_text("raise ImportError('this installation is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = r"^worker-\d can't be started: it ended with code 1: ImportError: this installation is broken$"
    with pytest.raises(WorkerError, match=said):
        bare.wait_for_workers(TWO_LOCAL, on_wait=lambda waiting: None).result(DEADLINE_S)
    assert not [child for child in psutil.Process().children() if child.status() == "zombie"]


def test_workers_from_elsewhere_are_waited_for_visibly_and_not_for_ever(bare: Engine) -> None:
    seen: list[WaitProgress] = []
    remote = WorkerPlan(0, remote=2, wait_s=0.4)
    with pytest.raises(WorkerError, match=r"0 of 2 workers from elsewhere joined at 127\.0\.0\.1:\d+ within 0\.4 s"):
        bare.wait_for_workers(remote, on_wait=seen.append).result(DEADLINE_S)
    assert (seen[0].present, seen[0].wanted) == (0, 2)
    assert seen[0].left_s > seen[-1].left_s
    # the way out
    waiting = bare.wait_for_workers(replace(remote, wait_s=60.0), on_wait=seen.append)
    bare.stop_run()
    with pytest.raises(WorkerError, match="stopped"):
        waiting.result(DEADLINE_S)


def test_an_address_that_cannot_be_listened_on_is_reported_in_a_sentence(bare: Engine, workers: WithWorkers) -> None:
    port = int(workers.wait_for_workers().rpartition(":")[2])
    with pytest.raises(WorkerError, match=rf"can't be listened for on 127\.0\.0\.1:{port}: the port is taken"):
        bare.wait_for_workers(WorkerPlan(0, 1, ("127.0.0.1", port)), on_wait=lambda waiting: None).result(DEADLINE_S)
    with pytest.raises(WorkerError, match=r"on nowhere\.invalid:0: "):
        bare.wait_for_workers(WorkerPlan(0, 1, ("nowhere.invalid", 0)), on_wait=lambda waiting: None).result(DEADLINE_S)


MASTER = """
import sys
from confman_tui.load.engine import Engine
from confman_tui.load.locust_setup import prepare
from confman_tui.load.run_model import RunPlan
from dataclasses import replace
from tests.support.load_runs import plan
prepare()
engine = Engine()
engine.start()
url = sys.argv[1]
engine.set_targets(url, (url,))
endless = replace(plan(users=2, seconds=None), workers=2)
engine.run(endless, on_sample=lambda sample: print("sample", flush=True)).result()
"""


@pytest.mark.parametrize("paused", [pytest.param(False, marks=pytest.mark.slow), True])
def test_no_worker_survives_a_killed_master(server: Server, paused: bool) -> None:
    master = subprocess.Popen([sys.executable, "-c", MASTER, server.url], stdout=subprocess.PIPE, text=True)
    try:
        assert master.stdout is not None
        assert master.stdout.readline() == "sample\n"
        workers = psutil.Process(master.pid).children()
        assert len(workers) == 2
        if paused:
            workers[0].suspend()
    finally:
        os.kill(master.pid, signal.SIGKILL)
        master.wait()
    wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))


def test_logs_of_programs_that_are_gone_are_swept(state: Path) -> None:
    gone = state / "workers-999999999-1"
    gone.mkdir(parents=True)
    (gone / "worker-1.log").write_text("left\n")
    lives = state / f"workers-{os.getppid()}-1"
    lives.mkdir()
    children = Launcher(("127.0.0.1", 1), API_KEY, TOKEN)
    child = children.start()
    children.reap(child)
    children.end_all()
    assert not gone.exists()
    assert lives.exists()
    lives.rmdir()


def test_a_worker_from_elsewhere_gives_its_times_on_the_masters_clock(
    bare: Engine, server: Server, tmp_path: Path
) -> None:
    """Its own clock is an hour wrong."""
    wrong = tmp_path / "sitecustomize.py"
    wrong.write_text("import time\nright = time.time\ntime.time = lambda: right() + 3600\n")
    addresses: list[str] = []
    remote = WorkerPlan(0, remote=1, wait_s=20.0, token=TOKEN)
    waited_for = bare.wait_for_workers(remote, on_wait=lambda waiting: addresses.append(waiting.address))
    wait_until(lambda: bool(addresses))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "CONFMAN_BENCH_API_KEY": API_KEY, VARIABLE: TOKEN}
    command = [sys.executable, "-m", "confman_tui", "worker", "--master", addresses[0]]
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert waited_for.result(DEADLINE_S) == addresses[0]
        bare.set_targets(server.url, (server.url,))
        book = Book()
        samples: list[SecondSample] = []
        begun = time.time()
        outcome = run(bare, replace(plan(seconds=1, wait_s=(0.01, 0.01)), workers=1), observer=book, samples=samples)
        ended = time.time()
        assert outcome.requests == len(book.ends) == server.control()["put"] > 20
        # half a round trip on loopback, on a busy machine
        assert begun - 0.05 < min(book.starts) <= max(end[4] for end in book.ends) < ended + 0.05
        assert begun - 0.05 < outcome.started < outcome.ended < ended + 0.05
        assert len(samples) == 1
        (cpu,) = samples[0].worker_cpu
        assert cpu.endswith(f"-{worker.pid}")
        assert bare.close(DEADLINE_S)
        assert worker.wait(DEADLINE_S) == 0
    finally:
        worker.kill()
        worker.communicate()


@pytest.mark.slow
def test_requests_that_never_end_are_cut_off_and_counted(workers: WithWorkers, server: Server, tmp_path: Path) -> None:
    server.control(mode="drip")
    workers.engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(
        workers.engine,
        replace(plan(users=2, seconds=0.2, csv_prefix=tmp_path / "drip"), workers=2),
        observer=book,
    )
    assert outcome.error_texts == {"other: cut off at the end of the run": 2}
    assert outcome.requests == server.control()["put"] == 2
    assert book.outcomes() == {WriteOutcome.UNKNOWN}
    assert int(rows(tmp_path / "drip_stats.csv")[-1]["Request Count"]) == 2
    assert outcome.invalid == ""


def test_how_long_a_request_may_take_is_the_plans_in_workers_too(engine: Engine, server: Server) -> None:
    server.control(delays_s=[2.3])
    engine.set_targets(server.url, (server.url,))
    patient = replace(plan(users=2, seconds=0.2), workers=2, request_timeout_s=60.0)
    outcome = run(engine, patient)
    assert (outcome.requests, outcome.failures) == (2, 0)
