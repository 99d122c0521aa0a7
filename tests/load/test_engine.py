"""The engine against a real server: what it says is what happened, and it always ends."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from locust.runners import LocalRunner

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load import users
from confman_tui.load.context import context_of
from confman_tui.load.engine import Engine, EngineBusyError, EngineClosedError
from confman_tui.load.run_model import Cause, RunOutcome, SecondSample
from confman_tui.settings.scenarios import Reads, Target
from tests.support.confman_server import Server
from tests.support.load_agreement import check_bookings, check_locust_files, check_totals, rows
from tests.support.load_runs import KEYS, Book, plan, run, wait_until
from tests.support.waiting import DEADLINE_S

SUFFIXES = ("_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv")


def test_samples_totals_files_and_the_server_agree(engine: Engine, server: Server, tmp_path: Path) -> None:
    server.seed(list(KEYS))
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    book = Book()
    outcome = run(
        engine,
        plan(users=5, seconds=2.3, write_share=0.4, target=Target.ANY, csv_prefix=tmp_path / "small-mixed"),
        observer=book,
        samples=samples,
    )
    check_totals(outcome, samples, server)
    check_locust_files(outcome, tmp_path, "small-mixed")
    check_bookings(book, outcome, server)
    assert 0.3 < outcome.writes_ok / outcome.requests < 0.5
    assert sum(sum(sample.per_node.values()) for sample in samples) == outcome.requests
    assert outcome.p50_us is not None
    assert outcome.p99_us is not None
    assert outcome.max_us is not None
    assert 0 < outcome.p50_us <= outcome.p99_us <= outcome.max_us
    # seconds on the grid of the run, the last partial one included
    assert [round(sample.end - outcome.started) for sample in samples] == [1, 2, 2]
    assert all(sample.users == 5 and 0 < sample.engine_cpu <= 1.05 for sample in samples)
    # Locust's own files
    assert [path.name for path in outcome.files] == [f"small-mixed{suffix}" for suffix in SUFFIXES]
    history = rows(tmp_path / "small-mixed_stats_history.csv")
    assert history[-1]["Name"] == "Aggregated"
    assert {row["Name"] for row in history} == {"Aggregated"}
    requests = [int(row["Total Request Count"]) for row in history]
    assert requests == sorted(requests)


def test_a_run_of_whole_seconds_has_as_many_samples(engine: Engine, server: Server) -> None:
    # what is in flight when the time is up belongs to the last second
    server.control(delay_s=0.02)
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    outcome = run(engine, plan(seconds=2), samples=samples)
    assert len(samples) == 2
    assert outcome.requests == sum(sample.ok for sample in samples)
    assert outcome.ended - outcome.started >= 2.0
    assert not outcome.stopped_early


def test_the_end_of_a_run_delays_no_answer(engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Locust's own stop holds up the hub for some 25 ms; the requests in flight must be over before
    flying = []
    quit_runner = LocalRunner.quit

    def quit_and_tell(runner: LocalRunner) -> None:
        shared = context_of(runner.environment)
        assert shared is not None
        flying.append(len(shared.in_flight))
        quit_runner(runner)

    monkeypatch.setattr(LocalRunner, "quit", quit_and_tell)
    server.control(delay_s=0.03)
    engine.set_targets(server.url, (server.url,))
    assert run(engine, plan(users=3)).requests >= 3
    assert set(flying) == {0}


def stops_with_some_in_flight(engine: Engine) -> bool:
    health = engine.health()
    return health.stopping and health.in_flight > 0


def test_stopping_waits_for_what_is_in_flight_and_shows_it(engine: Engine, server: Server) -> None:
    server.control(delay_s=0.9)
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = engine.run(plan(users=3, seconds=None), on_sample=samples.append)
    wait_until(lambda: engine.health().in_flight == 3)
    engine.stop_run()
    wait_until(lambda: stops_with_some_in_flight(engine))
    outcome = future.result(DEADLINE_S)
    assert outcome.stopped_early
    assert outcome.requests == outcome.writes_ok == server.control()["put"] >= 3
    assert engine.health().in_flight == 0
    assert not engine.health().running


def test_a_server_that_drips_does_not_hold_up_the_end(engine: Engine, server: Server, tmp_path: Path) -> None:
    server.control(mode="drip")
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, plan(users=2, seconds=0.2, csv_prefix=tmp_path / "drip"), observer=book)
    assert outcome.error_texts == {"timeout": 2}
    assert outcome.requests == server.control()["put"] == 2
    assert {end[-1] for end in book.ends} == {WriteOutcome.UNKNOWN}
    assert int(rows(tmp_path / "drip_stats.csv")[-1]["Request Count"]) == 2


def begins(book: Book, node: str) -> list[float]:
    """When the writes at this node began."""
    return [started for _ns, _key, _digest, started, _ended, at, _fate in book.ends if at == node]


def test_writers_move_to_a_new_leader_at_once(engine: Engine, server: Server) -> None:
    with Server() as other:
        engine.set_targets(server.url, (server.url, other.url))
        book = Book()
        future = engine.run(plan(users=4, seconds=None, wait_s=(0.001, 0.002)), on_sample=lambda _: None, observer=book)
        wait_until(lambda: len(book.ends) > 50)
        engine.set_targets(other.url, (server.url, other.url))
        wait_until(lambda: Counter(end[5] for end in list(book.ends))[other.url] > 50)
        engine.stop_run()
        outcome = future.result(DEADLINE_S)
        assert outcome.failures == 0
        # once one of them wrote to the new leader, none began a write at the old one
        assert max(begins(book, server.url)) < min(begins(book, other.url))
        assert outcome.per_node == {server.url: server.control()["put"], other.url: other.control()["put"]}


def test_an_outage_shows_as_failures(engine: Engine, server: Server) -> None:
    with Server() as dead:
        pass
    engine.set_targets(dead.url, (dead.url,))
    book = Book()
    future = engine.run(plan(users=4, seconds=None), on_sample=lambda _: None, observer=book)
    wait_until(lambda: len(book.ends) > 4)
    engine.set_targets(None, (server.url,))
    before = len(book.ends)
    # nobody leads: writers go on trying the one that led last
    wait_until(lambda: len(book.ends) > before + 8)
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.failures_by_cause == {Cause.REFUSED: len(book.starts)}
    assert outcome.per_node == {dead.url: len(book.starts)}


def test_a_pause_after_a_failure_ends_when_a_leader_is_named(
    engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "PAUSE_S", (3600.0, 3600.0))
    with Server() as dead:
        pass
    engine.set_targets(dead.url, (dead.url,))
    # slow enough that all are in flight at one time, if all have come
    server.control(delay_s=0.9)
    book = Book()
    future = engine.run(plan(users=8, seconds=None), on_sample=lambda _: None, observer=book)
    wait_until(lambda: len(book.ends) == 8)
    engine.set_targets(server.url, (server.url,))
    wait_until(lambda: engine.health().in_flight == 8)
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.failures_by_cause == {Cause.REFUSED: sum(end[5] == dead.url for end in book.ends)}


def test_users_wait_for_the_first_node_that_is_ever_known(engine: Engine, server: Server) -> None:
    future = engine.run(plan(users=2, seconds=None), on_sample=lambda _: None)
    wait_until(lambda: engine.health().users == 2)
    assert engine.health().in_flight == 0
    engine.set_targets(server.url, (server.url,))
    wait_until(lambda: server.control()["put"] > 5)
    engine.stop_run()
    assert future.result(DEADLINE_S).failures == 0


def test_readers_are_spread_over_the_ready_nodes(engine: Engine, server: Server) -> None:
    server.seed(list(KEYS))
    with Server() as other:
        other.seed(list(KEYS))
        engine.set_targets(server.url, (server.url, other.url))
        outcome = run(engine, plan(users=4, write_share=0.0, target=Target.ANY, wait_s=(0.001, 0.002)))
        assert outcome.failures == 0
        assert outcome.per_node == {server.url: server.control()["get"], other.url: other.control()["get"]}
        assert min(outcome.per_node.values()) > 0.3 * outcome.requests


@pytest.mark.parametrize(
    ("reads", "read", "written"),
    [
        (Reads.ALL, {0, 1, 2}, {0, 1, 2}),
        (Reads.ENTRY, {0}, {0}),
        (Reads.LEADER, {1}, {1}),
        (Reads.FOLLOWERS, {0, 2}, {1}),
    ],
)
def test_reads_and_mixed_writes_go_where_they_are_told_to(
    engine: Engine, server: Server, reads: Reads, read: set[int], written: set[int]
) -> None:
    with Server() as leader, Server() as third:
        servers = (server, leader, third)
        urls = tuple(one.url for one in servers)
        for one in servers:
            one.seed(list(KEYS))
        # the leader was ready first: that decides nothing
        engine.set_targets(None, (leader.url,), urls)
        engine.set_targets(leader.url, (leader.url, third.url, server.url), urls)
        mixed = plan(users=6, write_share=0.5, target=Target.ANY, wait_s=(0.001, 0.002), reads=reads)
        outcome = run(engine, mixed)
        counted = [one.control() for one in servers]
        assert outcome.failures == 0
        assert {index for index, one in enumerate(counted) if one["get"]} == read
        assert {index for index, one in enumerate(counted) if one["put"]} == written
        by_node = {held.node: (held.reads_ok, held.writes_ok) for held in outcome.by_node}
        assert by_node == {
            url: (one["get"], one["put"]) for url, one in zip(urls, counted, strict=True) if one["get"] or one["put"]
        }
        # pure writes follow the leader, whatever reads do
        before = [one.control()["put"] for one in servers]
        run(engine, plan(users=2, reads=reads))
        assert [one.control()["put"] > then for one, then in zip(servers, before, strict=True)] == [False, True, False]


def test_a_node_that_fails_is_told_apart_with_its_own_latencies(engine: Engine, server: Server) -> None:
    with Server() as slow, Server() as failing:
        for one in (server, slow, failing):
            one.seed(list(KEYS))
        slow.control(delay_s=0.05)
        failing.control(mode="no_leader")
        urls = (server.url, slow.url, failing.url)
        engine.set_targets(server.url, urls, urls)
        outcome = run(engine, plan(users=3, seconds=0.6, write_share=0.0, target=Target.ANY, wait_s=(0.001, 0.002)))
        by_node = {held.node: held for held in outcome.by_node}
        assert list(by_node) == sorted(urls)
        assert outcome.per_node == {url: held.requests for url, held in by_node.items()}
        assert (by_node[failing.url].ok, by_node[failing.url].p50_us) == (0, None)
        assert by_node[failing.url].reads_failed == outcome.failures > 0
        slow_p50, fast_p99 = by_node[slow.url].p50_us, by_node[server.url].p99_us
        assert slow_p50 is not None
        assert fast_p99 is not None
        assert slow_p50 >= 50_000 - 1_500
        assert by_node[server.url].ok + by_node[slow.url].ok == outcome.reads_ok


def test_what_is_served_after_a_redirect_is_told_apart(engine: Engine, server: Server) -> None:
    with Server() as leader:
        server.control(mode="redirect", to=leader.url, delay_s=0.02)
        engine.set_targets(server.url, (server.url,), (server.url, leader.url))
        book = Book()
        outcome = run(engine, plan(users=2, seconds=0.5), observer=book)
        assert outcome.failures == 0
        # booked for the node that took it
        assert {end[5] for end in book.ends} == {leader.url}
        assert outcome.redirected == outcome.requests == leader.control()["put"] == server.control()["put"]
        assert outcome.redirect_p50_us is not None
        assert outcome.p50_us is not None
        # the hop takes its 20 ms, the write itself next to nothing, and the answer's time holds both
        assert 20_000 <= outcome.redirect_p50_us < outcome.p50_us


def test_the_number_of_users_changes_while_it_runs(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    future = engine.run(plan(users=1, seconds=None), on_sample=lambda _: None)
    engine.set_users(6)
    engine.set_users(3)
    for count in (4, 2):
        engine.set_users(count)
        wait_until(lambda wanted=count: engine.health().users == wanted)  # type: ignore[misc]
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.failures == 0
    assert outcome.requests == server.control()["put"]


def test_one_run_at_a_time(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    first = engine.run(plan(seconds=None), on_sample=lambda _: None)
    with pytest.raises(EngineBusyError):
        engine.run(plan(), on_sample=lambda _: None).result(DEADLINE_S)
    engine.stop_run()
    assert first.result(DEADLINE_S).stopped_early


def test_stopping_before_the_first_user_and_stopping_nothing(engine: Engine, server: Server) -> None:
    engine.stop_run()
    engine.set_targets(server.url, (server.url,))
    future = engine.run(plan(users=50, seconds=None), on_sample=lambda _: None)
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.stopped_early
    assert outcome.requests == server.control()["put"]


def test_closing_ends_a_run_and_the_thread(server: Server) -> None:
    engine = Engine()
    assert engine.close(DEADLINE_S)
    engine = Engine()
    engine.start()
    engine.set_targets(server.url, (server.url,))
    future = engine.run(plan(seconds=None), on_sample=lambda _: None)
    wait_until(lambda: engine.health().users == 4)
    assert engine.close(DEADLINE_S)
    assert future.result(0).stopped_early
    with pytest.raises(EngineClosedError):
        engine.run(plan(), on_sample=lambda _: None).result(DEADLINE_S)
    assert engine.close(DEADLINE_S)
    assert not any(thread.name == "load-engine" for thread in threading.enumerate())


class BrokenBook(Book):
    def ended(self, *_: object) -> None:
        raise ZeroDivisionError("broken observer")


def test_what_breaks_in_a_run_is_the_futures_exception(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))

    def broken(_: SecondSample) -> None:
        raise LookupError("broken listener")

    with pytest.raises(LookupError, match="broken listener"):
        engine.run(plan(seconds=None), on_sample=broken).result(DEADLINE_S)
    with pytest.raises(ZeroDivisionError, match="broken observer"):
        engine.run(plan(seconds=None), on_sample=lambda _: None, observer=BrokenBook()).result(DEADLINE_S)
    # and the engine lives on
    assert run(engine, plan()).failures == 0


def test_a_listener_that_asks_for_the_next_run_gets_it(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    second: list[Future[RunOutcome]] = []
    first = engine.run(plan(), on_sample=lambda _: None)
    first.add_done_callback(lambda _: second.append(engine.run(plan(), on_sample=lambda _: None)))
    first.result(DEADLINE_S)
    wait_until(lambda: bool(second))
    assert second[0].result(DEADLINE_S).requests > 0


def test_a_folder_that_vanishes_spoils_the_files_only(engine: Engine, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    engine.set_targets(server.url, (server.url,))

    def remove(_: SecondSample) -> None:
        if folder.exists():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        engine.stop_run()

    outcome = engine.run(plan(seconds=None, csv_prefix=folder / "small-x"), on_sample=remove).result(DEADLINE_S)
    assert outcome.requests == server.control()["put"] > 0
    assert outcome.files == ()
    assert outcome.file_error == "Locust's CSV files small-x_*.csv were not written: No such file or directory."


def test_a_full_disk_leaves_earlier_files_whole(engine: Engine, server: Server, tmp_path: Path) -> None:
    engine.set_targets(server.url, (server.url,))
    prefix = tmp_path / "small-x"
    run(engine, plan(csv_prefix=prefix))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # /dev/full answers each write as a full disk does; the writer's temporary name leads there
    (tmp_path / f".small-x.{os.getpid()}.part_stats_history.csv").symlink_to("/dev/full")
    outcome = run(engine, plan(csv_prefix=prefix))
    assert outcome.requests > 0
    assert outcome.file_error == "Locust's CSV files small-x_*.csv were not written: No space left on device."
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_a_killed_run_left_unfinished_goes_with_the_next(engine: Engine, server: Server, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".small-x.{ended.pid}.part_stats.csv").touch()
    others = [f".small-x.{os.getppid()}.part_stats.csv", f".small-y.{ended.pid}.part_stats.csv", "small-x_summary.json"]
    for name in others:
        (tmp_path / name).touch()
    engine.set_targets(server.url, (server.url,))
    run(engine, plan(csv_prefix=tmp_path / "small-x"))
    assert {path.name for path in tmp_path.iterdir()} == {*others, *(f"small-x{suffix}" for suffix in SUFFIXES)}


def test_a_folder_that_is_a_file_is_told(engine: Engine, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine.set_targets(server.url, (server.url,))
    outcome = run(engine, plan(csv_prefix=tmp_path / "file" / "small-x"))
    assert outcome.file_error.endswith("were not written: Not a directory.")
    assert outcome.requests > 0


def test_repeated_runs_leak_nothing(server: Server) -> None:
    server.seed(list(KEYS))
    script = f"""
