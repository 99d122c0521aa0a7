"""What an hour's run at 5,000 requests/s needs of memory, headless: peak resident memory against the bound of 250 MB.

    python -m tests.benchmarks.memory [--quick] [--seconds 3600] [--rate 5000] [--verify 300000] [reads mixed writes]

The hour takes minutes: no request is sent, but all that keeps something of a request is the program's
own and gets its due of each second: Locust's statistics and its CSV files, the recorder, the run's totals, the write
maker, the book of writes and its stream, polls of three nodes, the meter of elections, the generator's watch, the
timeline's file, the headless printer, the result and its JSON. Each kind of run has a process of its own. Reads only
(``reads``) and 20 % writes (``mixed``) must keep the bound; ``writes``, run only when asked for, shows what the ledger
costs then.
The process that polls and probes is not in it: its size does not depend on the run's (some 40 MB).

Verification of all writes begins, and ends after as many as ``--verify`` says (it goes through them in slices, so that
further ones cost nothing). Its answers are made up: no machine here holds a cluster with millions of entries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TextIO

import psutil

from confman_tui.cluster.writes.ledger import WriteLedger

BOUND_MB = 250
SHARES = {"reads": 0.0, "mixed": 0.2, "writes": 1.0}
NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))
NAMESPACES = tuple(f"bench-small-{number:03d}" for number in range(5))
POLLS_PER_S = 10
START = 1_795_449_600.0
FAILED_EVERY = 1000


def peak_mb() -> float:
    """Peak resident memory of this process, in MB; of this program alone, unlike `resource.getrusage`."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this system does not give the peak of a process's memory")


def now_mb() -> float:
    """Resident memory of this process, in MB."""
    return float(psutil.Process().memory_info().rss) / 1e6


def silent() -> TextIO:
    """A stream that takes all and keeps nothing."""
    return Path(os.devnull).open("w", encoding="utf-8")


