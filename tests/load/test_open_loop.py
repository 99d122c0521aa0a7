"""An open loop with real sockets: the schedule is kept whatever the answers do, and nothing is lost silently."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load.engine import Engine
from confman_tui.load.histogram import decode
from confman_tui.load.run_model import Cause, RunOutcome, SecondSample
from confman_tui.settings.scenarios import Target
from tests.support.confman_server import Server
from tests.support.load_runs import KEYS, Book, plan, run, wait_until
from tests.support.waiting import DEADLINE_S


def adds_up(outcome: RunOutcome, samples: list[SecondSample], due: int) -> None:
    """Each request that was due was sent or is counted as not started, and all figures are about the same ones."""
    assert outcome.requests + outcome.not_started == due
    assert sum(sample.ok + sample.failures for sample in samples) == outcome.requests
    assert samples[-1].not_started == outcome.not_started
    assert max(sample.schedule_lag_s for sample in samples) == outcome.schedule_lag_s
    assert outcome.uncorrected is not None
    ok = outcome.reads_ok + outcome.writes_ok
    assert decode(outcome.histogram).get_total_count() == ok
    assert decode(outcome.uncorrected.histogram).get_total_count() == ok


def test_requests_go_out_at_the_rate_and_each_is_counted(engine: Engine, server: Server, tmp_path: Path) -> None:
    server.seed(list(KEYS))
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    book = Book()
    outcome = run(
        engine,
        plan(users=8, seconds=2, write_share=0.5, rate=50.0, csv_prefix=tmp_path / "small-open"),
        samples=samples,
        observer=book,
    )
    adds_up(outcome, samples, 100)
    # far from what the machine can do: were one user not woken for what is due, or for half of it, it would be less
    assert outcome.requests > 50
    assert outcome.failures == 0
    assert all(sample.rate == 50.0 for sample in samples)
    served = server.control()
    assert (served["get"], served["put"]) == (outcome.reads_ok, outcome.writes_ok)
    # all users take turns: each has a connection
    assert served["connections"] >= 8
    # whatever began late waited before, never after: corrected is the larger one, everywhere
    uncorrected = outcome.uncorrected
    assert uncorrected is not None
    for corrected, actual in (
        (outcome.p50_us, uncorrected.p50_us),
        (outcome.p99_us, uncorrected.p99_us),
        (outcome.max_us, uncorrected.max_us),
    ):
        assert corrected is not None
        assert actual is not None
        assert 0 < actual <= corrected
    # Locust's own statistics go on showing what the server took
    with (tmp_path / "small-open_stats.csv").open(newline="") as stream:
        locust = {row["Name"]: row for row in csv.DictReader(stream)}["Aggregated"]
    assert int(locust["Request Count"]) == outcome.requests
    assert float(locust["Max Response Time"]) * 1000 == pytest.approx(uncorrected.max_us, abs=1)
    # the bookkeeping of writes: sent when they were sent, wanted when they were due
    assert len(book.starts) == len(book.ends) == len(book.intended) == outcome.writes_ok
    for (_, _, _, started, ended, _, fate), intended in zip(book.ends, book.intended, strict=True):
        assert intended is not None
        assert outcome.started <= intended < ended
        assert intended - 1e-6 <= started < ended
        assert fate is WriteOutcome.ACKNOWLEDGED


def test_a_stall_of_one_second_shows_in_the_corrected_p99_alone(engine: Engine, server: Server) -> None:
    """wrk2's demonstration: with few connections hardly any request is in flight while the server stalls. A busy
    machine makes every request longer; only the stall makes one take half of it."""
    half_us = 600_000
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = engine.run(plan(users=2, seconds=4, rate=100.0), on_sample=samples.append)
    wait_until(lambda: server.control()["put"] > 20)
    server.control(stall_s=2 * half_us / 1e6)
    outcome = future.result(DEADLINE_S)
    adds_up(outcome, samples, 400)
    uncorrected = outcome.uncorrected
    assert uncorrected is not None
    assert outcome.p99_us is not None
    assert uncorrected.p99_us is not None
    assert uncorrected.max_us is not None
    # 120 of 400 were due within the stall: p90 is well within it, p99 near its length
    assert outcome.p99_us > 1.5 * half_us
    assert outcome.p90_us is not None
    assert outcome.p90_us > half_us
    # two of 400 were in flight
    assert uncorrected.p99_us < half_us
    assert uncorrected.max_us > half_us
    # and it is shown: the backlog at the end of a second, and how late the last of it began
    assert max(sample.not_started for sample in samples) > 10
    assert outcome.schedule_lag_s > half_us / 1e6
    worst = max(samples, key=lambda sample: sample.p99_us or 0)
    assert (worst.p99_us or 0) > 1.5 * half_us


def test_a_pool_that_is_too_small_is_told(engine: Engine, server: Server) -> None:
    server.control(delay_s=0.1)
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    outcome = run(engine, plan(users=2, seconds=1.5, rate=100.0), samples=samples)
    adds_up(outcome, samples, 150)
    # two users get at most ten answers a second each
    assert outcome.requests <= 2 * (1 + (outcome.ended - outcome.started) / 0.1)
    assert outcome.not_started >= 100
    assert outcome.schedule_lag_s > 1.0
    assert samples[0].not_started > 50


def test_what_no_node_is_known_for_never_began(engine: Engine) -> None:
    samples: list[SecondSample] = []
    outcome = run(engine, plan(users=3, seconds=1, rate=50.0), samples=samples)
    assert (outcome.requests, outcome.not_started) == (0, 50)
    assert outcome.uncorrected is not None
    assert outcome.uncorrected.p99_us is None
    assert samples[-1].not_started == 50


def test_nothing_is_left_of_many_runs(engine: Engine, server: Server) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    engine.set_targets(server.url, (server.url,))
    run(engine, plan(users=4, seconds=0.05, rate=200.0))
    before = files()
    for _ in range(5):
        run(engine, plan(users=4, seconds=0.05, rate=200.0))
    assert files() <= before


def test_a_stop_counts_what_was_due_and_sends_nothing_more(engine: Engine, server: Server) -> None:
    server.control(delay_s=0.3)
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = engine.run(plan(users=1, seconds=None, rate=50.0), on_sample=samples.append)
    wait_until(lambda: bool(samples))
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.stopped_early
    assert outcome.requests == server.control()["put"] <= 1 + (outcome.ended - outcome.started) / 0.3
    assert outcome.not_started > 30
    # the request in flight at the stop was waited for, but what would have been due meanwhile is nobody's
    due = outcome.requests + outcome.not_started
    assert due <= 50 * (outcome.ended - outcome.started)


def test_failures_do_not_slow_the_schedule(engine: Engine, server: Server) -> None:
    # in a closed loop each of two users would pause for 100 to 250 ms after each failure
    server.control(mode="no_leader")
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    book = Book()
    outcome = run(engine, plan(users=2, seconds=2, rate=100.0), samples=samples, observer=book)
    adds_up(outcome, samples, 200)
    assert outcome.failures_by_cause == {Cause.NO_LEADER: outcome.requests}
    assert outcome.requests > 2 * (1 + 2 / 0.1)
    assert (outcome.p99_us, len(book.ends)) == (None, outcome.requests)
    assert outcome.uncorrected is not None
    assert outcome.uncorrected.p99_us is None


def test_the_rate_changes_while_it_runs(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = engine.run(plan(users=4, seconds=2.2, rate=50.0), on_sample=samples.append)
    wait_until(lambda: len(samples) == 1)
    engine.set_rate(200.0)
    wait_until(lambda: len(samples) == 2)
    outcome = future.result(DEADLINE_S)
    assert samples[0].rate == 50.0
    assert samples[-1].rate == 200.0
    assert samples[0].ok <= 51
    # at 50/s 110 would have been due, and after the first second 200/s were the most
    assert 111 < outcome.requests + outcome.not_started <= 50 + 1.2 * 200 + 2
    # a rate for nobody
    engine.set_rate(5.0)
    assert outcome.failures == 0


def test_a_closed_loop_has_no_rate_and_takes_none(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    future = engine.run(plan(users=1, seconds=None), on_sample=samples.append)
    wait_until(lambda: engine.health().running)
    engine.set_rate(1.0)
    wait_until(lambda: bool(samples))
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert samples[0].ok > 0
    assert (outcome.uncorrected, outcome.not_started, outcome.schedule_lag_s) == (None, 0, 0.0)
    assert all(sample.rate is None and sample.uncorrected_p99_us is None for sample in samples)


def test_fewer_users_end_at_once_though_nothing_is_due(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    future = engine.run(plan(users=6, seconds=None, rate=0.01), on_sample=lambda _: None)
    wait_until(lambda: engine.health().users == 6)
    engine.set_users(2)
    wait_until(lambda: engine.health().users == 2)
    engine.stop_run()
    outcome = future.result(DEADLINE_S)
    assert outcome.requests == 1
    assert outcome.not_started == 0


def test_a_warm_up_keeps_the_schedule_and_is_left_out(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    samples: list[SecondSample] = []
    outcome = run(engine, plan(users=4, seconds=1, warmup_s=1, rate=100.0, target=Target.ANY), samples=samples)
    assert [sample.warmup for sample in samples] == [True, False]
    # on the grid: what was not sent in the first second was sent in the next
    assert 0 < samples[0].ok <= 101
    assert outcome.requests == samples[1].ok
    assert samples[0].ok + samples[1].ok + outcome.not_started == 200