import gc, json, psutil, time
from confman_tui.load.engine import Engine
from tests.support.load_runs import plan, run
engine = Engine()
engine.start()
engine.set_targets({server.url!r}, ({server.url!r},))
process = psutil.Process()

def once():
    assert run(engine, plan(users=5, seconds=0.08, write_share=0.5)).requests
    greenlets = sum(type(each).__name__ == "Greenlet" for each in gc.get_objects())
    users = sum(type(each).__name__ == "MixedUser" for each in gc.get_objects())
    return process.num_fds(), process.num_threads(), greenlets, users

warm = [once() for _ in range(3)][-1]
memory = process.memory_info().rss
hot = [once() for _ in range(10)][-1]
grown = process.memory_info().rss - memory
assert engine.close(60)
deadline = time.monotonic() + 60
while process.num_threads() > 1 and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps([warm, hot, grown, process.num_threads()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    warm, hot, grown, threads = json.loads(done.stdout)
    descriptors, most_threads, greenlets, users_left = hot
    assert descriptors <= warm[0]
    # the main thread, the engine's, and gevent's resolver, which keeps up to ten
    assert most_threads <= 12
    assert greenlets <= warm[2]
    assert users_left == 0
    assert grown < 3_000_000
    assert threads == 1


def test_nothing_is_written_to_stderr_and_signals_are_as_before(server: Server, tmp_path: Path) -> None:
    script = f"""
import os, signal, sys, threading
handler = lambda *_: None
signal.signal(signal.SIGWINCH, handler)
from confman_tui.load.engine import Engine
from confman_tui.load.locust_setup import prepare
assert "locust" not in sys.modules and "gevent" not in sys.modules
prepare()
assert signal.getsignal(signal.SIGWINCH) is handler
assert "LOCUST_SKIP_MONKEY_PATCH" not in os.environ
import socket, gevent.monkey
assert not gevent.monkey.is_module_patched("socket") and not gevent.monkey.is_module_patched("threading")
from pathlib import Path
from tests.support.load_runs import plan, run, Book
class Broken(Book):
    def ended(self, *_):
        raise ZeroDivisionError
engine = Engine(Path({str(tmp_path / "engine.log")!r}))
engine.start()
engine.set_targets({server.url!r}, ({server.url!r},))
assert run(engine, plan(users=120, seconds=0.3)).requests
try:
    run(engine, plan(), observer=Broken())
except ZeroDivisionError:
    pass
assert engine.close(60)
assert threading.active_count() == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.stderr == ""
    assert done.stdout == ""
    assert done.returncode == 0
    log = (tmp_path / "engine.log").read_text()
    assert "spawn rate is very high" in log
    assert "ZeroDivisionError" in log


def test_a_key_is_in_no_log_and_no_file(server: Server, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine.log")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        engine.start()
        server.control(mode="not_replicated")
        engine.set_targets(server.url, (server.url,))
        the_plan = plan(csv_prefix=tmp_path / "small-x")
        run(engine, the_plan)
        assert engine.close(DEADLINE_S)
    finally:
        root.setLevel(level)
    assert the_plan.api_key not in repr(the_plan)
    for path in tmp_path.iterdir():
        assert the_plan.api_key not in path.read_text()


def test_how_long_a_request_may_take_is_the_plans(engine: Engine, server: Server) -> None:
    server.control(delays_s=[2.3])
    engine.set_targets(server.url, (server.url,))
    impatient = run(engine, plan(users=2, seconds=0.2))
    assert (impatient.requests, impatient.failures_by_cause) == (2, {Cause.TIMEOUT: 2})
    patient = run(engine, replace(plan(users=2, seconds=0.2), request_timeout_s=60.0))
    assert (patient.requests, patient.failures) == (2, 0)
    assert patient.p50_us is not None
    assert patient.p50_us > 2_300_000


def test_a_stop_does_not_wait_for_as_long_as_a_request_may_take(engine: Engine, server: Server) -> None:
    server.control(delays_s=[600.0])
    engine.set_targets(server.url, (server.url,))
    future = engine.run(replace(plan(users=2, seconds=0.2), request_timeout_s=120.0), on_sample=lambda sample: None)
    wait_until(lambda: (health := engine.health()).stopping and health.in_flight == 2)
    engine.stop_run()
    outcome = future.result(60.0)
    assert (outcome.requests, outcome.failures, outcome.stopped_early) == (2, 2, True)


def test_the_full_history_has_a_row_for_each_kind_of_request(engine: Engine, server: Server, tmp_path: Path) -> None:
    server.seed(list(KEYS))
    engine.set_targets(server.url, (server.url,))
    mixed = plan(users=5, write_share=0.4, target=Target.ANY, csv_prefix=tmp_path / "small-mixed")
    run(engine, replace(mixed, full_history=True))
    names = {row["Name"] for row in rows(tmp_path / "small-mixed_stats_history.csv")}
    assert names == {"Aggregated", "/config/[key] GET", "/config/[key] PUT"}