class Time:
    """The hour's time."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class FedEngine:
    """Stands where the engine stands, and makes requests up instead of sending them."""

    def __init__(self, clock: Time, seconds: int, rate: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._rate = rate
        self.thread_id = None
        self.each_second: Any = None
        self.task: Any = None
        self.block = ""
        """What all written values begin with."""

    def set_targets(self, leader: str | None, ready: tuple[str, ...], nodes: tuple[str, ...] = ()) -> None:
        """Nothing is sent anywhere."""

    def run(self, plan: Any, *, on_sample: Any, observer: Any) -> Future[Any]:
        """See `confman_tui.load.engine.Engine.run`."""
        future: Future[Any] = Future()
        self.task = asyncio.create_task(self._make_up(plan, on_sample, observer, future))
        return future

    async def _make_up(self, plan: Any, on_sample: Any, observer: Any, future: Future[Any]) -> None:
        try:
            future.set_result(await self._outcome(plan, on_sample, observer))
        except BaseException as error:
            future.set_exception(error)

    async def _outcome(self, plan: Any, on_sample: Any, observer: Any) -> Any:
        import locust.stats
        from locust.env import Environment
        from locust.event import Events

        from confman_tui.cluster.elections import WriteOutcome
        from confman_tui.load import causes, context, users
        from confman_tui.load.locust_csv import CsvFiles
        from confman_tui.load.recorder import Recorder
        from confman_tui.load.run_model import Cause
        from confman_tui.load.targets import TargetBoard
        from confman_tui.load.totals import RunTotals

        clock, begun = self._clock, self._clock.now
        locust.stats.__dict__["time"] = SimpleNamespace(time=clock)
        environment: Any = Environment(events=Events())  # type: ignore[no-untyped-call]
        environment.create_local_runner()
        files = CsvFiles(environment, plan.csv_prefix)
        shared = context.from_plan(plan, TargetBoard(), observer)
        self.block = shared.writes._head.partition(b'"value":"')[2].decode()
        recorder, totals = Recorder(begun), RunTotals(begun, plan.warmup_s)
        environment.events.request.add_listener(recorder.on_request)
        fire = environment.events.request.fire
        chance = random.Random(7)
        latencies = [min(60_000.0, chance.lognormvariate(1.0, 0.7)) for _ in range(200_003)]
        step, number = 1.0 / self._rate, 0
        for second in range(self._seconds):
            for index in range(self._rate):
                at = clock.now = begun + second + index * step
                number += 1
                taken = latencies[number * 7919 % len(latencies)]
                node = NODES[number % 3]
                failure = None
                if number % FAILED_EVERY == 0:
                    failure = causes.RequestFailure(Cause.TIMEOUT, "timeout")
                is_write = chance.random() < plan.write_share
                if is_write:
                    write = shared.writes.next()
                    observer.started(at - taken / 1000)
                    outcome = WriteOutcome.ACKNOWLEDGED if failure is None else WriteOutcome.UNKNOWN
                    observer.ended(write.namespace, write.key, write.digest, at - taken / 1000, at, node, outcome)
                fire(
                    request_type="PUT" if is_write else "GET",
                    name=users.WRITE_NAME if is_write else users.READ_NAME,
                    response_time=taken,
                    response_length=1100,
                    response=None,
                    context={},
                    exception=failure,
                    start_time=at,
                    url="",
                    node=node,
                )
                if index % (self._rate // 5) == 0:
                    self.each_second(at, False)
            clock.now = begun + second + 1
            writer = files._writer
            writer._stats_history_data_rows(writer.stats_history_csv_writer, clock.now)
            bucket = recorder.cut(clock.now, shared, users=plan.users, engine_cpu=0.6, hub_lag_s=0.001)
            self.each_second(clock.now, True)
            on_sample(totals.add(bucket))
            await asyncio.sleep(0)
        done = totals.outcome(clock.now, stopped_early=False)
        from dataclasses import replace

        return replace(done, files=files.finish(), file_error=files.error)


class Entry(NamedTuple):
    """What a read gives."""

    key: str
    value: str


class MadeUp:
    """Answers every read of the verification as a cluster would that lost nothing: with the value that was sent."""

    def __init__(self, block: str, ledger: WriteLedger) -> None:
        self._block = block
        self._ledger = ledger

    async def each_entry(self, node: str, namespace: str) -> AsyncGenerator[Entry, None]:
        """A namespace's entries."""
        for number, write in enumerate(self._ledger.writes(namespace)):
            if number % 100 == 0:
                await asyncio.sleep(0)
            yield Entry(write.key, self._block + write.key[-12:])

    async def get_entry(self, node: str, namespace: str, key: str, value_bytes: int) -> Entry | None:
        """One entry."""
        await asyncio.sleep(0)
        return Entry(key, self._block + key[-12:])


