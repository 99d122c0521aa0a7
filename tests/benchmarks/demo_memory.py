"""What the demo cluster's nodes need of memory for large values, and whether they give it back: resident memory of each
node before, while and after 500 values of 1 MB are written, read and removed, and their processor time until then.

    python -m tests.benchmarks.demo_memory [--values 500] [--users 10]
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import psutil

from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ask, connect, find_leader, wait_agreed
from tests.support.keys import ADMIN

SPACE = "/api/v1/namespaces/bench-memory"
VALUE = 1024 * 1024
SETTLES_S = 8.0
"""For what is written by and by: snapshots, and what the allocator gives back."""


def resident_mb(pid: int) -> int:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise SystemExit("this system does not show the memory of a process")


def report(cluster: DemoCluster, when: str) -> None:
    """Print each node's memory, the leader's first."""
    leader = find_leader(cluster)
    figures = [(resident_mb(pid), url) for url, pid in cluster.pids.items()]
    line = ", ".join(f"{mb:,} MB{' (leader)' if url == leader else ''}" for mb, url in sorted(figures, reverse=True))
    used = sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in cluster.pids.values())
    print(f"{when:<40} {line}; {used:.1f} s of processor time", flush=True)


def write(leader: str, count: int, users: int) -> None:
    """Write ``count`` values, all users at once, each on a connection of its own."""
    body = b'{"value":"' + b"x" * VALUE + b'"}'
    headers = {"X-Api-Key": ADMIN, "Content-Type": "application/json"}

    def user(first: int) -> None:
        connection = connect(leader, 60)
        for number in range(first, count, users):
            connection.request("PUT", f"{SPACE}/config/k{number}", body, headers)
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=user, args=(first,)) for first in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Write, read, overwrite and remove, and print the memory after each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--values", type=int, default=500)
    options.add_argument("--users", type=int, default=10)
    arguments = options.parse_args()
    count = arguments.values
    with DemoCluster(ports="auto") as cluster:
        leader = wait_agreed(cluster, 30)
        report(cluster, "fresh")
        ask(leader, "PUT", SPACE, {})
        follower = next(url for url in cluster.urls if url != leader)
        for turn in ("written", "with a follower paused"):
            if turn != "written":
                cluster.pause(follower)
            began = time.monotonic()
            write(leader, count, arguments.users)
            report(cluster, f"{count} {turn} in {time.monotonic() - began:.0f} s")
            if turn != "written":
                cluster.resume(follower)
            time.sleep(SETTLES_S)
            report(cluster, f"{SETTLES_S:.0f} s later")
        for number in range(count):
            ask(leader, "GET", f"{SPACE}/config/k{number}", timeout_s=30)
        report(cluster, "read")
        ask(leader, "DELETE", SPACE, timeout_s=30)
        for number in range(50):
            ask(leader, "PUT", f"{SPACE}-small/config/k{number}", {"value": "x"}, timeout_s=30)
        time.sleep(SETTLES_S)
        report(cluster, f"removed, {SETTLES_S:.0f} s later")


if __name__ == "__main__":
    main()
