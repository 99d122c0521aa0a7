"""Measures the demo cluster: start, latency of writes and reads, throughput, kills of the leader, CPU of idle nodes.

Run as ``python -m tests.benchmarks.demo_cluster``; takes about a minute. The client and the nodes share the
machine, so other load shows in the figures.
"""

from __future__ import annotations

import argparse
import base64
import os
import statistics
import sys
import threading
import time

import psutil

from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ADMIN, ask_on, connect, wait_agreed
from tests.support.demo_writers import Writers, lost
from tests.support.waiting import wait_for

PATH = "/api/v1/namespaces/bench-demo/config"
VALUE = base64.b64encode(os.urandom(768)).decode()
WRITE_MEDIAN_LIMIT_MS = 15.0


def percentiles(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=1000, method="inclusive")
    p50, p99, p999 = (cuts[at] * 1000 for at in (499, 989, 998))
    worst = max(seconds) * 1000
    return f"p50 {p50:6.2f}  p99 {p99:6.2f}  p99.9 {p999:6.2f}  max {worst:6.2f} ms  ({len(seconds)} requests)"


def one_connection(url: str, method: str, count: int, prefix: str = "one") -> list[float]:
    connection = connect(url)
    took = []
    for number in range(count):
        payload = {"value": VALUE} if method == "PUT" else None
        started = time.perf_counter()
        answer = ask_on(connection, method, f"{PATH}/{prefix}-{number}", payload, ADMIN)
        took.append(time.perf_counter() - started)
        assert answer.status == 200, answer
    connection.close()
    return took


def many_connections(url: str, method: str, users: int, count: int) -> tuple[float, list[float]]:
    """Requests a second in all, and each one's time; the client is Python threads, and so the slower side."""
    took: list[list[float]] = [[] for _ in range(users)]

    def user(number: int) -> None:
        took[number] = one_connection(url, method, count, f"user-{number}")

    threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    every = [each for times in took for each in times]
    return len(every) / seconds, every


def idle_cpu(cluster: DemoCluster, seconds: float) -> dict[str, float]:
    """Per cent of a core that each node uses with no request."""

    def used() -> dict[str, float]:
        times = {url: psutil.Process(pid).cpu_times() for url, pid in cluster.pids.items()}
        return {url: each.user + each.system for url, each in times.items()}

    before = used()
    time.sleep(seconds)
    return {url: (after - before[url]) / seconds * 100 for url, after in used().items()}


def leader_kills(cluster: DemoCluster, count: int) -> list[float]:
    """Seconds from each SIGKILL of the leader to the next acknowledged write, under four writers."""
    took = []
    with Writers(cluster.urls, count=4) as writers:
        for _ in range(count):
            leader = wait_agreed(cluster)
            cluster.kill(leader)
            killed, before = time.perf_counter(), len(writers.acknowledged)
            # Answers that were on their way when it died: at most one for each writer.
            wait_for(lambda before=before: len(writers.acknowledged) > before + 4, "writes go on", 30)  # type: ignore[misc]
            took.append(time.perf_counter() - killed)
            cluster.restart(leader)
        wait_agreed(cluster)
    assert lost(cluster.urls, writers.acknowledged) == {}
    return sorted(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="for each figure with one connection")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of watching idle nodes")
    parser.add_argument("--kills", type=int, default=5, help="of the leader")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with DemoCluster(ports="auto") as cluster:
        if not cluster.wait_ready(20):
            print("not ready within 20 s")
            return 1
        print(f"ready after {time.perf_counter() - started:.2f} s")
        leader = wait_agreed(cluster)
        follower = next(url for url in cluster.urls if url != leader)
        writes = one_connection(leader, "PUT", arguments.requests)
        print(f"PUT 1 KB, leader, one connection   {percentiles(writes)}")
        print(f"GET, leader, one connection        {percentiles(one_connection(leader, 'GET', arguments.requests))}")
        print(f"GET, follower, one connection      {percentiles(one_connection(follower, 'GET', arguments.requests))}")
        for method in ("PUT", "GET"):
            rate, took = many_connections(leader, method, 10, arguments.requests // 5)
            print(f"{method}, leader, ten connections       {percentiles(took)}  {rate:.0f} requests/s")
        gaps = leader_kills(cluster, arguments.kills)
        if gaps:
            low, middle, high = gaps[0], statistics.median(gaps), gaps[-1]
            print(f"leader killed {len(gaps)} times: {low:.2f} / {middle:.2f} / {high:.2f} s without writes")
        leader = wait_agreed(cluster)
        idle = idle_cpu(cluster, arguments.idle)
        for url, percent in idle.items():
            role = "leader" if url == leader else "follower"
            rss = psutil.Process(cluster.pids[url]).memory_info().rss / 2**20
            print(f"idle {role:8} {percent:5.2f} % of a core, {rss:.0f} MiB")
    median = statistics.median(writes) * 1000
    print(f"median write {median:.2f} ms, to reach: {WRITE_MEDIAN_LIMIT_MS:g} ms")
    return 0 if median <= WRITE_MEDIAN_LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