async def feed(kind: str, seconds: int, rate: int, verified: int) -> dict[str, Any]:
    """Run through the hour; what it needed, in MB."""
    from confman_tui.cluster.states import Poll, PollKind
    from confman_tui.cluster.writes.verification import verify
    from confman_tui.headless import Printer
    from confman_tui.load.run_model import RunPlan
    from confman_tui.load.saturation import GeneratorSample
    from confman_tui.results.files.summary import json_document
    from confman_tui.results.tables.results_table import results_table
    from confman_tui.session.connection import Connection
    from confman_tui.session.events import ScenarioStarted
    from confman_tui.session.run_recorder import ScenarioRun
    from confman_tui.settings import resolve
    from confman_tui.settings.scenarios import Target

    clock = Time()
    used: dict[str, Any] = {"kind": kind}
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(silent()) as nowhere:
        settings = resolve("bench", {"output-dir": folder, "duration": "1h"}, {}).settings
        printer = Printer(nowhere)
        engine: Any = FedEngine(clock, seconds, rate)
        cluster = Connection(settings, NODES, None, engine, printer, asyncio.Event(), clock)
        monitor = cluster.monitor
        keys = tuple((namespace, f"key-{number:012x}") for namespace in NAMESPACES for number in range(20))
        plan = RunPlan(
            f"memory-{kind}", 50, float(seconds), Target.ANY, SHARES[kind], (0.0, 0.0), 1024, NAMESPACES, keys, "key"
        )
        run = ScenarioRun(plan, settings, 100, engine, cluster, printer, clock)
        cluster.incidents.run = run
        monitor.start_booking()

        def each_second(at: float, whole: bool) -> None:
            monitor.drain()
            if not whole:
                return
            cpu = dict.fromkeys(NODES, 0.2)
            cluster.watch.latest = GeneratorSample(at, 1.0, 0.7, 0.8, 0.001, None, 0.01, cpu)
            for poll in range(POLLS_PER_S):
                for node in NODES:
                    sent = at - 1 + poll / POLLS_PER_S
                    role = "leader" if node == NODES[0] else "follower"
                    monitor._on_poll(Poll(node, sent, sent + 0.001, PollKind.ANSWER, True, role, NODES[0], 7))

        engine.each_second = each_second
        printer(ScenarioStarted(plan.scenario, clock.now, plan.users, plan.duration_s, 100, 1024))
        used["before"] = now_mb()
        with run.recording() as recorded:
            future = engine.run(recorded, on_sample=run.post_sample, observer=monitor.book)
            outcome = await asyncio.wrap_future(future)
            run.outcome = outcome
        used["after_run"], used["peak_run"] = now_mb(), peak_mb()
        used["requests"] = outcome.requests
        ledger = monitor.stop_booking()
        used["writes"], used["ledger"] = len(ledger), ledger.bytes_held() / 1e6
        verification = None
        if verified and len(ledger):
            stop = asyncio.Event()
            verification = await verify(
                MadeUp(engine.block, ledger), ledger, NODES, payload_bytes=1024, entries_before=100, reread_s=0.0,
                stop=stop, progress=lambda done, _: stop.set() if done >= verified else None, clock=clock,
            )  # fmt: skip
            used["checked"], used["lost"] = verification.checked, verification.lost
        result = run.save(run.result(verification, ()))
        json.dumps(json_document(cluster.summary(), "small", [result]))
        results_table([result])
        await cluster.client.aclose()
        await monitor.stop()
        cluster.dataset.close()
    used["peak"] = peak_mb()
    return used


def child(kind: str, seconds: int, rate: int, verified: int) -> None:
    """One kind of run, in this process."""
    from confman_tui.load.locust_setup import prepare

    prepare()
    print(json.dumps(asyncio.run(feed(kind, seconds, rate, verified))))


def main() -> int:
    """Measure each kind in a process of its own and print it; 1 when one that must keep the bound does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=[], help="reads, mixed, writes (default: reads and mixed)")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--rate", type=int, default=5000, help="requests per second")
    parser.add_argument("--verify", type=int, default=300_000, help="writes to read back; 0: none")
    parser.add_argument("--quick", action="store_true", help="five minutes instead of the hour")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.verify = min(options.seconds, 300), min(options.verify, 50_000)
    if options.child:
        child(options.child, options.seconds, options.rate, options.verify)
        return 0
    broken = False
    print(f"{options.seconds} s at {options.rate:,} requests/s; bound {BOUND_MB} MB")
    for kind in options.kinds or ["reads", "mixed"]:
        arguments = ["--child", kind, "--seconds", str(options.seconds), "--rate", str(options.rate)]
        arguments += ["--verify", str(options.verify)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.memory", *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        used = json.loads(done.stdout)
        kept = "kept" if used["peak"] <= BOUND_MB else "BROKEN"
        broken = broken or (kept != "kept" and kind != "writes")
        print(
            f"{kind:<7} {used['requests']:>11,} requests  {used['writes']:>11,} writes  ledger {used['ledger']:4.0f} MB"
            f"  before {used['before']:4.0f}  run's peak {used['peak_run']:4.0f}  with verification and files"
            f" {used['peak']:4.0f} MB ({used.get('checked', 0):,} checked): bound {kept}",
            flush=True,
        )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
